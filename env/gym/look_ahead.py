"""What an action is worth in an environment that cannot say so: it is tried on a copy."""

from copy import deepcopy
from typing import Any

import gymnasium
import numpy as np

from ..arrays import FloatArray, size, whole_number


class LookAhead:
    """The reward of one step on a copy of an environment, for each action.

    With ``draws=0`` each copy goes on with the environment's own random numbers: all actions meet the same chance
    (common random numbers), and it is the chance that the step itself will meet. That is exact where a step's
    reward is known once the action is, as in this project's worlds. Where the reward is random, it knows what
    nobody can know, and is too good.

    With ``draws=D`` an action's value is the mean of D steps, whose copies have the random numbers of D fresh
    streams, the same for all actions: an estimate of the expected reward. It needs an environment that draws from
    Gymnasium's own `np_random` only.

    Neither looks further than one step. A call copies the environment once for each action and draw: what
    `copy.deepcopy` takes, tens of microseconds for a small one, and a second for one that holds gigabytes.

    Args:
        draws: D.
        seed: of the fresh streams.

    Raises:
        InputError: when a number is not a whole one from 0.
    """

    def __init__(self, draws: int = 0, *, seed: int = 0) -> None:
        self.draws = size("draws", draws, 0)
        self._rng = np.random.default_rng(whole_number("seed", seed, 0, None))

    def __call__(self, env: gymnasium.Env[Any, Any], actions: list[Any]) -> FloatArray:
        """The values (K,) of K actions of an environment, which stays as it is."""
        if not self.draws:
            return np.array([_reward(deepcopy(env), action) for action in actions])
        streams = self._rng.spawn(self.draws)
        return np.array([np.mean([_in_stream(env, action, one) for one in streams]) for action in actions])


def _in_stream(env: gymnasium.Env[Any, Any], action: Any, stream: np.random.Generator) -> float:
    tried = deepcopy(env)
    tried.unwrapped.np_random = deepcopy(stream)
    return _reward(tried, action)


def _reward(env: gymnasium.Env[Any, Any], action: Any) -> float:
    return float(env.step(action)[1])
