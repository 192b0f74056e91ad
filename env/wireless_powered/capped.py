"""The wireless powered problem where no CPU runs faster than a cap: time split, and bound on every decision.

A CPU at frequency f uses k f^2 J a cycle, k f^3 W. It computes through the whole frame on the energy mu P h a, so
f = min((mu P h a / k)^(1/3), f_max) (DROO, eq. 4), and in the symbols of `allocation` a local user's rate is

    l_i(a) = min(L_i a^(1/3), L_i k_i^(1/3)),    k_i = k f_max^3 / (mu P h_i),

concave in the charging time a, with a kink at k_i. A kink from 1 on is no cap: k_i is kept at 1 there.
"""

import numpy as np

from ..arrays import Array, FloatArray
from ..lambert_w import log_snr
from .allocation import MAX_STEPS, STEP_TOLERANCE, TimeSplit, split_time
from .weight_groups import WeightGroups

LEAST_KINK = 1e-300
"""Keeps a kink from becoming 0, of a cap that leaves hardly any rate."""


class Capped:
    """A block of frames under a cap: what the best rates of decisions need of it.

    Args:
        local, snr: L, bit/s, and H, (..., N). kink: k, (..., N).
    """

    def __init__(self, local: FloatArray, snr: FloatArray, kink: FloatArray) -> None:
        self.local, self.snr, self.kink = local, snr, kink
        self._most, self._by_kink = local * np.cbrt(kink), kink.argsort(-1)

    def rates(self, place: int, groups: WeightGroups, decisions: FloatArray) -> FloatArray:
        """The best rates (..., K), bit/s, of decisions (..., K, N), 0.0 or 1.0, in one frame; K may be missing."""
        arrays = self.local, self._most, self.kink, self._by_kink, self.snr
        beside = [array[place] for array in arrays]
        if decisions.ndim == self.local.ndim:
            beside = [array[..., None, :] for array in beside]
        local, _, kink, _, snr = beside
        curve = groups.capped_curve
        rate = np.full(decisions.shape[:-1], np.nan) if curve is None else curve.rate(*beside, decisions)
        missing = np.isnan(rate)
        if missing.any():
            computed, offloaded = (1 - decisions) * local, groups.sums(local, snr, decisions)[1]
            kink = np.broadcast_to(kink, decisions.shape)
            found = split_capped(computed[missing], kink[missing], offloaded[missing], groups.slope).rate
            rate = np.where(missing, 0.0, rate)
            rate[missing] = found
        return rate[()]


def kinks(gains: Array, local_scale: float, most: float) -> Array:
    """k_i (..., N), in (0, 1], of gains (..., N), for a user of unit weight whose rate is at most `most` bit/s.

    Args:
        local_scale: of unit weight and gain at a = 1, bit/s, as of a `Physics`.
        most: f_max / phi, bit/s.
    """
    with np.errstate(over="ignore", under="ignore"):
        return ((most / local_scale) ** 3 / gains).clip(LEAST_KINK, 1.0)


def split_capped(local: FloatArray, kink: FloatArray, snr: FloatArray, slope: FloatArray) -> TimeSplit:
    """Solve the grouped problem of `allocation` with l_i in place of L_i a^(1/3), for any leading dimensions.

    Args:
        local: L, (..., N), bit/s; 0 for who offloads.
        kink: k, broadcastable to (..., N), in (0, 1].
        snr: H, (..., G); 0 for a group in which nobody offloads.
        slope: W, broadcastable to (..., G), bit/s.

    Between two neighbouring kinks the problem is the uncapped one, S the sum over the users that are not at their
    cap there. Let a_j be its solution for a = 0 to 1 when the j users of the smallest kinks are at their caps. It
    falls with j and the kinks rise, so a binary search finds the first j with a_j below the next kink. The
    best a is then a_j, or the kink before it where a_j is below that too.

    Raises:
        ArithmeticError: as `split_time`.
    """
    lead = np.broadcast_shapes(local.shape[:-1], kink.shape[:-1], snr.shape[:-1], slope.shape[:-1])
    local, kink, snr, slope = (
        np.broadcast_to(array, (*lead, array.shape[-1])).reshape(-1, array.shape[-1])
        for array in (local, kink, snr, slope)
    )
    matters = (kink < 1) & (local > 0)
    place = np.where(matters, kink, 1.0)
    order = place.argsort(-1)
    place = np.take_along_axis(place, order, -1)
    rising = np.take_along_axis(local, order, -1)[:, ::-1].cumsum(-1)[:, ::-1]  # S of the users from j on
    rising, place = np.pad(rising, ((0, 0), (0, 1))), np.pad(place, ((0, 0), (0, 1)), constant_values=np.inf)
    rising[~snr.any(-1)] = slope.max(initial=1.0)  # who only computes charges all the time

    rows = np.arange(len(local))
    first, last = np.zeros(len(local), dtype=np.int64), matters.sum(-1)
    while (first < last).any():
        middle = (first + last) // 2
        below = split_time(rising[rows, middle], snr, slope).charging_time <= place[rows, middle]
        first, last = np.where(below, first, np.minimum(middle + 1, last)), np.where(below, middle, last)
    _, a, inverse_snr = split_time(rising[rows, first], snr, slope)
    kept = np.where(first > 0, place[rows, first - 1], 0.0)
    (at_kink,) = (kept > a).nonzero()
    if len(at_kink):
        a[at_kink] = kept[at_kink]
        inverse_snr[at_kink] = _within(kept[at_kink], snr[at_kink], slope[at_kink])
    sent = snr * inverse_snr * a[:, None] * np.log1p(1 / np.maximum(inverse_snr, np.finfo(float).tiny))
    rate = (local * np.cbrt(np.minimum(kink, a[:, None]))).sum(-1) + (slope * sent).sum(-1)
    return TimeSplit(rate.reshape(lead)[()], a.reshape(lead)[()], inverse_snr.reshape(*lead, -1))


def _within(charging_time: FloatArray, snr: FloatArray, slope: FloatArray) -> FloatArray:
    """1 / y (M, G) of the best transmit times when the charging time (M,) is given: (1) and (2) of `allocation`.

    Newton's method on the logarithm of (2), in ln y of the smallest slope W.
    """
    free = 1 / charging_time - 1
    offloading = snr > 0
    reference = np.where(offloading, slope, np.inf).min(-1)
    ratio = np.where(offloading, reference[:, None] / slope, 1.0)
    t = np.log(snr.sum(-1) / free)
    for _ in range(MAX_STEPS):
        s = np.logaddexp(0.0, t)
        share = -np.expm1(-s)
        price = np.maximum(s - share, np.finfo(float).tiny)
        group_s = log_snr(price[:, None] * ratio)
        group_share = -np.expm1(-group_s)
        demand = snr * np.exp(-group_s) / group_share
        y_slope = (group_s - group_share) / group_share**2 * (share * share / price)[:, None]
        busy = demand.sum(-1)
        step = np.log(busy / free) * busy / (demand * y_slope).sum(-1)
        t = t + step
        if np.all(np.abs(step) <= STEP_TOLERANCE):
            break
    else:
        raise ArithmeticError(f"no price of time found within {MAX_STEPS} Newton steps")
    # The last y is within the tolerance; with all time in use, that costs its square of the rate.
    return np.exp(-group_s) / group_share * (free / busy)[:, None]


def capped_bound_at(
    price: FloatArray, local: FloatArray, snr: FloatArray, slope: FloatArray, kink: FloatArray
) -> tuple[FloatArray, FloatArray, np.ndarray]:
    """G (M,) of `optimum`, a slope of G (M,), and the decision (M, N) that attains it, at prices v (M,).

    At a given a user i offloads if O_i a > l_i(a). As l_i is concave and 0 at 0, it does so from one charging time
    b_i on: the users that offload are again those before a place in an order, now that of b_i. The 2 N places
    k_i and b_i part the charging times into intervals, in each of which the sum over users is
    S a^(1/3) + C + O a, concave, with a closed-form maximum.
    """
    v = price[:, None]
    s = log_snr(v / slope)
    time_per_a = snr * np.exp(-s) / -np.expm1(-s)  # tau / a = H / y
    offload = time_per_a * (slope * s - v)
    most = local * np.cbrt(kink)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        free = (local / offload) ** 1.5
        leaves = np.where(free <= kink, free, most / offload)
    leaves = np.where(local > 0, np.where(offload > 0, leaves, np.inf), 0.0)
    place = np.hstack([np.minimum(kink, leaves), np.minimum(leaves, 1.0)])
    order = place.argsort(-1, kind="stable")  # a user's kink before its b
    place = np.take_along_axis(place, order, -1)
    nobody, edge = np.zeros_like(local), np.zeros_like(v)
    held = np.where(kink < leaves, most, 0.0)

    def at_places(first: FloatArray, second: FloatArray) -> FloatArray:
        return np.take_along_axis(np.hstack([first, second]), order, -1)

    # Entry j: between the places j - 1 and j.
    rising = np.hstack([at_places(local, nobody)[:, ::-1].cumsum(-1)[:, ::-1], edge])
    capped = np.hstack([edge, at_places(held, -held).cumsum(-1)])
    offloaded = np.hstack([edge, at_places(nobody, offload).cumsum(-1)])
    margin = 3 * np.maximum(v - offloaded, 0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        a = np.where(margin > rising, (rising / margin) ** 1.5, 1.0)
    start = np.hstack([edge, place])
    a = np.minimum(np.maximum(a, start), np.hstack([place, edge + 1]))
    value = v - (v - offloaded) * a + rising * np.cbrt(a) + capped
    j = value.argmax(-1)
    rows = np.arange(j.size)
    decision = leaves <= start[rows, j][:, None]
    busy = np.where(decision, time_per_a, 0.0).sum(-1)
    return value[rows, j], 1 - a[rows, j] * (1 + busy), decision
