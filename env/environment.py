"""The base class that a world may inherit: seeds, frames, state, and what is optional with its default.

Agents and simulations need five members of a world: `num_users`, `reset`, `observe`, `evaluate` and `step`. A
class of yours that has them works everywhere without this one; what it gains by inheriting is below.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import FloatArray, whole_number
from .decisions import Binary, Decisions
from .state import Stateful


class Environment(Stateful):
    """A world of N users that decide once a frame.

    A subclass sets `num_users` (and `decisions`, where they are not bits) and what else it needs, then calls
    ``super().__init__(seed)``. It writes `begin_frame`, `observe`, `evaluate`; `carry_out`, where a decision has
    consequences; and those optional members that it has something to say about. Random numbers come from
    `self.rng`. Its state is all that it holds (`Stateful`), so that runs in it can be resumed.

    Args:
        seed: of all random numbers.

    Attributes:
        num_users: N. decisions: the kind of decision, `Binary(N)` by default. rng: the random generator, made anew
            by `reset`.

    Raises:
        InputError: when `seed` is not a whole number from 0.
    """

    num_users: int
    decisions: Decisions
    value_is_cost: ClassVar[bool] = False
    """Whether values and optima are negated costs."""
    decisions_matter_later: ClassVar[bool] = False
    """Whether a decision changes the frames after it."""
    feasible_only: ClassVar[bool] = False
    """Whether a decision worth -inf cannot be carried out: a simulation then ends with an error."""
    metric_labels: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """For plots: a name with its unit for 'value' and each metric of `frame_metrics`."""
    metric_limits: Mapping[str, float] = MappingProxyType({})
    """What a metric should not exceed on average."""
    bar_labels: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """For pictures: attributes that hold a number of 0 or more for each user, with a name and its unit."""
    choice_labels: ClassVar[Sequence[str]] = ("local", "offloading")
    """For pictures: what users do that decide 0, and that decide anything else."""

    def __init__(self, seed: int = 0) -> None:
        self._seed: Any = whole_number("seed", seed, 0)
        if not hasattr(self, "decisions"):
            self.decisions = Binary(self.num_users)
        self.reset()

    @property
    def frame(self) -> int:
        """Number of the current frame, from 0."""
        return self._frame

    def reset(self, seed: int | None = None) -> FloatArray:
        """Start over at frame 0, with a new seed where one is given; returns the first observation, (N, F)."""
        self._seed = self._seed if seed is None else whole_number("seed", seed, 0)
        self.rng = np.random.default_rng(self._seed)
        self._frame = 0
        self.start()
        self.begin_frame()
        return self.observe()

    def step(self, decision: ArrayLike) -> None:
        """Carry out a decision (N,) and move to the next frame.

        Raises InputError when it is not a decision or the shape does not fit; the frame is then unchanged.
        """
        self.carry_out(self.decisions.check_one("decision", decision))
        self.advance()

    def advance(self) -> None:
        """Move to the next frame."""
        self._frame += 1
        self.begin_frame()

    def start(self) -> None:
        """What happens before the first frame: queues are emptied, processes reset."""

    def begin_frame(self) -> None:
        """What a frame brings: gains, prices, arrivals."""

    def carry_out(self, decision: NDArray[Any]) -> None:
        """What a decision (N,) changes."""

    def observe(self) -> FloatArray:
        """What the agent sees of this frame, (N, F), one row a user."""
        raise _not_written(self, "observe")

    def evaluate(self, decisions: Any) -> Any:
        """Values (K,) of decisions (K, N) in this frame, larger is better; changes nothing."""
        raise _not_written(self, "evaluate")

    def frame_optimum(self) -> Any:
        """The best value that any decision has in this frame; None where it is not known."""
        return None

    def frame_metrics(self) -> Mapping[str, Any]:
        """Figures to record after each step, by name."""
        return {}

    def run_figures(self, frames: int) -> Mapping[str, Any]:
        """Figures of a whole run of so many frames for its summary, by name."""
        return {}

    def best_of_all(self, most: int) -> float | None:
        """The best value in this frame by trying all decisions; None where there are more than `most`."""
        if self.decisions.num_choices**self.num_users > most:
            return None
        values: FloatArray = np.asarray(self.evaluate(self.decisions.all()))
        return float(values.max())


def _not_written(environment: Environment, method: str) -> TypeError:
    return TypeError(f"{type(environment).__name__} must have a method {method}")
