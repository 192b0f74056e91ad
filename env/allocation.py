"""Optimal time allocation of the wireless powered problem for a given decision.

In the words of the DROO paper (Huang, Bi, Zhang, IEEE Trans. Mobile Computing 2020, problem P2), the
access point broadcasts energy for a fraction ``a`` of the frame, then every offloading user transmits for
``tau_i``. After the physics is folded into three numbers a candidate, the problem reads

    maximise   S a^(1/3) + sum_g W_g tau_g ln(1 + H_g a / tau_g)    subject to   a + sum_g tau_g <= 1,

with S the local computing rate at ``a = 1`` (bit/s), H the signal-to-noise ratio at ``a = tau = 1`` (users
of one weight share the ratio H_i / tau_i, so they add up to one group), and W the rate slope (bit/s). Arrays are
NumPy's or torch's, on any device.
"""

from copy import copy
from typing import Any, NamedTuple

import numpy as np

from env.arrays import Array, FloatArray, namespace

STEP_TOLERANCE = 1e-4
"""Newton ends with a step below this; the error left in the time split is about its square, 1e-8."""
RATE_TOLERANCE = 3e-3
"""Enough where only the rate is asked for: it is stationary in the time split, and so exact to 1e-12."""
MAX_STEPS = 60
DEVICE_STEPS = 3
"""Newton steps for torch, where looking at their size would wait for the device."""
_TINY = float(np.finfo(np.float64).tiny)


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

    rate: Array
    charging_time: Array
    inverse_snr: Array
    """1 / y of each group: group g, and likewise user i in it, transmits for H a / y."""


def log_snr(price: Array) -> Array:
    """Solve ``s - 1 + exp(-s) = price`` for ``s = ln(1 + y)``, elementwise (design of the allocation, eq. 1).

    This is the relation between the price of time (over ``w epsilon``, dimensionless, >= 0) and the
    signal-to-noise ratio y at which a user transmits; the papers write it with the Lambert W function. The
    first guess is within 1 %, and two Newton steps square that twice: 1e-9 relative or better.
    """
    xp = namespace(price)
    s = price - xp.expm1(-(xp.sqrt(2 * price) + price / 3))
    for _ in range(2):
        minus_share = xp.expm1(-s)
        s = s + (s + minus_share - price) / (minus_share - _TINY)
    return s


class PriceCurve:
    """The sums in (2) and (3) below on a fixed grid of prices, for groups of slopes W (G,), bit/s.

    y depends on price and slope, not on the channel. So both sums are, for all candidates at all prices of the
    grid, one matrix product each, and the price that solves (3) lies where its two sides change places.
    """

    def __init__(self, slope: FloatArray, num_prices: int = 128) -> None:
        self.slope = slope
        least = slope.argmin()
        self.price = slope[least] * np.geomspace(1e-6, 30, num_prices)  # y from 1e-3 to 1e13
        """(P,), bit/s."""
        s = log_snr(self.price / slope[:, None])
        self.log_snr = s[least] + np.log(-np.expm1(-s[least]))
        """(P,), ln y of the group of the smallest slope."""
        self.inverse_snr = np.exp(-s) / -np.expm1(-s)
        """(G, P), 1 / y."""
        self.gain = slope[:, None] * np.exp(-s)
        """(G, P), W / (1 + y), bit/s."""

    def on(self, device: Any) -> "PriceCurve":
        """The same curve in tensors on a torch device."""
        import torch

        moved = copy(self)
        for name, array in vars(self).items():
            setattr(moved, name, torch.as_tensor(array, device=device))
        return moved

    def guess(self, local_rate: Array, snr: Array) -> Array:
        """ln y of the group of the smallest slope where (3) holds, for S (M,) and H (M, G): within 1e-2."""
        xp = namespace(local_rate)
        inverse_a = 1 + snr @ self.inverse_snr
        rest = self.price - snr @ self.gain  # what local computing is to contribute: S inverse_a^(2/3) / 3
        cubed = local_rate * local_rate * local_rate / 27
        too_low = rest * rest * rest < cubed[:, None] * inverse_a * inverse_a
        below = too_low[:, 1:-1].sum(-1)
        row = xp.arange(len(below), device=below.device)
        third = local_rate / 3
        low = rest[row, below] - third * inverse_a[row, below] ** (2 / 3)
        high = rest[row, below + 1] - third * inverse_a[row, below + 1] ** (2 / 3)
        start = self.log_snr[below]
        return start + (low / (low - high)).clip(0, 1) * (self.log_snr[below + 1] - start)


def split_time(
    local_rate: Array,
    snr: Array,
    slope: Array,
    curve: PriceCurve | None = None,
    tolerance: float = STEP_TOLERANCE,
) -> TimeSplit:
    """Solve the grouped problem above for any leading batch dimensions.

    Args:
        local_rate: S, (...), bit/s.
        snr: H, (..., G), dimensionless; 0 for a group in which nobody offloads.
        slope: W, broadcastable to (..., G), bit/s, positive.
        curve: for slopes (G,) that are the same in the whole batch: the place to start from.
        tolerance: of Newton's last step, in ln y.

    At the optimum one price v of time rules every group: ``ln(1+y) - y/(1+y) = v/W`` (1),
    ``a = 1/(1 + sum H/y)`` (2) and ``S a^(-2/3)/3 + sum W H/(1+y) = v`` (3). Newton's method finds the
    root of (3) in t = ln y of the group with the smallest slope W; with that choice every other ln y moves
    by at most as much as t does, which keeps (3) in logarithms close to a straight line: one step from the curve,
    three or four without.

    Raises:
        ArithmeticError: when a step is still above `tolerance` after `MAX_STEPS`, or not a number (no known
            instance of finite rates). Tensors are not looked at, that would wait for the device.
    """
    xp = namespace(local_rate)
    reference = xp.amin(slope, -1)
    ratio = reference[..., None] / slope
    peak = slope * snr
    if curve is None:
        t = _first_guess(local_rate, snr, peak, reference)
    else:
        t = curve.guess(local_rate.reshape(-1), snr.reshape(-1, snr.shape[-1])).reshape(local_rate.shape)
    on_host = xp is np
    for _ in range(MAX_STEPS if on_host else DEVICE_STEPS):
        s = xp.logaddexp(0 * t, t)
        share = -xp.expm1(-s)  # y / (1 + y)
        relative_price = s - share + _TINY
        price = relative_price * reference
        group_price = relative_price[..., None] * ratio
        group_s = log_snr(group_price)
        decay = xp.exp(-group_s)  # 1 / (1 + y)
        group_share = -xp.expm1(-group_s)
        inverse_snr = decay / group_share
        demand = snr * inverse_snr  # tau / a
        busy = demand.sum(-1)
        inverse_a = 1 + busy
        local_gain = local_rate * inverse_a ** (2 / 3) / 3
        value = local_gain + (peak * decay).sum(-1)
        # Derivatives with respect to t: of ln(price), of each ln(y), and of ln(value). That of the sum of
        # W H / (1 + y) with respect to the price is minus the sum of H / y.
        price_slope = share * share / relative_price
        y_slope = group_price / (group_share * group_share) * price_slope[..., None]
        fall = local_gain / inverse_a * (demand * y_slope).sum(-1) / 1.5 + busy * price * price_slope
        step = xp.log(value / price) / (price_slope + fall / value)
        t = t + step
        if on_host and np.abs(step).max(initial=0.0) <= tolerance:
            break
    else:
        if on_host:
            raise ArithmeticError(f"no price of time found within {MAX_STEPS} Newton steps")

    inverse_snr = inverse_snr * xp.exp(-y_slope * step[..., None])  # the last step, to first order
    demand = snr * inverse_snr
    a = 1 / (1 + demand.sum(-1))
    rate = local_rate * a ** (1 / 3) + (slope * demand * xp.log1p(1 / (inverse_snr + _TINY))).sum(-1) * a
    return TimeSplit(rate, a, inverse_snr)


def _first_guess(local_rate: Array, snr: Array, peak: Array, reference: Array) -> Array:
    """ln y of the reference group, as if all groups had one slope and local computing just raised the price."""
    xp = namespace(local_rate)
    total = snr.sum(-1)
    root = xp.sqrt(total)
    y = 2**0.5 * root / (1 + 0.1 * root) + 1e-9
    mean_slope = peak.sum(-1) / (total + _TINY)
    price = (xp.log1p(y) - y / (1 + y)) * mean_slope + local_rate / 3
    s = log_snr(price / reference + 1e-18)
    return s + xp.log(-xp.expm1(-s))
