"""What a quantizer is asked: checked at its door, since machine code does not look where it reads."""

from typing import Any

import numpy as np

from ..arrays import Array, tensors
from ..checks import InputError, real_array, whole_number


def relaxed_of(value: Any, num_choices: int = 2) -> Array:
    """Relaxed decisions (..., N) of bits or (..., N, C) of choices; a list as an array, a tensor as it is.

    Raises InputError unless they are real numbers from 0 to 1, of one user or more. The numbers of a tensor, which
    is not waited for, are not looked at.
    """
    array: Any = value
    if not (isinstance(value, np.ndarray) and value.dtype.kind == "f") and not isinstance(value, tensors()):
        array = real_array("relaxed", value, np.float64)
    if array.ndim == 0 or not array.shape[-1]:
        raise InputError(f"relaxed must have shape (..., N), one entry a user, got {tuple(array.shape)}")
    if num_choices > 2 and (array.ndim < 2 or array.shape[-1] != num_choices):
        raise InputError(f"relaxed must have shape (..., N, {num_choices}), got {tuple(array.shape)}")
    if isinstance(array, np.ndarray):
        total = np.add.reduce(array, None)  # one pass: nan and infinity show in it
        if not 0 <= total <= array.size:
            raise InputError(f"relaxed must hold numbers from 0 to 1, got {value!r}")
    return array


def count_of(k: Any, most: int) -> int:
    """K as an int; raises InputError unless it is a whole number from 1 to `most`."""
    if type(k) is int and 1 <= k <= most:
        return k
    if whole_number("k", k) > most:
        raise InputError(f"k must be 1 to {most} for so many users, got {k}")
    return int(k)


def draws(rng: Any) -> Any:
    """A generator; raises InputError for anything that draws no normal numbers."""
    if not hasattr(rng, "normal"):
        raise InputError(f"rng must be a numpy.random.Generator, got {rng!r}")
    return rng
