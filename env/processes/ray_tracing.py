"""Gains from what the field's ray tracers and link simulators write: arrays of DeepMIMO and of Sionna.

Each function takes an array as the tool gives it and returns power ratios; neither tool is needed. A gain is the
power of all paths together, or the mean over the subcarriers of a frequency response; over antennas it is the mean
or the sum.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ..arrays import FloatArray, InputError, positive_number

Combining = Literal["mean", "sum"]
Kind = Literal["paths", "frequencies"]


def deepmimo_gains(
    data: Any,
    *,
    kind: Kind = "frequencies",
    unit: Literal["dB", "linear"] = "dB",
    antennas: Combining = "mean",
    no_path: float | None = None,
) -> FloatArray:
    """Gains (N,) of one base station's users, or (N, M) of a list or tuple of M base stations' arrays.

    Args:
        data: an array, or M of them: the power of each path, real (N, paths), as `dataset.power`, nan where there
            is no path; or the channel, complex (N, receive antennas, transmit antennas, subcarriers), as
            `dataset.channel` and, in versions 2 and 3, `dataset[i]['user']['channel']`, or with paths last.
        kind: of a channel, what it has last: 'frequencies', whose mean is taken, or 'paths', whose powers add up.
        unit: of powers, relative to the transmitted one: 'dB' as `dataset.power`, or 'linear'.
        antennas: 'mean' over pairs of antennas, or their 'sum', as maximum ratio combining gives.
        no_path: the gain of a user that no path reaches; by default there must be none.

    Raises:
        InputError: for an array of another shape, and for users that no path reaches.
    """
    _one_of("kind", kind, ("paths", "frequencies"))
    _one_of("unit", unit, ("dB", "linear"))
    several = isinstance(data, list | tuple)
    gains = []
    for station in data if several else [data]:
        array = _array(station)
        if np.iscomplexobj(array) and array.ndim == 4 and array.size:
            power = _over(np.abs(array) ** 2, antennas, (1, 2))
            gains.append(power.sum(-1) if kind == "paths" else power.mean(-1))
        elif array.ndim == 2 and array.dtype.kind in "fiu":
            gains.append(np.nansum(10 ** (array / 10) if unit == "dB" else array, -1))
        else:
            raise InputError(
                "data must be powers of paths, real (N, paths), or channels, complex (N, receive antennas, "
                f"transmit antennas, subcarriers), got {array.dtype} {array.shape}"
            )
    users = [len(gain) for gain in gains]
    if len(set(users)) != 1:
        raise InputError(f"data must be of the same users for each base station, got {users}")
    return _reached(np.stack(gains, -1) if several else gains[0], no_path)


def sionna_gains(
    data: Any,
    *,
    kind: Kind = "paths",
    users: Literal["rx", "tx"] = "rx",
    antennas: Combining = "mean",
    no_path: float | None = None,
) -> FloatArray:
    """Gains (frames, N, M) of N users and M access points, or (frames, N) of one; time steps are frames.

    Args:
        data: complex coefficients, or the pair of their real and imaginary parts. Of paths: (batch, rx, rx
            antennas, tx, tx antennas, paths, time steps) of `sionna.phy`, without the batch as `Paths.cir` of
            `sionna.rt` gives, or without batch and time as its `Paths.a`. Of frequencies: (batch, rx, rx antennas,
            tx, tx antennas, OFDM symbols, subcarriers), or without the batch as `Paths.cfr` gives. One batch entry
            follows another.
        kind: 'paths', whose powers add up, or 'frequencies', whose mean is taken.
        users: whether users are the receivers or the transmitters.
        antennas: 'mean' over pairs of antennas, or their 'sum', as maximum ratio combining gives.
        no_path: the gain of a link that no path reaches; by default there must be none.

    Raises:
        InputError: for an array of another shape, and for links that no path reaches.
    """
    _one_of("kind", kind, ("paths", "frequencies"))
    _one_of("users", users, ("rx", "tx"))
    power = _power(data)
    given = power.shape
    if power.ndim == 5 and kind == "paths":
        power = power[..., None]
    if power.ndim == 6:
        power = power[None]
    if power.ndim != 7 or 0 in power.shape:
        raise InputError(
            "data must have shape (batch, rx, rx antennas, tx, tx antennas, paths, time steps), or of frequencies "
            f"(..., OFDM symbols, subcarriers), got {given}"
        )
    power = _over(power, antennas, (2, 4))  # batch, rx, tx, paths, time or symbols, subcarriers
    over_time = power.sum(-2) if kind == "paths" else power.mean(-1)
    if users == "tx":
        over_time = over_time.swapaxes(1, 2)
    gains = over_time.transpose(0, 3, 1, 2).reshape(-1, *over_time.shape[1:3])
    return _reached(gains[..., 0] if gains.shape[-1] == 1 else gains, no_path)


def _power(data: Any) -> FloatArray:
    """Of complex coefficients, or of the pair of their real and imaginary parts."""
    if isinstance(data, list | tuple) and len(data) == 2:
        parts = [_array(part) for part in data]
        if any(part.dtype.kind not in "fiu" for part in parts) or parts[0].shape != parts[1].shape:
            given = " and ".join(f"{part.dtype} {part.shape}" for part in parts)
            raise InputError(
                "data must be complex coefficients, without their delays, or the pair of their real and imaginary "
                f"parts, got {given}"
            )
        with np.errstate(over="ignore"):  # which is refused
            return np.asarray(parts[0].astype(np.float64) ** 2 + parts[1].astype(np.float64) ** 2)
    array = _array(data)
    if array.dtype.kind not in "fiuc":
        raise InputError(f"data must be numbers, got {array.dtype}")
    with np.errstate(over="ignore"):
        return np.asarray(np.abs(array) ** 2)


def _array(data: Any) -> np.ndarray:
    try:
        return np.asarray(data)
    except (TypeError, ValueError, RuntimeError) as error:  # the last of a tensor that needs its gradient
        raise InputError(f"data must be an array of numbers: {error}") from error


def _over(power: FloatArray, antennas: Combining, axes: Sequence[int]) -> FloatArray:
    _one_of("antennas", antennas, ("mean", "sum"))
    return np.asarray(power.mean(tuple(axes)) if antennas == "mean" else power.sum(tuple(axes)))


def _one_of(name: str, value: Any, known: tuple[str, str]) -> None:
    if not isinstance(value, str) or value not in known:
        raise InputError(f"{name} must be {known[0]!r} or {known[1]!r}, got {value!r}")


def _reached(gains: FloatArray, no_path: float | None) -> FloatArray:
    gains = gains.astype(np.float64)
    wrong = ~np.isfinite(gains)
    if wrong.any():
        raise InputError(f"data must be finite, or nan for no path, got a gain of {gains[wrong][0]}")
    dark = gains <= 0
    if dark.any() and no_path is None:
        raise InputError(
            f"data must have a path for every link, {dark.sum()} of {dark.size} have none, the first at "
            f"{np.argwhere(dark)[0].tolist()}: leave them out, or give their gain as no_path"
        )
    return np.where(dark, 1.0 if no_path is None else positive_number("no_path", no_path), gains)
