"""Weights that change over time."""

from collections.abc import Mapping, Sequence

import numpy as np

from ..arrays import FloatArray, mapping, one_a_user, positive, whole_number
from ..state import Stateful


class Weights(Stateful):
    """Weights as a function of the frame; subclass it for a schedule of your own.

    It is no `Process`: weights start from the environment's own, which may be set at any time.
    """

    def at(self, frame: int, weights: FloatArray) -> FloatArray:
        """The weights (N,) in a frame, `weights` (N,) being the environment's own; asked frame after frame."""
        raise TypeError(f"{type(self).__name__} must have a method at")


class WeightSchedule(Weights):
    """Weights by the frame from which on they hold.

    Args:
        weights: ``{frame: [w_0, w_1, ...]}``; before the first frame the environment's own weights hold.

    Raises:
        InputError: for a frame that is no whole number or weights that are not positive and finite.
    """

    def __init__(self, weights: Mapping[int, Sequence[float]]) -> None:
        self.weights = {
            int(frame): positive("weights", values)
            for frame, values in sorted(mapping("weights", weights).items())
        }

    def at(self, frame: int, weights: FloatArray) -> FloatArray:
        """The weights (N,) in a frame, `weights` (N,) being the environment's own."""
        for start, scheduled in self.weights.items():
            if start <= frame:
                one_a_user("weights", scheduled, weights.size)
                weights = scheduled
        return weights


class AlternatingWeights(Weights):
    """All users change their weight at once, to and fro: the largest becomes the smallest (DROO, fig. 9).

    Args:
        interval: frames between two changes.
        first: the frame of the first change.

    Raises:
        InputError: when either is below 1.
    """

    def __init__(self, interval: int = 1000, first: int = 1000) -> None:
        self.interval = whole_number("interval", interval)
        self.first = whole_number("first", first)

    def at(self, frame: int, weights: FloatArray) -> FloatArray:
        """The weights (N,) in a frame, `weights` (N,) being the environment's own."""
        swapped = frame >= self.first and ((frame - self.first) // self.interval) % 2 == 0
        return np.asarray(weights.min() + weights.max() - weights) if swapped else weights
