"""The search of `price_curve` in machine code, one candidate after another; needs Numba, the extra `fast`.

The arrays of a frame are so small that calling an operation on them costs more than what it computes. Here a
decision is a few additions and a bisection of the table, without an array in between. The equations are those of
`allocation`.
"""

from math import log, log1p, nan

import numpy as np
from numba import boolean, float64, guvectorize, int64, njit, types

from env.arrays import FloatArray
from env.wireless_powered.allocation import split_time
from env.wireless_powered.price_curve import NO_RATE, nested_sums, tabulate

_Frames, _Decisions = float64[:, :, ::1], types.Array(int64, 3, "C", readonly=True)
_Places = types.Array(int64, 2, "C", readonly=True)


class CompiledCurve:
    """The best rates of decisions, as of a `PriceCurve` on the host.

    Args:
        slope: W, (G,), bit/s.
    """

    def __init__(self, slope: FloatArray) -> None:
        self.slope = slope
        price, inverse_snr, gain = tabulate(slope)
        self._table = np.column_stack([price, inverse_snr, gain])

    def rate(self, local_rate: FloatArray, snr: FloatArray) -> FloatArray:
        """The best rate (...), bit/s, for S (...), bit/s, and H (..., G)."""
        rate: FloatArray = _rate(local_rate, snr, self._table, self.slope)
        if np.isnan(rate).any():  # a price that is not in the table
            return split_time(local_rate, snr, self.slope).rate
        return rate

    def decided_rate(self, columns: FloatArray, decisions: np.ndarray) -> FloatArray | None:
        """The best rates (K,), bit/s, of decisions (K, N), int64; None where one is no decision, or not known.

        Columns (N, 1 + G) as of `nested_sums`. Of several frames side by side (R, K, N) and (R, N, 1 + G).
        """
        one = decisions.ndim == 2
        columns = np.ascontiguousarray(columns)
        frames = (columns[None], decisions[None]) if one else (columns, decisions)
        rate, known = _rates_of_frames(*frames, self._table, self.slope)
        if one:
            rate = rate[0]
        return rate if known else None

    def nested_rate(self, columns: FloatArray, order: np.ndarray, counts: np.ndarray) -> FloatArray:
        """The best rates (..., K), bit/s, of decisions as `nested_sums` takes them."""
        frames = [
            np.ascontiguousarray(columns),
            *(np.ascontiguousarray(each, dtype=np.int64) for each in (order, counts)),
        ]
        one = columns.ndim == 2
        columns_, order_, counts_ = [each[None] for each in frames] if one else frames
        rate, known = _nested_rates(columns_, order_, counts_, self._table, self.slope)
        if not known:
            return self.rate(*nested_sums(columns, order, counts))
        return rate[0] if one else rate


@njit(cache=True, error_model="numpy")
def _rate_of(S, H, table, slope):
    """The best rate for S and H (G,); nan when its price is not in the table."""
    groups = len(H)
    third = (S + NO_RATE) / 3  # a constant in the compiled code, which is kept until this file changes
    cubed = third**3
    low, high = 0, len(table) - 1
    while high - low > 1:
        # (3), cubed: is what is left for local computing, v - sum W H / (1 + y), less than S / 3 a^(-2/3)?
        middle = (low + high) // 2
        row = table[middle]
        left, inverse_a = row[0], 1.0
        for g in range(groups):
            inverse_a += H[g] * row[1 + g]
            left -= H[g] * row[1 + groups + g]
        if left * left * left < cubed * inverse_a * inverse_a:
            low = middle
        else:
            high = middle
    if low == 0 or high == len(table) - 1:
        return nan
    # Between the two, the logarithm of (3)'s sides is all but straight.
    below, above = _log_excess(third, H, table[low]), _log_excess(third, H, table[high])
    share = below / (below - above)
    inverse_a, offloaded = 1.0, 0.0
    for g in range(groups):
        first = table[low, 1 + g]
        inverse_snr = first + share * (table[high, 1 + g] - first)
        inverse_a += H[g] * inverse_snr
        offloaded += slope[g] * H[g] * inverse_snr * log1p(1 / inverse_snr)
    return S * (1 / inverse_a) ** (1 / 3) + offloaded / inverse_a


@njit(cache=True, error_model="numpy")
def _log_excess(third, H, row):
    """ln of what time earns at a price of the table, the left side of (3), over that price."""
    earned, inverse_a = 0.0, 1.0
    for g in range(len(H)):
        inverse_a += H[g] * row[1 + g]
        earned += H[g] * row[1 + len(H) + g]
    return log((third * inverse_a ** (2 / 3) + earned) / row[0])


@njit(cache=True, error_model="numpy")
def _rate_of_decision(columns, decision, table, slope, H):
    """The best rate of a decision (N,), H (G,) being room for its sums; nan where it is none."""
    S = 0.0
    H[:] = 0.0
    for user in range(len(decision)):
        if decision[user] == 0:
            S += columns[user, 0]
        elif decision[user] == 1:
            for g in range(len(slope)):
                H[g] += columns[user, 1 + g]
        else:
            return nan
    return _rate_of(S, H, table, slope)


@guvectorize("f8,f8[:],f8[:,:],f8[:],f8[:]", "(),(g),(p,t),(g)->()", nopython=True, cache=True)
def _rate(S, H, table, slope, rate):
    rate[0] = _rate_of(S, H, table, slope)


@njit(
    types.Tuple((float64[:, ::1], boolean))(_Frames, _Decisions, float64[:, ::1], float64[::1]),
    cache=True,
    error_model="numpy",
    nogil=True,
)
def _rates_of_frames(columns, decisions, table, slope):
    rate, H, known = np.empty(decisions.shape[:2]), np.empty(len(slope)), True
    for r in range(rate.shape[0]):
        for k in range(rate.shape[1]):
            rate[r, k] = _rate_of_decision(columns[r], decisions[r, k], table, slope, H)
            known &= rate[r, k] == rate[r, k]
    return rate, known


@njit(
    types.Tuple((float64[:, ::1], boolean))(_Frames, _Places, _Places, float64[:, ::1], float64[::1]),
    cache=True,
    error_model="numpy",
    nogil=True,
)
def _nested_rates(columns, order, counts, table, slope):
    users, known = order.shape[1], True
    rate, running = np.full(counts.shape, nan), np.zeros((users + 1, columns.shape[2]))
    for r in range(len(rate)):
        inside = True  # machine code does not look where it reads; `nested_sums` raises the error
        for place in order[r]:
            inside &= 0 <= place < users
        for count in counts[r]:
            inside &= 0 <= count <= users
        if not inside:
            return rate, False
        for place in range(users):
            running[place + 1] = running[place] + columns[r, order[r, place]]
        for k in range(rate.shape[1]):
            sums = running[counts[r, k]]
            rate[r, k] = _rate_of(running[-1, 0] - sums[0], sums[1:], table, slope)
            known &= rate[r, k] == rate[r, k]
    return rate, known
