"""The allocation of the myopic benchmark in machine code; the equations are those of `env.lyapunov.myopic`.

Of the table of times by price, which NumPy makes as a whole, only those prices are worked out that the decisions
of a frame are tried at: the time asked for grows as the price falls, so halving finds where it passes the frame.
"""

import numpy as np
from numba import boolean, float64, njit, types

from ..compiled_lambert_w import log_snr

_Row, _Rows = (types.Array(float64, dimensions, "C", readonly=True) for dimensions in (1, 2))
_MAX_STEPS = 100


@njit(float64(float64, float64, float64), cache=True, error_model="numpy")
def _capacity(time, energy, full_power):
    return time * min(np.log1p(energy / max(time, 1e-200)), full_power)


@njit(float64[::1](_Row, _Row, _Row), cache=True, error_model="numpy")
def time_to_empty(data, energy, full_power):
    """(N,), from data (exponent times time), the budget over the noise and the exponent at full power."""
    times = np.zeros(len(data))
    for i in range(len(data)):
        if not data[i] > 0:
            continue
        later = time = min(data[i] / full_power[i], 1.0)
        for _ in range(_MAX_STEPS):
            snr = energy[i] / max(time, 1e-200)
            slope = max(np.log1p(snr) - snr / (1 + snr), 1e-200)
            missing = data[i] - _capacity(time, energy[i], full_power[i])
            later = min(time + max(missing, 0.0) / slope, 1.0)
            if later - time <= 1e-15 * later:
                break
            time = later
        times[i] = later
    return times


@njit(float64[::1](_Row, _Row), cache=True, error_model="numpy")
def prices_of(grid, highest):
    """The prices tried, falling: the grid (G,) below the highest one, and either side of each user's (N,)."""
    more = np.sort(np.concatenate((highest, highest * (1 - 1e-12))))
    prices = np.empty(len(grid) + len(more))
    left, top = len(more), highest.max()
    place = 0
    for share in grid:
        while left and more[left - 1] > top * share:
            left -= 1
            prices[place] = more[left]
            place += 1
        prices[place] = top * share
        place += 1
    while left:
        left -= 1
        prices[place] = more[left]
        place += 1
    return prices


@njit(
    types.void(_Row, _Row, _Row, _Row, _Row, _Row, types.int64, float64[:, ::1], boolean[::1]),
    cache=True,
    error_model="numpy",
)
def _answer(prices, value, highest, energy, at_full_power, longest, place, times, known):
    """How long each user transmits at one price."""
    if known[place]:
        return
    known[place] = True
    for i in range(len(value)):
        if prices[place] < highest[i]:
            stretched = energy[i] / np.expm1(min(log_snr(prices[place] / value[i]), 600.0))
            times[place, i] = min(max(stretched, at_full_power[i]), longest[i])
        else:
            times[place, i] = 0.0


@njit(
    types.Tuple((float64[:, ::1], float64[:, ::1]))(
        _Rows, _Row, _Row, _Row, _Row, _Row, _Row, float64[:, ::1], boolean[::1],
        _Row, _Row, _Row, float64,
    ),
    cache=True,
    error_model="numpy",
)  # fmt: skip
def allocation(
    decisions, prices, value, highest, energy, at_full_power, longest, times, known,
    full_power, data_queue, local_rate, rate_scale,
):  # fmt: skip
    """Times and rates (K, N) of decisions (K, N), given a frame, some of whose `times` (G, N) are `known` (G,)."""
    transmit, rates = np.zeros(decisions.shape), np.empty(decisions.shape)
    for k in range(len(decisions)):
        low, high = 0, len(prices) - 1  # the first of all prices is too high, as nobody transmits at it
        while high - low > 1:
            middle = (low + high) // 2
            _answer(prices, value, highest, energy, at_full_power, longest, middle, times, known)
            asked = 0.0
            for i in range(len(value)):
                asked += decisions[k, i] * times[middle, i]
            if asked >= 1:
                high = middle
            else:
                low = middle
        _answer(prices, value, highest, energy, at_full_power, longest, low, times, known)
        _answer(prices, value, highest, energy, at_full_power, longest, high, times, known)
        over = under = 0.0
        for i in range(len(value)):
            over += decisions[k, i] * times[high, i]
            under += decisions[k, i] * times[low, i]
        share = min(max((1 - under) / max(over - under, 1e-200), 0.0), 1.0)
        for i in range(len(value)):
            if decisions[k, i] > 0:
                transmit[k, i] = times[low, i] + share * (times[high, i] - times[low, i])
                carried = rate_scale * _capacity(transmit[k, i], energy[i], full_power[i])
                rates[k, i] = min(carried, data_queue[i])
            else:
                rates[k, i] = local_rate[i]
    return transmit, rates
