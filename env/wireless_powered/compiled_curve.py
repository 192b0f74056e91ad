"""The search of `price_curve` in machine code, one candidate after another; needs Numba, the extra `fast`.

The arrays of a frame are so small that calling an operation on them costs more than what it computes. Here a
decision is a few additions and a bisection of the table, without an array in between. The equations are those of
`allocation`.
"""

from math import log, log1p, nan
from typing import Any

import numpy as np
from numba import boolean, float64, int64, njit, types

from ..arrays import FloatArray
from ..machine_code import machine_code
from .allocation import split_time
from .price_curve import NO_RATE, nested_sums, tabulate

_Frames, _Decisions = float64[:, :, ::1], types.Array(int64, 3, "C", readonly=True)
INT64 = np.dtype(np.int64)
SIDE_BY_SIDE = 64
"""Decisions whose prices are sought together."""


class CompiledCurve:
    """The best rates of decisions, as of a `PriceCurve` on the host.

    Args:
        slope: W, (G,), bit/s.

    Attributes:
        table: of each price (bit/s) itself, 1/y and W/(1+y) of each slope, (P, 1 + 2 G).
    """

    def __init__(self, slope: FloatArray) -> None:
        self.slope = np.ascontiguousarray(slope)
        price, inverse_snr, gain = tabulate(slope)
        self.table = np.column_stack([price, inverse_snr, gain])

    def rate(self, local_rate: FloatArray, snr: FloatArray) -> FloatArray:
        """The best rate (...), bit/s, for S (...), bit/s, and H (..., G)."""
        rate = np.empty(local_rate.size)
        rows = (np.ascontiguousarray(local_rate).ravel(), np.ascontiguousarray(snr).reshape(-1, snr.shape[-1]))
        find(*rows, self.table, self.slope, rate)
        rate = rate.reshape(local_rate.shape)[()]
        if np.isnan(rate).any():  # a price that is not in the table
            return split_time(local_rate, snr, self.slope).rate
        return rate

    def decided_rate(self, columns: FloatArray, decisions: Any) -> FloatArray | None:
        """The best rates (K,), bit/s, of decisions (K, N); None where one is no decision, or not known.

        Columns (N, 1 + G) as of `nested_sums`. Of several frames side by side (R, K, N) and (R, N, 1 + G). None
        also for what is not an array of these dimensions as machine code takes it, of 64-bit integers.
        """
        if not isinstance(decisions, np.ndarray) or decisions.dtype != INT64 or not decisions.flags.c_contiguous:
            return None
        if decisions.ndim != columns.ndim or decisions.shape[:-2] + decisions.shape[-1:] != columns.shape[:-1]:
            return None
        of, rate = rates_of_decisions if decisions.ndim == 2 else rates_of_frames, np.empty(decisions.shape[:-1])
        known = of(np.ascontiguousarray(columns), decisions, self.table, self.slope, rate)
        return rate if known else None

    def nested_rate(self, columns: FloatArray, order: np.ndarray, counts: np.ndarray) -> FloatArray:
        """The best rates (..., K), bit/s, of decisions as `nested_sums` takes them."""
        frames = [
            np.ascontiguousarray(columns),
            *(np.ascontiguousarray(each, dtype=np.int64) for each in (order, counts)),
        ]
        one = columns.ndim == 2
        columns_, order_, counts_ = [each[None] for each in frames] if one else frames
        code = machine_code("wireless_powered.compiled_nested")
        rate, known = code.nested_rates(columns_, order_, counts_, self.table, self.slope)
        if not known:
            return self.rate(*nested_sums(columns, order, counts))
        return rate[0] if one else rate


@njit(cache=True, error_model="numpy")
def _log_excess(third, H, row):
    """ln of what time earns at a price of the table, the left side of (3), over that price."""
    earned, inverse_a = 0.0, 1.0
    for g in range(len(H)):
        inverse_a += H[g] * row[1 + g]
        earned += H[g] * row[1 + len(H) + g]
    return log((third * inverse_a ** (2 / 3) + earned) / row[0])


@njit("void(f8[::1], f8[:, ::1], f8[:, ::1], f8[::1], f8[::1])", cache=True, error_model="numpy")
def find(S, H, table, slope, rate):
    """Into `rate` (K,) the best rates for S (K,) and H (K, G); nan where a price is not in the table.

    The prices of some decisions are sought side by side: so none waits for what another's comparison gives.
    """
    groups, last = len(slope), len(table) - 1
    least = slope[0]
    for g in range(1, groups):
        least = min(least, slope[g])
    no_rate = min(NO_RATE[0], NO_RATE[1] * least)  # kept in the compiled code until this file changes
    third, cubed, low = np.empty(SIDE_BY_SIDE), np.empty(SIDE_BY_SIDE), np.empty(SIDE_BY_SIDE, np.int64)
    for start in range(0, len(S), SIDE_BY_SIDE):
        count = min(SIDE_BY_SIDE, len(S) - start)
        for k in range(count):
            third[k] = (S[start + k] + no_rate) / 3
            cubed[k] = third[k] ** 3
            low[k] = 0
        step = 1
        while 2 * step <= last:
            step *= 2
        while step > 0:
            for k in range(count):
                # (3), cubed: is what is left for local computing, v - sum W H / (1 + y), less than
                # S / 3 a^(-2/3)? Then the price is higher.
                row = min(low[k] + step, last)
                left, inverse_a = table[row, 0], 1.0
                for g in range(groups):
                    inverse_a += H[start + k, g] * table[row, 1 + g]
                    left -= H[start + k, g] * table[row, 1 + groups + g]
                low[k] += (row - low[k]) * (left * left * left < cubed[k] * inverse_a * inverse_a)
            step //= 2
        for k in range(count):
            row, ratios = low[k], H[start + k]
            if row == 0 or row >= last - 1:
                rate[start + k] = nan
                continue
            # Between the two, the logarithm of (3)'s sides is all but straight.
            below, above = _log_excess(third[k], ratios, table[row]), _log_excess(third[k], ratios, table[row + 1])
            share = below / (below - above)
            inverse_a, offloaded = 1.0, 0.0
            for g in range(groups):
                first = table[row, 1 + g]
                inverse_snr = first + share * (table[row + 1, 1 + g] - first)
                inverse_a += ratios[g] * inverse_snr
                offloaded += slope[g] * ratios[g] * inverse_snr * log1p(1 / inverse_snr)
            rate[start + k] = S[start + k] * (1 / inverse_a) ** (1 / 3) + offloaded / inverse_a


@njit(
    boolean(
        float64[:, ::1],
        types.Array(int64, 2, "C", readonly=True),
        float64[:, ::1],
        float64[::1],
        float64[::1],
    ),
    cache=True,
    error_model="numpy",
    nogil=True,
)
def rates_of_decisions(columns, decisions, table, slope, rate):
    """Into `rate` (K,) those of decisions (K, N); returns whether all are decisions, and their rates known."""
    count, users = decisions.shape
    groups, known = len(slope), True
    S, H = np.empty(count), np.empty((count, groups))
    for k in range(count):
        computed, either = 0.0, 0
        H[k] = 0.0
        for user in range(users):
            choice = decisions[k, user]
            either |= choice
            computed += (1 - choice) * columns[user, 0]
            for g in range(groups):
                H[k, g] += choice * columns[user, 1 + g]
        if either & ~1:
            return False
        S[k] = computed
    find(S, H, table, slope, rate)
    for k in range(count):
        known &= rate[k] == rate[k]
    return known


@njit(
    boolean(_Frames, _Decisions, float64[:, ::1], float64[::1], float64[:, ::1]),
    cache=True,
    error_model="numpy",
    nogil=True,
)
def rates_of_frames(columns, decisions, table, slope, rate):
    known = True
    for r in range(len(decisions)):
        known &= rates_of_decisions(columns[r], decisions[r], table, slope, rate[r])
    return known
