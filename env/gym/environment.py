"""A world as a Gymnasium environment."""

from typing import Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import InputError
from ..decisions import Decisions, decisions_of
from ..drawing import Snapshot, network_image, snapshot
from .frames import Frames, Reward, Settings
from .scaling import Scaling
from .worlds import SideBySide


class OffloadingEnv(gymnasium.Env[NDArray[np.float32], Any]):
    """A world as a Gymnasium environment: one frame a step, one reward a frame.

    Actions are decisions, `MultiBinary(N)` for bits, `MultiDiscrete` for choices. Observations are those of the
    world, (N F,) row by row (``reshape(N, F)`` undoes it). An episode never terminates; it is truncated after
    `episode_length` frames. ``reset(seed=s)`` begins the world's frames of seed s, ``reset()`` those of a seed
    that is drawn.

    An action that does not keep the limits of a world's decisions (`Limited`) is replaced by the nearest that does
    (`env.gym.feasible`), which is rewarded. An action worth -inf gets `infeasible_reward`; it is carried out all
    the same, or, where the world is `feasible_only`, the nearest feasible decision found is.

    `info` holds after each step ``value``; ``decision`` (N,), what was carried out; ``feasible``, whether the
    action was; ``metrics``, the world's `frame_metrics`; with the optimum known, ``optimum`` and ``normalized``.
    Where the world knows which choices are there, it also holds ``action_mask`` (N, C), 1 for those of the frame
    to decide next; after `reset` too.

    Args:
        world: any object with `num_users`, `reset`, `observe`, `evaluate` and `step`.
        episode_length: frames of an episode.
        reward: 'standardized', the value less its mean, over its standard deviation, both measured; 'value'; or
            'normalized', value over optimum, of costs optimum over value, which takes the time that an optimum
            takes.
        scale_observations: whether each entry is standardised by its measured mean and deviation, and cut off at
            ten deviations.
        scaling: of another environment; by default it is measured in 200 frames of the world's seed 0 with random
            decisions.
        infeasible_reward: for an action worth -inf; by default a standard deviation below the least value
            measured, and 0 where it is normalised.
        with_optimum: whether `info` holds the optimum.
        render_mode: 'rgb_array', for `render`, which needs matplotlib (the extra 'sim'), or None.

    Attributes:
        world; scaling: `Scaling`; num_users: N; num_choices: C.

    Raises:
        InputError: for a setting out of range, naming it, for an object that is no world, and for an optimum asked
            of a world that does not know it.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 4}  # type: ignore[misc]

    def __init__(
        self,
        world: Any,
        *,
        episode_length: int = 1000,
        reward: Reward = "standardized",
        scale_observations: bool = True,
        scaling: Scaling | None = None,
        infeasible_reward: float | None = None,
        with_optimum: bool = False,
        render_mode: str | None = None,
    ) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise InputError(f"render_mode must be None or 'rgb_array', got {render_mode!r}")
        settings = Settings(episode_length, reward, scale_observations, scaling, infeasible_reward, with_optimum)
        self._frames = Frames(SideBySide([world]), settings)
        self.world, self.scaling = world, self._frames.scaling
        self.num_users, self.num_choices = self._frames.num_users, self._frames.num_choices
        self.observation_space, self.action_space = self._frames.observation_space, self._frames.action_space
        self.render_mode = render_mode
        self._seen: Snapshot | None = None
        if render_mode is not None:
            self._frames.before_step = self._look

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start an episode: the frames of a seed, or where none is given of the next one drawn.

        Raises InputError for `options`, of which there are none.
        """
        super().reset(seed=seed)
        if options:
            raise InputError(f"options must be empty, got {options}")
        observations, known = self._frames.begin([first_seed(self.np_random, seed)])
        if self.render_mode is not None:
            self._look(None)
        return observations[0], _of_one(known)

    def step(self, action: ArrayLike) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Carry out an action (N,), and move to the next frame.

        Raises InputError for what is no decision, and Gymnasium's `ResetNeeded` before the first `reset`.
        """
        if self._frames.frame is None:
            raise gymnasium.error.ResetNeeded("reset must be called before step")
        observations, rewards, known = self._frames.act(np.asarray(action)[None])
        return observations[0], float(rewards[0]), False, self._frames.truncated, _of_one(known)

    def render(self) -> NDArray[np.uint8] | None:
        """The frame of the last step with what was carried out, after `reset` the first one: (height, width, 3).

        None, with a warning, where no `render_mode` was given. Raises Gymnasium's `ResetNeeded` before `reset`,
        and ImportError without matplotlib.
        """
        if self.render_mode is None:
            gymnasium.logger.warn("render draws nothing: give render_mode='rgb_array' to the environment")
            return None
        if self._seen is None:
            raise gymnasium.error.ResetNeeded("reset must be called before render")
        return network_image(self._seen)

    def _look(self, decisions: NDArray[Any] | None) -> None:
        self._seen = snapshot(self.world, None if decisions is None else decisions[0])

    def observe(self) -> NDArray[np.float32]:
        """What was observed last, (N F,), once more: of the frame to decide next."""
        return self._frames.observe()[0]

    @property
    def decisions(self) -> Decisions:
        """The world's kind of decision in this frame."""
        return decisions_of(self.world)

    def evaluate(self, decisions: ArrayLike) -> Any:
        """The world's values (K,) of decisions (K, N) in this frame."""
        return self.world.evaluate(decisions)

    def action_masks(self) -> NDArray[np.bool_]:
        """Which choices are there in this frame, (N C,), user after user; all, where the world knows of no others.

        It is what `MaskablePPO` of sb3-contrib asks for.
        """
        shape = (self.num_users, self.num_choices)
        there = self._frames.masks().get("action_mask", np.ones(shape))
        return np.asarray(there, dtype=bool).reshape(-1)


def first_seed(rng: np.random.Generator, seed: int | None) -> int:
    """The seed itself, or one that is drawn."""
    return int(rng.integers(2**31)) if seed is None else seed


def _of_one(known: dict[str, Any]) -> dict[str, Any]:
    """Of arrays of one world each, its entry."""
    return {
        name: _of_one(array) if isinstance(array, dict) else array[0].item() if array.ndim == 1 else array[0]
        for name, array in known.items()
    }
