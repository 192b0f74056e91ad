"""What users are worth to each other: couplings, cuts, a shared channel, groups, an order, servers, costs."""

from typing import ClassVar

import numpy as np

from ..arrays import FloatArray, size
from .problem import SmallProblem, allowed, multiple_of


class PairwiseCoupling(SmallProblem):
    """Each user has a price of its own, and each pair one for being taken together, of either sign.

    The pairs' prices are fixed, the users' new in every frame.
    """

    def __init__(self, num_users: int = 10, *, seed: int = 0) -> None:
        super().__init__(num_users, seed=seed)

    def start(self) -> None:
        """Prices of the pairs, N(0, 1/4)."""
        self.coupling = np.triu(self.rng.normal(0, 0.5, (self.num_users, self.num_users)), 1)

    def begin_frame(self) -> None:
        """Prices of the users, N(0, 1)."""
        self.prices = self.rng.normal(size=self.num_users)

    def observe(self) -> FloatArray:
        """The users' prices, (N, 1)."""
        return self.prices[:, None]

    def values(self, decisions: FloatArray) -> FloatArray:
        """The prices of those that are taken, and of their pairs."""
        return decisions @ self.prices + ((decisions @ self.coupling) * decisions).sum(-1)


class MaxCut(SmallProblem):
    """Two sides, such that the edges between them weigh most: a decision and its opposite are worth the same.

    The graph is fixed, its weights are new in every frame.
    """

    def __init__(self, num_users: int = 10, *, seed: int = 0) -> None:
        super().__init__(num_users, seed=seed)

    def start(self) -> None:
        """Each edge is there with probability 1/2, those of a cycle through all always."""
        edges = self.rng.uniform(size=(self.num_users, self.num_users)) < 0.5
        edges |= np.roll(np.eye(self.num_users, dtype=bool), 1, 1)
        self.edges = np.triu(edges | edges.T, 1)

    def begin_frame(self) -> None:
        """New weights, uniform in (0, 1)."""
        self.weights = self.edges * self.rng.uniform(size=self.edges.shape)

    def observe(self) -> FloatArray:
        """Each user's edges, (N, N)."""
        return self.weights + self.weights.T

    def values(self, decisions: FloatArray) -> FloatArray:
        """The weight of the edges between the sides."""
        other = 1 - decisions
        return ((decisions @ self.weights) * other + (other @ self.weights) * decisions).sum(-1)


class SharedChannel(SmallProblem):
    """The users that are taken share a channel's time equally; each other one is worth 0.5 by itself.

    Best are those of the highest rates, as many as the rates of this frame make worth while: thresholds that are
    nested in each other, as in DROO's problem.
    """

    def __init__(self, num_users: int = 10, *, seed: int = 0) -> None:
        super().__init__(num_users, seed=seed)

    def begin_frame(self) -> None:
        """New gains, exponential of mean 1; the rate is log2(1 + 10 gain)."""
        self.gains = self.rng.exponential(size=self.num_users)

    def observe(self) -> FloatArray:
        """The gains, (N, 1)."""
        return self.gains[:, None]

    def values(self, decisions: FloatArray) -> FloatArray:
        """The mean rate of those that are taken, times 3, and 0.5 for each other one."""
        number = decisions.sum(-1)
        rates = decisions @ np.log2(1 + 10 * self.gains)
        return 3 * rates / np.maximum(number, 1) + 0.5 * (self.num_users - number)


class AgreeingGroups(SmallProblem):
    """Groups of three must all be taken or none of them: of 2^N decisions 2^(N/3) are allowed.

    Raises:
        InputError: when `num_users` is not a multiple of three.
    """

    def __init__(self, num_users: int = 12, *, seed: int = 0) -> None:
        super().__init__(multiple_of(3, num_users), seed=seed)

    def start(self) -> None:
        """Who is in which group, (N,)."""
        self.groups = self.rng.permutation(self.num_users) // 3

    def begin_frame(self) -> None:
        """New prices of the users, N(0, 1)."""
        self.prices = self.rng.normal(size=self.num_users)

    def observe(self) -> FloatArray:
        """The prices, (N, 1)."""
        return self.prices[:, None]

    def values(self, decisions: FloatArray) -> FloatArray:
        """The sum of the prices, -inf where a group does not agree."""
        members = decisions @ np.eye(self.num_users // 3)[self.groups]
        return allowed(decisions @ self.prices, (members % 3 == 0).all(-1))


class Conflicts(SmallProblem):
    """Some pairs of users must not be taken together: independent sets of a graph that is fixed."""

    def __init__(self, num_users: int = 12, *, seed: int = 0) -> None:
        super().__init__(num_users, seed=seed)

    def start(self) -> None:
        """Each pair is in conflict with probability 1/4."""
        self.conflicts = np.triu(self.rng.uniform(size=(self.num_users, self.num_users)) < 0.25, 1)

    def begin_frame(self) -> None:
        """New prices of the users, uniform in (0, 1)."""
        self.prices = self.rng.uniform(size=self.num_users)

    def observe(self) -> FloatArray:
        """The prices, (N, 1)."""
        return self.prices[:, None]

    def values(self, decisions: FloatArray) -> FloatArray:
        """The sum of the prices, -inf with a conflict."""
        at_odds: FloatArray = ((decisions @ self.conflicts) * decisions).sum(-1)
        return allowed(decisions @ self.prices, at_odds == 0)


class Precedence(SmallProblem):
    """A user may be taken only with the one that it depends on: a tree, whose root depends on nobody."""

    def __init__(self, num_users: int = 12, *, seed: int = 0) -> None:
        super().__init__(num_users, seed=seed)

    def start(self) -> None:
        """Whom each user depends on, (N,); user 0, the root, on itself."""
        self.needs = np.array([self.rng.integers(max(user, 1)) for user in range(self.num_users)])

    def begin_frame(self) -> None:
        """New prices of the users, N(0, 1)."""
        self.prices = self.rng.normal(size=self.num_users)

    def observe(self) -> FloatArray:
        """The prices, (N, 1)."""
        return self.prices[:, None]

    def values(self, decisions: FloatArray) -> FloatArray:
        """The sum of the prices, -inf where one is missing that another depends on."""
        return allowed(decisions @ self.prices, (decisions <= decisions[..., self.needs]).all(-1))


class HiddenOrder(SmallProblem):
    """Users are served in an order that nobody sees: each before them takes a quarter of what a user is worth.

    Each that is taken costs 0.3.
    """

    def __init__(self, num_users: int = 9, *, seed: int = 0) -> None:
        super().__init__(num_users, seed=seed)

    def start(self) -> None:
        """The order, (N,)."""
        self.order = self.rng.permutation(self.num_users)

    def begin_frame(self) -> None:
        """What the users are worth, uniform in (0, 2)."""
        self.worth = self.rng.uniform(0, 2, self.num_users)

    def observe(self) -> FloatArray:
        """What they are worth, (N, 1)."""
        return self.worth[:, None]

    def values(self, decisions: FloatArray) -> FloatArray:
        """What those that are taken are worth in their places, less the costs."""
        served = decisions[..., self.order]
        places = served.cumsum(-1) - served
        return (served * self.worth[self.order] * 0.75**places).sum(-1) - 0.3 * decisions.sum(-1)


class ServersAsBits(SmallProblem):
    """Several servers written as bits: one bit for each user and server, at most one of a user's may be 1.

    A server's time is shared equally; a user without one is worth 0.5. With choices in place of bits
    (`env.Categorical`) nothing would be forbidden.

    Args:
        num_users: bits, a multiple of `num_servers`.
        num_servers: M.
        seed: of all random numbers.

    Raises:
        InputError: when `num_users` is not such a multiple.
    """

    def __init__(self, num_users: int = 15, num_servers: int = 3, *, seed: int = 0) -> None:
        self.num_servers = size("num_servers", num_servers, 1)
        super().__init__(multiple_of(self.num_servers, num_users), seed=seed)

    def begin_frame(self) -> None:
        """New gains of each pair, exponential of mean 1."""
        self.gains = self.rng.exponential(size=self.num_users)

    def observe(self) -> FloatArray:
        """The gain of each bit's user to its server, (N, 1)."""
        return self.gains[:, None]

    def values(self, decisions: FloatArray) -> FloatArray:
        """The mean rate on each server, and 0.5 for each user without one; -inf for two servers of a user."""
        on = decisions.reshape(*decisions.shape[:-1], -1, self.num_servers)
        rates = np.log2(1 + 10 * self.gains).reshape(-1, self.num_servers)
        shared = (on * rates).sum(-2) / np.maximum(on.sum(-2), 1)
        servers = on.sum(-1)
        return allowed(shared.sum(-1) + 0.5 * (servers == 0).sum(-1), (servers <= 1).all(-1))


class LargeCosts(SmallProblem):
    """Costs of about 1e9, to be least, of users seen as numbers of about 1e-7: a task's own cost, or a share of
    one common cost that grows with the square of what is offloaded."""

    value_is_cost: ClassVar[bool] = True

    def __init__(self, num_users: int = 10, *, seed: int = 0) -> None:
        super().__init__(num_users, seed=seed)

    def begin_frame(self) -> None:
        """Sizes of the tasks, uniform in (1e-7, 3e-7), and what a unit costs locally, (0.5, 1.5)."""
        self.sizes = self.rng.uniform(1e-7, 3e-7, self.num_users)
        self.local = self.rng.uniform(0.5, 1.5, self.num_users)

    def observe(self) -> FloatArray:
        """Sizes and local costs, (N, 2)."""
        return np.stack([self.sizes, self.local], -1)

    def values(self, decisions: FloatArray) -> FloatArray:
        """The negated cost."""
        size = 1e7 * self.sizes
        offloaded = decisions @ size
        return -1e9 * ((1 - decisions) @ (size * self.local) + offloaded**2 / size.sum())
