"""Arrival models: how much data each user receives in a frame."""

from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import FloatArray, InputError, frozen, not_negative, positive_number
from .process import Process
from .recording import Recording, described, numbers
from .trace import Layout, Replay, arranged


class Arrivals(Process):
    """Data that arrives in a frame, (num_users,), Mbit, 0 or more; subclass it for a model of your own."""


class ExponentialArrivals(Arrivals):
    """Exponential arrivals, independent between users and frames (LyDROO, section VI).

    Args:
        mean: of each user's data a frame, Mbit.

    Raises:
        InputError: when `mean` is not positive and finite.
    """

    draws_for_many = True

    def __init__(self, mean: float = 3.0) -> None:
        self.mean = positive_number("mean", mean)

    def sample_frames(self, frames: int, rng: np.random.Generator) -> FloatArray:
        return rng.exponential(self.mean, (frames, self._size))


class ConstantArrivals(Arrivals):
    """The same data for every user in every frame.

    Args:
        amount: of each user's data a frame, Mbit.

    Raises:
        InputError: when `amount` is not positive and finite.
    """

    draws_for_many = True

    def __init__(self, amount: float = 3.0) -> None:
        self.amount = positive_number("amount", amount)

    def sample_frames(self, frames: int, rng: np.random.Generator) -> FloatArray:
        return np.full((frames, self._size), self.amount)


class RecordedArrivals(Replay, Arrivals):
    """Replays recorded arrivals frame by frame, and from the first again after the last.

    Args:
        path: of a file, or in code an array, as of `env.RecordedTrace`; arrivals are (rows, N), Mbit.
        start: the row of the first frame.
        variable: name of the arrivals; 'data_arrival' by default.
        layout: 'frames', rows are frames; 'users', rows are users.
        index_column: whether the first column of a `.csv` file is left out; by default it is found out.

    Raises:
        InputError, FileNotFoundError, ImportError: as `env.RecordedTrace`; arrivals may be 0.

    Warns:
        EnvironmentWarning: when there are more users than frames.
    """

    draws_for_many = True

    def __init__(
        self,
        path: Any,
        start: int = 0,
        *,
        variable: str | None = None,
        layout: Layout = "frames",
        index_column: bool | None = None,
    ) -> None:
        recording = Recording(path, ["data_arrival" if variable is None else variable], index_column)
        self.name = recording.name
        label, array = recording.main(variable, "data_arrival", "arrivals")
        amounts = numbers(label, arranged(label, array, layout, "(rows, N), a row a frame"))
        self.amounts = frozen(not_negative(described(label, array), amounts))
        self._start_at(start)

    @property
    def rows(self) -> FloatArray:
        return self.amounts


def as_arrivals(name: str, arrivals: Any) -> Arrivals | None:
    """A world's setting of that name: an `Arrivals` or None as it is, a recording as a `RecordedArrivals`.

    Raises InputError for anything else.
    """
    if isinstance(arrivals, str | Path | np.ndarray) or hasattr(arrivals, "to_numpy"):
        arrivals = RecordedArrivals(arrivals)
    if not isinstance(arrivals, Arrivals | None):
        raise InputError(f"{name} must be an Arrivals, got {arrivals!r}")
    return arrivals
