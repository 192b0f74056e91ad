"""Checks of arrays and numbers at the public edge: one clear error that names the argument."""

import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
LARGEST = float(np.finfo(np.float64).max)
LARGEST_SIZE = 2**24
"""The most users, choices and the like that there can be: of whatever arrays have one entry each."""
LONGEST = 1000
"""Letters of a message."""
TINIEST, EXTREME = 1e-60, 1e60
"""Of constants, so that products of a few of them are finite."""


class InputError(ValueError):
    """A setting or an argument that this project refuses; the message names it, what it was and must be."""

    def __str__(self) -> str:
        """The message; of one as long as what was given, both ends."""
        text = super().__str__()
        return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} ... {text[-LONGEST // 4 :]}"


Array = Any
"""An array of NumPy, or a torch tensor on any device."""


def namespace(array: Array) -> Any:
    """The module, `numpy` or `torch`, whose functions take `array`; the code uses what both have in common."""
    return np if isinstance(array, np.ndarray | np.generic) else sys.modules["torch"]


def take(rows: Array, places: Array) -> Array:
    """Rows (..., N, C) at places (..., K) of each batch entry: (..., K, C)."""
    if places.ndim == 1:
        return rows[places]
    xp = namespace(rows)
    flat = rows.reshape(-1, rows.shape[-1])
    first = xp.arange(0, len(flat), rows.shape[-2], device=rows.device).reshape(*places.shape[:-1], 1)
    return flat[first + places]


def on_device(array: np.ndarray, device: Any) -> Array:
    """The array on a torch device, to which the copy is not waited for; for None the array itself."""
    if device is None:
        return array
    import torch

    tensor = torch.from_numpy(np.require(array, requirements=["C", "W"]))
    if torch.device(device).type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


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


def positive(name: str, value: ArrayLike) -> FloatArray:
    """A copy of `value` as a float array; raises InputError unless every entry is positive and finite."""
    array = np.array(real_numbers(name, value))
    require_positive(name, array)
    return array


def finite_number(name: str, value: Any) -> float:
    """`value` as a float; raises InputError unless it is one finite number."""
    array = real_numbers(name, value)
    if array.ndim or not np.isfinite(array):
        raise InputError(f"{name} must be one finite number, got {value!r}")
    return float(array)


def require_positive(name: str, array: FloatArray) -> None:
    """Raise InputError unless every entry is positive and finite."""
    if not (array.min(initial=1.0) > 0 and array.max(initial=1.0) < np.inf):  # nan is the least and the most
        _require(name, array, np.isfinite(array) & (array > 0), "be positive and finite")


def are_bits(value: Any) -> bool:
    """Whether `value` is an array of integers that are all 0 or 1; quicker than to convert it first."""
    return isinstance(value, np.ndarray) and value.dtype == np.int64 and not np.bitwise_or.reduce(value, None) >> 1


def not_negative(name: str, value: ArrayLike) -> FloatArray:
    """A copy of `value` as a float array; raises InputError unless every entry is 0 or more and finite."""
    array = np.array(real_numbers(name, value))
    _require(name, array, np.isfinite(array) & (array >= 0), "be 0 or more and finite")
    return array


def binary(name: str, value: ArrayLike) -> FloatArray:
    """`value` as an array of 0.0 and 1.0; raises InputError when it holds anything else."""
    if isinstance(value, np.ndarray) and are_bits(value):
        return value.astype(np.float64)
    array = real_numbers(name, value)
    good = (array == 0) | (array == 1)
    if not np.logical_and.reduce(good, None):
        _require(name, array, good, "hold only 0 and 1")
    return array


def choices(name: str, value: ArrayLike, num_choices: int) -> NDArray[np.int64]:
    """`value` as an array of integers 0 to C - 1; raises InputError when it holds anything else."""
    array = real_numbers(name, value)
    good = (array >= 0) & (array < num_choices) & (array == np.floor(array))
    _require(name, array, good, f"hold only whole numbers 0 to {num_choices - 1}")
    return array.astype(np.int64)


def positive_number(name: str, value: Any) -> float:
    """`value` as a float; raises InputError unless it is one positive number, from 1e-60 to 1e60."""
    number = number_between(name, value, 0.0, np.inf, "be positive and finite", ends=False)
    return number_between(name, number, TINIEST, EXTREME)


def number_between(
    name: str, value: Any, least: float, most: float, condition: str | None = None, ends: bool = True
) -> float:
    """`value` as a float; raises InputError unless it is one number between two, or with `ends` one of them."""
    array = real_numbers(name, value)
    if isinstance(value, bool) or array.ndim:
        raise InputError(f"{name} must be one number, got {value!r}")
    if not (least <= array <= most if ends else least < array < most):
        raise InputError(f"{name} must {condition or f'be from {least:g} to {most:g}'}, got {value!r}")
    return float(array)


def frozen(array: FloatArray) -> FloatArray:
    """The array, read-only from now on: what was folded from it must not come to differ."""
    array.setflags(write=False)
    return array


def one_of(name: str, value: Any, allowed: Collection[str | None]) -> None:
    """Raise InputError unless `value` is one of the names allowed."""
    if not isinstance(value, str | None) or value not in allowed:
        names = [repr(each) for each in allowed]
        raise InputError(f"{name} must be {' or '.join([', '.join(names[:-1]), names[-1]])}, got {value!r}")


def shape_of(name: str, value: Any) -> tuple[int, ...]:
    """The shape of an array, or of lists; raises InputError where they are ragged."""
    if isinstance(value, np.ndarray):
        return value.shape
    try:
        return np.shape(value)
    except ValueError as error:
        raise InputError(f"{name} must be an array, got {value!r}") from error


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


def mapping(name: str, value: Any) -> Mapping[Any, Any]:
    """`value`; raises InputError unless it is a mapping from whole numbers, 0 or more, such as frames."""
    if not isinstance(value, Mapping):
        raise InputError(f"{name} must be a mapping from frames, got {value!r}")
    for frame in value:
        whole_number(f"a frame of {name}", frame, 0)
    return value


def generator(name: str, value: Any) -> Any:
    """`value`; raises InputError unless it draws random numbers as a `numpy.random.Generator` does."""
    if not (hasattr(value, "integers") and hasattr(value, "random")):
        raise InputError(f"{name} must be a numpy.random.Generator, got {value!r}")
    return value


def last_dimension(name: str, array: NDArray[Any], size: int) -> None:
    """Raise InputError unless the last dimension of `array` has `size` entries, one a user."""
    if array.ndim == 0 or array.shape[-1] != size:
        raise InputError(f"{name} must have shape (..., {size}), one entry a user, got {array.shape}")


def one_a_user(name: str, array: NDArray[Any], num_users: int) -> None:
    """Raise InputError unless `array` has shape (num_users,)."""
    if array.shape != (num_users,):
        raise InputError(f"{name} must have shape ({num_users},), got {array.shape}")


def of_frame(name: str, array: NDArray[Any], shape: tuple[int, ...]) -> None:
    """Raise InputError unless `array` has the shape of a world's frame, (N,) or of replicas (R, N)."""
    if array.shape != shape:
        raise InputError(f"{name} must have shape {shape}, got {array.shape}")


def real_numbers(name: str, value: ArrayLike) -> FloatArray:
    """`value` as a float array, itself where it is one; raises InputError when it holds anything else."""
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":  # no complex numbers, no text
            raise TypeError(f"dtype {array.dtype}")
        return np.asarray(array, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError) as error:  # the last of a tensor that needs its gradient
        raise InputError(f"{name} must be an array of real numbers, got {value!r}") from error


def _require(name: str, array: FloatArray, good: NDArray[np.bool_], condition: str) -> None:
    if not good.all():
        where = np.argwhere(~good)[0]
        place = f" at {where.tolist()}" if where.size else ""
        raise InputError(f"{name} must {condition}, got {array[tuple(where)]}{place}")
