"""Checks of arrays at the public edge: one clear error that names the argument."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


def positive(name: str, value: ArrayLike) -> FloatArray:
    """Return `value` as a float array, or raise ValueError unless every entry is positive and finite."""
    array = _numbers(name, value)
    good = np.isfinite(array) & (array > 0)
    if not good.all():
        where = np.argwhere(~good)[0]
        place = f" at {where.tolist()}" if where.size else ""
        raise ValueError(f"{name} must be positive and finite, got {array[tuple(where)]}{place}")
    return array


def binary(name: str, value: ArrayLike) -> FloatArray:
    """Return `value` as an array of 0.0 and 1.0, or raise ValueError when it holds anything else."""
    array = _numbers(name, value)
    good = (array == 0) | (array == 1)
    if not good.all():
        where = np.argwhere(~good)[0]
        place = f" at {where.tolist()}" if where.size else ""
        raise ValueError(f"{name} must hold only 0 and 1, got {array[tuple(where)]}{place}")
    return array


def last_dimension(name: str, array: FloatArray, size: int) -> None:
    """Raise ValueError unless the last dimension of `array` has `size` entries, one a user."""
    if array.ndim == 0 or array.shape[-1] != size:
        raise ValueError(f"{name} must have shape (..., {size}), one entry a user, got {array.shape}")


def _numbers(name: str, value: ArrayLike) -> FloatArray:
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be an array of numbers, got {value!r}") from error
