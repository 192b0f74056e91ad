"""Frames of `allocation` and of its world, one a row, in machine code; the equations are those there.

Logarithms and exponentials of whole rows stay with NumPy, between these functions: those of machine code differ in
the last digit, which runs that learn do not forget.
"""

import numpy as np
from numba import boolean, float64, int64, njit, types

from .allocation import (
    _LOG_EXPONENT,
    _LOG_PRICE,
    _NO_COST,
    _NO_PRICE,
    _SLOPE,
    ENERGY_WEIGHT,
    MARGIN,
    MAX_STEPS,
    UNUSED,
)

_Row, _Rows, _Tables = (types.Array(float64, dimensions, "C", readonly=True) for dimensions in (1, 2, 3))
_Ranks = types.Array(int64, 2, "C", readonly=True)


@njit(types.Tuple((int64, float64))(float64), cache=True, error_model="numpy", nogil=True)
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


@njit(float64(float64), cache=True, error_model="numpy", nogil=True)
def _price_at(log_x):
    """The logarithm of the price at which a user answers with an exponent, from the table, as `np.interp`."""
    high = len(_LOG_EXPONENT) - 1
    if log_x >= _LOG_EXPONENT[high]:
        return _LOG_PRICE[high]
    low = np.searchsorted(_LOG_EXPONENT, log_x, "right") - 1
    slope = (_LOG_PRICE[low + 1] - _LOG_PRICE[low]) / (_LOG_EXPONENT[low + 1] - _LOG_EXPONENT[low])
    return slope * (log_x - _LOG_EXPONENT[low]) + _LOG_PRICE[low]


@njit(
    types.Tuple((float64[::1],) * 8)(_Row, _Row, _Row, _Row, float64, float64, float64, float64, float64, float64),
    cache=True,
    error_model="numpy",
    nogil=True,
)
def folded(
    gains, data_queue, energy_queue, rate_value, noise_power, transmit_power,
    rate_scale, cycles_per_mbit, steepness, cpu_frequency,
):  # fmt: skip
    """Of `LyapunovMEC.fold`, (N,): a, price of energy, noise, SNR at full power, A, C, L, the CPU's frequency."""
    users = len(gains)
    value, energy_price, noise, snr = np.empty(users), np.empty(users), np.empty(users), np.empty(users)
    data_value, cost, data, frequency = np.empty(users), np.empty(users), np.empty(users), np.empty(users)
    for i in range(users):
        value[i] = data_queue[i] + rate_value[i]
        energy_price[i] = ENERGY_WEIGHT * energy_queue[i]
        noise[i] = noise_power / gains[i]
        snr[i] = transmit_power / noise[i]
        data_value[i] = value[i] * rate_scale
        cost[i] = energy_price[i] * noise[i]
        data[i] = data_queue[i] / rate_scale
        cheapest = np.sqrt(value[i] / max(steepness * energy_price[i], 1e-200))
        frequency[i] = min(min(cheapest, cycles_per_mbit * data_queue[i]), cpu_frequency)
    return value, energy_price, noise, snr, data_value, cost, data, frequency


@njit(float64[:, ::1](_Row, _Row, _Row), cache=True, error_model="numpy", nogil=True)
def positive_ones(value, cost, data):
    """A, C and L, (3, N), with 1 in place of what has no logarithm."""
    numbers = np.ones((3, len(value)))
    for i in range(len(value)):
        numbers[0, i] = value[i]
        if cost[i] > 0:
            numbers[1, i] = cost[i]
        if data[i] > 0:
            numbers[2, i] = data[i]
    return numbers


@njit(types.Tuple((float64[::1], float64[::1]))(_Row, _Row, _Rows), cache=True, error_model="numpy", nogil=True)
def best_exponent(cost, largest_exponent, logarithms):
    """x0 and ln C, (N,), from the logarithms of `positive_ones`."""
    exponent, log_cost = np.empty(len(cost)), np.empty(len(cost))
    for i in range(len(cost)):
        log_cost[i] = logarithms[1, i] if cost[i] > 0 else _NO_COST
        exponent[i] = min(max(logarithms[0, i] - log_cost[i], 0.0), largest_exponent[i])
    return exponent, log_cost


@njit(
    types.Tuple((float64[::1], float64[::1], float64[:, ::1]))(_Row, _Row, _Row, _Row, _Row, _Rows),
    cache=True,
    error_model="numpy",
    nogil=True,
)
def thresholds(value, cost, data, exponent, power, logarithms):
    """The exponents and ln L of users that send, (N,), and x0 and s, (2, N), with 1 where they do not.

    `power` is e^x0 - 1.
    """
    exponents, log_data = np.ones(len(value)), np.full(len(value), -np.inf)
    numbers = np.ones((2, len(value)))
    for i in range(len(value)):
        threshold = value[i] * exponent[i] - cost[i] * power[i]
        if data[i] > 0 and threshold > 0:
            exponents[i] = numbers[0, i] = exponent[i]
            numbers[1, i] = threshold
            log_data[i] = logarithms[2, i]
    return exponents, log_data, numbers


@njit(
    types.Tuple((float64[:, ::1], float64[:, ::1], int64[:, ::1]))(_Rows, _Rows, _Rows),
    cache=True,
    error_model="numpy",
    nogil=True,
)
def ranks(log_threshold, log_cost, log_data):
    """Logarithms of thresholds and of prices alone, and ranks, (R, N), as of `Answers`."""
    frames, users = log_data.shape
    log_thresholds, log_alone = np.full((frames, users), _NO_PRICE), np.full((frames, users), _NO_PRICE)
    rank = np.zeros((frames, users), np.int64)
    for r in range(frames):
        for i in range(users):
            if log_data[r, i] > -np.inf:
                log_thresholds[r, i] = log_threshold[r, i]
                if log_data[r, i] >= _LOG_EXPONENT[0]:
                    log_alone[r, i] = max(log_cost[r, i] + _price_at(log_data[r, i]), _NO_PRICE)
        for i in range(users):
            for j in range(i):  # of equal ones the first comes first
                if log_thresholds[r, i] > log_thresholds[r, j]:
                    rank[r, j] += 1
                else:
                    rank[r, i] += 1
    return log_thresholds, log_alone, rank


@njit(
    float64[:, :, ::1](_Tables, _Tables, _Tables, _Tables, _Rows, _Rows, _Rows),
    cache=True,
    error_model="numpy",
    nogil=True,
)
def earned(decisions, time, exponent, power, value, cost, local_objective):
    """What each user earns in decisions (R, K, N); `power` is e^x - 1."""
    earns = np.empty(decisions.shape)
    for r in range(decisions.shape[0]):
        for k in range(decisions.shape[1]):
            for i in range(decisions.shape[2]):
                if decisions[r, k, i] > 0:
                    sent = value[r, i] * exponent[r, k, i] - cost[r, i] * power[r, k, i]
                    earns[r, k, i] = sent * time[r, k, i]
                else:
                    earns[r, k, i] = local_objective[r, i]
    return earns


@njit(int64[::1](_Tables, _Rows), cache=True, error_model="numpy", nogil=True)
def place_of(decisions, decision):
    """The first places (R,) of decisions (R, N) among decisions (R, K, N); -1 where one is not there."""
    places = np.full(len(decision), -1)
    for r in range(len(decision)):
        for k in range(decisions.shape[1]):
            same = True
            for i in range(decision.shape[1]):
                same &= decisions[r, k, i] == decision[r, i]
            if same:
                places[r] = k
                break
    return places


@njit(float64[:, :, ::1](_Rows, _Rows, _Rows, _Rows, _Rows, _Ranks), cache=True, error_model="numpy", nogil=True)
def demand(log_threshold, log_cost, log_data, log_exponent, shortest, rank):
    """The demand (R, N, N) of `Answers`."""
    frames, users = rank.shape
    time = np.zeros((frames, users, users))
    for r in range(frames):
        for i in range(users):
            for j in range(users):
                if rank[r, i] == rank[r, j]:
                    time[r, i, j] = shortest[r, i]
                elif rank[r, i] < rank[r, j]:
                    place, share = _place(log_threshold[r, j] - log_cost[r, i])
                    log_x = _LOG_EXPONENT[place] + share * (_LOG_EXPONENT[place + 1] - _LOG_EXPONENT[place])
                    time[r, i, j] = np.exp(log_data[r, i] - min(log_x, log_exponent[r, i]))
    return time


@njit(cache=True, error_model="numpy", nogil=True)
def _split_one(
    exponent, log_exponent, log_cost, log_data, shortest, log_threshold, log_alone, rank, demanded, decisions,
    time, exponents,
):  # fmt: skip
    """Times, 0 before, and exponents (K, N) of decisions (K, N) in one frame; whether Newton's method ended."""
    users = len(rank)
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
                return False
            price += np.log(total) * total / max(slope, 1e-300)
        slower = 0.0  # time of those who take what is left
        if partial < 0 and 1 - total > UNUSED:
            for i in range(users):
                if rank[i] < full and decisions[k, i] > 0 and log_x[i] < log_exponent[i]:
                    slower += time[k, i]
        if slower > 0:
            longer = 1 + (1 - total) / slower
            for i in range(users):
                if rank[i] < full and decisions[k, i] > 0 and log_x[i] < log_exponent[i]:
                    time[k, i] *= longer
                    log_x[i] -= np.log(longer)
        for i in range(users):  # one that is silent has the exponent at which it would send a part
            exponents[k, i] = np.exp(log_x[i]) if rank[i] < full and decisions[k, i] > 0 else exponent[i]
        if partial >= 0:
            time[k, partial] = min(max(1 - total, 0.0), shortest[partial])
    return True


@njit(
    types.Tuple((float64[:, :, ::1], float64[:, :, ::1], boolean))(
        _Rows, _Rows, _Rows, _Rows, _Rows, _Rows, _Rows, _Ranks, _Tables, _Tables
    ),
    cache=True,
    error_model="numpy",
    nogil=True,
)
def split_time(
    exponent, log_exponent, log_cost, log_data, shortest, log_threshold, log_alone, rank, demanded, decisions
):
    """Times and exponents (R, K, N) of decisions (R, K, N) in frames (R, N), and whether Newton's method ended."""
    time, exponents = np.zeros(decisions.shape), np.empty(decisions.shape)
    ended = True
    for r in range(len(decisions)):
        ended &= _split_one(
            exponent[r], log_exponent[r], log_cost[r], log_data[r], shortest[r], log_threshold[r], log_alone[r],
            rank[r], demanded[r], decisions[r], time[r], exponents[r],
        )  # fmt: skip
    return time, exponents, ended
