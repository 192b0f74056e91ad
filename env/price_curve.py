"""The best rate of a decision from a table: the critic, for thousands of candidates or replicas at once.

The equations are those of `env.allocation`. y of (1) depends on price and slope, not on the channel, so the sums
in (2) and (3) are products with a table over prices, and the price that solves (3) lies where its two sides change
places. Any y gives a feasible time split, and the rate is stationary at the right one: the table's y, within 1e-5,
gives the rate to 1e-10.
"""

from typing import Any

import numpy as np

from env.allocation import log_snr, split_time
from env.arrays import Array, FloatArray, namespace

COARSE = 96
"""Prices at which all candidates are tried."""
FINE = 64
"""Steps of the table between two of them."""
RANGE = 1e-5, 1e2
"""Prices in the table, relative to the smallest slope: y from 4e-3 upwards. Others are for `split_time`."""
CACHED = 512
"""Decisions whose rates are found together on the host: their arrays fit a processor's cache."""
NO_RATE = 1e-9
"""bit/s in place of a local rate of 0, where it divides."""


class PriceCurve:
    """1/y and W/(1+y) over the price of time, for groups of slopes W.

    Args:
        slope: W, (G,), bit/s.
        device: None for NumPy, else the torch device of all arrays. There, rows out of `RANGE` are not searched
            for, which would wait for the device: they get the rate of a feasible, not the best, time split.
    """

    def __init__(self, slope: FloatArray, device: Any = None) -> None:
        self._host_slope = slope
        low, high = np.log(RANGE)
        price = slope.min() * np.exp(np.linspace(low, high, (COARSE - 1) * FINE + 1))
        s = log_snr(price[:, None] / slope)
        inverse_snr = np.exp(-s) / -np.expm1(-s)
        gain = slope * np.exp(-s)
        fine = np.stack([inverse_snr[:-1], inverse_snr[1:], gain[:-1], gain[1:]], 1)
        tables = {
            "slope": slope,
            "price": price[::FINE],
            "sums": np.hstack([inverse_snr[::FINE].T, gain[::FINE].T]),
            # Of each fine step its two ends in one row; the last row once more, where the range ends.
            "step_price": np.stack([price[:-1], price[1:]], -1)[[*range(len(fine)), -1]],
            "step": fine[[*range(len(fine)), -1]],
        }
        if device is not None:
            import torch

            tables = {name: torch.as_tensor(table, device=device) for name, table in tables.items()}
        self._on_host = device is None
        self.slope = tables["slope"]
        """(G,), bit/s."""
        self._price, self._sums = tables["price"], tables["sums"]
        self._step_price, self._step = tables["step_price"], tables["step"]

    def rate(self, local_rate: Array, snr: Array) -> Array:
        """The best rate (...), bit/s, for S (...), bit/s, and H (..., G)."""
        computed, offloaded = local_rate.reshape(-1), snr.reshape(-1, snr.shape[-1])
        if self._on_host and len(computed) > CACHED:
            blocks = (slice(first, first + CACHED) for first in range(0, len(computed), CACHED))
            rates = np.concatenate([self._rate(computed[block], offloaded[block]) for block in blocks])
        else:
            rates = self._rate(computed, offloaded)
        return rates.reshape(local_rate.shape)

    def _rate(self, local_rate: Array, snr: Array) -> Array:
        xp = namespace(local_rate)
        third = (local_rate + NO_RATE)[:, None] / 3
        # (3) at the coarse prices: what is left for local computing, v - sum W H / (1 + y), over S / 3, must equal
        # inverse_a^(2/3); both cubed.
        sums = snr @ self._sums
        inverse_a = sums[:, :COARSE] + 1
        left = (self._price - sums[:, COARSE:]) / third
        too_low = left * left * left < inverse_a * inverse_a
        below = too_low[:, 1:-1].sum(-1)
        # The root between two of them, by their excess, is in this step of the fine table or beside it;
        at = (xp.arange(len(below), device=below.device), xp.stack([below, below + 1]))
        excess = left[at] - inverse_a[at] ** (2 / 3)
        share = excess[0] / (excess[0] - excess[1])
        if self._on_host:
            if not (abs(share - 0.5) <= 0.5).all():  # out of range
                return split_time(local_rate, snr, self.slope).rate
            place = ((below + share) * FINE).astype(np.int64)
        else:
            place = ((below + share.clip(0, 1)) * FINE).long()
        step = self._step[place]
        # and its excess at the two ends gives the place to 1e-5.
        sums = xp.einsum("mkg,mg->mk", step, snr)
        inverse_a = sums[:, :2] + 1
        excess = (self._step_price[place] - sums[:, 2:]) / third - inverse_a ** (2 / 3)
        share = excess[:, :1] / (excess[:, :1] - excess[:, 1:])
        inverse_snr = step[:, 0] + share * (step[:, 1] - step[:, 0])
        demand = snr * inverse_snr
        a = 1 / (1 + demand.sum(-1))
        offloaded = (self.slope * demand * xp.log1p(1 / inverse_snr)).sum(-1)
        return local_rate * a ** (1 / 3) + offloaded * a
