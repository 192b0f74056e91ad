"""What the small problems have in common: their optimum by trying all decisions, and what must not be done."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import FloatArray, InputError, size
from ..environment import Environment

MOST_USERS = 16
"""Trying all of 2^16 decisions takes milliseconds."""


class SmallProblem(Environment):
    """A problem of N users with bits, small enough to try all decisions; a subclass says what they are worth.

    What is fixed for a run (an order, a graph, couplings) is drawn from the seed, what changes in every frame by
    `begin_frame`. A decision that must not be carried out is worth -inf.

    Args:
        num_users: N, at most 16.
        seed: of all random numbers.

    Raises:
        InputError: when `num_users` is not 1 to 16.
    """

    def __init__(self, num_users: int, *, seed: int = 0) -> None:
        self.num_users = size("num_users", num_users)
        if num_users > MOST_USERS:
            raise InputError(f"num_users must be 1 to {MOST_USERS}, got {num_users}")
        super().__init__(seed)

    def evaluate(self, decisions: Any) -> FloatArray:
        """Values (K,) of decisions (K, N), larger is better; -inf for what must not be done.

        Raises InputError for what is no decision.
        """
        return self.values(self.decisions.check("decisions", decisions))

    def values(self, decisions: FloatArray) -> FloatArray:
        """Values (..., ) of decisions (..., N) of 0.0 and 1.0."""
        raise TypeError(f"{type(self).__name__} must have a method values")

    def frame_optimum(self) -> float:
        """The best value of all 2^N decisions."""
        best = self.best_of_all(2**MOST_USERS)
        assert best is not None
        return best


def multiple_of(number: int, num_users: int) -> int:
    """`num_users`; raises InputError unless it is a multiple of a number."""
    if size("num_users", num_users) % number:
        raise InputError(f"num_users must be a multiple of {number}, got {num_users}")
    return num_users


def allowed(values: FloatArray, where: ArrayLike) -> FloatArray:
    """The values, -inf where it is not allowed."""
    return np.where(where, values, -np.inf)
