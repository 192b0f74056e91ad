"""Any environments side by side, as one environment of replicas."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.run.loop import Environment


class SideBySide:
    """R environments as one whose arrays have R as first dimension, for agents with replicas.

    One call of each a frame: environments that know replicas themselves, as `env.WirelessPoweredMEC` does, are
    faster.

    Args:
        environments: R of them, with the same numbers of users and features; `frame_optimum`, `frame_metrics`,
            `state_dict` and `load_state_dict` are offered where they have them.
    """

    def __init__(self, environments: Sequence[Environment]) -> None:
        self._environments = environments
        self.num_users = environments[0].num_users
        if hasattr(environments[0], "frame_optimum"):
            self.frame_optimum = lambda: self._each("frame_optimum")
        if hasattr(environments[0], "frame_metrics"):
            self.frame_metrics = self._metrics
        for name in ("value_is_cost", "metric_labels", "metric_limits"):
            if hasattr(environments[0], name):
                setattr(self, name, getattr(environments[0], name))
        if hasattr(environments[0], "state_dict"):
            self.state_dict = lambda: {"environments": [one.state_dict() for one in self._environments]}  # type: ignore[attr-defined]

    def reset(self, seed: Any = None) -> None:
        """Start over, each with its own of R seeds where they are given."""
        for place, environment in enumerate(self._environments):
            environment.reset(seed=None if seed is None else seed[place])

    def observe(self) -> NDArray[np.floating]:
        """(R, N, F)."""
        return self._each("observe")

    def evaluate(self, decisions: NDArray[np.int64]) -> NDArray[np.float64]:
        """Values (R, K) of decisions (R, K, N)."""
        pairs = zip(self._environments, decisions, strict=True)
        return np.stack([np.asarray(environment.evaluate(each), dtype=np.float64) for environment, each in pairs])

    def step(self, decision: NDArray[np.int64]) -> None:
        """Carry out decisions (R, N)."""
        for environment, each in zip(self._environments, decision, strict=True):
            environment.step(each)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        for environment, saved in zip(self._environments, state["environments"], strict=True):
            environment.load_state_dict(saved)  # type: ignore[attr-defined]

    def _metrics(self) -> dict[str, NDArray[np.float64]]:
        each = [environment.frame_metrics() for environment in self._environments]  # type: ignore[attr-defined]
        return {name: np.array([metrics[name] for metrics in each]) for name in each[0]}

    def _each(self, method: str) -> NDArray[Any]:
        return np.stack([getattr(environment, method)() for environment in self._environments])
