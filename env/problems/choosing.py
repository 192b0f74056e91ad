"""Which users: prices that add up, and limits on who may be taken together."""

import numpy as np

from ..arrays import FloatArray, size
from .problem import SmallProblem, allowed


class SeparablePrices(SmallProblem):
    """Each user has a price, positive or negative, and prices add up: each user can decide alone."""

    def __init__(self, num_users: int = 12, *, seed: int = 0) -> None:
        super().__init__(num_users, seed=seed)

    def begin_frame(self) -> None:
        """New prices, N(0, 1)."""
        self.prices = self.rng.normal(size=self.num_users)

    def observe(self) -> FloatArray:
        """The prices, (N, 1)."""
        return self.prices[:, None]

    def values(self, decisions: FloatArray) -> FloatArray:
        """The sum of the prices of those that are taken."""
        return decisions @ self.prices


class AtMost(SeparablePrices):
    """At most q users may be taken: the q of the highest positive prices.

    Args:
        num_users: N.
        most: q.
        seed: of all random numbers.
    """

    def __init__(self, num_users: int = 10, most: int = 3, *, seed: int = 0) -> None:
        self.most = size("most", most, 1)
        super().__init__(num_users, seed=seed)

    def values(self, decisions: FloatArray) -> FloatArray:
        """The sum of the prices, -inf for more than q users."""
        return allowed(super().values(decisions), decisions.sum(-1) <= self.most)


class Exactly(SeparablePrices):
    """Exactly q users must be taken, the q of the highest prices, which lie in (0, 1).

    Args:
        num_users: N.
        number: q.
        seed: of all random numbers.
    """

    def __init__(self, num_users: int = 12, number: int = 4, *, seed: int = 0) -> None:
        self.number = size("number", number, 1)
        super().__init__(num_users, seed=seed)

    def begin_frame(self) -> None:
        """New prices, uniform in (0, 1)."""
        self.prices = self.rng.uniform(size=self.num_users)

    def values(self, decisions: FloatArray) -> FloatArray:
        """The sum of the prices, -inf for another number of users."""
        return allowed(super().values(decisions), decisions.sum(-1) == self.number)


class OneOf(Exactly):
    """Exactly one user must be taken: of 2^N decisions N are allowed, and neither nobody nor everybody is."""

    def __init__(self, num_users: int = 16, *, seed: int = 0) -> None:
        super().__init__(num_users, 1, seed=seed)


class Knapsack(SmallProblem):
    """Users have values and sizes, and what is taken must fit into a third of the sum of all sizes."""

    def __init__(self, num_users: int = 12, *, seed: int = 0) -> None:
        super().__init__(num_users, seed=seed)

    def begin_frame(self) -> None:
        """New values, uniform in (0, 1), and sizes, uniform in (0.2, 1)."""
        self.worth = self.rng.uniform(size=self.num_users)
        self.sizes = self.rng.uniform(0.2, 1, self.num_users)

    def observe(self) -> FloatArray:
        """Values and sizes, (N, 2)."""
        return np.stack([self.worth, self.sizes], -1)

    def values(self, decisions: FloatArray) -> FloatArray:
        """The sum of the values, -inf for what does not fit."""
        return allowed(decisions @ self.worth, decisions @ self.sizes <= self.sizes.sum() / 3)


class Coverage(SmallProblem):
    """Sites that each reach some of 3 N places, at a cost: a place counts once, however many sites reach it.

    Which places a site reaches is fixed; its cost is new in every frame.
    """

    def __init__(self, num_users: int = 10, *, seed: int = 0) -> None:
        super().__init__(num_users, seed=seed)

    def start(self) -> None:
        """Each site reaches a place with probability 1/4, and places have weights in (0.5, 1.5)."""
        self.reached = self.rng.uniform(size=(self.num_users, 3 * self.num_users)) < 0.25
        self.weights = self.rng.uniform(0.5, 1.5, 3 * self.num_users)

    def begin_frame(self) -> None:
        """New costs, uniform in (0, 8)."""
        self.costs = self.rng.uniform(0, 8, self.num_users)

    def observe(self) -> FloatArray:
        """The costs, (N, 1)."""
        return self.costs[:, None]

    def values(self, decisions: FloatArray) -> FloatArray:
        """The weights of the places that are reached, less the costs."""
        return (decisions @ self.reached > 0) @ self.weights - decisions @ self.costs
