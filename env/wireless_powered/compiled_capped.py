"""The critic under a cap in machine code, one candidate after another; needs Numba, the extra `fast`.

The table over prices is that of `price_curve`. Along it the charging time grows, and with it the number of local
users at their cap, so that S of equation (3) of `allocation` steps down at their kinks (`capped`).
"""

from math import log, log1p, nan

import numpy as np
from numba import guvectorize

from ..arrays import FloatArray
from .price_curve import NO_RATE, tabulate


class CompiledCapped:
    """The best rates of decisions under a cap; nan for one whose price is not in the table.

    Args:
        slope: W, (G,), bit/s.
        group: of each user, (N,).
    """

    def __init__(self, slope: FloatArray, group: np.ndarray) -> None:
        self._table = np.column_stack(tabulate(slope))
        self._slope, self._group = slope, group

    def rate(
        self,
        local: FloatArray,
        most: FloatArray,
        kink: FloatArray,
        by_kink: np.ndarray,
        snr: FloatArray,
        decisions: FloatArray,
    ) -> FloatArray:
        """The best rate (...), bit/s, of decisions (..., N), 0.0 or 1.0; all else broadcasts against them.

        Args:
            local: L, bit/s. most: the rates at the cap, bit/s. kink: k; by_kink: the users in its rising order.
            snr: H of each user.
        """
        rate: FloatArray = _rate(local, most, kink, by_kink, snr, self._group, decisions, self._table, self._slope)
        return rate


@guvectorize(
    "f8[:],f8[:],f8[:],i8[:],f8[:],i8[:],f8[:],f8[:,:],f8[:],f8[:]",
    "(n),(n),(n),(n),(n),(n),(n),(p,t),(g)->()",
    nopython=True,
    cache=True,
)
def _rate(local, most, kink, by_kink, snr, group, decision, table, slope, rate):
    users, groups = len(local), len(slope)
    no_rate = min(NO_RATE[0], NO_RATE[1] * slope.min())
    H = np.zeros(groups)
    place, S, held = np.empty(users), np.empty(users + 1), np.empty(users + 1)
    offloading, count, free = False, 0, 0.0
    held[0] = 0.0
    for user in by_kink:
        if decision[user] != 0:
            H[group[user]] += snr[user]
            offloading = offloading or snr[user] > 0
        elif kink[user] < 1:
            place[count], S[count] = kink[user], local[user]
            held[count + 1] = held[count] + most[user]
            count += 1
        else:
            free += local[user]
    rate[0] = held[count] + free
    if not offloading:
        return
    S[count] = free
    for j in range(count - 1, -1, -1):
        S[j] += S[j + 1]

    low, high = 0, len(table) - 1
    first, last = 0, count  # of the users at their caps at the two prices
    while high - low > 1:
        middle = (low + high) // 2
        row = table[middle]
        left, inverse_a = row[0], 1.0
        for g in range(groups):
            inverse_a += H[g] * row[1 + g]
            left -= H[g] * row[1 + groups + g]
        below, above = first, last
        while below < above:
            j = (below + above) // 2
            if place[j] * inverse_a < 1:
                below = j + 1
            else:
                above = j
        third = (S[below] + no_rate) / 3
        if left * left * left < third * third * third * inverse_a * inverse_a:
            low, first = middle, below
        else:
            high, last = middle, below
    rate[0] = nan
    if low == 0 or high == len(table) - 1:
        return
    # Between the two, kink by kink: the first piece whose own solution is not beyond its end.
    inverse_low, inverse_high, earned_low, earned_high = 1.0, 1.0, 0.0, 0.0
    for g in range(groups):
        inverse_low += H[g] * table[low, 1 + g]
        inverse_high += H[g] * table[high, 1 + g]
        earned_low += H[g] * table[low, 1 + groups + g]
        earned_high += H[g] * table[high, 1 + groups + g]
    root_low, root_high = inverse_low ** (2 / 3), inverse_high ** (2 / 3)
    share = 0.0
    for j in range(first, last + 1):
        third = (S[j] + no_rate) / 3
        ahead = log((third * root_low + earned_low) / table[low, 0])
        behind = log((third * root_high + earned_high) / table[high, 0])
        share = ahead / (ahead - behind)
        inverse_a = inverse_low + share * (inverse_high - inverse_low)
        if j < last and place[j] * inverse_a < 1:
            continue
        if j > first and place[j - 1] * inverse_a > 1:  # at the kink
            share = (inverse_low - 1 / place[j - 1]) / (inverse_low - inverse_high)
        break
    inverse_a, offloaded = 1.0, 0.0
    for g in range(groups):
        start = table[low, 1 + g]
        inverse_snr = start + share * (table[high, 1 + g] - start)
        inverse_a += H[g] * inverse_snr
        offloaded += slope[g] * H[g] * inverse_snr * log1p(1 / inverse_snr)
    rate[0] = held[j] + S[j] * (1 / inverse_a) ** (1 / 3) + offloaded / inverse_a
