"""Checks of settings at the public edge: one clear error that names the argument."""

from typing import Any

import numpy as np


class InputError(ValueError):
    """A setting or an argument that this project refuses; the message names it, what it was and must be."""


def whole_number(name: str, value: Any, least: int = 1) -> int:
    """Return `value` as an int, or raise InputError unless it is a whole number from `least` on."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer) or value < least:
        raise InputError(f"{name} must be a whole number, {least} or more, got {value!r}")
    return int(value)


def positive_number(name: str, value: Any) -> float:
    """Return `value` as a float, or raise InputError unless it is one positive and finite number."""
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not (number and 0 < value < float("inf")):
        raise InputError(f"{name} must be positive and finite, got {value!r}")
    return float(value)


def number_between(name: str, value: Any, least: float, most: float, condition: str) -> float:
    """Return `value` as a float, or raise InputError unless it is one number from `least` to `most`."""
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not (number and least <= value <= most):
        raise InputError(f"{name} must {condition}, got {value!r}")
    return float(value)


def real_array(name: str, value: Any, dtype: Any = None) -> np.ndarray:
    """`value` as an array of real numbers; raises InputError when it holds anything else."""
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "buif":
            raise TypeError(f"dtype {array.dtype}")
        return array if dtype is None else array.astype(dtype, copy=False)
    except (TypeError, ValueError, RuntimeError) as error:  # the last of a tensor that needs its gradient
        raise InputError(f"{name} must be an array of real numbers, got {value!r}") from error


def callable_one(name: str, value: Any) -> Any:
    """Return `value`, or raise InputError unless it can be called."""
    if not callable(value):
        raise InputError(f"{name} must be a function, got {value!r}")
    return value


def plain(value: Any) -> Any:
    """A setting as Python's own numbers, lists and tuples: NumPy's scalars and arrays turned into them."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if type(value) in (list, tuple, range):
        return [plain(entry) for entry in value]
    return value
