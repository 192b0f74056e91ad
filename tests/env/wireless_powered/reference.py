"""The allocation as the paper prints it, one decision at a time: Lambert W function and scalar root search.

Constants and formulas are written here once more, so that a slip in `env` cannot hide in a shared helper.
"""

import numpy as np
from scipy.optimize import brentq
from scipy.special import lambertw

ETA1 = 2.1 ** (1 / 3) / 100
ETA2 = 2.1 / 1e-10
EPSILON = 2e6 / (1.1 * np.log(2))


def rate_of_split(gains, decision, weights, a, tau):
    """Weighted sum rate of any feasible split (objective of P1), bit/s; `tau` (N,) counts where offloading."""
    offload = decision == 1
    local = weights * ETA1 * (gains / 1e-26) ** (1 / 3) * a ** (1 / 3)
    sent = np.zeros_like(gains)
    on = offload & (tau > 1e-250)  # less time than that carries nothing, and would overflow below
    sent[on] = weights[on] * EPSILON * tau[on] * np.log1p(ETA2 * gains[on] ** 2 * a / tau[on])
    return np.where(offload, sent, local).sum()


def allocate(gains, decision, weights):
    """Rate, charging time and transmit times (N,) of one decision."""
    offload = decision == 1
    tau = np.zeros_like(gains)
    local = (weights * ETA1 * (gains / 1e-26) ** (1 / 3))[~offload].sum()
    if not offload.any():
        return local, 1.0, tau
    snr, slope = ETA2 * gains[offload] ** 2, weights[offload] * EPSILON

    def inverse_snr(price):
        return 1 / (-1 - 1 / lambertw(-np.exp(-1 - price / slope)).real)

    def excess(log_price):
        price = np.exp(log_price)
        phi = inverse_snr(price)
        a = 1 / (1 + snr @ phi)
        return np.log(local * a ** (-2 / 3) / 3 + (slope * snr) @ (phi / (1 + phi))) - log_price

    low, high = np.log(slope.min()) - 20, np.log(local + slope @ snr) + 1
    with np.errstate(divide="ignore", over="ignore"):  # a price that leaves a user no time at all
        price = np.exp(brentq(excess, low, high, xtol=1e-14))
        phi = inverse_snr(price)
    a = 1 / (1 + snr @ phi)
    tau[offload] = snr * phi * a
    return rate_of_split(gains, decision, weights, a, tau), a, tau
