"""`optimization` of the published DROO program: the critic of one decision, and coordinate descent with it."""

from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from env.arrays import InputError, real_numbers
from env.wireless_powered.one_decision import split_one
from env.wireless_powered.physics import Physics
from env.wireless_powered.world import WirelessPoweredMEC


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
    """
    decision, gains = real_numbers("M", M).tolist(), real_numbers("h", h).tolist()
    if not isinstance(decision, list) or not isinstance(gains, list) or len(gains) < len(decision):
        raise InputError(f"h must hold a gain for each entry of M, got {h!r} for M = {M!r}")
    each = _published_weights(len(decision)) if len(weights) == 0 else real_numbers("weights", weights).tolist()
    if len(each) < len(decision):
        raise InputError(f"weights must hold one for each entry of M, {len(decision)}, got {weights!r}")
    physics = _published_physics()
    local_scale, snr_scale = physics.local_scale, physics.snr_scale
    local_rate = 0.0
    groups: dict[float, float] = {}
    offloading: list[tuple[float, float]] = []
    for gain, choice, weight in zip(gains, decision, each):  # noqa: B905 (the longest ends are left over)
        if not (0 <= gain < np.inf and 0 <= weight < np.inf):
            raise InputError(f"h and weights must be 0 or more and finite, got a gain {gain} with weight {weight}")
        if choice == 0:
            local_rate += weight * local_scale * gain ** (1 / 3)
        elif choice == 1:
            ratio = snr_scale * gain * gain
            offloading.append((ratio, weight))
            if ratio and weight:
                groups[weight] = groups.get(weight, 0.0) + ratio
    split = split_one(local_rate, list(groups.values()), [physics.rate_scale * weight for weight in groups])
    a, inverse_snr = split.charging_time, dict(zip(groups, split.inverse_snr, strict=True))
    return split.rate, a, [ratio * inverse_snr.get(weight, 0.0) * a for ratio, weight in offloading]


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
    num_users = np.size(h)
    if seed is None:
        decision = np.random.randint(2, size=num_users)
    else:
        decision = np.random.default_rng(seed).integers(2, size=num_users)
    rate = bisection(h, decision)[0]
    while True:
        neighbours = decision ^ np.eye(num_users, dtype=np.int64)
        rates = [bisection(h, neighbour)[0] for neighbour in neighbours]
        best = int(np.argmax(rates))
        if rates[best] <= rate:
            return rate, decision
        rate, decision = rates[best], neighbours[best]


@cache
def _published_physics() -> Physics:
    return WirelessPoweredMEC(1).physics


@lru_cache(maxsize=64)
def _published_weights(num_users: int) -> list[float]:
    return [1.5 if user % 2 else 1.0 for user in range(num_users)]
