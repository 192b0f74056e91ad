"""The best rate of a decision from a table: the critic, for thousands of candidates or replicas at once.

The equations are those of `allocation`. y of (1) depends on price and slope, not on the channel, so the sums
in (2) and (3) are products with a table over prices, and the price that solves (3) lies where its two sides change
places. Any y gives a feasible time split, and the rate is stationary at the right one: the table's y, within 1e-5,
gives the rate to 1e-10.
"""

from typing import Any

import numpy as np

from ..arrays import Array, FloatArray, namespace, on_device, take
from ..lambert_w import log_snr
from .allocation import split_time

COARSE = 96
"""Prices at which all candidates are tried."""
FINE = 64
"""Steps of the table between two of them."""
RANGE = -5.5, 26.0
"""ln y of the smallest slope in the table: prices from 1e-5 to 25 times that slope. `split_time` knows others."""
CACHED = 512
"""Decisions whose rates are found together on the host: their arrays fit a processor's cache."""
NO_RATE = 1e-9, 1e-15
"""In place of a local rate of 0, where it divides: bit/s, or so much of the smallest slope, whichever is less."""


def tabulate(slope: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """P prices of time, (P,), bit/s, in even steps of ln y, and for slopes W (G,) 1/y and W/(1+y), (P, G)."""
    s = np.log1p(np.exp(np.linspace(*RANGE, (COARSE - 1) * FINE + 1)))
    price = slope.min() * (s + np.expm1(-s))
    s = log_snr(price[:, None] / slope)
    return price, np.exp(-s) / -np.expm1(-s), slope * np.exp(-s)


def nested_sums(columns: Array, order: Array, counts: Array) -> tuple[Array, Array]:
    """S (..., K) and H (..., K, G) when decision k offloads the first counts[k] users of the order (..., N).

    They are running sums of columns (..., N, 1 + G), each user's local rate and its ratio in its group's column:
    K decisions cost as much as N + K, not N K, additions.
    """
    xp = namespace(columns)
    running = xp.cumsum(take(columns, order), -2)
    running = xp.concatenate([0 * running[..., :1, :], running], -2)
    sums = take(running, counts)
    return running[..., -1:, 0] - sums[..., 0], sums[..., 1:]


class PriceCurve:
    """1/y and W/(1+y) over the price of time, for groups of slopes W.

    Args:
        slope: W, (G,), bit/s.
        device: None for NumPy, else the torch device of all arrays. There, prices out of `RANGE` are not searched
            for, which would wait for the device: whoever asks must know that there are none (`holds`).
    """

    def __init__(self, slope: FloatArray, device: Any = None) -> None:
        price, inverse_snr, gain = tabulate(slope)
        fine = np.stack([inverse_snr[:-1], inverse_snr[1:], gain[:-1], gain[1:]], 1)
        tables: dict[str, Array] = {
            "slope": slope,
            "price": price[::FINE],
            "sums": np.hstack([inverse_snr[::FINE].T, gain[::FINE].T]),
            # Of each fine step its two ends in one row; the last row once more, where the range ends.
            "step_price": np.stack([price[:-1], price[1:]], -1)[[*range(len(fine)), -1]],
            "step": fine[[*range(len(fine)), -1]],
        }
        tables = {name: on_device(table, device) for name, table in tables.items()}
        self._on_host = device is None
        self._range = float(price[0]), float(price[-1])
        self._no_rate = min(NO_RATE[0], NO_RATE[1] * float(slope.min()))
        self.slope = tables["slope"]
        """(G,), bit/s."""
        self._price, self._sums = tables["price"], tables["sums"]
        self._step_price, self._step = tables["step_price"], tables["step"]

    def holds(self, least: Any, most: Any) -> bool:
        """Whether the prices between these, numbers or arrays on the host, are in the table."""
        return bool(self._range[0] <= np.min(least) and np.max(most) <= self._range[1])

    def rate(self, local_rate: Array, snr: Array) -> Array:
        """The best rate (...), bit/s, for S (...), bit/s, and H (..., G)."""
        computed, offloaded = local_rate.reshape(-1), snr.reshape(-1, snr.shape[-1])
        if self._on_host and len(computed) > CACHED:
            blocks = (slice(first, first + CACHED) for first in range(0, len(computed), CACHED))
            rates = np.concatenate([self._rate(computed[block], offloaded[block]) for block in blocks])
        else:
            rates = self._rate(computed, offloaded)
        return rates.reshape(local_rate.shape)[()]

    def nested_rate(self, columns: Array, order: Array, counts: Array) -> Array:
        """The best rates (..., K), bit/s, of decisions as `nested_sums` takes them."""
        return self.rate(*nested_sums(columns, order, counts))

    def _rate(self, local_rate: Array, snr: Array) -> Array:
        xp = namespace(local_rate)
        third = (local_rate + self._no_rate) / 3
        # (3) at the coarse prices: what is left for local computing, v - sum W H / (1 + y), over S / 3, must equal
        # inverse_a^(2/3); both cubed.
        sums = snr @ self._sums
        inverse_a, left = sums[:, :COARSE], sums[:, COARSE:]
        inverse_a += 1
        left = self._price - left
        left /= third[:, None]
        cubed = left * left
        cubed *= left
        below = (cubed[:, 1:-1] < (inverse_a * inverse_a)[:, 1:-1]).sum(-1)
        # The root between two of them, where the logarithm of (3)'s sides is all but straight in ln y, is in this
        # step of the fine table or beside it;
        row, above = xp.arange(len(below), device=below.device), below + 1
        low = xp.log1p(third * (inverse_a[row, below] ** (2 / 3) - left[row, below]) / self._price[below])
        high = xp.log1p(third * (inverse_a[row, above] ** (2 / 3) - left[row, above]) / self._price[above])
        share = low / (low - high)
        if self._on_host:
            if not (abs(share - 0.5) <= 0.5).all():  # out of range
                return split_time(local_rate, snr, self.slope).rate
            place = ((below + share) * FINE).astype(np.int64)
            step, price = self._step.take(place, 0), self._step_price.take(place, 0)
        else:
            place = ((below + share.clip(0, 1)) * FINE).long()
            step, price = self._step[place], self._step_price[place]
        # and the same between that step's ends gives the place to 1e-5.
        sums = (step @ snr[:, :, None])[..., 0]
        ends = xp.log((third[:, None] * (sums[:, :2] + 1) ** (2 / 3) + sums[:, 2:]) / price)
        share = (ends[:, 0] / (ends[:, 0] - ends[:, 1]))[:, None]
        first = step[:, 0]
        inverse_snr = first + share * (step[:, 1] - first)
        demand = snr * inverse_snr
        a = 1 / (1 + demand.sum(-1))
        return local_rate * a ** (1 / 3) + (demand * xp.log1p(1 / inverse_snr)) @ self.slope * a
