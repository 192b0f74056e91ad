"""The best rate of a decision by halving between two prices of time, on a device.

For what the table of `price_curve` does not hold: prices far from the smallest slope, or too many weights. The
equations are those of `allocation`. All decisions take the same steps, so that nothing waits for the device.
"""

from typing import Any

from ..arrays import Array, FloatArray, namespace, on_device, take
from ..lambert_w import log_snr

HALVINGS = 40
"""They leave 1e-11 of the price, of which the rate's error is the square."""
_LEAST = 1e-290
"""Of a price over a slope: its reciprocal is still a number."""


class PriceSearch:
    """The best rates of decisions, within 1e-12, whatever their prices.

    Args:
        slope: W, (G,), bit/s.
        device: torch device of all arrays.
    """

    def __init__(self, slope: FloatArray, device: Any) -> None:
        self.slope = on_device(slope, device)
        """(G,), bit/s."""

    def rate(self, local_rate: Array, snr: Array) -> Array:
        """The best rate (...), bit/s, for S (...), bit/s, and H (..., G)."""
        xp, slope = namespace(snr), self.slope
        peak = slope * snr
        alone = slope * xp.log1p(snr)
        # A price is between a third of the best rate and all of it (`allocation._bracket`).
        low = xp.log((xp.maximum(local_rate, alone.max(-1).values / 2) / 3).clip(_LEAST))
        high = xp.log((local_rate + alone.sum(-1)).clip(_LEAST))
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            price = xp.exp(middle)
            s = log_snr((price[..., None] / slope).clip(_LEAST))
            decay = xp.exp(-s)
            inverse_a = 1 + (snr * decay / -xp.expm1(-s)).sum(-1)
            rises = local_rate * inverse_a ** (2 / 3) / 3 + (peak * decay).sum(-1) > price
            low, high = xp.where(rises, middle, low), xp.where(rises, high, middle)
        s = log_snr((xp.exp((low + high) / 2)[..., None] / slope).clip(_LEAST))
        demand = snr * xp.exp(-s) / -xp.expm1(-s)
        a = 1 / (1 + demand.sum(-1))
        return local_rate * a ** (1 / 3) + (slope * demand * s).sum(-1) * a

    def nested_rate(self, columns: Array, order: Array, counts: Array) -> Array:
        """The best rates (..., K), bit/s, of decisions as `price_curve.nested_sums` takes them.

        The local rates are summed up from the last user of the order, since a difference of sums would lose those
        that are small.
        """
        xp = namespace(columns)
        ordered = take(columns, order)
        nobody = 0 * ordered[..., :1, :]
        offloaded = xp.concatenate([nobody[..., 1:], xp.cumsum(ordered[..., 1:], -2)], -2)
        computed = xp.concatenate([xp.cumsum(ordered[..., :1].flip(-2), -2).flip(-2), nobody[..., :1]], -2)
        return self.rate(take(computed, counts)[..., 0], take(offloaded, counts))
