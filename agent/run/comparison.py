"""Methods side by side: on the same frames, against the same optima."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..checks import InputError
from ..seeds import BASELINE, stream
from .contract import Agent, Environment, World, world_of
from .loop import play
from .record import Columns, columns_of, exceeds, normalized


class OptimumViolatedError(ArithmeticError):
    """A method found more than the optimum, so one of the two is wrong; `decision` (N,), `value` and `optimum`."""

    def __init__(self, decision: NDArray[Any], value: float, optimum: float) -> None:
        super().__init__(f"the value {value!r} is above the optimum {optimum!r}")
        self.decision = decision
        self.value = value
        self.optimum = optimum

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.decision, self.value, self.optimum), vars(self)


class BaselineAgent:
    """An agent that asks a baseline in every frame and learns nothing.

    Args:
        baseline: called with (environment, rng); what it returns begins with the decision (N,) and its value.
        environment: the one that the simulation runs; the baseline sees its other attributes too.
        seed: of the baseline's random generator; several for one that decides in worlds side by side, as
            `env.baselines.coordinate_descent_of_each` does, which then gets a list of generators.
    """

    def __init__(
        self, baseline: Callable[..., Any], environment: Environment, seed: int | Sequence[int] = 0
    ) -> None:
        self._baseline = baseline
        self._environment = environment
        self._rng: Any = (
            [np.random.default_rng(stream(one, BASELINE)) for one in seed]
            if isinstance(seed, Sequence)
            else np.random.default_rng(stream(seed, BASELINE))
        )

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


def optimum_of(environment: Environment | World) -> float:
    """The best value in the environment's current frame; raises InputError where it does not know it."""
    world = world_of(environment)
    optimum = world.frame_optimum()
    if optimum is None:
        name = f"{type(world.environment).__name__} with {world.num_users} users"
        raise InputError(f"environment must know the optimum of its frames to be compared in, {name} does not")
    return float(optimum)


def optima(environment: Environment, seed: int, warmup: int, frames: int) -> NDArray[np.float64]:
    """The optima of frames `warmup` to `warmup + frames` after ``reset(seed)``, (frames,), of any decisions.

    Raises InputError where the environment does not know one.
    """
    environment.reset(seed=seed)
    skip(environment, warmup)
    best = np.empty(frames)
    for frame in range(frames):
        best[frame] = optimum_of(environment)
        skip(environment, 1)
    return best


def measure(environment: Environment, agent: Agent, frames: int, best: Sequence[float] | None = None) -> Columns:
    """Let `agent` decide `frames` frames from the environment's current one on; returns the figures of each.

    Args:
        environment: at the frame of ``best[0]``.
        agent: asked once a frame.
        frames: how many.
        best: the optimum of each frame, (frames,), as from `optima`; None where decisions matter later, each frame
            being held against the best that could be done after the method's own earlier decisions, or where it is
            not known: normalised rates are then nan.

    Raises:
        OptimumViolatedError: when a value is above the optimum by more than rounding; the environment is then
            still at that frame.
    """
    world, known = world_of(environment), iter(() if best is None else best)
    ask = world.frame_optimum if best is None else (lambda: float(next(known)))
    columns = columns_of(list(play(world, agent, frames, optimum=ask, check=_refuse_excess)))
    columns["normalized_rate"] = normalized(columns["value"], columns["optimum"], world.value_is_cost)
    return columns


def skip(environment: Environment, frames: int) -> None:
    """Let frames pass in which nobody offloads."""
    world = world_of(environment)
    for _ in range(frames):
        world.step(world.idle())


def _refuse_excess(decision: NDArray[Any], value: float, optimum: float) -> None:
    if exceeds(value, optimum):
        raise OptimumViolatedError(decision, value, optimum)
