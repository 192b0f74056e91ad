"""What NumPy arrays and torch tensors have in common, so that one line serves both."""

import sys
from typing import Any

import numpy as np

Array = Any
"""An array of NumPy, or a torch tensor on any device."""


def namespace(array: Array) -> Any:
    """The module, `numpy` or `torch`, whose functions take `array`."""
    return np if isinstance(array, np.ndarray) else sys.modules["torch"]


def take(array: Array, places: Array) -> Array:
    """Entries of (..., N) at places (..., K) of each batch entry, (..., K)."""
    if places.ndim == 1:
        return array[places]
    return np.take_along_axis(array, places, -1) if namespace(array) is np else array.take_along_dim(places, -1)


def integers(array: Array) -> Array:
    """The array as 64-bit integers."""
    return array.astype(np.int64) if isinstance(array, np.ndarray) else array.long()
