"""The simulation loop: any environment, any agent, one record a frame."""

import time
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agent.checks import whole_number


class Environment(Protocol):
    """All that agents and simulations know of a world; any object with these members will do.

    An environment may also offer
    - `frame_optimum() -> float | None`, the best value that any decision has in this frame;
    - `state_dict`/`load_state_dict`, without which a run cannot be resumed;
    - `value_is_cost`, true where values are negated costs;
    - `decisions_matter_later`, true where a decision changes the frames after it;
    - `frame_metrics() -> dict[str, float]`, figures of its own to record after each step, for their plots also
      `metric_labels` (a name with its unit for each, and for 'value') and `metric_limits` (of some, as numbers);
    - of its `evaluate`, the attribute `takes_nested`, true where it takes `Nested` candidates too.
    """

    num_users: int

    def reset(self, seed: int | None = None) -> Any:
        """Start over at the first frame."""

    def observe(self) -> NDArray[np.floating]:
        """What the agent sees of this frame, (N, F)."""

    def evaluate(self, decisions: NDArray[np.int64]) -> ArrayLike:
        """Values (K,) of decisions (K, N), larger is better; changes nothing."""

    def step(self, decision: NDArray[np.int64]) -> Any:
        """Carry out a decision (N,) and move to the next frame."""


class Agent(Protocol):
    """What a simulation asks of an agent.

    Where it also has `learning_steps`, `loss`, `accuracy` and `best_candidate`, as an `OffloadingAgent` does,
    they are recorded.
    """

    def decide(
        self, observation: NDArray[np.floating], evaluate: Callable[[NDArray[np.int64]], ArrayLike]
    ) -> tuple[NDArray[np.int64], float]:
        """The decision (N,) for a frame and its value."""


class Decided(NamedTuple):
    """An agent's decision in one frame, before it is carried out."""

    decision: NDArray[np.int64]
    """(N,)."""
    value: float
    evaluations: int
    """Decisions that were evaluated for it: the critic calls."""
    seconds: float
    """Wall time of `decide`."""


class Frame(NamedTuple):
    """What happened in one frame; None where not known."""

    frame: int
    """From 0."""
    value: float
    """Of the decision carried out; for the wireless powered problem the rate, bit/s."""
    optimum: float | None
    """The best value of any decision."""
    normalized_rate: float | None
    """value / optimum, or of costs the least cost over the cost; None where that divides by 0."""
    candidates: int
    """Decisions that were evaluated."""
    best_candidate: int | None
    """Place of the best one, from 0."""
    loss: float | None
    """Training loss, in frames in which the agent learned."""
    decide_seconds: float
    """Wall time of `decide`: network, quantizer, critic and learning."""
    accuracy: float | None
    """Held-out accuracy, in frames in which the agent learned."""
    metrics: Mapping[str, float] = MappingProxyType({})
    """What the environment's `frame_metrics` says after the step."""


def normalized(value: ArrayLike, optimum: ArrayLike, is_cost: bool = False) -> NDArray[np.float64]:
    """How near values (...) are to the best ones (...), 1 at the optimum: value / optimum.

    Of negated costs (`is_cost`) it is optimum / value, the least cost over the cost; nan where that divides by 0.
    """
    above, below = np.broadcast_arrays(optimum, value) if is_cost else np.broadcast_arrays(value, optimum)
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below != 0)


def decide(environment: Environment, agent: Agent) -> Decided:
    """Ask `agent` in the environment's current frame, counting critic calls and time; changes no environment."""
    evaluations = 0

    def evaluate(decisions: NDArray[np.int64]) -> ArrayLike:
        nonlocal evaluations
        evaluations += len(decisions)
        return environment.evaluate(decisions)

    evaluate.takes_nested = getattr(environment.evaluate, "takes_nested", False)  # type: ignore[attr-defined]
    start = time.perf_counter()
    decision, value = agent.decide(environment.observe(), evaluate)
    return Decided(decision, value, evaluations, time.perf_counter() - start)


def simulate(
    environment: Environment,
    agent: Agent,
    frames: int,
    *,
    first_frame: int = 0,
    optimum: Callable[[], float | None] | None = None,
) -> Iterator[Frame]:
    """Let `agent` decide in `environment` and yield a `Frame` after each; ``list(simulate(...))`` is a history.

    Args:
        environment: at its current frame; it is not reset.
        agent: learns as it goes.
        frames: how many to simulate.
        first_frame: the number of the first one, for a run that goes on.
        optimum: the best value of the current frame; by default `environment.frame_optimum` where it has one.

    Raises:
        ValueError: when `frames` or `first_frame` is not a whole number from 0.
    """
    whole_number("frames", frames, 0)
    whole_number("first_frame", first_frame, 0)
    if optimum is None:
        optimum = getattr(environment, "frame_optimum", None)
    return _simulate(environment, agent, frames, first_frame, optimum)


def _simulate(
    environment: Environment,
    agent: Agent,
    frames: int,
    first_frame: int,
    optimum: Callable[[], float | None] | None,
) -> Iterator[Frame]:
    is_cost = getattr(environment, "value_is_cost", False)
    frame_metrics: Callable[[], Mapping[str, float]] = getattr(environment, "frame_metrics", dict)
    for frame in range(first_frame, first_frame + frames):
        best = None if optimum is None else optimum()
        steps_before = getattr(agent, "learning_steps", 0)
        decision, value, evaluations, seconds = decide(environment, agent)
        environment.step(decision)
        learned = getattr(agent, "learning_steps", 0) > steps_before
        rate = np.nan if best is None else float(normalized(value, best, is_cost))
        yield Frame(
            frame=frame,
            value=value,
            optimum=best,
            normalized_rate=None if np.isnan(rate) else rate,
            candidates=evaluations,
            best_candidate=getattr(agent, "best_candidate", None),
            loss=getattr(agent, "loss", None) if learned else None,
            decide_seconds=seconds,
            accuracy=getattr(agent, "accuracy", None) if learned else None,
            metrics=frame_metrics(),
        )
