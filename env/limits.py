"""Limited places: at most so many users on a server or on the air, and choices that come and go."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import InputError, binary, whole_number
from .decisions import Binary, Categorical


class Limited:
    """Decisions of a kind with limited places: at most q_c users take choice c, and only choices that are there.

    Choice 0, local computing, is always there and has room for all, so that every frame has a decision. A world
    whose choices come and go sets its `decisions` to `masked(mask)` in `begin_frame`.

    Args:
        kind: `Binary(N)` or `Categorical(N, C)`.
        capacities: q_1 to q_{C-1}, 0 or more, None for no limit; or one number for each of these choices.
        mask: (N, C), true where the choice is there for the user; all are by default.

    Attributes:
        capacities: (C,), N where there is no limit. mask: (N, C), read-only.

    Raises:
        InputError: for a capacity or a mask that is none, or of another shape.
    """

    def __init__(
        self,
        kind: Binary | Categorical,
        capacities: Sequence[int | None] | int | None = None,
        mask: ArrayLike | None = None,
    ) -> None:
        if not isinstance(kind, Binary | Categorical):
            raise InputError(f"kind must be Binary or Categorical, got {kind!r}")
        self.kind = kind
        self.num_users, self.num_choices = kind.num_users, kind.num_choices
        others = kind.num_choices - 1
        row = isinstance(capacities, np.ndarray) and capacities.ndim > 0
        several = row or (isinstance(capacities, Sequence) and not isinstance(capacities, str | bytes))
        given = list(capacities) if several else [capacities] * others  # type: ignore[arg-type]
        if len(given) != others:
            raise InputError(
                f"capacities must be one number, or one for each of {others} choices, got {capacities}"
            )
        places = [kind.num_users]
        for place, one in enumerate(given):
            checked = kind.num_users if one is None else whole_number(f"capacities[{place}]", one, 0)
            places.append(min(checked, kind.num_users))
        self.capacities = np.array(places)
        there = np.ones((kind.num_users, kind.num_choices)) if mask is None else binary("mask", mask)
        if there.shape != (kind.num_users, kind.num_choices):
            shape = (kind.num_users, kind.num_choices)
            raise InputError(f"mask must have shape {shape}, a row for each user, got {there.shape}")
        if not there[:, 0].all():
            user = int(there[:, 0].argmin())
            raise InputError(f"mask must leave each user choice 0, local computing, got none for user {user}")
        self.mask = there > 0
        for array in (self.capacities, self.mask):
            array.setflags(write=False)

    def __repr__(self) -> str:
        masked = "" if self.mask.all() else f", {int((~self.mask).sum())} choices masked"
        return f"Limited({self.kind}, capacities={self.capacities[1:].tolist()}{masked})"

    def masked(self, mask: ArrayLike | None) -> "Limited":
        """The same places, with another mask (N, C); None for all choices. Raises InputError as the class.

        With masks (R, N, C) of a world of replicas, `LimitedReplicas`.
        """
        if np.ndim(mask) == 3:  # type: ignore[arg-type]
            return LimitedReplicas(self, np.asarray(mask) > 0)
        return Limited(self.kind, self.capacities[1:].tolist(), mask)

    def feasible(self, decisions: NDArray[Any]) -> NDArray[np.bool_]:
        """Whether decisions (..., N) keep the limits, (...)."""
        chosen = np.asarray(decisions, dtype=np.int64)
        return np.asarray(self._there(chosen).all(-1) & (self._taken(chosen) <= self.capacities).all(-1))

    def _there(self, chosen: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether the choices that users take in decisions (..., N) are there for them, (..., N)."""
        there: NDArray[np.bool_] = self.mask[np.arange(self.num_users), chosen]
        return there

    def _taken(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many users take each choice in decisions (..., N): (..., C)."""
        taken: NDArray[np.int64] = (chosen[..., None] == np.arange(self.num_choices)).sum(-2)
        return taken

    def check(self, name: str, decisions: ArrayLike) -> NDArray[Any]:
        """As of the kind, and InputError for a decision that does not keep the limits."""
        return self._kept(name, self.kind.check(name, decisions))

    def check_one(self, name: str, decision: ArrayLike) -> NDArray[Any]:
        """One decision (N,), likewise."""
        return self._kept(name, self.kind.check_one(name, decision))

    def _kept(self, name: str, decisions: NDArray[Any]) -> NDArray[Any]:
        if (good := self.feasible(decisions)).all():
            return decisions
        chosen = decisions.astype(np.int64)
        worst = good.ravel().argmin()
        first = chosen.reshape(-1, self.num_users)[worst]
        absent = np.flatnonzero(~self._there(chosen).reshape(-1, self.num_users)[worst])
        if absent.size:
            raise InputError(
                f"{name} must take choices that are there, but user {absent[0]} takes {first[absent[0]]}"
            )
        taken = self._taken(first)
        choice = int((taken > self.capacities).argmax())
        most = self.capacities[choice]
        raise InputError(f"{name} must have at most {most} users take choice {choice}, got {taken[choice]}")

    def all(self) -> NDArray[Any]:
        """Every decision that keeps the limits."""
        every = self.kind.all()
        return every[self.feasible(every)]

    def neighbours(self, decision: NDArray[Any]) -> NDArray[Any]:
        """Decisions that keep the limits and differ in one user, or, where a capacity is reached, exchange two."""
        near = [self.kind.neighbours(decision)]
        taken = self._taken(np.asarray(decision, dtype=np.int64))
        if (taken >= self.capacities)[1:].any():
            one, other = np.triu_indices(self.num_users, 1)
            differ = decision[one] != decision[other]
            one, other = one[differ], other[differ]
            exchanged = np.repeat(np.asarray(decision)[None], len(one), 0)
            rows = np.arange(len(one))
            exchanged[rows, one], exchanged[rows, other] = decision[other], decision[one]
            near.append(exchanged)
        every = np.concatenate(near)
        return every[self.feasible(every)]

    def random(self, count: int, rng: np.random.Generator) -> NDArray[Any]:
        """Random decisions, (count, N): in random order each user takes one of the choices that have room."""
        order = rng.random((count, self.num_users)).argsort(-1)
        room = np.tile(self.capacities, (count, 1))
        decisions = np.zeros((count, self.num_users), dtype=self.kind.idle().dtype)
        rows = np.arange(count)
        for user in order.T:
            score = np.where(self.mask[user] & (room > 0), rng.random((count, self.num_choices)), -1.0)
            chosen = score.argmax(-1)
            room[rows, chosen] -= 1
            decisions[rows, user] = chosen
        return decisions

    def idle(self) -> NDArray[Any]:
        """Everybody computes locally, (N,)."""
        return self.kind.idle()


class LimitedReplicas(Limited):
    """The limits of R worlds side by side: the same places, and a mask of each.

    Args:
        limits: the places.
        mask: (R, N, C), true where the choice is there for the user; not checked.
    """

    def __init__(self, limits: Limited, mask: NDArray[np.bool_]) -> None:
        self.kind, self.num_users, self.num_choices = limits.kind, limits.num_users, limits.num_choices
        self.capacities, self.mask = limits.capacities, mask
        mask.setflags(write=False)

    @property
    def each(self) -> list[Limited]:
        """The limits of each world, (R,)."""
        return [_with_mask(self, mask) for mask in self.mask]

    def _there(self, chosen: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Of decisions (R, N) or (R, K, N)."""
        replicas = np.arange(len(self.mask)).reshape(-1, *[1] * (chosen.ndim - 1))
        there: NDArray[np.bool_] = self.mask[replicas, np.arange(self.num_users), chosen]
        return there


def _with_mask(limits: Limited, mask: NDArray[np.bool_]) -> Limited:
    """The same places with a mask (N, C) that is known to be one."""
    made: Limited = Limited.__new__(Limited)
    made.kind, made.num_users, made.num_choices = limits.kind, limits.num_users, limits.num_choices
    made.capacities, made.mask = limits.capacities, mask
    return made
