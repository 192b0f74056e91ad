"""The figures of a run for TensorBoard (the `track` extra)."""

import math
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..checks import InputError, whole_number
from .callbacks import Callback, Run
from .record import Columns, Frame

SUFFIX = ".offloading"
"""Of the event files that are written here, and cut back here."""


class TensorBoard(Callback):
    """Writes an event file: the columns of `metrics.csv`, histograms of the network's weights, the settings.

    Scalars are the numbers of the table rounded to single precision, which is what event files hold of scalars, at
    the step of their frame; empty cells are left out. A run that goes on cuts its event files back to the frame
    from which it does, and begins another, which tells a TensorBoard that has read them to forget the rest.

    Args:
        folder: of this run's event files; by default the run's own.
        histograms: frames between histograms of the weights; 0 for none.
        settings: shown as text and as hyperparameters; by default the run's configuration.

    Raises:
        ImportError: without TensorBoard, naming the extra.
        InputError: when there is no folder, or `histograms` is out of range.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        histograms: int = 1000,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        try:
            import torch.utils.tensorboard  # noqa: F401
        except ImportError as error:
            raise ImportError("TensorBoard is not installed: pip install 'mec-offloading[track]'") from error
        self._folder = folder
        self._histograms = whole_number("histograms", histograms, 0)
        self._settings = settings
        self._writer: Any = None
        if not histograms:  # then there is nothing to do in each frame
            self.on_frame = super().on_frame  # type: ignore

    def on_start(self, run: Run) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from torch.utils.tensorboard import summary
        from torch.utils.tensorboard.writer import FileWriter

        text_of: Any = summary.text
        hparams_of: Any = summary.hparams

        folder = self._folder or run.folder
        if folder is None:
            raise InputError("folder must be given where the run has none of its own, got None")
        if run.first_frame:
            for path in Path(folder).glob(f"events.out.tfevents.*{SUFFIX}"):
                _cut(path, run.first_frame)
        self._writer = writer = FileWriter(str(folder), max_queue=1000, filename_suffix=SUFFIX)
        if run.first_frame:
            begin = Event(session_log=SessionLog(status=SessionLog.START))
            writer.add_event(begin, step=run.first_frame)
        settings = dict(_flat(run.settings if self._settings is None else self._settings))
        if settings:
            lines = "\n".join(f"    {name}: {value}" for name, value in settings.items())
            writer.add_summary(text_of("settings", lines), run.first_frame)
            simple = {name: _simple(value) for name, value in settings.items()}
            for part in hparams_of(simple, {"normalized_rate": 0.0, "value": 0.0}):
                writer.add_summary(part, run.first_frame)
        writer.flush()

    def on_frame(self, run: Run, frame: Frame) -> None:
        if (frame.frame + 1) % self._histograms == 0:
            self._add_histograms(run, frame.frame)

    def on_rows(self, run: Run, rows: Columns) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        names = [name for name in rows if name != "frame"]
        table = zip(*(rows[name].tolist() for name in names), strict=True)
        for frame, cells in zip(rows["frame"].tolist(), table, strict=True):
            known = ((name, cell) for name, cell in zip(names, cells, strict=True) if not math.isnan(cell))
            values = [Summary.Value(tag=name, simple_value=cell) for name, cell in known]
            self._writer.add_event(Event(summary=Summary(value=values)), step=frame)
        self._writer.flush()

    def on_end(self, run: Run) -> None:
        self._writer.close()

    def _add_histograms(self, run: Run, step: int) -> None:
        """Those of the weights after a frame, of all replicas together."""
        from torch.utils.tensorboard import summary

        from ..configured import Configured

        histogram_of: Any = summary.histogram

        arrays: dict[str, list[Any]] = {}
        for agent in run.agents:
            if isinstance(agent, Configured):
                for name, weight in _weights(agent.learner.state_dict()):
                    arrays.setdefault(name, []).append(np.ravel(weight))
        for name, parts in arrays.items():
            made = histogram_of(f"weights/{name}", np.concatenate(parts), bins="auto")
            self._writer.add_summary(made, step)


def _cut(path: Path, step: int) -> None:
    """Leave what an event file holds of the steps before this one, which all come first."""
    from tensorboard.compat.proto.event_pb2 import Event

    with path.open("r+b") as file:
        kept = 0
        while len(head := file.read(12)) == 12:  # the length of a record, and its checksum
            (length,) = struct.unpack("<Q", head[:8])
            record = file.read(length + 4)
            if len(record) < length + 4 or Event.FromString(record[:length]).step >= step:
                break
            kept = file.tell()
        file.truncate(kept)


def _weights(state: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The weights in a learner's state, with their names; of several networks with their number before."""
    learners = state.get("learners", [state])
    for number, one in enumerate(learners):
        prefix = f"{number}/" if len(learners) > 1 else ""
        for name, weight in one["network"].items():
            yield prefix + name, weight if isinstance(weight, np.ndarray) else weight.detach().cpu().numpy()


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings as 'env.num_users', 10 and so on."""
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _simple(value: Any) -> Any:
    """A setting as hyperparameters may be: a number, a truth value or text."""
    return value if isinstance(value, bool | int | float | str) else str(value)
