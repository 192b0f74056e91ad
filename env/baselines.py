"""Baselines that need nothing of an environment but its `evaluate` (and, where said, `observe`).

Each takes an environment at its current frame, which it leaves unchanged, and the random generator that the random
ones draw from, and returns a `Choice`. They work with any environment of `num_users`, `observe` and `evaluate`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from env.arrays import binary
from env.exhaustive import all_decisions


class Evaluating(Protocol):
    """The part of an environment that baselines use."""

    num_users: int

    def observe(self) -> NDArray[np.floating[Any]]:
        """(N, F)."""

    def evaluate(self, decisions: NDArray[np.floating[Any]]) -> ArrayLike:
        """Values (K,) of decisions (K, N), larger is better."""


class Relaxing(Evaluating, Protocol):
    """An environment whose decisions can be relaxed, such as `WirelessPoweredMEC`."""

    def relaxed_decision(self) -> NDArray[np.int64]:
        """(N,), the relaxed optimum rounded."""


class Choice(NamedTuple):
    """What a method decided in one frame."""

    decision: NDArray[np.float64]
    """(N,), 0 or 1."""
    value: float
    """Of the decision, as `evaluate` gives it."""
    evaluations: int
    """Decisions that were evaluated for it: the critic calls of the frame."""


Baseline = Callable[[Evaluating, np.random.Generator], Choice]


def exhaustive(environment: Evaluating, rng: np.random.Generator | None = None) -> Choice:
    """The best of all 2^N decisions. Raises ValueError for more than 20 users."""
    if environment.num_users > 20:
        raise ValueError(f"exhaustive search takes at most 20 users, got {environment.num_users}")
    return _best_of(environment, all_decisions(environment.num_users))


def coordinate_descent(
    environment: Evaluating, rng: np.random.Generator, start: ArrayLike | None = None
) -> Choice:
    """Change the one user that gains most until none gains, from `start` (N,) or a random decision.

    (CD of the papers: Bi and Zhang, IEEE Trans. Wireless Comm. 2018, Algorithm 2.)
    Raises ValueError when `start` is not 0 or 1 or of another shape.
    """
    num_users = environment.num_users
    if start is None:
        decision = rng.integers(2, size=num_users).astype(np.float64)
    else:
        decision = binary("start", start)
        if decision.shape != (num_users,):
            raise ValueError(f"start must have shape ({num_users},), got {decision.shape}")
    value = float(np.asarray(environment.evaluate(decision[None]))[0])
    evaluations = 1
    while True:
        neighbours = np.abs(decision - np.eye(num_users))
        values = np.asarray(environment.evaluate(neighbours))
        evaluations += num_users
        best = int(values.argmax())
        if not values[best] > value:
            return Choice(decision, value, evaluations)
        decision, value = neighbours[best], float(values[best])


def greedy(environment: Evaluating, rng: np.random.Generator | None = None) -> Choice:
    """Offload the users of the largest gain (first observed feature), as many as is best: N + 1 decisions."""
    order = np.argsort(-np.asarray(environment.observe())[:, 0])
    decisions = np.zeros((environment.num_users + 1, environment.num_users))
    decisions[:, order] = np.tri(environment.num_users + 1, environment.num_users, -1)
    return _best_of(environment, decisions)


def all_local(environment: Evaluating, rng: np.random.Generator | None = None) -> Choice:
    """Nobody offloads."""
    return _best_of(environment, np.zeros((1, environment.num_users)))


def all_offload(environment: Evaluating, rng: np.random.Generator | None = None) -> Choice:
    """Everybody offloads."""
    return _best_of(environment, np.ones((1, environment.num_users)))


def best_of_random(environment: Evaluating, rng: np.random.Generator, k: int | None = None) -> Choice:
    """The best of `k` uniformly random decisions, N of them by default. Raises ValueError for `k` below 1."""
    k = environment.num_users if k is None else k
    if k < 1:
        raise ValueError(f"k must be 1 or more, got {k}")
    return _best_of(environment, rng.integers(2, size=(k, environment.num_users)).astype(np.float64))


def random(environment: Evaluating, rng: np.random.Generator) -> Choice:
    """One uniformly random decision."""
    return best_of_random(environment, rng, 1)


def linear_relaxation(environment: Relaxing, rng: np.random.Generator | None = None) -> Choice:
    """LR of the DROO paper: relax the binary decisions, solve, round; for environments with `relaxed_decision`."""
    return _best_of(environment, np.asarray(environment.relaxed_decision(), dtype=np.float64)[None])


def _best_of(environment: Evaluating, decisions: NDArray[np.float64]) -> Choice:
    values = np.asarray(environment.evaluate(decisions))
    best = int(values.argmax())
    return Choice(decisions[best].copy(), float(values[best]), len(decisions))
