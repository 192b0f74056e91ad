"""The search of `price_curve` in machine code, one candidate after another; needs Numba, the extra `fast`.

The arrays of a frame are so small that calling an operation on them costs more than what it computes. Here a
decision is a few additions and a bisection of the table, without an array in between. The equations are those of
`allocation`. The functions are NumPy's generalised universal functions: any leading batch dimensions (...), which
broadcast.
"""

import os
import tempfile
from math import log, log1p, nan
from pathlib import Path

import numpy as np
from filelock import FileLock
from numba import config, guvectorize, njit

from env.arrays import FloatArray
from env.wireless_powered.allocation import split_time
from env.wireless_powered.price_curve import NO_RATE, nested_sums, tabulate

if config.DISABLE_JIT:  # type: ignore[attr-defined]
    raise ImportError("Numba is told not to compile")

LOCK = Path(tempfile.gettempdir()) / f"mec-offloading-{getattr(os, 'getuid', int)()}.lock"
"""One process at a time compiles: two would mix their files in Numba's cache, and all later ones crash."""


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

    def nested_rate(self, columns: FloatArray, order: np.ndarray, counts: np.ndarray) -> FloatArray:
        """The best rates (..., K), bit/s, of decisions as `nested_sums` takes them."""
        places = np.asarray(order, dtype=np.int64), np.asarray(counts, dtype=np.int64)
        rate: FloatArray = _nested_rate(columns, *places, self._table, self.slope)
        if np.isnan(rate).any():
            return self.rate(*nested_sums(columns, order, counts))
        return rate


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


with FileLock(LOCK):

    @guvectorize("f8,f8[:],f8[:,:],f8[:],f8[:]", "(),(g),(p,t),(g)->()", nopython=True, cache=True)
    def _rate(S, H, table, slope, rate):
        rate[0] = _rate_of(S, H, table, slope)

    @guvectorize(
        "f8[:,:],i8[:],i8[:],f8[:,:],f8[:],f8[:]", "(n,c),(n),(k),(p,t),(g)->(k)", nopython=True, cache=True
    )
    def _nested_rate(columns, order, counts, table, slope, rate):
        users = len(order)
        rate[:] = nan
        for place in order:  # machine code does not look where it reads; `nested_sums` raises the error
            if place < 0 or place >= users:
                return
        for count in counts:
            if count < 0 or count > users:
                return
        running = np.zeros((users + 1, columns.shape[1]))
        for place in range(users):
            running[place + 1] = running[place] + columns[order[place]]
        for k in range(len(counts)):
            sums = running[counts[k]]
            rate[k] = _rate_of(running[-1, 0] - sums[0], sums[1:], table, slope)
