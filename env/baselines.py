"""Baselines that need nothing of an environment but its `evaluate` (and, where said, `observe`).

Each takes an environment at its current frame, which it leaves unchanged, and the random generator that the random
ones draw from, and returns a `Choice`. They work with any environment of `num_users`, `observe` and `evaluate`.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import InputError, generator, size
from .decisions import Binary, Decisions, decisions_of, member
from .limits import Limited
from .processes.trace import Replay


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


class Replaying(Evaluating, Protocol):
    """An environment that may replay a recording, such as `WirelessPoweredMEC`."""

    frame: int
    recording: Replay | None


class Choice(NamedTuple):
    """What a method decided in one frame; in R worlds side by side arrays of R."""

    decision: NDArray[Any]
    """(N,)."""
    value: Any
    """Of the decision, as `evaluate` gives it: a float."""
    evaluations: Any
    """Decisions that were evaluated for it: the critic calls of the frame."""


Baseline = Callable[[Evaluating, np.random.Generator], Choice]


def exhaustive(environment: Evaluating, rng: np.random.Generator | None = None) -> Choice:
    """The best of all decisions. Raises InputError for more than 2^20 of them (20 users with bits)."""
    decisions = _decisions_of(environment)
    if decisions.num_users * np.log2(decisions.num_choices) > 20:
        count = f"{decisions.num_choices}^{decisions.num_users}"
        raise InputError(f"exhaustive search takes at most 2^20 decisions, got {count}")
    return best_of(environment, decisions.all())


def coordinate_descent(
    environment: Evaluating, rng: np.random.Generator, start: ArrayLike | None = None
) -> Choice:
    """Change the one user that gains most until none gains, from `start` (N,) or a random decision.

    (CD of the papers: Bi and Zhang, IEEE Trans. Wireless Comm. 2018, Algorithm 2.)
    Raises InputError when `start` is not a decision or of another shape.
    """
    decisions = _decisions_of(environment)
    decision = (
        decisions.random(1, generator("rng", rng))[0] if start is None else decisions.check_one("start", start)
    )
    value = float(np.asarray(environment.evaluate(decision[None]))[0])
    evaluations = 1
    while True:
        neighbours = decisions.neighbours(decision)
        if not len(neighbours):  # limits allow no other
            return Choice(decision, value, evaluations)
        values = np.asarray(environment.evaluate(neighbours))
        evaluations += len(neighbours)
        best = int(values.argmax())
        if not values[best] > value:
            return Choice(decision, value, evaluations)
        decision, value = neighbours[best], float(values[best])


def coordinate_descent_of_each(environment: Evaluating, rngs: Sequence[np.random.Generator]) -> Choice:
    """`coordinate_descent` in each of R worlds side by side, such as `LyapunovMEC(replicas=R)`: arrays of R.

    Each starts from its own generator and ends where it would alone. (Of one world these arrays take 1.7 times as
    long as `coordinate_descent` does, so that does not call this.) Raises InputError where places are limited, so
    that decisions have different numbers of neighbours.
    """
    decisions = _decisions_of(environment)
    if isinstance(decisions, Limited):
        raise InputError(f"decisions must have no limits for worlds side by side, got {decisions}")
    decision = np.stack([decisions.random(1, generator("rngs", rng))[0] for rng in rngs])
    value = np.asarray(environment.evaluate(decision[:, None]))[:, 0]
    rows, going, evaluations = np.arange(len(rngs)), np.ones(len(rngs), dtype=bool), np.ones(len(rngs), np.int64)
    while going.any():
        neighbours = np.stack([decisions.neighbours(one) for one in decision])
        values = np.asarray(environment.evaluate(neighbours))
        evaluations[going] += neighbours.shape[1]
        best = values.argmax(-1)
        going &= values[rows, best] > value
        decision = np.where(going[:, None], neighbours[rows, best], decision)
        value = np.where(going, values[rows, best], value)
    return Choice(decision, value, evaluations)


def greedy(environment: Evaluating, rng: np.random.Generator | None = None) -> Choice:
    """Offload the users of the largest gain (first observed feature), as many as is best: N + 1 decisions.

    With limits, of the users that can offload and as many as there are places. Raises InputError where decisions
    are not bits.
    """
    kind = _bits_of(environment, "greedy")
    gain, num_users = np.asarray(environment.observe())[:, 0], kind.num_users
    limits = kind if isinstance(kind, Limited) else None
    order = np.argsort(-gain if limits is None else np.where(limits.mask[:, 1], -gain, np.inf))
    decisions = np.zeros((num_users + 1, num_users))
    decisions[:, order] = np.tri(num_users + 1, num_users, -1)
    return best_of(environment, decisions if limits is None else decisions[limits.feasible(decisions)])


def all_local(environment: Evaluating, rng: np.random.Generator | None = None) -> Choice:
    """Nobody offloads."""
    return best_of(environment, _decisions_of(environment).idle()[None])


def all_offload(environment: Evaluating, rng: np.random.Generator | None = None) -> Choice:
    """Everybody offloads. Raises InputError where decisions are not bits, or limits forbid it."""
    kind = _bits_of(environment, "all_offload")
    return best_of(environment, kind.check("all_offload", np.ones((1, kind.num_users))))


def best_of_random(environment: Evaluating, rng: np.random.Generator, k: int | None = None) -> Choice:
    """The best of `k` uniformly random decisions, N of them by default. Raises InputError for `k` below 1."""
    decisions = _decisions_of(environment)
    count = decisions.num_users if k is None else size("k", k)
    return best_of(environment, decisions.random(count, generator("rng", rng)))


def random(environment: Evaluating, rng: np.random.Generator) -> Choice:
    """One uniformly random decision."""
    return best_of_random(environment, rng, 1)


def recorded(environment: Replaying, rng: np.random.Generator | None = None) -> Choice:
    """The decision that the world's recording stores beside this frame, a label by somebody or something.

    Raises InputError where it stores none.
    """
    recording = member(environment, "recording")
    if recording is None or recording.decisions is None:
        raise InputError("the world's recording must hold decisions, it has none")
    return best_of(environment, recording.decisions[[recording.row_of(environment.frame)]])


def linear_relaxation(environment: Relaxing, rng: np.random.Generator | None = None) -> Choice:
    """LR of the DROO paper: relax the binary decisions, solve, round; for environments with `relaxed_decision`."""
    return best_of(environment, np.asarray(member(environment, "relaxed_decision")(), dtype=np.float64)[None])


def _bits_of(environment: Evaluating, method: str) -> Decisions:
    decisions = _decisions_of(environment)
    if not isinstance(decisions.kind if isinstance(decisions, Limited) else decisions, Binary):
        raise InputError(f"decisions must be bits for {method}, got {decisions}")
    return decisions


def best_of(environment: Evaluating, decisions: NDArray[Any]) -> Choice:
    """The best of decisions (K, N), and K evaluations."""
    values = np.asarray(environment.evaluate(decisions))
    best = int(values.argmax())
    return Choice(decisions[best].copy(), float(values[best]), len(decisions))


def _decisions_of(environment: Evaluating) -> Decisions:
    """The kind of decision of an environment; raises InputError for what values none."""
    member(environment, "evaluate")
    return decisions_of(environment)
