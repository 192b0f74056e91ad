"""The best time split of one decision in plain Python numbers, for those who ask one decision at a time.

The equations, and their numbers, are those of `allocation`; here a handful of floats stands for arrays of one
entry, on which NumPy would spend most of its time.
"""

from collections.abc import Sequence
from math import exp, expm1, inf, log, log1p, sqrt
from typing import NamedTuple

from ..lambert_w import SMALL_PRICE
from .allocation import LEAST_SNR, MAX_STEPS, NEWTON_ALONE, STEP_TOLERANCE

_TINY = 1e-300


class OneSplit(NamedTuple):
    """Solution of the grouped problem: the rate, the charging time a, and 1 / y of each group."""

    rate: float
    charging_time: float
    inverse_snr: list[float]


def split_one(local_rate: float, snr: Sequence[float], slope: Sequence[float]) -> OneSplit:
    """Solve the problem of `allocation.split_time` for one decision.

    Args:
        local_rate: S, bit/s, 0 or more.
        snr: H of each group, 0 or more; of a group with 0, where nobody offloads, the solution's 1 / y is 0.
        slope: W of each group, bit/s, positive.

    Raises:
        ArithmeticError: as `split_time`.
    """
    if not any(snr):
        return OneSplit(local_rate, 1.0, [0.0] * len(snr))
    if not all(snr):
        rest = [group for group, worth in enumerate(snr) if worth]
        split = split_one(local_rate, [snr[group] for group in rest], [slope[group] for group in rest])
        of_rest = dict(zip(rest, split.inverse_snr, strict=True))
        return split._replace(inverse_snr=[of_rest.get(group, 0.0) for group in range(len(snr))])
    reference = min(slope)
    groups = [(reference / of_group, h, of_group * h) for of_group, h in zip(slope, snr, strict=True)]
    t = _first_guess(local_rate, sum(snr), sum(peak for _, _, peak in groups), reference)
    low, high = -inf, inf  # the root is between them
    for cut in range(MAX_STEPS):
        _, inverse, reference_share, price = _of_reference(t)
        price_slope = reference_share * reference_share / price
        inverse_a, fall, earned, loss = 1.0, 0.0, 0.0, 0.0
        for ratio, h, peak in groups:
            if ratio == 1:
                demand, slope_of_y, share = h * inverse, 1.0, reference_share
                gain = peak * inverse * share
            else:
                s = _log_snr(price * ratio)
                share, decay = -expm1(-s), exp(-s)
                demand, gain = h * decay / share, peak * decay
                slope_of_y = ratio * (reference_share / share) ** 2
            inverse_a += demand
            earned += gain
            fall += demand * slope_of_y
            loss += gain * share * slope_of_y
        local_gain = local_rate * inverse_a ** (2 / 3) / 3
        value = local_gain + earned
        value_slope = -(2 / 3) * local_gain / inverse_a * fall - loss
        step = log(value / (price * reference)) / (price_slope - value_slope / value)
        low, high = (t, high) if step > 0 else (low, t)
        t += step
        if abs(step) <= STEP_TOLERANCE * max(1, t / 100):
            break
        inside = low <= t <= high
        if cut >= NEWTON_ALONE or not inside:
            least, most = _bracket(local_rate, snr, slope)
            low, high = max(low, least), min(high, most)
            t = t if inside and cut % 2 == 0 else (low + high) / 2
    else:
        raise ArithmeticError(f"no price of time found within {MAX_STEPS} steps")

    reference_s, reference_inverse, _, price = _of_reference(t)
    inverse_a, offloaded, inverse_snr = 1.0, 0.0, []
    for ratio, h, peak in groups:
        s, inverse = reference_s, reference_inverse
        if ratio != 1:
            s = _log_snr(price * ratio)
            inverse = exp(-s) / -expm1(-s)
        inverse_snr.append(inverse)
        inverse_a += h * inverse
        offloaded += peak * inverse * s
    a = 1 / inverse_a
    return OneSplit(local_rate * a ** (1 / 3) + offloaded * a, a, inverse_snr)


def _of_reference(t: float) -> tuple[float, float, float, float]:
    """Of y = exp(t): ln(1 + y), 1 / y, y / (1 + y), and their price over the slope, eq. (1) of `allocation`."""
    if t > 30:
        return t, exp(-t), 1.0, t - 1
    y = exp(t) or _TINY
    s, share = log1p(y), y / (1 + y)
    if y > 1e-4:
        return s, 1 / y, share, s - share
    return s, 1 / y, share, y * y * (1 / 2 - y * (2 / 3 - y * 3 / 4)) or _TINY


def _log_snr(price: float) -> float:
    """`lambert_w.log_snr` of one positive number."""
    root = sqrt(2 * price)
    if price < SMALL_PRICE:
        return root + price / 3 + root * price / 18
    s = price - expm1(-(root + price / 3))
    growth = expm1(-s)
    s += (s + growth - price) / growth
    growth = expm1(-s)
    return s + (s + growth - price) / growth


def _first_guess(local_rate: float, total: float, peak: float, reference: float) -> float:
    """ln y of the reference group, as `allocation` guesses it."""
    root = sqrt(total)
    y = max(sqrt(2) * root / (1 + 0.1 * root), LEAST_SNR)
    price = _of_reference(log(y))[3] * peak / total + local_rate / 3
    return _log_y(price / reference)


def _bracket(local_rate: float, snr: Sequence[float], slope: Sequence[float]) -> tuple[float, float]:
    """ln y of the reference group at prices below and above the right one, as in `allocation`."""
    alone = [of_group * log1p(h) for of_group, h in zip(slope, snr, strict=True)]
    reference = min(slope)
    return _log_y(max(local_rate, max(alone) / 2) / 3 / reference), _log_y((local_rate + sum(alone)) / reference)


def _log_y(price: float) -> float:
    """ln y at a price of time over the slope."""
    s = _log_snr(max(price, LEAST_SNR**2))
    return s + log(-expm1(-s))
