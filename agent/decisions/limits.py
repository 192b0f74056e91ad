"""Limits of a frame's decisions as agents keep them: places on each choice, and choices that are not there."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..checks import InputError
from .cheapest import cheapest
from .ranked_assignment import ranked_decisions

_BARRED = 1e9
"""The cost of a choice that is not there, where sums of costs are taken."""


class Limited(Protocol):
    """What an agent asks of decisions with limits, such as `env.Limited`."""

    capacities: NDArray[Any]
    """(C,): at most so many users take each choice; of choice 0 N or more."""
    mask: NDArray[np.bool_]
    """(N, C): whether a choice is there for a user; choice 0 always is."""

    def feasible(self, decisions: NDArray[Any]) -> NDArray[np.bool_]:
        """Whether decisions (..., N) keep the limits, (...)."""

    def random(self, count: int, rng: np.random.Generator) -> NDArray[Any]:
        """Random decisions that keep them, (count, N)."""


class Limits:
    """The limits of R frames side by side.

    Args:
        each: of each frame.

    Attributes:
        capacities: (R, C). mask: (R, N, C).
    """

    def __init__(self, each: Sequence[Limited]) -> None:
        self.each = each
        self.capacities = np.stack([one.capacities for one in each])
        self.mask = np.stack([one.mask for one in each])

    def permit(
        self,
        decision: NDArray[Any],
        first: NDArray[Any],
        to_first: NDArray[Any],
        second: NDArray[Any],
        to_second: Any,
    ) -> NDArray[np.bool_]:
        """Which changes (R, S) of decisions (R, N) keep the limits.

        Of one user, `first` being `second`, to another choice, or of two that exchange theirs.
        """
        rows = np.arange(len(decision))[:, None]
        there = self.mask[rows, first, to_first] & self.mask[rows, second, to_second]
        taken = (decision[..., None] == np.arange(self.capacities.shape[1])).sum(1)
        room = taken < self.capacities
        permitted: NDArray[np.bool_] = there & ((first != second) | room[rows, to_first])
        return permitted


def limits_of(evaluate: Any, decisions: Any, num_users: int, num_choices: int) -> Limits | None:
    """The limits that hold in a frame; None where there are none.

    They are those of `decisions`; where that is None, those of the `decisions` of the critic, or of the
    environment whose method the critic is. Raises InputError for limits of other numbers of users or choices.
    """
    if decisions is None:
        decisions = getattr(evaluate, "decisions", None)
    if decisions is None:
        decisions = getattr(getattr(evaluate, "__self__", None), "decisions", None)
    each = getattr(decisions, "each", [decisions])
    if not hasattr(each[0], "capacities"):
        return None
    if each[0].mask.shape != (num_users, num_choices):
        raise InputError(
            f"decisions must have {num_users} users with {num_choices} choices, got limits of {each[0].mask.shape}"
        )
    return Limits(each)


def cheapest_within(cost: NDArray[np.floating], k: int, limits: Limited) -> NDArray[np.int64]:
    """The `k` decisions of least cost that keep the limits, or all there are: (k or fewer, N), best first.

    Where the k best of all keep them these are found, otherwise the ranked assignments.

    Args:
        cost: of each user's choices, (N, C).
        k: how many.
        limits: of the frame.
    """
    there = np.where(limits.mask, cost, _BARRED)
    if k <= np.prod(limits.mask.sum(-1, dtype=np.float64)):
        found = cheapest(there, k)
        if limits.feasible(found).all():
            return found
    return ranked_decisions(np.where(limits.mask, cost, np.inf), k, limits.capacities)
