"""Checks of settings at the public edge: one clear error that names the argument."""

from typing import Any

import numpy as np


def whole_number(name: str, value: Any, least: int = 1) -> int:
    """Return `value` as an int, or raise ValueError unless it is a whole number from `least` on."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name} must be a whole number, {least} or more, got {value!r}")
    return int(value)
