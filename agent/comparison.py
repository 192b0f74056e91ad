"""Methods side by side: on the same frames, against the same optima."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agent.simulation import Agent, Environment, decide

ABOVE = 1e-9
"""Relative excess over the optimum that rounding explains; anything beyond is an error somewhere."""


class Measured(NamedTuple):
    """How a method did, frame by frame."""

    normalized_rate: NDArray[np.float64]
    """(frames,), value over optimum."""
    evaluations: NDArray[np.float64]
    """(frames,), critic calls."""
    seconds: NDArray[np.float64]
    """(frames,), wall time of the decision; of agents with learning."""


class OptimumViolatedError(ArithmeticError):
    """A method found more than the optimum, so one of the two is wrong; `decision` (N,), `value` and `optimum`."""

    def __init__(self, decision: NDArray[Any], value: float, optimum: float) -> None:
        super().__init__(f"the value {value!r} is above the optimum {optimum!r}")
        self.decision = decision
        self.value = value
        self.optimum = optimum


class BaselineAgent:
    """An agent that asks a baseline in every frame and learns nothing.

    Args:
        baseline: called with (environment, rng); what it returns begins with the decision (N,) and its value.
        environment: the one that the simulation runs; the baseline sees its other attributes too.
        seed: of the baseline's random generator.
    """

    def __init__(self, baseline: Callable[..., Any], environment: Environment, seed: int = 0) -> None:
        self._baseline = baseline
        self._environment = environment
        self._rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2,)))

    def decide(
        self, observation: NDArray[np.floating], evaluate: Callable[[NDArray[np.int64]], ArrayLike]
    ) -> tuple[NDArray[np.int64], float]:
        """The baseline's decision (N,) and its value; every evaluation goes through `evaluate`."""
        decision, value, *_ = self._baseline(_Seen(self._environment, observation, evaluate), self._rng)
        return decision, value


class _Seen:
    """An environment as one `decide` sees it."""

    def __init__(
        self, environment: Environment, observation: NDArray[np.floating], evaluate: Callable[..., ArrayLike]
    ) -> None:
        self._environment = environment
        self._observation = observation
        self.evaluate = evaluate

    def observe(self) -> NDArray[np.floating]:
        return self._observation

    def __getattr__(self, name: str) -> Any:
        return getattr(self._environment, name)


def optima(environment: Any, seed: int, warmup: int, frames: int) -> NDArray[np.float64]:
    """`environment.frame_optimum()` of frames `warmup` to `warmup + frames` after ``reset(seed)``, (frames,)."""
    environment.reset(seed=seed)
    skip(environment, warmup)
    best = np.empty(frames)
    for frame in range(frames):
        best[frame] = environment.frame_optimum()
        skip(environment, 1)
    return best


def measure(environment: Environment, agent: Agent, best: NDArray[np.float64]) -> Measured:
    """Let `agent` decide as many frames as there are optima, from the environment's current frame on.

    Args:
        environment: at the frame of ``best[0]``.
        agent: asked once a frame.
        best: the optimum of each frame, (frames,).

    Raises:
        OptimumViolatedError: when a value is above the optimum by more than rounding; the environment is then
            still at that frame.
    """
    measured = Measured(*np.empty((3, len(best))))
    for frame, optimum in enumerate(best):
        decision, value, measured.evaluations[frame], measured.seconds[frame] = decide(environment, agent)
        measured.normalized_rate[frame] = value / optimum
        if value > optimum * (1 + ABOVE):
            raise OptimumViolatedError(decision, value, optimum)
        environment.step(decision)
    return measured


def skip(environment: Environment, frames: int) -> None:
    """Let frames pass in which nobody offloads."""
    nobody = np.zeros(environment.num_users, dtype=np.int64)
    for _ in range(frames):
        environment.step(nobody)
