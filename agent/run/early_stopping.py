"""The end of a run that no longer gets better."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..checks import number_between, size, whole_number
from .callbacks import Callback, Run
from .record import Frame


class EarlyStopping(Callback):
    """Ends a run on a plateau of the rolling mean of the normalised rate; of the value where no optimum is known.

    It is a plateau when for `patience` frames no mean was above the best one by more than `least` of its
    magnitude. Of replicas, the run ends when all have reached one. Frames without a finite figure do not count in
    means.

    Args:
        patience: frames.
        window: frames of the rolling mean; until there are so many, nothing is compared.
        least: relative improvement that counts, 0 or more.

    Raises:
        InputError: for an argument out of range, naming it.
    """

    def __init__(self, patience: int = 1000, window: int = 500, least: float = 1e-4) -> None:
        self._patience = whole_number("patience", patience)
        self._window = size("window", window)
        self._least = number_between("least", least, 0, np.finfo(np.float64).max, "be finite and 0 or more")
        self._forget()

    def _forget(self) -> None:
        self._recent: Any = None
        """The last figures (window, R), and beside them the best mean and since how many frames, (R,) each."""
        self._best: Any = None
        self._waited: Any = None
        self._seen = 0

    def on_start(self, run: Run) -> None:
        if run.first_frame == 0:
            self._forget()

    def on_frame(self, run: Run, frame: Frame) -> None:
        known = frame.value if frame.optimum is None else frame.normalized_rate
        figures = np.atleast_1d(np.asarray(np.nan if known is None else known, dtype=np.float64))
        if self._recent is None:
            self._recent = np.full((self._window, len(figures)), np.nan)
            self._best = np.full(len(figures), -np.inf)
            self._waited = np.zeros(len(figures), dtype=np.int64)
        self._recent[self._seen % self._window] = figures
        self._seen += 1
        if self._seen < self._window:
            return
        finite = np.isfinite(self._recent)
        count = finite.sum(0)
        mean = np.where(finite, self._recent, 0.0).sum(0) / np.maximum(count, 1)
        margin = self._least * np.abs(np.where(np.isfinite(self._best), self._best, 0.0))
        better = (count > 0) & (mean > self._best + margin)
        self._best = np.where(better, mean, self._best)
        self._waited = np.where(better, 0, self._waited + 1)
        if (self._waited >= self._patience).all():
            what = "value" if frame.optimum is None else "normalized rate"
            run.stop(f"the mean {what} of {self._window} frames was no better for {self._patience} frames")

    def state_dict(self) -> dict[str, Any]:
        return {"recent": self._recent, "best": self._best, "waited": self._waited, "seen": self._seen}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._recent, self._best, self._waited = (
            None if state[name] is None else np.array(state[name]) for name in ("recent", "best", "waited")
        )
        self._seen = state["seen"]
