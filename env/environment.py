"""The base class that a world may inherit: seeds, frames, state, and what is optional with its default.

Agents and simulations need five members of a world: `num_users`, `reset`, `observe`, `evaluate` and `step`. A
class of yours that has them works everywhere without this one; what it gains by inheriting is below.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import FloatArray, InputError, shape_of, size, whole_number
from .decisions import Binary, Decisions
from .generators import Generators
from .seeds import of_replicas
from .state import Stateful

_TRIED = 64
"""Decisions of each replica that are tried at a time, so that memory does not grow with all that there are."""


class Environment(Stateful):
    """A world of N users that decide once a frame.

    A subclass sets `num_users` (and `decisions`, where they are not bits) and what else it needs, then calls
    ``super().__init__(seed)``. It writes `begin_frame`, `observe`, `evaluate`; `carry_out`, where a decision has
    consequences; and those optional members that it has something to say about. Random numbers come from
    `self.rng`. Its state is all that it holds (`Stateful`), so that runs in it can be resumed.

    Args:
        seed: of all random numbers; with `replicas` also a list of R seeds, else from `seed` on.
        replicas: R, where the subclass is R worlds side by side as one: all arrays of a frame then have R as first
            dimension, and `rng` is `env.generators.Generators`.

    Attributes:
        num_users: N. decisions: the kind of decision, `Binary(N)` by default. rng: the random generator, made anew
            by `reset`.

    Raises:
        InputError: when `seed` is not a whole number from 0, or `replicas` not one from 1.
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

    replicas: int | None = None
    """R; None of one world."""
    _lead: tuple[int, ...] = ()
    """Dimensions before those of a frame: (R,) of replicas."""

    def __init__(self, seed: int | Sequence[int] = 0, replicas: int | None = None) -> None:
        if replicas is not None:
            self.replicas = size("replicas", replicas)
            self._lead = (self.replicas,)
        self._seed: Any = seed
        if not hasattr(self, "decisions"):
            self.decisions = Binary(self.num_users)
        self.reset()

    @property
    def frame(self) -> int:
        """Number of the current frame, from 0."""
        return self._frame

    def reset(self, seed: int | Sequence[int] | None = None) -> FloatArray:
        """Start over at frame 0, with a new seed where one is given; returns the first observation (..., N, F)."""
        seed = self._seed if seed is None else seed
        if self._lead:
            self.rng: Any = Generators(of_replicas(seed, *self._lead))
        else:
            self.rng = np.random.default_rng(whole_number("seed", seed, 0, None))
        self._seed = seed
        self._frame = 0
        self.start()
        self.begin_frame()
        return self.observe()

    def step(self, decision: ArrayLike) -> None:
        """Carry out a decision (N,), of each replica (R, N), and move to the next frame.

        Raises InputError when it is not a decision or the shape does not fit; the frame is then unchanged.
        """
        if not self._lead:
            self.carry_out(self.decisions.check_one("decision", decision))
        elif (given := shape_of("decision", decision)) != (shape := (*self._lead, self.num_users)):
            raise InputError(f"decision must have shape {shape}, got {given}")
        else:
            self.carry_out(self.decisions.check("decision", decision))
        self.advance()

    def _beside(self, array: Any) -> Any:
        """An array of a frame, (N,) or (R, N), of a shape that broadcasts against candidates (..., K, N)."""
        return array[:, None] if self._lead else array

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

    def best_of_all(self, most: int) -> Any:
        """The best value in this frame by trying all decisions; None where there are more than `most`.

        Of replicas (R,).
        """
        if self.decisions.num_choices**self.num_users > whole_number("most", most, 0):
            return None
        every = self.decisions.all()
        if not self._lead:
            return float(np.asarray(self.evaluate(every)).max())
        parts = np.array_split(every, -(-len(every) // _TRIED))
        shapes = ((*self._lead, *part.shape) for part in parts)
        values = [self.evaluate(np.broadcast_to(*pair)).max(-1) for pair in zip(parts, shapes, strict=True)]
        return np.max(values, axis=0)


def _not_written(environment: Environment, method: str) -> TypeError:
    return TypeError(f"{type(environment).__name__} must have a method {method}")
