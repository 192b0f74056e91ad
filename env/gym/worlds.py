"""R worlds as one whose arrays have R as first dimension: those that know replicas, and any others in a loop."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray, InputError
from ..decisions import Decisions, decisions_of
from ..limits import Limited, LimitedReplicas

MEMBERS = ("num_users", "reset", "observe", "evaluate", "step")


class Worlds(Protocol):
    """What is asked of R worlds of N users with F features and C choices."""

    number: int
    """R."""
    first: Any
    """A world, for what is the same in all of them."""

    def one(self) -> "Worlds":
        """The first world alone, where that is less work."""

    def reset(self, seeds: Sequence[int]) -> None:
        """Start over, each with its seed."""

    def observe(self) -> FloatArray:
        """(R, N, F)."""

    def evaluate(self, decisions: NDArray[Any]) -> FloatArray:
        """Values (R, K) of decisions (R, K, N)."""

    def step(self, decisions: NDArray[Any]) -> None:
        """Carry out decisions (R, N)."""

    def optimum(self) -> FloatArray | None:
        """The best values of this frame, (R,); None where they are not known."""

    def metrics(self) -> dict[str, FloatArray]:
        """The worlds' `frame_metrics`, each (R,)."""

    def kinds(self) -> Sequence[Decisions]:
        """The R kinds of decision in this frame."""

    def active(self) -> NDArray[np.bool_] | None:
        """Which users are on, (R, N); None for worlds whose users always are."""


class SideBySide:
    """Any R worlds, one after the other.

    Args:
        worlds: R of them, with the same numbers of users and choices.

    Raises:
        InputError: for none, for one without the five members of a world, and for different numbers.
    """

    def __init__(self, worlds: Sequence[Any]) -> None:
        if not worlds:
            raise InputError("worlds must be one or more, got none")
        for world in worlds:
            missing = [member for member in MEMBERS if not hasattr(world, member)]
            if missing:
                raise InputError(f"{type(world).__name__} must have {missing[0]} to be a world")
        sizes = [(world.num_users, decisions_of(world).num_choices) for world in worlds]
        if len(set(sizes)) > 1:
            raise InputError(f"worlds must have the same num_users and choices, got {sorted(set(sizes))}")
        self.worlds, self.number, self.first = list(worlds), len(worlds), worlds[0]

    def one(self) -> Worlds:
        return SideBySide(self.worlds[:1])

    def reset(self, seeds: Sequence[int]) -> None:
        for world, seed in zip(self.worlds, seeds, strict=True):
            world.reset(seed=seed)

    def observe(self) -> FloatArray:
        return np.array([world.observe() for world in self.worlds], dtype=np.float64)

    def evaluate(self, decisions: NDArray[Any]) -> FloatArray:
        pairs = zip(self.worlds, decisions, strict=True)
        return np.array([world.evaluate(each) for world, each in pairs], dtype=np.float64)

    def step(self, decisions: NDArray[Any]) -> None:
        for world, decision in zip(self.worlds, decisions, strict=True):
            world.step(decision)

    def optimum(self) -> FloatArray | None:
        optima = [getattr(world, "frame_optimum", lambda: None)() for world in self.worlds]
        return None if any(one is None for one in optima) else np.array(optima, dtype=np.float64)

    def metrics(self) -> dict[str, FloatArray]:
        each: list[Mapping[str, Any]] = [getattr(world, "frame_metrics", dict)() for world in self.worlds]
        return {name: np.array([one[name] for one in each], dtype=np.float64) for name in each[0]}

    def kinds(self) -> Sequence[Decisions]:
        return [decisions_of(world) for world in self.worlds]

    def active(self) -> NDArray[np.bool_] | None:
        found = [getattr(world, "active", None) for world in self.worlds]
        return None if found[0] is None else np.array(found, dtype=bool)


class Replicas:
    """One world of R replicas, as `WirelessPoweredMEC` makes: one call for all."""

    def __init__(self, world: Any) -> None:
        self.world = self.first = world
        self.number: int = world.replicas

    def one(self) -> Worlds:
        return self

    def reset(self, seeds: Sequence[int]) -> None:
        self.world.reset(seed=list(seeds))

    def observe(self) -> FloatArray:
        return np.asarray(self.world.observe(), dtype=np.float64)

    def evaluate(self, decisions: NDArray[Any]) -> FloatArray:
        return np.asarray(self.world.evaluate(np.ascontiguousarray(decisions)), dtype=np.float64)

    def step(self, decisions: NDArray[Any]) -> None:
        self.world.step(decisions)

    def optimum(self) -> FloatArray | None:
        found = self.world.frame_optimum()
        return None if found is None else np.asarray(found, dtype=np.float64)

    def metrics(self) -> dict[str, FloatArray]:
        return {name: np.asarray(of_all) for name, of_all in self.world.frame_metrics().items()}

    def kinds(self) -> Sequence[Decisions]:
        found = decisions_of(self.world)
        return found.each if isinstance(found, LimitedReplicas) else [found] * self.number

    def active(self) -> NDArray[np.bool_] | None:
        found: NDArray[np.bool_] | None = getattr(self.world, "active", None)
        return found


def masks(worlds: Worlds) -> NDArray[np.int8] | None:
    """Which choices are there for each user in this frame, (R, N, C); None where the worlds know of no others.

    They know where their decisions are `Limited`, or users can be off, who then have choice 0 only.
    """
    kinds, active = worlds.kinds(), worlds.active()
    if active is None and not any(isinstance(kind, Limited) for kind in kinds):
        return None
    there = np.ones((worlds.number, kinds[0].num_users, kinds[0].num_choices), dtype=np.int8)
    for place, kind in enumerate(kinds):
        if isinstance(kind, Limited):
            there[place] = kind.mask
    if active is not None:
        there[~active, 1:] = 0
    return there
