"""The minimum of the bound G of `optimum` in machine code, one problem after another; without a cap.

The equations and the steps are those of `optimum`. Each problem ends at its own last step, users of one weight
share the logarithm of their signal-to-noise ratio, and the order of the users, which changes little from price to
price, is put right by insertion. Arrays are copied and sorted by loops, which compile in a tenth of the time that
NumPy's own operations take.
"""

import numpy as np
from numba import boolean, float64, int64, njit, types

from ..compiled_lambert_w import TINY, log_snr

_Given, _GivenRows = (types.Array(float64, dimensions, "C", readonly=True) for dimensions in (1, 2))
_Row, _Rows, _Sides = float64[::1], float64[:, ::1], boolean[:, ::1]
_FEW = 64
"""Users up to which an order is sorted by insertion from the start."""


@njit(
    types.Tuple((float64, float64))(float64, _Given, _Given, _Given, int64[::1], _Rows, boolean[::1]),
    cache=True,
    error_model="numpy",
)
def bound_at(v, local, snr, slope, order, room, decision):
    """G, a slope of G, and into `decision` (N,) the one that attains it, at a price v; `order` is kept."""
    users = len(local)
    offload, busy, ratio = room[0], room[1], room[2]
    for user in range(users):
        before = user - 1 if user > 0 and slope[user] == slope[user - 1] else user - 2
        if before >= 0 and slope[user] == slope[before]:
            room[3, user], room[4, user] = room[3, before], room[4, before]
        else:
            s = log_snr(v / slope[user])
            power = np.exp(-s)
            room[3, user] = power / (1 - power) if s > 0.5 else power / -np.expm1(-s)
            room[4, user] = slope[user] * s - v
        busy[user] = snr[user] * room[3, user]
        offload[user] = busy[user] * room[4, user]
        ratio[user] = -offload[user] / max(local[user], TINY)
    gap = 1
    if order[0] < 0:
        for user in range(users):
            order[user] = user
        while _FEW < users > 3 * gap:  # Shell's sort, by the gaps of Knuth
            gap = 3 * gap + 1
    while gap > 0:
        for place in range(gap, users):
            user, at = order[place], place
            while at >= gap and ratio[user] < ratio[order[at - gap]]:
                order[at] = order[at - gap]
                at -= gap
            order[at] = user
        gap //= 3

    computed, offloaded, taken = 0.0, 0.0, 0.0
    for user in range(users):
        computed += local[user]
    best, tangent, count = -np.inf, 0.0, 0
    for first in range(users + 1):  # so many of the order offload
        if first > 0:
            user = order[first - 1]
            offloaded += offload[user]
            taken += busy[user]
            computed = max(computed - local[user], 0.0) if first < users else 0.0
        margin = 3 * max(v - offloaded, 0.0)
        share = computed / margin if margin > computed else 1.0
        root = np.sqrt(share)
        a = share * root
        value = v - (v - offloaded) * a + computed * root
        if value > best:
            best, tangent, count = value, 1 - a * (1 + taken), first
    for place in range(users):
        decision[order[place]] = place < count
    return best, tangent


@njit(
    types.Tuple((_Row, _Row, _Row, _Row, _Sides, _Sides))(
        _GivenRows, _GivenRows, _GivenRows, _Given, float64, int64
    ),
    cache=True,
    error_model="numpy",
)
def relax(local, snr, slope, enough, precision, cuts):
    """Of M problems of N users bounds, their prices, those on either side (M,), and the decisions (M, N) there.

    A problem whose bound is at most `enough` (M,) is left at that.
    """
    problems, users = local.shape
    best, best_price = np.empty(problems), np.empty(problems)
    low, high = np.empty(problems), np.empty(problems)
    left, right = np.empty((problems, users), np.bool_), np.empty((problems, users), np.bool_)
    room, decision, order = np.empty((5, users)), np.empty(users, np.bool_), np.empty(users, np.int64)
    for row in range(problems):
        L, H, W = local[row], snr[row], slope[row]
        computed, alone = 0.0, 0.0
        for user in range(users):
            computed += L[user]
            alone = max(alone, W[user] * np.log1p(H[user]) / 2)
        order[0] = -1
        low[row] = 0.3 * max(computed, alone)
        low_bound, low_tangent = bound_at(low[row], L, H, W, order, room, left[row])
        high[row] = low_bound
        high_bound, high_tangent = bound_at(high[row], L, H, W, order, room, right[row])
        lower = low_bound < high_bound
        best[row], best_price[row] = (low_bound, low[row]) if lower else (high_bound, high[row])
        for cut in range(cuts):
            if best[row] <= enough[row]:
                break
            run = max(high_tangent - low_tangent, TINY)
            meet = (low_bound - high_bound + high_tangent * high[row] - low_tangent * low[row]) / run
            if best[row] - (low_bound + low_tangent * (meet - low[row])) <= precision * best[row]:
                break
            inside = low[row] < meet < high[row] and cut % 3 < 2
            price = meet if inside else (low[row] + high[row]) / 2
            bound, tangent = bound_at(price, L, H, W, order, room, decision)
            if bound < best[row]:
                best[row], best_price[row] = bound, price
            if tangent > 0:
                high[row], high_bound, high_tangent = price, bound, tangent
                for user in range(users):
                    right[row, user] = decision[user]
            else:
                low[row], low_bound, low_tangent = price, bound, tangent
                for user in range(users):
                    left[row, user] = decision[user]
    return best, best_price, low, high, left, right
