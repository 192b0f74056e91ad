"""Arrival models: how much data each user receives in a frame."""

import numpy as np

from env.arrays import FloatArray, positive_number
from env.processes.process import Process


class Arrivals(Process):
    """Data that arrives in a frame, (num_users,), Mbit, 0 or more; subclass it for a model of your own."""


class ExponentialArrivals(Arrivals):
    """Exponential arrivals, independent between users and frames (LyDROO, section VI).

    Args:
        mean: of each user's data a frame, Mbit.

    Raises:
        InputError: when `mean` is not positive and finite.
    """

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

    def __init__(self, amount: float = 3.0) -> None:
        self.amount = positive_number("amount", amount)

    def sample_frames(self, frames: int, rng: np.random.Generator) -> FloatArray:
        return np.full((frames, self._size), self.amount)
