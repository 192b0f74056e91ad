"""What NumPy arrays and torch tensors have in common, so that one line serves both."""

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = Any
"""An array of NumPy, or a torch tensor on any device."""


def namespace(array: Array) -> Any:
    """The module, `numpy` or `torch`, whose functions take `array`."""
    if isinstance(array, np.ndarray):
        return np
    import torch

    return torch


def tensors() -> Any:
    """The class of tensors for `isinstance`, without loading torch: () where there are none yet."""
    return getattr(sys.modules.get("torch"), "Tensor", ())


def take(array: Array, places: Array) -> Array:
    """Entries of (..., N) at places (..., K) of each batch entry, (..., K)."""
    if places.ndim == 1:
        return array[places]
    return np.take_along_axis(array, places, -1) if namespace(array) is np else array.take_along_dim(places, -1)


def rows(array: Array, places: Array) -> Array:
    """Rows (..., M) of (N, M) at places (...); more quickly than by an index, where there is a way."""
    return array.take(places, 0) if isinstance(array, np.ndarray) else array[places]


def on_device(array: Any, device: str | None) -> Array:
    """A NumPy array on a torch device, to which the copy is not waited for; for None the array itself."""
    if device is None:
        return array
    import torch

    tensor = torch.from_numpy(array)
    if torch.device(device).type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def like(array: Array, other: Array) -> Array:
    """`other`, of NumPy or torch, as an array of NumPy where `array` is one."""
    return np.asarray(other) if isinstance(array, np.ndarray) else other


def copy_of(array: Array) -> Array:
    """The same numbers, kept apart."""
    return array.copy() if isinstance(array, np.ndarray) else array.clone()


def integers(array: Array) -> Array:
    """The array as 64-bit integers."""
    return array.astype(np.int64) if isinstance(array, np.ndarray) else array.long()


def sigmoid(logits: NDArray[np.floating]) -> NDArray[np.floating]:
    """1 / (1 + exp(-logits)), without overflow."""
    output = 0.5 * logits
    np.tanh(output, out=output)
    output *= 0.5
    output += 0.5
    return output
