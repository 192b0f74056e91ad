"""Random numbers for replicas: each draws from a generator of its own, as it would by itself."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from agent.arrays import Array


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
        return self._moved(np.stack([rng.normal(size=size[1:]) for rng in self._rngs]))

    def random(self, size: Sequence[int]) -> Array:
        """Uniform numbers in [0, 1) of `size` (R, ...)."""
        return self._moved(np.stack([rng.random(size=size[1:]) for rng in self._rngs]))

    def part(self, replicas: NDArray[np.intp]) -> "Generators":
        """The generators of some replicas."""
        return Generators([self._rngs[replica] for replica in replicas], self._device)

    def _moved(self, numbers: np.ndarray) -> Array:
        if self._device is None:
            return numbers
        tensor = torch.from_numpy(numbers)
        if torch.cuda.is_available():
            tensor = tensor.pin_memory()  # so that the copy waits for nothing
        return tensor.to(self._device, non_blocking=True)


def save(rng: Any) -> list[str]:
    """The state of a generator, or of each of several."""
    rngs = rng._rngs if isinstance(rng, Generators) else [rng]
    return [json.dumps(one.bit_generator.state) for one in rngs]


def restore(rng: Any, states: Sequence[str]) -> None:
    """Take over what `save` returned; raises ValueError for another number of generators."""
    rngs = rng._rngs if isinstance(rng, Generators) else [rng]
    for one, state in zip(rngs, states, strict=True):
        one.bit_generator.state = json.loads(state)
