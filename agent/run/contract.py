"""What simulations ask of a world and an agent, and the door at which a plain object gets what it leaves out."""

import warnings
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..checks import InputError
from ..decisions.nested import takes_nested
from .record import exceeds

_MEMBERS = "num_users", "reset", "observe", "evaluate", "step"


class InfeasibleError(ArithmeticError):
    """An agent found no feasible decision in a world that carries out no other."""


class Environment(Protocol):
    """All that agents and simulations need of a world; any object with these five members will do.

    What it may have besides, and what holds where it has not, says `World`.
    """

    num_users: int

    def reset(self, seed: int | None = None) -> Any:
        """Start over at the first frame."""

    def observe(self) -> NDArray[np.floating]:
        """What the agent sees of this frame, (N, F)."""

    def evaluate(self, decisions: Any) -> ArrayLike:
        """Values (K,) of decisions (K, N), larger is better; changes nothing.

        With the attribute `takes_nested`, it is given `agent.decisions.nested.Nested` candidates too.
        """

    def step(self, decision: Any) -> Any:
        """Carry out a decision (N,) and move to the next frame."""


class Agent(Protocol):
    """What a simulation asks of an agent.

    It may also have `frame_figures() -> dict`, figures of its last decision by the names of a run's columns.
    """

    def decide(
        self, observation: NDArray[np.floating], evaluate: Callable[[Any], ArrayLike]
    ) -> tuple[NDArray[Any], float]:
        """The decision (N,) for a frame and its value."""


class World:
    """An environment with all that is optional in it: its own where it has it, else what is said here.

    Args:
        environment: with the five members of `Environment`.
    """

    def __init__(self, environment: Any) -> None:
        lacking = [name for name in _MEMBERS if not hasattr(environment, name)]
        if lacking:
            raise InputError(f"environment must have {', '.join(_MEMBERS)}, {environment!r} lacks {lacking[0]}")
        self.environment = environment
        self._suspected = False
        self.reset: Callable[..., Any] = environment.reset
        self.observe: Callable[[], Any] = environment.observe
        self.evaluate: Callable[[Any], Any] = environment.evaluate
        self.step: Callable[[Any], Any] = environment.step
        self.takes_nested = takes_nested(environment.evaluate)
        self.frame_optimum: Callable[[], Any] = self._own("frame_optimum", _unknown)
        """The best value of any decision in this frame; None where not known."""
        self.frame_metrics: Callable[[], Mapping[str, Any]] = self._own("frame_metrics", dict)
        """Figures of its own to record after each step."""
        self.run_figures: Callable[[int], Mapping[str, Any]] = self._own("run_figures", _no_figures)
        """Figures of a whole run of so many frames, for its summary."""
        self.value_is_cost: bool = self._own("value_is_cost", False)
        """Whether values and optima are negated costs."""
        self.decisions_matter_later: bool = self._own("decisions_matter_later", False)
        """Whether a decision changes the frames after it."""
        self.feasible_only: bool = self._own("feasible_only", False)
        """Whether a decision worth -inf cannot be carried out: a simulation then ends with an error."""
        self.metric_labels: Mapping[str, str] = self._own("metric_labels", MappingProxyType({}))
        """For plots, a name with its unit for 'value' and each of `frame_metrics`."""
        self.metric_limits: Mapping[str, float] = self._own("metric_limits", MappingProxyType({}))
        """What a metric should not exceed on average."""
        self.state_dict: Callable[[], Any] = self._own("state_dict", _unknown)
        """What must be kept to go on from this frame; None for a world that cannot say it."""
        self.load_state_dict: Callable[[Any], Any] | None = self._own("load_state_dict", None)

    def _own(self, name: str, default: Any) -> Any:
        return getattr(self.environment, name, default)

    def go_on(self, state: Any) -> None:
        """Continue from what `state_dict` returned; raises InputError for a world that cannot."""
        if self.load_state_dict is None:
            raise InputError(f"{type(self.environment).__name__} must have load_state_dict to resume")
        self.load_state_dict(state)

    @property
    def decisions(self) -> Any:
        """The kind of decision in this frame, with `num_choices`; None for bits."""
        return self._own("decisions", None)

    @property
    def num_users(self) -> int:
        """N."""
        number: int = self.environment.num_users
        return number

    @property
    def num_choices(self) -> int:
        """C, of each user: of the environment's `decisions`; 2, bits, where it says nothing."""
        return 2 if self.decisions is None else int(self.decisions.num_choices)

    def suspect_excess(self, first_frame: int, value: ArrayLike, optimum: ArrayLike) -> None:
        """Warn, the first time, of a value above the optimum, in frames (frames, ...) from `first_frame` on."""
        values, optima = np.atleast_1d(value), np.atleast_1d(optimum)
        if self._suspected or not (above := exceeds(values, optima)).any():
            return
        self._suspected = True
        name, place = type(self.environment).__name__, tuple(np.argwhere(above)[0])
        warnings.warn(
            f"the value {values[place]} is above the optimum {optima[place]} in frame {first_frame + place[0]}: "
            f"evaluate, frame_optimum or value_is_cost of {name} is wrong; env.check_environment looks closer",
            RuntimeWarning,
            stacklevel=2,
        )

    def refuse_infeasible(self, frame: int, value: Any) -> None:
        """Raise InfeasibleError where a value is -inf and the world carries out feasible decisions only."""
        if self.feasible_only and (value if isinstance(value, float) else float(value.min())) == -np.inf:
            name = type(self.environment).__name__
            raise InfeasibleError(
                f"no decision worth more than -inf was found in frame {frame}, and {name} carries out no other "
                "(feasible_only): a larger num_candidates searches more, a finite penalty shows the way"
            )

    def idle(self) -> NDArray[np.int64]:
        """The decision in which nobody offloads, (N,)."""
        return np.zeros(self.num_users, dtype=np.int64)


def world_of(environment: Any) -> World:
    """The environment as a `World`, itself where it is one."""
    return environment if isinstance(environment, World) else World(environment)


def figures_of(agent: Any) -> Callable[[], Mapping[str, Any]]:
    """An agent's `frame_figures`; of one that has none, nothing."""
    own: Callable[[], Mapping[str, Any]] = getattr(agent, "frame_figures", dict)
    return own


def _unknown() -> None:
    return None


def _no_figures(frames: int) -> Mapping[str, Any]:
    return {}
