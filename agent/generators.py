"""Random numbers for replicas: each draws from a generator of its own, as it would by itself."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import Array, on_device


class Generators:
    """R generators that answer as one; replica r's numbers do not depend on the others.

    Args:
        rngs: (R,).
        device: None for NumPy arrays, else a torch device.
    """

    def __init__(self, rngs: Sequence[np.random.Generator], device: str | None = None) -> None:
        self._rngs = rngs
        self._device = device

    def normal(self, size: Sequence[int]) -> Array:
        """Standard normal numbers of `size` (R, ...)."""
        return on_device(np.stack([rng.normal(size=size[1:]) for rng in self._rngs]), self._device)

    def random(self, size: Sequence[int]) -> Array:
        """Uniform numbers in [0, 1) of `size` (R, ...)."""
        numbers = np.empty(size)
        for rng, row in zip(self._rngs, numbers, strict=True):
            rng.random(out=row)
        return on_device(numbers, self._device)

    def part(self, replicas: NDArray[np.intp]) -> "Generators":
        """The generators of some replicas."""
        return Generators([self._rngs[replica] for replica in replicas], self._device)


def save(rng: Any) -> list[str]:
    """The state of a generator, or of each of several."""
    rngs = rng._rngs if isinstance(rng, Generators) else [rng]
    return [json.dumps(one.bit_generator.state) for one in rngs]


def restore(rng: Any, states: Sequence[str]) -> None:
    """Take over what `save` returned; raises InputError for another number of generators."""
    rngs = rng._rngs if isinstance(rng, Generators) else [rng]
    for one, state in zip(rngs, states, strict=True):
        one.bit_generator.state = json.loads(state)
