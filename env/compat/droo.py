"""`optimization` of the published DROO program: the critic of one decision, and coordinate descent with it."""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import FloatArray, InputError, not_negative, real_numbers, whole_number
from ..wireless_powered.one_decision import split_one
from ..wireless_powered.physics import Physics
from ..wireless_powered.world import WirelessPoweredMEC


def bisection(
    h: ArrayLike, M: ArrayLike, weights: Sequence[float] | np.ndarray = ()
) -> tuple[float, float, list[float]]:
    """Optimal time split for the decision `M` (N,) at gains `h`.

    Args:
        h: power ratios, 0 or more, N of them or more, of which the first N count.
        M: 0 local, 1 offload; users of any other entry, such as -1, are absent.
        weights: of the users' rates, 0 or more, N of them or more; where empty 1 for even and 1.5 for odd users.

    Returns:
        The rate in bit/s, the charging time a, and the transmit times of the offloading users in their order.

    Raises:
        InputError: for a shape that does not fit, or gains or weights that are negative or not finite.
        ArithmeticError: when no price of time is found, of which no instance is known.
    """
    decision, gains = real_numbers("M", M), real_numbers("h", h)
    num_users = decision.size
    if decision.ndim != 1 or gains.ndim != 1 or len(gains) < num_users:
        shapes = f"{gains.shape} and {decision.shape}"
        raise InputError(f"h must hold a gain for each entry of M, both being vectors, got shapes {shapes}")
    given = None if isinstance(weights, tuple) and not weights else real_numbers("weights", weights)
    if given is not None and given.ndim == 1 and not given.size:
        given = None
    if given is not None and (given.ndim != 1 or len(given) < num_users):
        raise InputError(f"weights must hold one for each entry of M, {num_users}, got {weights!r}")
    frame = _frame(gains[:num_users].tobytes(), None if given is None else given[:num_users].tobytes())
    offloads = decision == 1
    local_rate = float(frame.local_rate.dot(decision == 0))
    rate, a, inverse_snr = split_one(local_rate, frame.snr.dot(offloads).tolist(), frame.groups.slope)
    snr, group = frame.snr_of_user, frame.groups.of_user
    return (
        np.float64(rate),
        np.float64(a),
        [snr[user] * inverse_snr[group[user]] * a for user in offloads.nonzero()[0].tolist()],
    )


def cd_method(h: ArrayLike, seed: int | None = None) -> tuple[float, NDArray[np.int64]]:
    """Coordinate descent: the decision whose one changed entry gains most, until none gains.

    Args:
        h: (N,), power ratios.
        seed: of the random decision to start from; None draws it from NumPy's global random state, as there.

    Returns:
        The rate in bit/s, and the decision (N,).

    Raises:
        InputError: as `bisection`.
    """
    num_users = real_numbers("h", h).size
    if not num_users:
        raise InputError("h must hold a gain or more, got none")
    if seed is None:
        decision = np.random.randint(2, size=num_users)
    else:
        decision = np.random.default_rng(whole_number("seed", seed, 0, None)).integers(2, size=num_users)
    rate = bisection(h, decision)[0]
    while True:
        neighbours = decision ^ np.eye(num_users, dtype=np.int64)
        rates = [bisection(h, neighbour)[0] for neighbour in neighbours]
        best = int(np.argmax(rates))
        if rates[best] <= rate:
            return rate, decision
        rate, decision = rates[best], neighbours[best]


class _Groups(NamedTuple):
    """Users of one weight; who counts for nothing belongs to the heaviest, but gets no time."""

    slope: list[float]  # of each group, bit/s
    of_user: list[int]
    members: FloatArray  # (G, N), 1 for each user in the row of its group, unless its weight is 0
    local_scale: FloatArray  # (N,), bit/s for a gain of 1


@lru_cache(maxsize=64)
def _groups(num_users: int, weights_bytes: bytes | None) -> _Groups:
    if weights_bytes is None:
        weights = np.where(np.arange(num_users) % 2, 1.5, 1.0)
    else:
        weights = not_negative("weights", np.frombuffer(weights_bytes))
    physics = _published_physics()
    distinct, group = np.unique(np.where(weights > 0, weights, weights.max(initial=0) or 1.0), return_inverse=True)
    members = (group == np.arange(len(distinct))[:, None]) * (weights > 0.0)
    return _Groups(
        (physics.rate_scale * distinct).tolist(), group.tolist(), members, weights * physics.local_scale
    )


class _Frame(NamedTuple):
    """What the decisions of a frame have in common."""

    groups: _Groups
    local_rate: FloatArray  # (N,), bit/s, of who computes
    snr: FloatArray  # (G, N)
    snr_of_user: list[float]


@lru_cache(maxsize=4)
def _frame(gains_bytes: bytes, weights_bytes: bytes | None) -> _Frame:
    """The frame of gains (N,) and weights (N,), kept for its other decisions; None: the published weights."""
    gains = not_negative("h", np.frombuffer(gains_bytes))
    groups = _groups(len(gains), weights_bytes)
    snr = groups.members * (_published_physics().snr_scale * gains**2)
    return _Frame(groups, groups.local_scale * np.cbrt(gains), snr, snr.sum(0).tolist())


@cache
def _published_physics() -> Physics:
    return WirelessPoweredMEC(1).physics
