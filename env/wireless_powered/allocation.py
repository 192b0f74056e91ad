"""Optimal time allocation of the wireless powered problem for a given decision.

In the words of the DROO paper (Huang, Bi, Zhang, IEEE Trans. Mobile Computing 2020, problem P2), the
access point broadcasts energy for a fraction ``a`` of the frame, then every offloading user transmits for
``tau_i``. After the physics is folded into three numbers a candidate, the problem reads

    maximise   S a^(1/3) + sum_g W_g tau_g ln(1 + H_g a / tau_g)    subject to   a + sum_g tau_g <= 1,

with S the local computing rate at ``a = 1`` (bit/s), H the signal-to-noise ratio at ``a = tau = 1`` (users
of one weight share the ratio H_i / tau_i, so they add up to one group), and W the rate slope (bit/s).
"""

from typing import NamedTuple

import numpy as np

from ..arrays import FloatArray
from ..lambert_w import log_snr

STEP_TOLERANCE = 1e-4
"""Newton stops after a step below this. Its error is then the square, and the rate's the fourth power."""
MAX_STEPS = 100
NEWTON_ALONE = 15
"""Steps after which every other one halves what is left between two prices on either side."""
SMALL_LOG = -9.0
"""ln y below which a series gives the price: the difference that it is loses digits."""
LEAST_SNR = 1e-145
"""Of y in a first guess: the price, its square, is still a number."""


class Allocation(NamedTuple):
    """Time split of a frame of unit length and the rate it yields."""

    rate: FloatArray
    """(...) weighted sum computation rate, bit/s."""
    charging_time: FloatArray
    """(...) fraction of the frame in which the access point broadcasts energy."""
    transmit_time: FloatArray
    """(..., N) fraction of the frame in which each user transmits; 0 for local users."""


class TimeSplit(NamedTuple):
    """Solution of the grouped problem: `rate` (...), `charging_time` (...), `inverse_snr` (..., G)."""

    rate: FloatArray
    charging_time: FloatArray
    inverse_snr: FloatArray
    """1 / y of each group: group g, and likewise user i in it, transmits for H a / y."""


def split_time(local_rate: FloatArray, snr: FloatArray, slope: FloatArray) -> TimeSplit:
    """Solve the grouped problem above for any leading batch dimensions.

    Args:
        local_rate: S, (...), bit/s.
        snr: H, (..., G), dimensionless; 0 for a group in which nobody offloads.
        slope: W, broadcastable to (..., G), bit/s, positive.

    At the optimum one price v of time rules every group: ``ln(1+y) - y/(1+y) = v/W`` (1),
    ``a = 1/(1 + sum H/y)`` (2) and ``S a^(-2/3)/3 + sum W H/(1+y) = v`` (3). Newton's method finds the
    root of (3) in t = ln y of the group with the smallest slope W; with that choice every other ln y moves
    by at most as much as t does, which keeps (3) in logarithms close to a straight line: three or four steps.

    Within 1e-14 for gains from 1e-30 to 1e6 with weights over 12 decades, and for constants nine decades from the
    published ones.

    Raises:
        ArithmeticError: when a step is still above `STEP_TOLERANCE` after `MAX_STEPS` (no known instance of finite
            rates).
    """
    offloading = snr > 0
    reference = np.where(offloading, slope, np.inf).min(-1)
    reference = np.where(np.isinf(reference), np.max(slope, initial=0.0), reference)
    ratio = np.where(offloading, reference[..., None] / slope, 1.0)
    peak = slope * snr

    t = _first_guess(local_rate, snr, peak, reference)
    low: FloatArray | float = -np.inf  # the root is between them
    high: FloatArray | float = np.inf
    for cut in range(MAX_STEPS):
        share, price = _of_reference(t)
        group_s = log_snr(price[..., None] * ratio)
        decay = np.exp(-group_s)  # 1 / (1 + y)
        group_share = -np.expm1(-group_s)
        demand = snr * decay / group_share  # tau / a
        inverse_a = 1 + demand.sum(-1)
        local_gain = local_rate * inverse_a ** (2 / 3) / 3
        offload_gain = peak * decay
        value = local_gain + offload_gain.sum(-1)
        residual = np.log(value / (price * reference))
        # Derivatives with respect to t: of ln(price), of each ln(y), and of `value`.
        price_slope = share * share / price
        y_slope = ratio * (share[..., None] / group_share) ** 2
        value_slope = -(2 / 3) * local_gain / inverse_a * (demand * y_slope).sum(-1)
        value_slope -= (offload_gain * group_share * y_slope).sum(-1)
        step = residual / (price_slope - value_slope / value)
        low, high = np.where(residual > 0, t, low), np.where(residual > 0, high, t)
        t = t + step
        if np.all(np.abs(step) <= STEP_TOLERANCE * np.maximum(1, t / 100)):
            break
        inside = (low <= t) & (t <= high)
        if cut >= NEWTON_ALONE or not inside.all():
            least, most = _bracket(local_rate, snr, slope, reference)
            low, high = np.maximum(low, least), np.minimum(high, most)
            t = np.where(inside & (cut % 2 == 0), t, (low + high) / 2)
    else:
        raise ArithmeticError(f"no price of time found within {MAX_STEPS} steps")

    group_s = log_snr(_of_reference(t)[1][..., None] * ratio)
    inverse_snr = np.exp(-group_s) / -np.expm1(-group_s)
    demand = snr * inverse_snr
    a = 1 / (1 + demand.sum(-1))
    rate = local_rate * np.cbrt(a) + (slope * demand * group_s).sum(-1) * a
    return TimeSplit(rate, a, inverse_snr)


def _of_reference(t: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Of y = exp(t): y / (1 + y), and the price over the slope, eq. (1), by its series for small y."""
    s = np.logaddexp(0.0, t)
    share = -np.expm1(-s)
    y = np.exp(np.minimum(t, SMALL_LOG))
    small = y * y * (1 / 2 - y * (2 / 3 - y * 3 / 4))
    return share, np.where(t < SMALL_LOG, np.maximum(small, np.finfo(float).tiny), s - share)


def _first_guess(local_rate: FloatArray, snr: FloatArray, peak: FloatArray, reference: FloatArray) -> FloatArray:
    """ln y of the reference group, as if all groups had one slope and local computing just raised the price."""
    total = snr.sum(-1)
    root = np.sqrt(total)
    y = np.sqrt(2.0) * root / (1 + 0.1 * root)
    y = np.maximum(y, LEAST_SNR)
    mean_slope = peak.sum(-1) / np.maximum(total, np.finfo(float).tiny)
    price = _of_reference(np.log(y))[1] * mean_slope + local_rate / 3
    return _log_y(price / reference)


def _bracket(
    local_rate: FloatArray, snr: FloatArray, slope: FloatArray, reference: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """ln y of the reference group at prices below and above the right one.

    It is between a third of the best rate and all of it, which grows with the frame's length by a degree between
    1/3 (computing) and 1 (offloading); and the best rate is between that of one group, or of computing, alone, and
    that of all of them with the whole frame for each.
    """
    alone = slope * np.log1p(snr)
    least = np.maximum(local_rate, alone.max(-1) / 2) / 3
    return _log_y(least / reference), _log_y((local_rate + alone.sum(-1)) / reference)


def _log_y(price: FloatArray) -> FloatArray:
    """ln y at a price of time over the slope."""
    s = log_snr(np.maximum(price, LEAST_SNR**2))
    return s + np.log(-np.expm1(-s))
