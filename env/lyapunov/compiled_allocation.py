"""The time splits of `allocation` in machine code, one decision after another; the equations are those there."""

import numpy as np
from numba import boolean, float64, int64, njit, types

from env.lyapunov.allocation import _LOG_EXPONENT, _LOG_PRICE, _NO_PRICE, _SLOPE, MARGIN, MAX_STEPS

_Row, _Rows = (types.Array(float64, dimensions, "C", readonly=True) for dimensions in (1, 2))
_Ranks = types.Array(int64, 1, "C", readonly=True)


@njit(types.Tuple((int64, float64))(float64), cache=True, error_model="numpy")
def _place(log_price):
    """Where a logarithm of a price is in the table: the row below, and the share of the way to the next."""
    if not log_price > _LOG_PRICE[0]:
        return 0, 0.0
    low, high = 0, len(_LOG_PRICE) - 1
    if log_price >= _LOG_PRICE[high]:
        return high - 1, 1.0
    while high - low > 1:
        middle = (low + high) // 2
        if _LOG_PRICE[middle] <= log_price:
            low = middle
        else:
            high = middle
    return low, (log_price - _LOG_PRICE[low]) / (_LOG_PRICE[high] - _LOG_PRICE[low])


@njit(float64[:, ::1](_Row, _Row, _Row, _Row, _Row, _Ranks), cache=True, error_model="numpy")
def demand(log_threshold, log_cost, log_data, log_exponent, shortest, rank):
    """The demand (N, N) of `Answers`."""
    users = len(rank)
    time = np.zeros((users, users))
    for i in range(users):
        for j in range(users):
            if rank[i] == rank[j]:
                time[i, j] = shortest[i]
            elif rank[i] < rank[j]:
                place, share = _place(log_threshold[j] - log_cost[i])
                log_x = _LOG_EXPONENT[place] + share * (_LOG_EXPONENT[place + 1] - _LOG_EXPONENT[place])
                time[i, j] = np.exp(log_data[i] - min(log_x, log_exponent[i]))
    return time


@njit(
    types.Tuple((float64[:, ::1], float64[:, ::1], boolean))(
        _Row, _Row, _Row, _Row, _Row, _Row, _Row, _Ranks, _Rows, _Rows
    ),
    cache=True,
    error_model="numpy",
)
def split_time(
    exponent, log_exponent, log_cost, log_data, shortest, log_threshold, log_alone, rank, demanded, decisions
):
    """Times and exponents (K, N) of decisions (K, N) in one frame, and whether Newton's method ended."""
    users = len(rank)
    time, exponents = np.zeros(decisions.shape), np.empty(decisions.shape)
    log_x = np.empty(users)
    for k in range(len(decisions)):
        full = 0  # so many in the order of thresholds send all, if they offload
        partial = -1
        for j in range(users):
            asked = 0.0
            for i in range(users):
                if decisions[k, i] > 0:
                    asked += demanded[i, j]
            full += asked < 1
            log_x[j] = asked
        price = _NO_PRICE
        for i in range(users):
            if rank[i] == full:
                price = max(price, log_threshold[i])
                if decisions[k, i] > 0 and log_x[i] - shortest[i] < 1:
                    partial = i
            elif rank[i] < full and decisions[k, i] > 0:
                price = max(price, log_alone[i])
        total = 0.0
        for step in range(MAX_STEPS):
            total, slope = 0.0, 0.0
            for i in range(users):
                place, share = 0, 0.0
                if rank[i] < full and decisions[k, i] > 0:
                    place, share = _place(price - log_cost[i])
                    log_x[i] = _LOG_EXPONENT[place] + share * (_LOG_EXPONENT[place + 1] - _LOG_EXPONENT[place])
                    bound = not log_x[i] < log_exponent[i]
                    if bound:
                        log_x[i] = log_exponent[i]
                    time[k, i] = np.exp(log_data[i] - log_x[i])
                    total += time[k, i]
                    if not bound:
                        slope += time[k, i] * (_SLOPE[place] + share * (_SLOPE[place + 1] - _SLOPE[place]))
            if not total > 1 + MARGIN:
                break
            if step == MAX_STEPS - 1:
                return time, exponents, False
            price += np.log(total) * total / max(slope, 1e-300)
        for i in range(users):  # one that is silent has the exponent at which it would send a part
            exponents[k, i] = np.exp(log_x[i]) if rank[i] < full and decisions[k, i] > 0 else exponent[i]
        if partial >= 0:
            time[k, partial] = min(max(1 - total, 0.0), shortest[partial])
    return time, exponents, True
