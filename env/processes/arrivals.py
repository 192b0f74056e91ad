"""Arrival models: how much data each user receives in a frame.

An environment calls `sample` once a frame; every random number comes from the generator it passes.
"""

from abc import ABC, abstractmethod

import numpy as np

from env.arrays import FloatArray, positive_number


class Arrivals(ABC):
    """What an environment asks of arrivals; subclass it for a model of your own."""

    @abstractmethod
    def sample(self, num_users: int, rng: np.random.Generator) -> FloatArray:
        """Data that arrives in one frame, (num_users,), Mbit, 0 or more."""


class ExponentialArrivals(Arrivals):
    """Exponential arrivals, independent between users and frames (LyDROO, section VI).

    Args:
        mean: of each user's data a frame, Mbit.

    Raises:
        ValueError: when `mean` is not positive and finite.
    """

    def __init__(self, mean: float = 3.0) -> None:
        self.mean = positive_number("mean", mean)

    def sample(self, num_users: int, rng: np.random.Generator) -> FloatArray:
        return rng.exponential(self.mean, num_users)


class ConstantArrivals(Arrivals):
    """The same data for every user in every frame.

    Args:
        amount: of each user's data a frame, Mbit.

    Raises:
        ValueError: when `amount` is not positive and finite.
    """

    def __init__(self, amount: float = 3.0) -> None:
        self.amount = positive_number("amount", amount)

    def sample(self, num_users: int, rng: np.random.Generator) -> FloatArray:
        return np.full(num_users, self.amount)
