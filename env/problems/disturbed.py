"""What makes learning hard: a world that changes, noise on what is seen, features that say nothing."""

import numpy as np

from ..arrays import FloatArray, whole_number
from .choosing import AtMost, SeparablePrices
from .problem import SmallProblem
from .together import PairwiseCoupling


class Changing(SmallProblem):
    """Prices whose meaning turns: user i is worth cos(a_i) times what is seen, and a_i grows in every frame.

    What was best for an observation is not so a thousand frames later.

    Args:
        num_users: N.
        period: frames in which all angles go round once.
        seed: of all random numbers.
    """

    def __init__(self, num_users: int = 8, period: int = 4000, *, seed: int = 0) -> None:
        self.period = whole_number("period", period, 1)
        super().__init__(num_users, seed=seed)

    def start(self) -> None:
        """The angles at the beginning, (N,)."""
        self.angles = self.rng.uniform(0, 2 * np.pi, self.num_users)

    def begin_frame(self) -> None:
        """What is seen, N(0, 1)."""
        self.seen = self.rng.normal(size=self.num_users)

    def observe(self) -> FloatArray:
        """(N, 1)."""
        return self.seen[:, None]

    def values(self, decisions: FloatArray) -> FloatArray:
        """The sum of what those that are taken are worth now."""
        return decisions @ (self.seen * np.cos(self.angles + 2 * np.pi * self.frame / self.period))


class Jumping(SeparablePrices):
    """Prices whose sign is hidden, and drawn anew for every user after each period.

    Args:
        num_users: N.
        period: frames between changes.
        seed: of all random numbers.
    """

    def __init__(self, num_users: int = 8, period: int = 1250, *, seed: int = 0) -> None:
        self.period = whole_number("period", period, 1)
        super().__init__(num_users, seed=seed)

    def begin_frame(self) -> None:
        """New prices, and where a period ends new signs."""
        super().begin_frame()
        if self.frame % self.period == 0:
            self.signs = self.rng.choice([-1.0, 1.0], size=self.num_users)

    def values(self, decisions: FloatArray) -> FloatArray:
        """The sum of the signed prices of those that are taken."""
        return decisions @ (self.signs * self.prices)


class NoisyPrices(AtMost):
    """`AtMost`, of which the prices are seen with noise of half their standard deviation."""

    def begin_frame(self) -> None:
        """New prices and noise."""
        super().begin_frame()
        self.noise = self.rng.normal(0, 0.5, self.num_users)

    def observe(self) -> FloatArray:
        """Prices and noise, (N, 1)."""
        return super().observe() + self.noise[:, None]


class NoisyCoupling(PairwiseCoupling):
    """`PairwiseCoupling`, of which the prices are seen with noise of half their standard deviation."""

    def begin_frame(self) -> None:
        """New prices and noise."""
        super().begin_frame()
        self.noise = self.rng.normal(0, 0.5, self.num_users)

    def observe(self) -> FloatArray:
        """Prices and noise, (N, 1)."""
        return super().observe() + self.noise[:, None]


class UselessFeatures(SeparablePrices):
    """`SeparablePrices`, of which each is seen beside a constant and six numbers that say nothing, of scales from
    1e-3 to 1e6."""

    def begin_frame(self) -> None:
        """New prices and numbers."""
        super().begin_frame()
        self.numbers = self.rng.normal(size=(self.num_users, 6)) * [1e-3, 1, 1, 10, 1e3, 1e6]

    def observe(self) -> FloatArray:
        """(N, 8)."""
        constant = np.full((self.num_users, 1), 1e4)
        return np.concatenate([constant, self.numbers[:, :3], super().observe(), self.numbers[:, 3:]], -1)
