"""Checks of settings at the public edge: one clear error that names the argument."""

from pathlib import Path
from typing import Any

import numpy as np

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
LARGEST = float(np.finfo(np.float64).max)
LARGEST_SIZE = 2**24
"""The most users, choices and the like that there can be: of whatever arrays have one entry each."""
LONGEST = 1000
"""Letters of a message."""


class InputError(ValueError):
    """A setting or an argument that this project refuses; the message names it, what it was and must be."""

    def __str__(self) -> str:
        """The message; of one as long as what was given, both ends."""
        text = super().__str__()
        return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} ... {text[-LONGEST // 4 :]}"


def whole_number(name: str, value: Any, least: int = 1, most: int | None = 2**63 - 1) -> int:
    """`value` as an int; raises InputError unless it is a whole number from `least` to `most`, None for any."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer) or value < least:
        raise InputError(f"{name} must be a whole number, {least} or more, got {value!r}")
    if most is not None and value > most:
        given = value if value < 2**200 else f"one of {int(value).bit_length()} bits"
        raise InputError(f"{name} must be a whole number, {least} to {most}, got {given}")
    return int(value)


def size(name: str, value: Any, least: int = 1) -> int:
    """`value` as an int; raises InputError unless arrays can have so many entries."""
    return whole_number(name, value, least, LARGEST_SIZE)


def flag(name: str, value: Any) -> bool:
    """`value` as a bool; raises InputError unless it is true or false."""
    if not isinstance(value, bool | np.bool_):
        raise InputError(f"{name} must be true or false, got {value!r}")
    return bool(value)


def file_path(name: str, value: Any) -> Path:
    """`value` as a path; raises InputError unless a file can have it, whether there is one or not."""
    try:
        path = Path(value)
        path.stat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return path
    except (TypeError, ValueError, OSError) as error:  # no path, a null byte or half a letter in it, too long
        raise InputError(f"{name} must be the path of a file, got {value!r}: {error}") from error
    return path


def positive_number(name: str, value: Any) -> float:
    """Return `value` as a float, or raise InputError unless it is one positive and finite number."""
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not (number and 0 < value <= LARGEST):
        raise InputError(f"{name} must be positive and finite, got {value!r}")
    return float(value)


def number_between(name: str, value: Any, least: float, most: float, condition: str) -> float:
    """Return `value` as a float, or raise InputError unless it is one number from `least` to `most`."""
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not (number and float(least) <= value <= min(float(most), LARGEST)):
        raise InputError(f"{name} must {condition}, got {value!r}")
    return float(value)


def real_array(name: str, value: Any, dtype: Any = None) -> np.ndarray:
    """`value` as an array of real numbers; raises InputError when it holds anything else."""
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "buif":
            raise TypeError(f"dtype {array.dtype}")
        return array if dtype is None or array.dtype == dtype else array.astype(dtype)
    except (TypeError, ValueError, RuntimeError) as error:  # the last of a tensor that needs its gradient
        raise InputError(f"{name} must be an array of real numbers, got {value!r}") from error


def finite_numbers(name: str, value: Any, most: float) -> list[float]:
    """`value` as a list; raises InputError unless it is a list of numbers from -`most` to `most`."""
    array = real_array(name, value)
    if array.ndim != 1 or not (np.abs(array.astype(np.float64)) <= most).all():
        raise InputError(f"{name} must be a list of numbers up to {most:g}, got {value!r}")
    listed: list[float] = array.tolist()
    return listed


def torch_device(name: str, value: Any) -> None:
    """Raise InputError for a device that torch does not have here."""
    import torch

    try:
        torch.empty(1, device=value)
    except (RuntimeError, AssertionError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{name} must be one that torch has here, such as 'cpu', got {value!r}: {reason}"
        ) from error


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
