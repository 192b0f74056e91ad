"""Slow and simple references of the solvers: certificates by duality, and 50 digits with mpmath.

Constants and formulas are written once more, so that a slip in `env` cannot hide in a shared helper.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Long = NDArray[np.longdouble]


def _taylor(x: Long, terms: list[float], few: float, otherwise: Long) -> Long:
    """A series in x^2, x^3, ... where x is below `few`, for there the difference loses digits."""
    small = np.minimum(x, few)
    series = sum(term * small**power for power, term in enumerate(terms, 2))
    return np.where(x < few, series, otherwise)


_SNR_TERMS = [(-1.0) ** n / float(np.prod(np.arange(1, n + 1))) for n in range(2, 13)]
_POWER_TERMS = [(n - 1.0) / float(np.prod(np.arange(1, n + 1))) for n in range(2, 13)]


def log_snr(price: Long) -> Long:
    """s of s - 1 + exp(-s) = price."""
    s = np.where(price > 1, price + 1, np.sqrt(2 * price) + price)
    for _ in range(8):
        excess = _taylor(s, _SNR_TERMS, 0.1, s + np.expm1(-s)) - price
        s = np.maximum(s + excess / np.expm1(-s), s / 4)
    return s


def exponent(price: Long) -> Long:
    """x of (x - 1) exp(x) + 1 = price."""
    x = np.where(price > 1, np.minimum(np.sqrt(2 * price), 1 + np.log(np.maximum(price, 1))), np.sqrt(2 * price))
    for _ in range(15):
        grown = np.exp(np.minimum(x, 1000))
        excess = _taylor(x, _POWER_TERMS, 0.1, x * grown - np.expm1(np.minimum(x, 1000))) - price
        x = np.maximum(x - excess / (x * grown), x / 4)
    return x


def price_of(x: Long) -> Long:
    """(x - 1) exp(x) + 1."""
    x = np.minimum(x, 1000)
    return _taylor(x, _POWER_TERMS, 0.1, x * np.exp(x) - np.expm1(x))


def rate_of(local: Long, snr: Long, slope: Long, offloads: Any, a: Any, time: Any) -> Long:
    """The computation rate (eqs. 4 and 7) of times `a` (...) and (..., N)."""
    a, time = a.astype(np.longdouble), time.astype(np.longdouble)
    with np.errstate(divide="ignore", invalid="ignore"):
        sent = slope * time * np.log1p(snr * a[..., None] / time)
    computed = local * np.cbrt(a)[..., None]
    rate: Long = np.where(offloads > 0, np.where(time > 0, sent, 0), computed).sum(-1)
    return rate


def rate_bound(local: Long, snr: Long, slope: Long, offloads: Any, a: Any, time: Any) -> Long:
    """No time split has a higher rate: the bound at the price of time that this one suggests (weak duality)."""
    a, time = a.astype(np.longdouble), time.astype(np.longdouble)
    computed = np.where(offloads > 0, 0, local).sum(-1)
    with np.errstate(all="ignore"):
        y = snr * a[..., None] / time
        sent = np.where((offloads > 0) & (time > 0), slope * time * np.log1p(y), -1)
        most = sent.argmax(-1)[..., None]
        pays, s = np.take_along_axis(slope, most, -1)[..., 0], np.log1p(np.take_along_axis(y, most, -1)[..., 0])
        price = np.where(sent.max(-1) > 0, pays * _taylor(s, _SNR_TERMS, 0.1, s + np.expm1(-s)), computed / 3)
        worth = slope * snr * np.exp(-log_snr(price[..., None] / slope))
        earned = np.where(offloads > 0, worth, 0).sum(-1)
        share = np.where(price > earned, np.minimum((computed / (3 * (price - earned))) ** 1.5, 1), 1)
        bound: Long = price * (1 - share) + computed * np.cbrt(share) + earned * share
    return np.where((offloads > 0).any(-1), bound, computed)


def offloading_bound(value: Long, cost: Long, data: Long, most: Long, offloads: Any, prices: Long) -> Long:
    """No LyDROO allocation of the offloading users is worth more, (...): the least bound at prices (..., P).

    Args:
        value: A. cost: C. data: L. most: X, in the symbols of the world's allocation, (..., N).
        offloads: (..., N).
        prices: of time, positive.
    """
    with np.errstate(all="ignore"):
        best = np.clip(np.where(cost > 0, np.log(value / cost), np.inf), 0, most)
        alone = value * best - cost * np.expm1(best)
        bounds = []
        for place in range(prices.shape[-1]):
            mu = prices[..., place, None]
            x = np.minimum(np.where(cost > 0, exponent(mu / np.where(cost > 0, cost, 1)), np.inf), best)
            profit = (value * x - cost * np.expm1(x) - mu) * data / x
            counts = (offloads > 0) & (data > 0) & (alone > mu)
            bounds.append(mu[..., 0] + np.where(counts, np.maximum(profit, 0), 0).sum(-1))
    bound: Long = np.min(bounds, 0)
    return bound


def best_rate(local_rate: Any, snr: Any, slope: Any) -> Any:
    """The best rate of a decision to 50 digits: its price of time by bisection.

    Args:
        local_rate: S, the local users' rates at a = 1 in sum. snr: H. slope: W, of the offloading users.
    """
    from mpmath import exp, expm1, log, mpf, sqrt, workdps

    def solved(price: Any) -> Any:
        with workdps(60 + int(max(0, -2 * log(price, 10)))):
            s = price + 1 if price > 1 else sqrt(2 * price)
            for _ in range(300):
                step = (s + expm1(-s) - price) / expm1(-s)
                s = s + step if s + step > 0 else s / 2
                if abs(step) <= abs(s) * mpf(10) ** -45:
                    break
            return +s

    def at(price: Any) -> tuple[Any, Any]:
        inverse_a, earned, sent = mpf(1), mpf(0), mpf(0)
        for h, w in zip(snr, slope, strict=True):
            s = solved(price / w)
            y = expm1(s)
            inverse_a, earned, sent = inverse_a + h / y, earned + w * h / (1 + y), sent + w * h / y * s
        local = local_rate * inverse_a ** (mpf(2) / 3)
        return local / 3 + earned - price, (local + sent) / inverse_a

    with workdps(50):
        if not len(snr):
            return local_rate
        low = log(max(local_rate, *(w * log(1 + h) / 2 for h, w in zip(snr, slope, strict=True))) / 3)
        high = log(local_rate + sum(w * log(1 + h) for h, w in zip(snr, slope, strict=True)))
        for _ in range(60):  # the rate is stationary at the right price
            middle = (low + high) / 2
            low, high = (middle, high) if at(exp(middle))[0] > 0 else (low, middle)
        return at(exp((low + high) / 2))[1]
