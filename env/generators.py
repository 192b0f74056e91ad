"""Random numbers for replicas: each draws from a generator of its own, as it would by itself."""

from collections.abc import Sequence
from typing import Any

import numpy as np


class Generators:
    """R random generators that answer as one `numpy.random.Generator` whose numbers have R as first dimension.

    Replica r's numbers are those of the generator of its seed, whatever the others draw.

    Args:
        seeds: (R,).
    """

    def __init__(self, seeds: Sequence[Any]) -> None:
        self.each = [np.random.default_rng(seed) for seed in seeds]

    @property
    def bit_generator(self) -> "Generators":
        """What holds the state, here this object itself."""
        return self

    @property
    def state(self) -> list[Any]:
        """The state of each, (R,)."""
        return [rng.bit_generator.state for rng in self.each]

    @state.setter
    def state(self, states: Sequence[Any]) -> None:
        for rng, state in zip(self.each, states, strict=True):
            rng.bit_generator.state = state

    def random(self, size: Any = None) -> np.ndarray:
        """Uniform numbers in [0, 1), ``(R, *size)``."""
        return np.stack([rng.random(size) for rng in self.each])

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> np.ndarray:
        """Uniform numbers, ``(R, *size)``."""
        return np.stack([rng.uniform(low, high, size) for rng in self.each])

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> np.ndarray:
        """Normal numbers, ``(R, *size)``."""
        return np.stack([rng.normal(loc, scale, size) for rng in self.each])

    def exponential(self, scale: Any = 1.0, size: Any = None) -> np.ndarray:
        """Exponential numbers, ``(R, *size)``."""
        return np.stack([rng.exponential(scale, size) for rng in self.each])

    def integers(self, low: Any, high: Any = None, size: Any = None) -> np.ndarray:
        """Whole numbers from `low`, or 0, to below `high`, or `low`, ``(R, *size)``."""
        return np.stack([rng.integers(low, high, size) for rng in self.each])
