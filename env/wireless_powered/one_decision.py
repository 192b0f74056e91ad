"""The best time split of one decision in plain Python numbers, for those who ask one decision at a time.

The equations, and their numbers, are those of `allocation`; here a handful of floats stands for arrays of one
entry, on which NumPy would spend most of its time.
"""

from collections.abc import Sequence
from math import exp, expm1, log, log1p, sqrt
from typing import NamedTuple

from env.wireless_powered.allocation import MAX_STEPS, STEP_TOLERANCE

_TINY = 1e-300


class OneSplit(NamedTuple):
    """Solution of the grouped problem: the rate, the charging time a, and 1 / y of each group."""

    rate: float
    charging_time: float
    inverse_snr: list[float]


def split_one(local_rate: float, snr: Sequence[float], slope: Sequence[float]) -> OneSplit:
    """Solve the problem of `allocation.split_time` for one decision and groups in which somebody offloads.

    Args:
        local_rate: S, bit/s, 0 or more.
        snr: H of each group, positive.
        slope: W of each group, bit/s, positive.

    Raises:
        ArithmeticError: as `split_time`.
    """
    if not snr:
        return OneSplit(local_rate, 1.0, [])
    reference = min(slope)
    ratios = [reference / one for one in slope]
    peaks = [one * worth for one, worth in zip(slope, snr, strict=True)]
    t = _first_guess(local_rate, sum(snr), sum(peaks), reference)
    for _ in range(MAX_STEPS):
        s = log1p(exp(t)) if t < 30 else t
        share = -expm1(-s)
        price = max(s - share, _TINY)
        price_slope = share * share / price
        inverse_a, fall, earned, loss = 1.0, 0.0, 0.0, 0.0
        for ratio, worth, peak in zip(ratios, snr, peaks, strict=True):
            group_s = s if ratio == 1 else _log_snr(price * ratio)
            decay = exp(-group_s)
            group_share = -expm1(-group_s)
            y_slope = (group_s - group_share) / (group_share * group_share) * price_slope
            demand = worth * decay / group_share
            gain = peak * decay
            inverse_a += demand
            earned += gain
            fall += demand * y_slope
            loss += gain * group_share * y_slope
        local_gain = local_rate * inverse_a ** (2 / 3) / 3
        value = local_gain + earned
        value_slope = -(2 / 3) * local_gain / inverse_a * fall - loss
        step = log(value / (price * reference)) / (price_slope - value_slope / value)
        t += step
        if abs(step) <= STEP_TOLERANCE:
            break
    else:
        raise ArithmeticError(f"no price of time found within {MAX_STEPS} Newton steps")

    s = log1p(exp(t)) if t < 30 else t
    price = max(s + expm1(-s), _TINY)
    inverse_a, offloaded, inverse_snr = 1.0, 0.0, []
    for ratio, worth, peak in zip(ratios, snr, peaks, strict=True):
        group_s = s if ratio == 1 else _log_snr(price * ratio)
        inverse = exp(-group_s) / -expm1(-group_s)
        inverse_snr.append(inverse)
        inverse_a += worth * inverse
        offloaded += peak * inverse * group_s
    a = 1 / inverse_a
    return OneSplit(local_rate * a ** (1 / 3) + offloaded * a, a, inverse_snr)


def _log_snr(price: float) -> float:
    """`lambert_w.log_snr` of one number."""
    s = price - expm1(-(sqrt(2 * price) + price / 3))
    for _ in range(2):
        s -= (s + expm1(-s) - price) / max(-expm1(-s), _TINY)
    return s


def _first_guess(local_rate: float, total: float, peak: float, reference: float) -> float:
    """ln y of the reference group, as `allocation` guesses it."""
    root = sqrt(total)
    y = sqrt(2) * root / (1 + 0.1 * root) + 1e-9
    price = (log1p(y) - y / (1 + y)) * peak / total + local_rate / 3
    s = _log_snr(max(price / reference, 1e-18))
    return s + log(-expm1(-s))
