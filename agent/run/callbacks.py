"""Hooks in a run: what a callback may do, what it is shown, and how a simulation calls it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..checks import InputError
from .record import Columns, Frame, columns_of

ROWS = 100
"""Frames between two calls of `on_rows` in a simulation that writes no folder."""


@dataclass
class Run:
    """The run that callbacks are shown."""

    agents: Sequence[Any]
    """The agent; of replicas in several threads, one `AgentReplicas` a thread, the replicas in this order."""
    environments: Sequence[Any]
    """Their environments, in the same order."""
    frames: int
    """How many frames there are to be in all."""
    first_frame: int = 0
    """The number of the first frame of this process, above 0 where a run goes on."""
    folder: Path | None = None
    """Where the run is kept, None where it is kept nowhere."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The configuration of the run, as in `config.yaml`; empty in a simulation that has none."""
    done: int = 0
    """Frames that are done."""
    stopped: str | None = None
    """Why a callback ended the run; None while none did."""

    @property
    def agent(self) -> Any:
        """The first of `agents`."""
        return self.agents[0]

    @property
    def environment(self) -> Any:
        """The first of `environments`."""
        return self.environments[0]

    def stop(self, reason: str) -> None:
        """End the run after this frame, as if it had no more frames; the reason is in its summary."""
        self.stopped = self.stopped or reason


class Callback:
    """What may be done in a run beside it: inherit this, and write the methods that you need.

    An error that a method raises ends the run, with its traceback; `on_end` is called all the same.
    """

    metrics: Sequence[str] = ()
    """Names of the figures that `on_frame` returns: columns of `metrics.csv`, `metrics.png`, `summary.json`."""
    metric_labels: Mapping[str, str] = MappingProxyType({})
    """For plots, a name with its unit for some of them."""

    def on_start(self, run: Run) -> None:
        """Before the first frame, of a run that goes on after `load_state_dict`."""

    def on_frame(self, run: Run, frame: Frame) -> Mapping[str, Any] | None:
        """After each frame, whose decision is carried out and learned.

        Its figures are numbers, of replicas arrays (R,), None where not known. May return figures by the names in
        `metrics`, numbers or arrays (R,); those left out are empty in this frame.
        """

    def on_learn(self, run: Run, frame: Frame) -> None:
        """After `on_frame`, in frames in which an agent learned: those with a `loss`."""

    def on_rows(self, run: Run, rows: Columns) -> None:
        """After at most 100 frames, and before a checkpoint: the rows of `metrics.csv` as they are written.

        Columns by name, (frames,) each, nan where empty; of replicas the means. Without `on_frame` and `on_learn`,
        a callback costs nothing in a frame.
        """

    def on_checkpoint(self, run: Run, path: Path) -> None:
        """After a checkpoint is written; only in runs that are kept in a folder."""

    def on_end(self, run: Run) -> None:
        """After the last frame, whatever ended the run; of a run in a folder, after its summary and its plots."""

    def state_dict(self) -> Mapping[str, Any]:
        """What a checkpoint keeps so that a run goes on exactly: numbers, strings, arrays, lists and dicts."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""


class Hooks:
    """The callbacks of a run, called in their order; `on_end` in the reverse order.

    Raises:
        InputError: for one that is no `Callback`, or metrics with one name.
    """

    def __init__(self, callbacks: Sequence[Callback], run: Run) -> None:
        for one in callbacks:
            if not isinstance(one, Callback):
                raise InputError(f"callbacks must inherit agent.Callback, got {one!r}")
        self.run = run
        self.metrics = [name for one in callbacks for name in one.metrics]
        twice = sorted({name for name in self.metrics if self.metrics.count(name) > 1})
        if twice:
            raise InputError(f"callbacks must have metrics of different names, got {', '.join(twice)} twice")
        self.metric_labels = {name: label for one in callbacks for name, label in one.metric_labels.items()}
        self._callbacks = callbacks
        self._empty: dict[str, Any] = dict.fromkeys(self.metrics)
        self._on_frame = [one for one in callbacks if _has(one, "on_frame")]
        self._on_learn = [one for one in callbacks if _has(one, "on_learn")]
        self._on_rows = [one for one in callbacks if _has(one, "on_rows")]
        self.each_frame = bool(self._on_frame or self._on_learn or self.metrics)
        """Whether any is to be called in each frame."""

    @contextmanager
    def running(self) -> Iterator[None]:
        """From `on_start` to `on_end`, which is called of all that started, whatever happens."""
        with ExitStack() as stack:
            for one in self._callbacks:
                one.on_start(self.run)
                stack.callback(one.on_end, self.run)
            yield

    def follow(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """The frames with the callbacks' own metrics; no more once a callback stops the run."""
        run = self.run
        while not run.stopped and (frame := next(frames, None)) is not None:
            run.done = frame.frame + 1
            figures = self._empty.copy()
            for one in self._on_frame:
                figures |= _figures(one, one.on_frame(run, frame))
            if frame.loss is not None:
                for one in self._on_learn:
                    one.on_learn(run, frame)
            yield frame._replace(metrics={**frame.metrics, **figures}) if figures else frame

    def around(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """A whole simulation of one agent that is kept nowhere, from `on_start` to `on_end`."""
        block: list[Frame] = []
        with self.running():
            try:
                for frame in self.follow(frames):
                    block.append(frame)
                    if len(block) == ROWS:
                        self.rows(block)
                        block = []
                    yield frame
            finally:
                self.rows(block)

    def rows(self, rows: Columns | Sequence[Frame]) -> None:
        """Show the callbacks some rows, where there are any."""
        if self._on_rows and len(rows):
            columns = rows if isinstance(rows, dict) else columns_of(rows)
            for one in self._on_rows:
                one.on_rows(self.run, columns)

    def checkpoint(self, path: Path) -> None:
        """Tell them of a checkpoint."""
        for one in self._callbacks:
            one.on_checkpoint(self.run, path)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps of them."""
        return {"each": [one.state_dict() for one in self._callbacks], "stopped": self.run.stopped}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned, of the same callbacks; those at the end may be new, or gone."""
        for one, saved in zip(self._callbacks, state["each"], strict=False):
            one.load_state_dict(saved)
        self.run.stopped = state["stopped"]


def _has(callback: Callback, method: str) -> bool:
    """Whether a callback has a method of its own: in its class, or set on the object."""
    own: Callable[..., Any] = getattr(callback, method)
    return getattr(own, "__func__", own) is not getattr(Callback, method)


def _figures(callback: Callback, returned: Any) -> Mapping[str, Any]:
    """What `on_frame` returned; raises InputError for figures that the callback does not name."""
    if returned is None:
        return {}
    name = type(callback).__name__
    if not isinstance(returned, Mapping):
        raise InputError(f"on_frame of {name} must return None or a mapping of figures, got {returned!r}")
    if unnamed := returned.keys() - set(callback.metrics):
        raise InputError(
            f"on_frame of {name} must return figures that its metrics name, {list(callback.metrics)}, "
            f"got {', '.join(sorted(map(str, unnamed)))}"
        )
    return returned
