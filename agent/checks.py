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


def plain(value: Any) -> Any:
    """A setting as Python's own numbers, lists and tuples: NumPy's scalars and arrays turned into them."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if type(value) in (list, tuple, range):
        return [plain(entry) for entry in value]
    return value
