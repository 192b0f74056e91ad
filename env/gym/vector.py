"""R worlds as a Gymnasium vector environment."""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from ..arrays import FloatArray, InputError
from ..seeds import of_replicas
from .environment import first_seed
from .frames import Frames, Reward, Settings
from .scaling import Scaling
from .worlds import Replicas, SideBySide

Step = tuple[NDArray[np.float32], FloatArray, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]


class OffloadingVectorEnv(VectorEnv[NDArray[np.float32], Any, Any]):
    """R worlds that take a step together: frame for frame what R `OffloadingEnv` of the same seeds are.

    Their episodes are of one length, so that all end together. With the mode `NEXT_STEP` the step after that
    starts all anew, whatever the actions, with reward 0; with `SAME_STEP` the last step itself does, and `info`
    holds ``final_obs`` and ``final_info``; with `DISABLED` the user calls `reset`.

    Args:
        worlds: one world that knows replicas, such as ``WirelessPoweredMEC(replicas=64)``, stepped in one call; or
            R worlds, stepped one after the other.
        autoreset_mode: an `AutoresetMode`, or its name ('NextStep', 'SameStep', 'Disabled').
        render_mode: None.
        **settings: of `OffloadingEnv`.

    Attributes:
        worlds; scaling: `Scaling`, of all of them; num_users: N; num_choices: C.

    Raises:
        InputError: as `OffloadingEnv`, and for worlds of different sizes.
    """

    def __init__(
        self,
        worlds: Any,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        episode_length: int = 1000,
        reward: Reward = "standardized",
        scale_observations: bool = True,
        scaling: Scaling | None = None,
        infeasible_reward: float | None = None,
        with_optimum: bool = False,
        render_mode: str | None = None,
    ) -> None:
        if render_mode is not None:
            raise InputError(f"render_mode must be None, got {render_mode!r}")
        settings = Settings(episode_length, reward, scale_observations, scaling, infeasible_reward, with_optimum)
        many = SideBySide(worlds) if isinstance(worlds, Sequence) else Replicas(worlds)
        self._frames = Frames(many, settings)
        self.worlds, self.scaling, self.num_envs = worlds, self._frames.scaling, many.number
        self.num_users, self.num_choices = self._frames.num_users, self._frames.num_choices
        self.single_observation_space = self._frames.observation_space
        self.single_action_space = self._frames.action_space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._mode = AutoresetMode(autoreset_mode)
        self.metadata = {"render_modes": [], "autoreset_mode": self._mode}
        self._generators = [seeding.np_random(None)[0] for _ in range(self.num_envs)]

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start all episodes: with one seed, those of ``seed`` to ``seed + R - 1``; or with R seeds.

        Raises InputError for `options` other than a `reset_mask` of all worlds, whose episodes end together.
        """
        options = dict(options or {})
        if not np.all(options.pop("reset_mask", True)) or options:
            raise InputError("options must be empty, or a reset_mask that is true for all worlds")
        seeds: Sequence[int | None]
        if isinstance(seed, Sequence) and None in seed:
            seeds = seed
        else:
            seeds = [None] * self.num_envs if seed is None else of_replicas(seed, self.num_envs)
        if len(seeds) != self.num_envs:
            raise InputError(f"seed must be one number or {self.num_envs}, one a world, got {len(seeds)}")
        for place, one in enumerate(seeds):
            if one is not None:
                self._generators[place] = seeding.np_random(one)[0]
        return self._begin(seeds)

    def step(self, actions: ArrayLike) -> Step:
        """Carry out actions (R, N): observations (R, N F), rewards, terminations, truncations (R,), and `info`.

        Raises InputError for what are no decisions, and Gymnasium's `ResetNeeded` before the first `reset`, or
        with the mode `DISABLED` after the end of the episodes.
        """
        frames, never = self._frames, np.zeros(self.num_envs, dtype=bool)
        if frames.frame is None or (frames.truncated and self._mode == AutoresetMode.DISABLED):
            raise gymnasium.error.ResetNeeded("reset must be called before step")
        if frames.truncated and self._mode == AutoresetMode.NEXT_STEP:
            observations, info = self._begin([None] * self.num_envs)
            return observations, np.zeros(self.num_envs), never, never.copy(), info
        observations, rewards, known = frames.act(actions)
        truncations = np.full(self.num_envs, frames.truncated)
        info = _with_marks(known, self.num_envs)
        if frames.truncated and self._mode == AutoresetMode.SAME_STEP:
            last = np.empty(self.num_envs, dtype=object)
            last[:] = list(observations)
            observations, begun = self._begin([None] * self.num_envs)
            marks = np.ones(self.num_envs, dtype=bool)
            info = begun | {
                "final_obs": last,
                "_final_obs": marks,
                "final_info": info,
                "_final_info": marks.copy(),
            }
        return observations, rewards, never, truncations, info

    def _begin(self, seeds: Sequence[int | None]) -> tuple[NDArray[np.float32], dict[str, Any]]:
        pairs = zip(self._generators, seeds, strict=True)
        observations, known = self._frames.begin([first_seed(*pair) for pair in pairs])
        return observations, _with_marks(known, self.num_envs)


def _with_marks(known: dict[str, Any], number: int) -> dict[str, Any]:
    """Beside each entry, in which of R worlds there is one, as vector environments tell: in all."""
    marked: dict[str, Any] = {}
    for name, array in known.items():
        marked[name] = _with_marks(array, number) if isinstance(array, dict) else array
        marked[f"_{name}"] = np.ones(number, dtype=bool)
    return marked
