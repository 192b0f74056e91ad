"""Frames of R worlds by the rules of reinforcement learning: flat observations, one reward, what else is known."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike, NDArray

from ..arrays import FloatArray, InputError, whole_number
from ..decisions import Decisions
from ..limits import Limited
from .feasible import nearest, within_limits
from .scaling import Scaling, measured
from .worlds import Worlds, masks

Reward = Literal["standardized", "value", "normalized"]
FARTHEST = 10.0
"""Standardised observations are cut off at so many standard deviations."""


class Settings(NamedTuple):
    """How frames are shown and rewarded; `OffloadingEnv` says what each means."""

    episode_length: int = 1000
    reward: Reward = "standardized"
    scale_observations: bool = True
    scaling: Scaling | None = None
    infeasible_reward: float | None = None
    with_optimum: bool = False


class Frames:
    """R worlds, their spaces, and what a step in them gives.

    Args:
        worlds: R of them.
        settings: `Settings`.

    Attributes:
        observation_space, action_space: of one world. frame: the number of the current one, None before `begin`.
        before_step: called with decisions (R, N) before they are carried out.

    Raises:
        InputError: for a setting out of range, naming it.
    """

    def __init__(self, worlds: Worlds, settings: Settings) -> None:
        whole_number("episode_length", settings.episode_length)
        if settings.reward not in get_args(Reward):
            raise InputError(f"reward must be one of {list(get_args(Reward))}, got {settings.reward!r}")
        given = settings.infeasible_reward
        if given is not None and not math.isfinite(given):
            raise InputError(f"infeasible_reward must be finite, got {given}")
        self.worlds, self.settings = worlds, settings
        self.scaling = measured(worlds) if settings.scaling is None else settings.scaling
        worlds.reset([0] * worlds.number)
        self._knows_optimum = settings.with_optimum or settings.reward == "normalized"
        if self._knows_optimum and worlds.optimum() is None:
            asked = "reward='normalized'" if settings.reward == "normalized" else "with_optimum=True"
            raise InputError(f"{asked} needs a world that knows its optimum, got a {type(worlds.first).__name__}")
        self._is_cost: bool = getattr(worlds.first, "value_is_cost", False)
        self._feasible_only: bool = getattr(worlds.first, "feasible_only", False)
        self._infeasible_reward = self._least_reward() if given is None else float(given)
        kind, features = worlds.kinds()[0], worlds.observe().shape[-1]
        self.num_users, self.num_choices = int(worlds.first.num_users), kind.num_choices
        if self.scaling.observation_mean.shape != (self.num_users, features):
            raise InputError(
                f"scaling must be of {self.num_users} users with {features} features, got one of "
                f"{self.scaling.observation_mean.shape}"
            )
        most = FARTHEST if settings.scale_observations else float(np.finfo(np.float32).max)
        self.observation_space = spaces.Box(-most, most, (self.num_users * features,), np.float32)
        self.action_space: spaces.Space[Any] = (
            spaces.MultiBinary(self.num_users)
            if self.num_choices == 2
            else spaces.MultiDiscrete([self.num_choices] * self.num_users)
        )
        self.frame: int | None = None
        self.before_step: Callable[[NDArray[Any]], None] | None = None

    def _least_reward(self) -> float:
        scaling = self.scaling
        if self.settings.reward == "normalized":
            return 0.0
        least = scaling.least_value - scaling.value_deviation
        if self.settings.reward == "value":
            return least
        return (least - scaling.value_mean) / scaling.value_deviation

    def begin(self, seeds: Sequence[int]) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start the frames of R seeds: observations (R, N F), and what is known, arrays of R."""
        self.worlds.reset(seeds)
        self.frame = 0
        return self.observe(), self.masks()

    def act(self, actions: ArrayLike) -> tuple[NDArray[np.float32], FloatArray, dict[str, Any]]:
        """Carry out actions (R, N): observations of the next frame (R, N F), rewards (R,), and what is known.

        Raises InputError for actions that are no decisions.
        """
        assert self.frame is not None
        kinds = self.worlds.kinds()
        decisions, feasible = self._limited(kinds, actions)
        values = self.worlds.evaluate(decisions[:, None])[:, 0]
        hopeless = values == -np.inf
        feasible &= ~hopeless
        known: dict[str, Any] = {"value": values, "feasible": feasible}
        if self._knows_optimum:
            optimum = self.worlds.optimum()
            assert optimum is not None
            known |= {"optimum": optimum, "normalized": self._normalized(values, optimum)}
        rewards = self._rewards(values, known)
        rewards[hopeless] = self._infeasible_reward
        if self._feasible_only and hopeless.any():
            decisions = np.array(decisions)
            for place in np.flatnonzero(hopeless):
                decisions[place] = nearest(self.worlds, int(place), decisions[place])
        if self.before_step is not None:
            self.before_step(decisions)
        self.worlds.step(decisions)
        self.frame += 1
        known |= {"decision": np.array(decisions, dtype=np.int64), "metrics": self.worlds.metrics()}
        return self.observe(), rewards, known | self.masks()

    @property
    def truncated(self) -> bool:
        """Whether the episodes, all of one length, have reached it."""
        return self.frame is not None and self.frame >= self.settings.episode_length

    def _limited(self, kinds: Sequence[Decisions], actions: ArrayLike) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        first = kinds[0]
        checked = (first.kind if isinstance(first, Limited) else first).check("action", actions)
        if checked.shape != (self.worlds.number, self.num_users):
            raise InputError(f"action must have shape {(self.num_users,)} in each world, got {checked.shape[1:]}")
        if not any(isinstance(kind, Limited) for kind in kinds):
            return checked, np.ones(self.worlds.number, dtype=bool)
        kept = np.array([within_limits(*pair) for pair in zip(kinds, checked, strict=True)])
        return kept, (kept == checked).all(-1)

    def _rewards(self, values: FloatArray, known: dict[str, Any]) -> FloatArray:
        if self.settings.reward == "value":
            return values.copy()
        if self.settings.reward == "normalized":
            normalized: FloatArray = known["normalized"]
            return normalized.copy()
        return (values - self.scaling.value_mean) / self.scaling.value_deviation

    def _normalized(self, values: FloatArray, optimum: FloatArray) -> FloatArray:
        """Value over optimum, of costs the other way round; 0 for -inf, and 1 or 0 where that divides by 0."""
        above, below = (optimum, values) if self._is_cost else (values, optimum)
        rate = np.where(values == optimum, 1.0, 0.0)
        np.divide(above, below, out=rate, where=(below != 0) & (values > -np.inf))
        return rate

    def observe(self) -> NDArray[np.float32]:
        """Observations of this frame, (R, N F)."""
        seen = self.worlds.observe()
        if self.settings.scale_observations:
            seen = (seen - self.scaling.observation_mean) / self.scaling.observation_deviation
        most = float(self.observation_space.high[0])
        return np.clip(seen, -most, most).reshape(self.worlds.number, -1).astype(np.float32)

    def masks(self) -> dict[str, Any]:
        """The action masks of this frame, as `info` holds them."""
        there = masks(self.worlds)
        return {} if there is None else {"action_mask": there}
