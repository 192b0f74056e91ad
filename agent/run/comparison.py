"""Methods side by side: on the same frames, against the same optima."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agent.run.loop import Agent, Environment, decide, normalized

ABOVE = 1e-9
"""Relative excess over the optimum that rounding explains; anything beyond is an error somewhere."""


class Measured(NamedTuple):
    """How a method did, frame by frame."""

    normalized_rate: NDArray[np.float64]
    """(frames,), value over optimum, or of costs the least over the value; nan where that divides by 0."""
    evaluations: NDArray[np.float64]
    """(frames,), critic calls."""
    seconds: NDArray[np.float64]
    """(frames,), wall time of the decision; of agents with learning."""
    metrics: Mapping[str, NDArray[np.float64]] = MappingProxyType({})
    """(frames,) each, what the environment's `frame_metrics` says after the step."""


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


def optimum_of(environment: Any) -> float:
    """The best value in the environment's current frame; raises ValueError where it does not know it."""
    optimum: float | None = environment.frame_optimum() if hasattr(environment, "frame_optimum") else None
    if optimum is None:
        name = f"{type(environment).__name__} with {environment.num_users} users"
        raise ValueError(f"environment must know the optimum of its frames to be compared in, {name} does not")
    return optimum


def current_optima(environment: Any, frames: int) -> Iterator[float]:
    """The optimum of the frame that the environment is at, each time that one is asked for.

    Where decisions matter later, it is the best that could be done after a method's own earlier ones.
    """
    for _ in range(frames):
        yield optimum_of(environment)


def optima(environment: Any, seed: int, warmup: int, frames: int) -> NDArray[np.float64]:
    """The optima of frames `warmup` to `warmup + frames` after ``reset(seed)``, (frames,), of any decisions.

    Raises ValueError where the environment does not know one.
    """
    environment.reset(seed=seed)
    skip(environment, warmup)
    best = np.empty(frames)
    for frame in range(frames):
        best[frame] = optimum_of(environment)
        skip(environment, 1)
    return best


def measure(environment: Environment, agent: Agent, best: Iterable[float]) -> Measured:
    """Let `agent` decide as many frames as there are optima, from the environment's current frame on.

    Args:
        environment: at the frame of ``best[0]``.
        agent: asked once a frame.
        best: the optimum of each frame, (frames,), as from `optima` or `current_optima`.

    Raises:
        OptimumViolatedError: when a value is above the optimum by more than rounding; the environment is then
            still at that frame.
    """
    frame_metrics: Callable[[], Mapping[str, float]] = getattr(environment, "frame_metrics", dict)
    figures, metrics = [], []
    for optimum in best:
        decided = decide(environment, agent)
        decision, value = decided.decision, decided.value
        if value > optimum + ABOVE * abs(optimum):
            raise OptimumViolatedError(decision, value, optimum)
        environment.step(decision)
        figures.append((value, optimum, decided.evaluations, decided.seconds))
        metrics.append(frame_metrics())
    values, known, evaluations, seconds = np.array(figures, dtype=np.float64).reshape(-1, 4).T
    rate = normalized(values, known, getattr(environment, "value_is_cost", False))
    names = metrics[0] if metrics else ()
    return Measured(rate, evaluations, seconds, {name: np.array([row[name] for row in metrics]) for name in names})


def skip(environment: Environment, frames: int) -> None:
    """Let frames pass in which nobody offloads."""
    nobody = np.zeros(environment.num_users, dtype=np.int64)
    for _ in range(frames):
        environment.step(nobody)
