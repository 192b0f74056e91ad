"""A Gymnasium environment as a world for an agent."""

import math
from collections.abc import Callable
from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike, NDArray

from ..arrays import FloatArray, InputError, whole_number
from ..decisions import Binary, Categorical, Decisions
from ..limits import Limited
from .look_ahead import LookAhead

Show = Callable[[Any], ArrayLike]
Value = Callable[[gymnasium.Env[Any, Any], list[Any]], ArrayLike]


class GymnasiumWorld:
    """Any Gymnasium environment whose actions are bits or choices, as a world for an agent.

    Each entry of an action is a user: of `MultiBinary`, a bit; of `MultiDiscrete`, a choice, of which users may
    have different numbers; `Discrete` is one user. When an episode ends, `step` begins the next one.

    Args:
        env: the environment, or its id for `gymnasium.make`.
        evaluate: what values actions: a function ``evaluate(env, actions) -> (K,)`` of the environment and a list
            of K actions in its own form, larger is better; or the name of a method of the unwrapped environment,
            called with those actions as one array (K, ...); or a `LookAhead`, the default, which tries each on a
            copy, and says when that is right.
        observation: how an observation becomes rows of features (N, F): 'rows', where its entries are those of
            user 0, then those of user 1; 'whole', where it is not of users: each row holds all of it; or a
            function. By default 'rows' where its first of several dimensions is N, else 'whole'. Observations that
            are no arrays are flattened first, as by `gymnasium.spaces.flatten`. A network that sees all rows at
            once, as the default one does, sees the same with either.
        seed: of the first episode; later ones go on from it.

    Attributes:
        num_users: N. decisions: `Binary`, `Categorical`, or `Limited` where users have different numbers of
            choices, where ``info["action_mask"]`` (N, C) says which are there and always leaves choice 0, and
            where the unwrapped environment has such `decisions` of its own. env. reward: of the last step.

    Raises:
        InputError: for another kind of action, for an observation that cannot be shown so, and for values of a
            wrong shape.
    """

    decisions_matter_later = True
    """It cannot be known that they do not."""

    def __init__(
        self,
        env: gymnasium.Env[Any, Any] | str,
        evaluate: Value | str | None = None,
        *,
        observation: Literal["rows", "whole"] | Show | None = None,
        seed: int = 0,
    ) -> None:
        self.env: gymnasium.Env[Any, Any] = gymnasium.make(env) if isinstance(env, str) else env
        self._choices, self._start = _choices_of(self.env.action_space)
        self.num_users, most = len(self._choices), max(2, int(self._choices.max()))
        self._kind = Binary(self.num_users) if most == 2 else Categorical(self.num_users, most)
        self._there = np.arange(most) < self._choices[:, None]
        self.decisions: Decisions = self._kind
        self._evaluate = LookAhead() if evaluate is None else evaluate
        if isinstance(evaluate, str) and not callable(getattr(self.env.unwrapped, evaluate, None)):
            raise InputError(f"evaluate must name a method of {self.env.unwrapped}, got {evaluate!r}")
        shape = self.env.observation_space.shape
        if observation is None:
            by_user = shape is not None and len(shape) > 1 and shape[0] == self.num_users
            observation = "rows" if by_user else "whole"
        if observation == "rows" and (size := spaces.flatdim(self.env.observation_space)) % self.num_users:
            raise InputError(f"observation='rows' needs a multiple of {self.num_users} entries, got {size}")
        if not callable(observation) and observation not in ("rows", "whole"):
            raise InputError(f"observation must be 'rows', 'whole' or a function, got {observation!r}")
        self._observation = observation
        self._seed = whole_number("seed", seed, 0, None)
        self.reset()

    def reset(self, seed: int | None = None) -> FloatArray:
        """Start over, with a new seed where one is given; returns the first observation, (N, F)."""
        self._seed = self._seed if seed is None else whole_number("seed", seed, 0, None)
        self.reward, self._episodes = 0.0, 0
        self._receive(*self.env.reset(seed=self._seed))
        return self.observe()

    def observe(self) -> FloatArray:
        """What the agent sees of this frame, (N, F)."""
        return self._rows.copy()

    def evaluate(self, decisions: ArrayLike) -> FloatArray:
        """Values (K,) of decisions (K, N) in this frame, -inf of those that cannot be.

        Raises InputError for what are no decisions, and for another number of values.
        """
        checked = self._kind.check("decisions", decisions)
        there = self._mask[np.arange(self.num_users), checked.astype(np.int64)].all(-1)
        if isinstance(self.decisions, Limited):
            there &= self.decisions.feasible(checked)
        values = np.full(len(checked), -np.inf)
        if there.any():
            values[there] = self._valued([self._action(decision) for decision in checked[there]])
        return values

    def _valued(self, actions: list[Any]) -> FloatArray:
        if isinstance(self._evaluate, str):
            found = getattr(self.env.unwrapped, self._evaluate)(np.array(actions))
        else:
            found = self._evaluate(self.env, actions)
        values = np.asarray(found, dtype=np.float64)
        if values.shape != (len(actions),):
            raise InputError(
                f"evaluate must return {len(actions)} values, one an action, got shape {values.shape}"
            )
        return values

    def step(self, decision: ArrayLike) -> None:
        """Carry out a decision (N,), and begin the next episode where it ends one."""
        checked = self._kind.check_one("decision", decision)
        observation, reward, terminated, truncated, info = self.env.step(self._action(checked))
        self.reward = float(reward)
        if terminated or truncated:
            self._episodes += 1
            observation, info = self.env.reset()
        self._receive(observation, info)

    def frame_metrics(self) -> dict[str, float]:
        """The reward of the last step, and the episodes that have ended."""
        return {"reward": self.reward, "episodes": float(self._episodes)}

    def _receive(self, observation: Any, info: dict[str, Any]) -> None:
        self._rows = self._shown(observation)
        told = info.get("action_mask")
        self._mask = self._there
        if told is not None and np.size(told) == self._there.size:
            self._mask = self._there & (np.reshape(told, self._there.shape) > 0)
        limits = getattr(self.env.unwrapped, "decisions", None)
        if isinstance(limits, Limited) and limits.kind == self._kind:
            self.decisions = limits
        elif not self._mask.all() and self._mask[:, 0].all():
            self.decisions = Limited(self._kind, mask=self._mask)
        else:
            self.decisions = self._kind

    def _shown(self, observation: Any) -> FloatArray:
        if callable(self._observation):
            rows = np.asarray(self._observation(observation), dtype=np.float64)
            if rows.ndim != 2 or len(rows) != self.num_users:
                raise InputError(f"observation must give shape ({self.num_users}, F), got {rows.shape}")
            return rows
        flat = np.asarray(spaces.flatten(self.env.observation_space, observation), dtype=np.float64).reshape(-1)
        if self._observation == "rows":
            return flat.reshape(self.num_users, -1).copy()
        return np.tile(flat, (self.num_users, 1))

    def _action(self, decision: NDArray[Any]) -> Any:
        """A decision (N,) in the environment's own form."""
        space = self.env.action_space
        chosen = decision.astype(np.int64) + self._start
        if isinstance(space, spaces.Discrete):
            return space.dtype.type(chosen[0])
        return chosen.astype(space.dtype).reshape(space.shape)


def _choices_of(space: spaces.Space[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many choices each user has, (N,), and the number of the first of them, (N,)."""
    if isinstance(space, spaces.MultiBinary):
        count = math.prod(space.shape)
        return np.full(count, 2), np.zeros(count, dtype=np.int64)
    if isinstance(space, spaces.MultiDiscrete):
        return space.nvec.reshape(-1).astype(np.int64), space.start.reshape(-1).astype(np.int64)
    if isinstance(space, spaces.Discrete):
        return np.array([int(space.n)]), np.array([int(space.start)])
    raise InputError(f"actions must be MultiBinary, MultiDiscrete or Discrete, got {space}")
