"""Agents of Stable-Baselines3 as methods of a comparison: they learn in its warm-up, then act and ask no critic.

A rival carries out one decision a frame, as every method does, and sees its value, nothing of other decisions. In
the measured frames it goes on with what it has learned, its most probable action, and learns no more.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agent.run.contract import World
from agent.run.record import normalized_one
from env import InputError
from env.decisions import decisions_of
from env.limits import Limited

ALGORITHMS = ("PPO", "A2C", "DQN", "SAC", "TD3")
ONE_CHOICE, RELAXED = ("DQN",), ("SAC", "TD3")
"""Algorithms that choose one of numbered actions, and those whose actions are real numbers."""
MOST_ACTIONS = 4096
"""Joint decisions that may be numbered."""
POLICY = "MlpPolicy"


class Rival:
    """An agent of Stable-Baselines3 in a world.

    DQN chooses one of all C^N decisions by its number; SAC and TD3 give a number in [-1, 1] to each user, above 0
    to offload, or to each of its choices, the largest being taken; PPO and A2C choose for each user.

    Args:
        world: to learn in, at any frame.
        settings: `algorithm`, one of `ALGORITHMS`; `settings`, its arguments but those given here; `env`, those of
            `env.gym.OffloadingEnv`.
        seed: of the world's frames, of first weights and of exploration.

    Raises:
        InputError: for settings that are not right, naming them, or too many decisions for DQN.
        ModuleNotFoundError: without Stable-Baselines3, naming the extra.
    """

    def __init__(self, world: World, settings: Mapping[str, Any], seed: int) -> None:
        library, OffloadingEnv = _libraries()
        algorithm, own, of_env = _checked(settings)
        self._world, self._seed = world, seed
        try:
            self._env = OffloadingEnv(world.environment, **{"episode_length": 2**62, **of_env})
        except TypeError as error:
            raise InputError(f"rival: env must hold settings of OffloadingEnv: {error}") from error
        self._actions = self._env if algorithm not in ONE_CHOICE + RELAXED else _actions_of(algorithm, self._env)
        self.decision_of: Callable[[Any], NDArray[np.int64]] = getattr(self._actions, "action", np.asarray)
        try:
            self._model = getattr(library, algorithm)(POLICY, self._actions, seed=seed, device="cpu", **own)
        except (TypeError, ValueError, AssertionError) as error:
            raise InputError(f"rival: settings must be those of {algorithm}: {error}") from error

    def learn(
        self,
        frames: int,
        rates: Callable[[float | None], Any] | None = None,
        over: Callable[[], Any] | None = None,
    ) -> None:
        """Start the world's frames of the seed and learn in so many, after which it is at the next one.

        `rates` is called with each frame's normalised rate, None where that is no number, if the environment was
        asked for the optimum; `over` after each frame.
        """
        if not frames:
            self._env.reset(seed=self._seed)
            return
        from stable_baselines3.common.callbacks import BaseCallback

        is_cost = self._world.value_is_cost

        class Frames(BaseCallback):  # type: ignore[misc]
            """Ends the learning with the frames, in whatever rollout it is."""

            def _on_step(self) -> bool:
                info = self.locals["infos"][0]
                if rates is not None and "optimum" in info:
                    rates(normalized_one(info["value"], info["optimum"], is_cost))
                if over is not None:
                    over()
                return bool(self.num_timesteps < frames)

        self._model.learn(frames, callback=Frames())

    def decide(
        self, observation: NDArray[np.floating], evaluate: Callable[[Any], ArrayLike]
    ) -> tuple[NDArray[np.int64], float]:
        """The decision (N,) that it takes for the best, and its value, the only one that is asked for."""
        from env.gym.feasible import within_limits

        action, _ = self._model.predict(self._env.observe(), deterministic=True)
        chosen = np.asarray(self.decision_of(action), dtype=np.int64)
        decision = within_limits(decisions_of(self._world.environment), chosen)
        return decision, float(np.asarray(evaluate(decision[None]))[0])


def _libraries() -> tuple[Any, Any]:
    try:
        import stable_baselines3

        from env.gym import OffloadingEnv
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"rivals need {error.name}, of the extra 'rl': pip install 'mec-offloading[rl]'", name=error.name
        ) from error
    return stable_baselines3, OffloadingEnv


def _checked(settings: Any) -> tuple[str, dict[str, Any], dict[str, Any]]:
    known = {"algorithm", "settings", "env"}
    if not isinstance(settings, Mapping) or settings.keys() - known or settings.get("algorithm") not in ALGORITHMS:
        raise InputError(
            f"rival must hold an algorithm of {', '.join(ALGORITHMS)}, and may hold settings and env, "
            f"got {settings!r}"
        )
    own, of_env = settings.get("settings") or {}, settings.get("env") or {}
    for name, part in (("settings", own), ("env", of_env)):
        if not isinstance(part, Mapping):
            raise InputError(f"rival: {name} must be a dict, got {part!r}")
    return str(settings["algorithm"]), dict(own), dict(of_env)


def _actions_of(algorithm: str, env: Any) -> Any:
    """The environment with actions that the algorithm can take."""
    import gymnasium

    users, choices = env.num_users, env.num_choices
    if algorithm in ONE_CHOICE and choices**users > MOST_ACTIONS:
        raise InputError(
            f"rival: {algorithm} must have at most {MOST_ACTIONS} decisions to choose from, {users} users have "
            f"{choices}^{users}"
        )

    kind = decisions_of(env.world)  # of limits, which may change from frame to frame, `decide` takes care
    numbered = (kind.kind if isinstance(kind, Limited) else kind).all() if algorithm in ONE_CHOICE else np.empty(0)

    class Numbered(gymnasium.ActionWrapper):  # type: ignore[type-arg,misc]
        """All decisions by their number."""

        action_space = gymnasium.spaces.Discrete(choices**users)

        def action(self, action: Any) -> NDArray[np.int64]:
            """The decision (N,) of a number."""
            return numbered[int(action)]

    class Relaxed(gymnasium.ActionWrapper):  # type: ignore[type-arg,misc]
        """A real number for each user, or each of its choices."""

        action_space = gymnasium.spaces.Box(-1, 1, (users if choices == 2 else users * choices,), np.float32)

        def action(self, action: Any) -> NDArray[np.int64]:
            """The decision (N,): which numbers are above 0, or which of a user's is the largest."""
            if choices == 2:
                return (np.asarray(action) > 0).astype(np.int64)
            return np.asarray(action).reshape(users, choices).argmax(-1)

    return Relaxed(env) if algorithm in RELAXED else Numbered(env)
