"""The simulation loop: any environment, any agent, one record a frame."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from numpy.typing import ArrayLike

from ..checks import InputError, callable_one, whole_number
from ..critics import critic_in_machine_code
from .callbacks import Callback, Hooks, Run
from .contract import Agent, Environment, World, figures_of, world_of
from .record import Frame, normalized_one

Check = Callable[[Any, Any, Any], None]
"""Called with (decision, value, optimum) before the decision is carried out."""

MOST_FRAMES = 2**53
"""Numbers of frames beyond it are not exact in files."""


def simulate(
    environment: Environment,
    agent: Agent,
    frames: int,
    *,
    first_frame: int = 0,
    optimum: Callable[[], float | None] | None = None,
    callbacks: Sequence[Callback] = (),
) -> Iterator[Frame]:
    """Let `agent` decide in `environment` and yield a `Frame` after each; ``list(simulate(...))`` is a history.

    Args:
        environment: at its current frame; it is not reset.
        agent: learns as it goes.
        frames: how many to simulate.
        first_frame: the number of the first one, for a run that goes on.
        optimum: gives the best value of the frame; by default `environment.frame_optimum` where it has one.
        callbacks: called in the run, from the first frame that is asked for until the last, an error, or the end
            of the iterator.

    Raises:
        InputError: when `frames` or `first_frame` is not a whole number from 0 to 2^53, `environment` or `agent`
            lacks a method, `optimum` is no function, or a callback is none.
        InfeasibleError: when an agent finds no feasible decision in a world that carries out no other
            (`feasible_only`); it is then still at that frame.

    Warns:
        RuntimeWarning: once for an environment, when a value is above the optimum: one of the two is wrong.
    """
    for name, number in ("frames", frames), ("first_frame", first_frame):
        if whole_number(name, number, 0) > MOST_FRAMES:
            raise InputError(f"{name} must be at most 2^53, got {number}")
    if not callable(getattr(agent, "decide", None)):
        raise InputError(f"agent must have a method decide, got {agent!r}")
    if optimum is not None:
        callable_one("optimum", optimum)
    if not isinstance(callbacks, Sequence):
        raise InputError(f"callbacks must be a list of agent.Callback, got {callbacks!r}")
    world = world_of(environment)
    played = _rated(world, play(world, agent, frames, first_frame=first_frame, optimum=optimum))
    if not callbacks:
        return played
    run = Run([agent], [world.environment], first_frame + frames, first_frame, done=first_frame)
    return Hooks(callbacks, run).around(played)


def play(
    world: World,
    agent: Agent,
    frames: int,
    *,
    first_frame: int = 0,
    optimum: Callable[[], Any] | None = None,
    check: Check | None = None,
) -> Iterator[Frame]:
    """The loop itself, of one run or of replicas: as `simulate`, but normalised rates are left to the reader.

    `check` may raise an error before a decision is carried out: the world is then still at that frame.
    """
    best_of_frame = world.frame_optimum if optimum is None else optimum
    frame_figures = figures_of(agent)
    evaluate = _Counting(world)
    for frame in range(first_frame, first_frame + frames):
        best = best_of_frame()
        evaluate.calls = 0
        start = time.perf_counter()
        decision, value = agent.decide(world.observe(), evaluate)
        seconds = time.perf_counter() - start
        world.refuse_infeasible(frame, value)
        if check is not None:
            check(decision, value, best)
        world.step(decision)
        figures = {"candidates": evaluate.calls, "best_candidate": None, "loss": None, "accuracy": None}
        yield Frame(
            frame=frame,
            value=value,
            optimum=best,
            normalized_rate=None,
            decide_seconds=seconds,
            metrics=world.frame_metrics(),
            **(figures | dict(frame_figures())),
        )


class _Counting:
    """A world's `evaluate`, which counts the decisions that it is given."""

    def __init__(self, world: World) -> None:
        self.takes_nested = world.takes_nested
        self.calls = 0
        self.counted = world.evaluate
        self._world = world

        def says() -> tuple[int, int] | None:
            return critic_in_machine_code(world.evaluate)

        def valued(count: int) -> None:
            self.calls += count

        if hasattr(world.evaluate, "in_machine_code"):
            says.of, says.valued = self, valued  # type: ignore[attr-defined]
            self.in_machine_code = says

    @property
    def decisions(self) -> Any:
        """The kind of decision in this frame, of which a critic may tell an agent."""
        return self._world.decisions

    def __call__(self, decisions: Any) -> ArrayLike:
        self.calls += len(decisions)
        return self.counted(decisions)


def _rated(world: World, frames: Iterator[Frame]) -> Iterator[Frame]:
    for frame in frames:
        if frame.optimum is None:
            yield frame
            continue
        if frame.value > frame.optimum:
            world.suspect_excess(frame.frame, frame.value, frame.optimum)
        rate = normalized_one(float(frame.value), float(frame.optimum), world.value_is_cost)
        yield frame._replace(normalized_rate=rate)
