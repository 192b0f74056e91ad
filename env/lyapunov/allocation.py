"""Optimal time split of one LyDROO frame: who transmits for how long, at which rate, for a given decision.

In the words of the LyDROO paper (Bi, Huang, Wang, Zhang, IEEE Trans. Wireless Comm. 2021, problem P4), a user
that offloads at the exponent ``x`` (its bit rate while on air over ``W / (v_u ln 2)``) spends the power
``c (e^x - 1)`` with ``c = W N0 / h``. After units are folded away the problem of a frame reads

    maximise    sum_i A_i x_i tau_i - C_i (e^(x_i) - 1) tau_i
    subject to  sum_i tau_i <= 1,    x_i tau_i <= L_i,    0 <= x_i <= X_i

with A the value of data, C the cost of power (the energy queue times c), L the data in the queue and X the
exponent at full power. Under a price mu of time every user answers by itself:

- With data enough it would transmit at ``x0 = min(ln(A / C), X)``, which earns ``s = A x0 - C (e^(x0) - 1)`` a
  unit of time. At a price above this threshold it is silent; at s any time up to ``L / x0`` suits it.
- Below s it sends its whole queue, as slowly as the price allows: ``(x - 1) e^x + 1 = mu / C``, or x0 where that
  is lower, and so transmits for ``L / x``.

The answers do not depend on the decision. The time that a decision asks for at the thresholds of all users is one
matrix product. It tells which users send their whole queue, and whether the next one in the order of thresholds
sends a part: that one takes the time that remains (users of one and the same threshold: one after the other). If
there is no such user, the time asked for is a decreasing convex function of the price, both in logarithms, so
Newton's method climbs from a price that is too low to its root. Lines that join a table's entries are not quite
convex, so it may pass the root by as much as these are off: where more than `UNUSED` of the frame is then left, it
goes to those who transmit below full power, in proportion. The objective is stationary there: nothing is lost.

Objectives are within 1e-9, for energy queues from 1e-300 to 1e300 (and 0) and data queues likewise.

Queues remember, and grow a difference in the last digit until decisions are others. So NumPy takes the same steps
for the frames of a world as machine code: sums go from the first user to the last, and where machine code takes an
exponential or a logarithm itself, it is the C library's.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..machine_code import machine_code

ENERGY_WEIGHT = 10.0
"""F: the published solver multiplies the energy queue by it."""
LARGEST_EXPONENT = 50.0
"""End of the table below: a signal-to-noise ratio of 5e21, beyond any link."""
MARGIN = 1e-12
"""Share of the frame by which the times may exceed it."""
UNUSED = 1e-9
"""Share of the frame that may stay unused: the most by which an objective is too small."""
MAX_STEPS = 100
_LONGEST = 600.0
"""The largest logarithm of a time, so that no sum of them is infinite."""
_NO_PRICE = -690.0
"""The lowest logarithm of a price."""
_NO_COST = -1400.0
"""Stands for the logarithm of a cost of 0: at every price, the answer is then full power."""


def _response_curve() -> tuple[FloatArray, FloatArray, FloatArray]:
    """``ln((x - 1) e^x + 1)``, ``ln x`` and the slope d(ln x) / d(ln mu), so dense that lines join them to 1e-6.

    An error of 1e-6 in x is one of 1e-12 in the objective, which is stationary at the right x.
    """
    straight = np.geomspace(1e-20, 1e-3, 500, endpoint=False)
    x = np.concatenate([straight, np.geomspace(1e-3, LARGEST_EXPONENT, 6000)])
    small = np.minimum(x, 0.05)  # below, the difference loses digits: its Taylor series
    series = small**2 * (1 / 2 + small * (1 / 3 + small * (1 / 8 + small * (1 / 30 + small / 144))))
    log_price = np.where(x < 0.05, np.log(series), x + np.log(np.maximum(x + np.expm1(-x), 1e-300)))
    log_x = np.log(x)
    return log_price, log_x, np.exp(log_price - x - 2 * log_x)


_LOG_PRICE, _LOG_EXPONENT, _SLOPE = _response_curve()


class Answers(NamedTuple):
    """How each user answers to prices of time, all (..., N) but for `demand`.

    A user that sends nothing at any price (no data, or not worth the energy) has exponent 1 and time 0.
    """

    exponent: FloatArray
    """x0."""
    log_exponent: FloatArray
    log_cost: FloatArray
    log_data: FloatArray
    shortest: FloatArray
    """L / x0, the least time that empties the queue."""
    log_threshold: FloatArray
    """ln s."""
    log_alone: FloatArray
    """ln of the price at which the user needs the whole frame; with company the price is no lower."""
    rank: NDArray[np.int64]
    """0 for the user of the largest threshold."""
    demand: FloatArray
    """(..., N, N), [i, j]: the time that user i asks for at user j's threshold, those after j in rank silent."""


class TimeSplit(NamedTuple):
    """`transmit_time` (..., N), fractions of the frame, and the `exponent` (..., N) at which each transmits.

    Of a user with no time on air the exponent is any at which it might.
    """

    transmit_time: FloatArray
    exponent: FloatArray


@np.errstate(over="ignore")
def answers(value: FloatArray, cost: FloatArray, data: FloatArray, largest_exponent: FloatArray) -> Answers:
    """Prepare a frame for any number of decisions.

    Args:
        value: A, (..., N), positive.
        cost: C, (..., N), 0 or more; where it is 0, energy is free and the user transmits at full power.
        data: L, (..., N), 0 or more.
        largest_exponent: X, (..., N), positive, at most `LARGEST_EXPONENT`.
    """
    if (code := compiled_for(value)) is not None:
        return _compiled_answers(code, value, cost, data, largest_exponent)
    log_cost = _log_where(cost, cost > 0, _NO_COST)
    exponent = np.minimum(np.maximum(np.log(value) - log_cost, 0.0), largest_exponent)
    threshold = value * exponent - cost * np.expm1(exponent)
    sends = (data > 0) & (threshold > 0)
    exponent = np.where(sends, exponent, 1.0)
    log_exponent = np.log(exponent)
    log_threshold = _log_where(threshold, sends, _NO_PRICE)
    log_data = _log_where(data, sends, -np.inf)
    shortest = np.exp(np.minimum(log_data - log_exponent, _LONGEST))
    log_alone = np.maximum(log_cost + np.interp(log_data, _LOG_EXPONENT, _LOG_PRICE, left=-np.inf), _NO_PRICE)
    rank = np.argsort(np.argsort(-log_threshold, axis=-1, kind="stable"), axis=-1)

    log_x = _along(_LOG_EXPONENT, *_place(log_threshold[..., None, :] - log_cost[..., None]))
    exp, _ = _functions_for(value)
    time = exp(np.minimum(log_data[..., None] - np.minimum(log_x, log_exponent[..., None]), _LONGEST))
    behind = rank[..., None] - rank[..., None, :]
    demand = np.where(behind < 0, time, np.where(behind == 0, shortest[..., None], 0.0))
    return Answers(exponent, log_exponent, log_cost, log_data, shortest, log_threshold, log_alone, rank, demand)


def compiled_for(frames: FloatArray) -> Any:
    """The machine code for frames (N,) or (R, 1, N), one a row, those of a world; else None, as without Numba.

    It goes on in the same way for one frame and for many, so that a replica is the single world to the last digit.
    """
    return machine_code("lyapunov.compiled_allocation") if _of_world(frames) else None


def _of_world(frames: FloatArray) -> bool:
    return frames.ndim == 1 or (frames.ndim == 3 and frames.shape[1] == 1)


def _functions_for(frames: FloatArray) -> tuple[Callable[[FloatArray], FloatArray], ...]:
    """Exponential and logarithm: the C library's for frames of a world, else NumPy's, which are quicker."""
    return (_exp, _log) if _of_world(frames) else (np.exp, np.log)


def _exp(array: FloatArray) -> FloatArray:
    """The C library's, up to `_LONGEST`."""
    return _by_entry(math.exp, np.minimum(array, _LONGEST))


def _log(array: FloatArray) -> FloatArray:
    """The C library's."""
    return _by_entry(math.log, array)


def _by_entry(function: Callable[[float], float], array: FloatArray) -> FloatArray:
    return np.fromiter(map(function, array.ravel().tolist()), np.float64, array.size).reshape(array.shape)


def _place(log_price: FloatArray) -> tuple[NDArray[np.int64], FloatArray]:
    """Where logarithms of prices are in the table: the row below, and the share of the way to the next."""
    row = (np.searchsorted(_LOG_PRICE, log_price, "right") - 1).clip(0, len(_LOG_PRICE) - 2)
    share = (log_price - _LOG_PRICE[row]) / (_LOG_PRICE[row + 1] - _LOG_PRICE[row])
    return row, share.clip(0.0, 1.0)


def _along(column: FloatArray, row: NDArray[np.int64], share: FloatArray) -> FloatArray:
    """Entries of a table's column, on the lines that join them."""
    below: FloatArray = column[row]
    return below + share * (column[row + 1] - below)


def _total(array: FloatArray) -> FloatArray:
    """Sums (...) over the users of (..., N), from the first to the last."""
    sums: FloatArray = np.add.accumulate(array, -1)[..., -1]
    return sums


def rows_of(array: NDArray[Any]) -> NDArray[Any]:
    """(R, N) of frames (N,) or (R, 1, N)."""
    return np.ascontiguousarray(array).reshape(-1, array.shape[-1])


def tables_of(decisions: FloatArray, frames: FloatArray) -> FloatArray:
    """Decisions (..., N) that broadcast against frames (N,) or (R, 1, N), as (R, K, N)."""
    if frames.ndim == 1:
        return np.ascontiguousarray(decisions, dtype=np.float64).reshape(1, -1, decisions.shape[-1])
    shape = len(frames), decisions.shape[-2], decisions.shape[-1]
    return np.ascontiguousarray(np.broadcast_to(decisions, shape), dtype=np.float64)


def _compiled_answers(
    code: Any, value: FloatArray, cost: FloatArray, data: FloatArray, largest_exponent: FloatArray
) -> Answers:
    """The same of frames one a row, in machine code but for the logarithms and exponentials."""
    shape, users = value.shape, value.shape[-1]
    value, cost, data = value.ravel(), cost.ravel(), data.ravel()
    logarithms = np.log(code.positive_ones(value, cost, data))
    best, log_cost = code.best_exponent(cost, largest_exponent.ravel(), logarithms)
    exponent, log_data, numbers = code.thresholds(value, cost, data, best, np.expm1(best), logarithms)
    log_exponent, log_threshold = np.log(numbers)
    shortest = np.exp(log_data - log_exponent)
    log_cost, log_data, log_exponent, shortest = (
        array.reshape(-1, users) for array in (log_cost, log_data, log_exponent, shortest)
    )
    log_threshold, log_alone, rank = code.ranks(log_threshold.reshape(-1, users), log_cost, log_data)
    demand = code.demand(log_threshold, log_cost, log_data, log_exponent, shortest, rank)
    of_users = exponent, log_exponent, log_cost, log_data, shortest, log_threshold, log_alone, rank
    answered = [array.reshape(shape) for array in of_users]
    return Answers._make([*answered, demand.reshape(*shape, users)])


@np.errstate(over="ignore")
def break_even(
    value: FloatArray, cost: FloatArray, data: FloatArray, largest_exponent: FloatArray, elsewhere: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The price of time at which sending the whole queue earns as much as `elsewhere`, and the time it then takes.

    A queue sent at a price mu below s earns ``L (A - C e^x)``, with x the answer to mu. That equals l at
    ``x = ln((A - l / L) / C)``, or X where that is lower, and so at ``mu = x (A - l / L) - C (e^x - 1)``: the
    threshold s of a user whose data are worth l / L less. The price is 0 and the time infinite where no price
    above 0 is low enough, or there is no data.

    Args:
        value, cost, data, largest_exponent: A, C, L and X, (..., N), as of `answers`.
        elsewhere: l, (..., N), what the user earns if it does not offload.
    """
    net = value - elsewhere / np.where(data > 0, data, 1.0)
    log_net = _log_where(net, (data > 0) & (net > 0), -np.inf)
    exponent = np.clip(log_net - _log_where(cost, cost > 0, _NO_COST), 0.0, largest_exponent)
    sends = exponent > 0
    price = np.where(sends, exponent * net - cost * np.expm1(exponent), 0.0)
    time = np.divide(data, exponent, out=np.full(exponent.shape, np.inf), where=sends)
    return np.maximum(price, 0.0), time


def _log_where(value: FloatArray, where: NDArray[np.bool_], otherwise: float) -> FloatArray:
    return np.log(value, out=np.full(where.shape, otherwise), where=where)


@np.errstate(over="ignore")  # an infinite time is too long
def split_time(frame: Answers, decisions: FloatArray) -> TimeSplit:
    """The optimal split for decisions (..., N), 1 where a user offloads, in frames (..., N) that broadcast.

    Raises:
        ArithmeticError: when Newton's method has not ended after `MAX_STEPS` (no known instance).
    """
    if (code := compiled_for(frame.exponent)) is not None:
        tables = tables_of(decisions, frame.exponent)
        demand = frame.demand.reshape(-1, *frame.demand.shape[-2:])
        transmit_time, exponent, ended = code.split_time(*map(rows_of, frame[:-1]), demand, tables)
        if not ended:
            raise ArithmeticError(f"no price of time found within {MAX_STEPS} Newton steps")
        shape = decisions.shape if frame.exponent.ndim == 1 else tables.shape
        return TimeSplit(transmit_time.reshape(shape), exponent.reshape(shape))
    exp, log = _functions_for(frame.exponent)
    if _of_world(frame.exponent):
        demand = _total(decisions[..., None, :] * frame.demand.swapaxes(-1, -2))
    else:
        demand = (decisions[..., None, :] @ frame.demand)[..., 0, :]
    offloads = decisions > 0
    full = (demand < 1).sum(-1)[..., None]  # so many in the order of thresholds send all, if they offload
    whole = offloads & (frame.rank < full)
    next_one = frame.rank == full
    partial = next_one & offloads & (demand - frame.shortest < 1)
    # Right where a user sends a part, too low elsewhere.
    price = np.where(next_one, frame.log_threshold, np.where(whole, frame.log_alone, _NO_PRICE)).max(-1)
    log_data = np.where(whole, frame.log_data, -np.inf)
    for _ in range(MAX_STEPS):
        place = _place(price[..., None] - frame.log_cost)
        log_x = np.minimum(_along(_LOG_EXPONENT, *place), frame.log_exponent)
        time = exp(log_data - log_x)
        total = _total(time)
        over = total > 1 + MARGIN
        if not over.any():
            break
        slope = _total(time * _along(_SLOPE, *place) * (log_x < frame.log_exponent))
        # Those who are done stay as they are, so that no row depends on the others.
        price = price + log(np.where(over, total, 1.0)) * total / np.maximum(slope, 1e-300)
    else:
        raise ArithmeticError(f"no price of time found within {MAX_STEPS} Newton steps")

    left = 1 - total
    slower = whole & (log_x < frame.log_exponent) & ((left > UNUSED) & ~partial.any(-1))[..., None]
    if slower.any():
        taken = _total(np.where(slower, time, 0.0))
        slower &= (taken > 0)[..., None]
        longer = (1 + np.maximum(left, 0.0) / np.where(taken > 0, taken, 1.0))[..., None]
        time = np.where(slower, time * longer, time)
        log_x = np.where(slower, log_x - log(longer), log_x)
    rest = np.minimum(np.maximum(left, 0.0)[..., None], frame.shortest)
    return TimeSplit(np.where(partial, rest, time), np.where(whole, exp(log_x), frame.exponent))
