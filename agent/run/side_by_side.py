"""Any environments side by side, as one environment of replicas."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .contract import Environment, world_of


class EachLimited(NamedTuple):
    """The decisions of R worlds with limited places."""

    num_users: int
    num_choices: int
    each: Sequence[Any]


class SideBySide:
    """R environments as one whose arrays have R as first dimension, for agents with replicas.

    One call of each a frame: environments that know replicas themselves, as `env.WirelessPoweredMEC` does, are
    faster.

    Args:
        environments: R of them, with the same numbers of users and features; what is optional in them is the first
            one's to have.
    """

    def __init__(self, environments: Sequence[Environment]) -> None:
        self._worlds = [world_of(environment) for environment in environments]
        first = self._worlds[0]
        self.num_users = first.num_users
        self.value_is_cost, self.decisions_matter_later = first.value_is_cost, first.decisions_matter_later
        self.feasible_only = first.feasible_only
        self.metric_labels, self.metric_limits = first.metric_labels, first.metric_limits

    @property
    def decisions(self) -> Any:
        """The kind of decision in this frame; where places are limited, `EachLimited`."""
        first = self._worlds[0].decisions
        if not hasattr(first, "capacities"):
            return first
        return EachLimited(first.num_users, first.num_choices, [world.decisions for world in self._worlds])

    def reset(self, seed: Any = None) -> None:
        """Start over, each with its own of R seeds where they are given."""
        for place, world in enumerate(self._worlds):
            world.reset(seed=None if seed is None else seed[place])

    def observe(self) -> NDArray[np.floating]:
        """(R, N, F)."""
        return np.stack([world.observe() for world in self._worlds])

    def evaluate(self, decisions: NDArray[np.int64]) -> NDArray[np.float64]:
        """Values (R, K) of decisions (R, K, N)."""
        pairs = zip(self._worlds, decisions, strict=True)
        return np.stack([np.asarray(world.evaluate(each), dtype=np.float64) for world, each in pairs])

    def step(self, decision: NDArray[np.int64]) -> None:
        """Carry out decisions (R, N)."""
        for world, each in zip(self._worlds, decision, strict=True):
            world.step(each)

    def frame_optimum(self) -> NDArray[np.float64] | None:
        """The best value in each, (R,); None where the first does not know it."""
        best = [world.frame_optimum() for world in self._worlds]
        return None if best[0] is None else np.array(best, dtype=np.float64)

    def frame_metrics(self) -> dict[str, NDArray[np.float64]]:
        """Figures of each, (R,)."""
        each = [world.frame_metrics() for world in self._worlds]
        return {name: np.array([metrics[name] for metrics in each]) for name in each[0]}

    def state_dict(self) -> dict[str, Any] | None:
        """The state of each; None where one cannot say it."""
        states = [world.state_dict() for world in self._worlds]
        return None if None in states else {"environments": states}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        for world, saved in zip(self._worlds, state["environments"], strict=True):
            world.go_on(saved)
