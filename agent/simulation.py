"""The simulation loop: any environment, any agent, one record a frame."""

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agent.checks import whole_number


class Environment(Protocol):
    """All that agents and simulations know of a world; any object with these members will do.

    An environment may also offer `frame_optimum() -> float | None`, the best value that any decision has in
    this frame, and `state_dict`/`load_state_dict`, without which a run cannot be resumed. Where its `evaluate`
    has the attribute `takes_nested`, set to true, it is given `agent.nested.Nested` candidates too.
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
    """value / optimum; None where the optimum is 0."""
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
    for frame in range(first_frame, first_frame + frames):
        best = None if optimum is None else optimum()
        steps_before = getattr(agent, "learning_steps", 0)
        decision, value, evaluations, seconds = decide(environment, agent)
        environment.step(decision)
        learned = getattr(agent, "learning_steps", 0) > steps_before
        yield Frame(
            frame=frame,
            value=value,
            optimum=best,
            normalized_rate=value / best if best else None,
            candidates=evaluations,
            best_candidate=getattr(agent, "best_candidate", None),
            loss=getattr(agent, "loss", None) if learned else None,
            decide_seconds=seconds,
            accuracy=getattr(agent, "accuracy", None) if learned else None,
        )
