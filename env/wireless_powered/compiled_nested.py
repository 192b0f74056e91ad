"""The best rates of `nested_sums` in machine code; `compiled_curve` searches for the prices."""

import numpy as np
from numba import boolean, float64, int64, njit, types

from .compiled_curve import find

_Places = types.Array(int64, 2, "C", readonly=True)


@njit(
    types.Tuple((float64[:, ::1], boolean))(float64[:, :, ::1], _Places, _Places, float64[:, ::1], float64[::1]),
    cache=True,
    error_model="numpy",
    nogil=True,
)
def nested_rates(columns, order, counts, table, slope):
    """The rates (R, K), bit/s, of several frames, and whether all of them are known."""
    frames, users, candidates, groups, known = len(order), order.shape[1], counts.shape[1], len(slope), True
    rate, running = np.empty((frames, candidates)), np.empty((users + 1, groups + 1))
    S, H = np.empty(candidates), np.empty((candidates, groups))
    for r in range(frames):
        inside = True  # machine code does not look where it reads; `nested_sums` raises the error
        for user in range(users):
            inside &= 0 <= order[r, user] < users
        for k in range(candidates):
            inside &= 0 <= counts[r, k] <= users
        if not inside:
            return rate, False
        for g in range(groups + 1):
            running[0, g] = 0.0
            for place in range(users):
                running[place + 1, g] = running[place, g] + columns[r, order[r, place], g]
        for k in range(candidates):
            S[k] = running[users, 0] - running[counts[r, k], 0]
            for g in range(groups):
                H[k, g] = running[counts[r, k], 1 + g]
        find(S, H, table, slope, rate[r])
        for k in range(len(S)):
            known &= rate[r, k] == rate[r, k]
    return rate, known
