"""Kinds of decisions: what a world asks of its users, bits or choices, asked here and nowhere else."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import FloatArray, InputError, binary, choices, last_dimension, one_a_user, size


class Decisions(Protocol):
    """What is asked of a kind of decision of N users; 0 is local computing in each."""

    @property
    def num_users(self) -> int:
        """N."""

    @property
    def num_choices(self) -> int:
        """C: each entry of a decision is one of 0 to C - 1."""

    def check(self, name: str, decisions: ArrayLike) -> NDArray[Any]:
        """Decisions (..., N) as an array; raises InputError, naming the argument, when they are none."""

    def check_one(self, name: str, decision: ArrayLike) -> NDArray[Any]:
        """One decision (N,), likewise."""

    def all(self) -> NDArray[Any]:
        """Every decision, (C^N, N), read-only."""

    def neighbours(self, decision: NDArray[Any]) -> NDArray[Any]:
        """The decisions that differ from one (N,) in one user, (N (C - 1), N)."""

    def random(self, count: int, rng: np.random.Generator) -> NDArray[Any]:
        """Uniformly random decisions, (count, N)."""

    def idle(self) -> NDArray[Any]:
        """Everybody computes locally, (N,)."""


@dataclass(frozen=True)
class Binary:
    """Each user computes locally (0) or offloads (1), the decision of DROO, LyDROO and DDLO.

    Args:
        num_users: N.

    Raises:
        InputError: when `num_users` is below 1.
    """

    num_users: int
    num_choices: ClassVar[int] = 2

    def __post_init__(self) -> None:
        size("num_users", self.num_users)

    def check(self, name: str, decisions: ArrayLike) -> FloatArray:
        """Decisions (..., N) as 0.0 and 1.0; raises InputError for anything else or another shape."""
        checked = binary(name, decisions)
        last_dimension(name, checked, self.num_users)
        return checked

    def check_one(self, name: str, decision: ArrayLike) -> FloatArray:
        """One decision (N,), likewise."""
        checked = binary(name, decision)
        one_a_user(name, checked, self.num_users)
        return checked

    def all(self) -> FloatArray:
        """Every decision, (2^N, N), read-only; row r holds the binary digits of r, user 0 first."""
        return _all(self.num_users, 2, "f8")

    def neighbours(self, decision: NDArray[Any]) -> FloatArray:
        """The decisions in which one user does the other thing, (N, N): row i flips user i."""
        return np.abs(decision - _identity(self.num_users))

    def random(self, count: int, rng: np.random.Generator) -> FloatArray:
        """Uniformly random decisions, (count, N)."""
        return rng.integers(2, size=(count, self.num_users)).astype(np.float64)

    def idle(self) -> FloatArray:
        """Nobody offloads, (N,)."""
        return np.zeros(self.num_users)


@dataclass(frozen=True)
class Categorical:
    """Each user takes one of C choices, 0 being local computing: several servers or access points.

    Args:
        num_users: N.
        num_choices: C, 2 or more.

    Raises:
        InputError: when a number is too small.
    """

    num_users: int
    num_choices: int

    def __post_init__(self) -> None:
        size("num_users", self.num_users)
        size("num_choices", self.num_choices, 2)

    def check(self, name: str, decisions: ArrayLike) -> NDArray[np.int64]:
        """Decisions (..., N) as integers 0 to C - 1; raises InputError for anything else or another shape."""
        checked = choices(name, decisions, self.num_choices)
        last_dimension(name, checked, self.num_users)
        return checked

    def check_one(self, name: str, decision: ArrayLike) -> NDArray[np.int64]:
        """One decision (N,), likewise."""
        checked = choices(name, decision, self.num_choices)
        one_a_user(name, checked, self.num_users)
        return checked

    def all(self) -> NDArray[np.int64]:
        """Every decision, (C^N, N), read-only; row r holds the digits of r to the base C, user 0 first."""
        return _all(self.num_users, self.num_choices, "i8")

    def neighbours(self, decision: NDArray[Any]) -> NDArray[np.int64]:
        """The decisions in which one user takes another choice, (N (C - 1), N), user after user."""
        near = np.repeat(np.asarray(decision, dtype=np.int64)[None], self.num_users * (self.num_choices - 1), 0)
        user = np.repeat(np.arange(self.num_users), self.num_choices - 1)
        shift = np.tile(np.arange(1, self.num_choices), self.num_users)
        near[np.arange(len(near)), user] = (near[np.arange(len(near)), user] + shift) % self.num_choices
        return near

    def random(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Uniformly random decisions, (count, N)."""
        return rng.integers(self.num_choices, size=(count, self.num_users))

    def idle(self) -> NDArray[np.int64]:
        """Everybody computes locally, (N,)."""
        return np.zeros(self.num_users, dtype=np.int64)


def decisions_of(environment: Any) -> Decisions:
    """The kind of decision of an environment: bits, where it says nothing; raises InputError for what is none."""
    found: Decisions | None = getattr(environment, "decisions", None)
    return Binary(member(environment, "num_users")) if found is None else found


def member(environment: Any, name: str) -> Any:
    """What an environment has by that name; raises InputError for what has it not."""
    if isinstance(environment, type) or not hasattr(environment, name):
        raise InputError(f"environment must be a world with {name}, got {environment!r}")
    return getattr(environment, name)


@lru_cache(maxsize=16)
def _identity(num_users: int) -> FloatArray:
    return np.eye(num_users)


@lru_cache(maxsize=4)
def _all(num_users: int, num_choices: int, dtype: str) -> NDArray[Any]:
    weight = num_choices ** np.arange(num_users)[::-1]
    decisions = (np.arange(num_choices**num_users)[:, None] // weight % num_choices).astype(dtype)
    decisions.setflags(write=False)
    return decisions
