"""The loop of a sweep: starts trials where there is room, goes on with those that were lost, tells progress."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from ..common.progress import tqdm
from .engines import Engine
from .trials import Trial

IN_VAIN = 3
"""Times that a trial is lost without a new checkpoint before it is given up."""
_TICK = 0.2
_LOOK = 2.0
"""Seconds between two looks at the tables of the running trials."""


class Source(Protocol):
    """Where trials come from."""

    trials: Sequence[Trial]
    """Those that there are so far."""

    def total(self) -> int:
        """Frames of all trials, also of those to come."""

    def left(self) -> bool:
        """Whether there is anything to run."""

    def take(self) -> Trial | None:
        """The next trial, None where there is none now."""

    def ended(self, trial: Trial, error: str | None) -> None:
        """A trial is over, as it should be or with an error."""

    def hopeless(self) -> Iterable[Trial]:
        """Running trials that should be stopped."""

    def pruned(self, trial: Trial) -> bool:
        """Whether a trial was stopped so."""


class Listed:
    """Trials that are known from the beginning."""

    def __init__(self, trials: Sequence[Trial]) -> None:
        self.trials = trials
        self._left = deque(trials)

    def total(self) -> int:
        """Frames of all."""
        return sum(trial.weight for trial in self.trials)

    def left(self) -> bool:
        """Whether one is not finished."""
        return not all(trial.finished() for trial in self.trials)

    def take(self) -> Trial | None:
        """The next in their order."""
        return self._left.popleft() if self._left else None

    def ended(self, trial: Trial, error: str | None) -> None:
        """Nothing follows from it."""

    def hopeless(self) -> Iterable[Trial]:
        """None is."""
        return ()

    def pruned(self, trial: Trial) -> bool:
        """None was."""
        return False


class Driver:
    """Runs the trials of a source to their ends.

    A trial that is finished is not run. One whose process was ended by a signal, or whose worker was lost, goes on
    from its checkpoint; lost `IN_VAIN` times at the same one it has failed, as has one whose command fails.

    Args:
        engine: where they run.
        source: where they come from.
        failed: where the reasons are put, by the names of the trials.
    """

    def __init__(self, engine: Engine, source: Source, failed: dict[str, str]) -> None:
        self._engine, self._source, self._failed = engine, source, failed
        self._running: dict[str, Trial] = {}
        self._waiting: deque[Trial] = deque()
        self._lost: dict[str, tuple[object, int]] = {}
        """Of a trial that was lost: its checkpoint then, and how often it had not changed."""
        self._done: dict[str, int] = {}
        self._finished = 0

    def run(self, stopped: Callable[[], int], ended: Callable[[], object]) -> None:
        """Until all trials have ended, or once `stopped` those that run; `ended` is called when some have."""
        looked, told = 0.0, False
        with tqdm(
            total=self._source.total(), unit="frame", unit_scale=True, smoothing=0, file=sys.stderr
        ) as progress:
            self._fill()
            progress.initial = progress.n = self._frames()
            while self._running:
                if stopped() and not told:
                    told = True
                    progress.write("stopping: the trials end with a checkpoint", file=sys.stderr)
                    for trial in self._running.values():
                        trial.stop()
                over = self._engine.ended()
                for trial, status in over:
                    del self._running[trial.name]
                    self._done.pop(trial.name, None)
                    self._judge(trial, status, bool(stopped()), progress)
                if not stopped():
                    self._fill()
                if over:
                    ended()
                if over or time.monotonic() - looked > _LOOK:
                    for trial in [] if stopped() else self._source.hopeless():
                        self._drop(trial)
                    self._tell(progress)
                    looked = time.monotonic()
                time.sleep(_TICK)
            self._tell(progress)

    def _fill(self) -> None:
        """Start trials as long as there is room for them."""
        while True:
            room = self._engine.processors() - sum(trial.cpus for trial in self._running.values())
            trial = (
                self._waiting.popleft()
                if self._waiting
                else self._next()
                if room > 0 or not self._running
                else None
            )
            if trial is None:
                return
            if self._running and trial.cpus > room:
                self._waiting.appendleft(trial)
                return
            trial.let_run()
            self._running[trial.name] = trial
            self._engine.start(trial)

    def _next(self) -> Trial | None:
        """A trial that is not finished."""
        while (trial := self._source.take()) is not None and trial.finished():
            self._finished += 1
            self._source.ended(trial, None)
        return trial

    def _drop(self, trial: Trial) -> None:
        """Stop a trial that has no hope, or does not run yet."""
        if trial.name in self._running:
            trial.stop()
            return
        if trial in self._waiting:
            self._waiting.remove(trial)
        self._source.ended(trial, None)

    def _judge(self, trial: Trial, status: int | None, stopping: bool, progress: tqdm) -> None:
        """What follows from the end of a trial's process."""
        asked = trial.told_to_stop()
        trial.let_run()
        if status == 0 and trial.finished():
            self._finished += 1
            self._source.ended(trial, None)
        elif asked and stopping:
            return  # it is gone on with when the sweep is
        elif asked:
            self._source.ended(trial, None)
        elif status is None or status < 0 or status in (130, 143):
            mark = trial.mark()
            before, in_vain = self._lost.get(trial.name, (None, 0))
            in_vain = in_vain + 1 if mark == before or mark is None else 1
            self._lost[trial.name] = mark, in_vain
            if in_vain < IN_VAIN:
                self._waiting.append(trial)
                return
            self._fail(trial, f"it was lost {IN_VAIN} times without a new checkpoint", progress)
        else:
            self._fail(trial, trial.reason(), progress)

    def _fail(self, trial: Trial, reason: str, progress: tqdm) -> None:
        self._failed[trial.name] = reason
        progress.write(f"failed: {trial.name}: {reason} ({trial.log})", file=sys.stderr)
        self._source.ended(trial, reason)

    def _frames(self) -> int:
        """How many frames are done, of the running trials as far as their tables say."""
        for trial in self._source.trials:
            if trial.name in self._running or trial.name not in self._done:
                self._done[trial.name] = trial.done()
        return sum(self._done.values())

    def _tell(self, progress: tqdm) -> None:
        progress.total = self._source.total()
        progress.n = self._frames()
        progress.set_postfix({"running": len(self._running), "finished": self._finished}, refresh=False)
        progress.refresh()
