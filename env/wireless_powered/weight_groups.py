"""Users of one weight share their signal-to-noise ratio, so a decision enters the allocation by a few sums."""

from functools import cached_property
from typing import Any

import numpy as np

from ..arrays import Array, FloatArray, namespace, on_device
from ..machine_code import machine_code
from .allocation import split_time
from .capped_curve import CappedCurve
from .price_curve import PriceCurve
from .price_search import PriceSearch

MOST_IN_TABLE = 16
"""Distinct weights up to which a table over prices pays."""


class WeightGroups:
    """The sums S and H of `allocation` over local and offloading users, one H for each distinct weight.

    Args:
        weights: (N,), or (..., N) when they differ within a batch; each user is then a group of its own.
        rate_scale: bit/s of slope W for each unit of weight.
        device: None for NumPy, else a torch device.
    """

    def __init__(self, weights: FloatArray, rate_scale: float, device: Any = None) -> None:
        self.weights = weights
        self._membership: Array = None
        self._group: np.ndarray | None = None
        self._device = device
        distinct = weights
        if weights.ndim == 1:
            found, group = np.unique(weights, return_inverse=True)
            if 2 * len(found) <= len(weights):  # else the sums cost more than they save
                distinct = found
                self._group = group
                self._membership = on_device(_membership(group), device)
        self.slope = rate_scale * distinct
        """W, (G,), or (..., N), bit/s, on the host."""

    @cached_property
    def curve(self) -> Any:
        """The table of rates; None for too many distinct weights, or weights that differ within a batch.

        A `CompiledCurve` on the host where Numba is installed, else a `PriceCurve`; on a device a `PriceSearch` in
        place of None, and where `look_at` found prices that are not in the table.
        """
        if self.slope.shape[-1] > MOST_IN_TABLE:
            return None if self._device is None else PriceSearch(self.slope, self._device)
        compiled = machine_code("wireless_powered.compiled_curve") if self._device is None else None
        return PriceCurve(self.slope, self._device) if compiled is None else compiled.CompiledCurve(self.slope)

    @cached_property
    def _search(self) -> PriceSearch:
        return PriceSearch(self.slope, self._device)

    @cached_property
    def _table(self) -> Any:
        return self.curve

    def look_at(self, local: FloatArray, snr: FloatArray) -> None:
        """On a device: take the table for frames of local rates and ratios (..., N) if it holds all their prices.

        They are given on the host, where they come from: the device is not waited for. A price of a decision is
        between a third of the best rate and all of it. That rate is no less than what any user earns at the worse
        of its two choices, alone on air for half of the frame, and no more than all earn if each computes and
        sends with the whole frame for it.
        """
        table = self._table
        if not isinstance(table, PriceCurve):
            return
        # Of all frames at once, which is mostly enough: each frame's strongest user alone, or N of the best.
        worst = min(local.min(), self.slope.min() * np.log1p(snr.max(-1).min()) / 2) / 3
        best = local.shape[-1] * local.max() + (self.slope * np.log1p(local.shape[-1] * snr.max())).sum()
        if worst > 0 and table.holds(worst, best):
            self.curve = table
            return
        least = np.minimum(local, self.slope[self.group] * np.log1p(snr) / 2).max(-1) / 3
        together = snr if self._group is None else snr @ _membership(self._group)
        most = local.sum(-1) + (self.slope * np.log1p(together)).sum(-1)
        self.curve = table if table.holds(np.where(most > 0, least, self.slope.min()), most) else self._search

    @cached_property
    def capped_curve(self) -> Any:
        """The same under a cap, on the host: a `CompiledCapped`, or a `CappedCurve`."""
        if self.slope.shape[-1] > MOST_IN_TABLE:
            return None
        compiled = machine_code("wireless_powered.compiled_capped")
        kind = CappedCurve if compiled is None else compiled.CompiledCapped
        return kind(self.slope, self.group)

    @property
    def group(self) -> np.ndarray:
        """Of each user, (N,)."""
        return np.arange(self.slope.shape[-1]) if self._group is None else self._group

    def rates(self, computed: Array, offloaded: Array) -> Array:
        """The best rates (...), bit/s, for S (...) and H (..., G) of decisions."""
        if self.curve is not None:
            return self.curve.rate(computed, offloaded)
        return split_time(computed, offloaded, self.slope).rate

    def sums(self, local: Array, snr: Array, decisions: Array) -> tuple[Array, Array]:
        """S (...) and H (..., G) of decisions (..., N) of 0.0 and 1.0, for local rates and ratios (..., N)."""
        offloaded = decisions * snr
        computed = ((1 - decisions) * local).sum(-1)
        if self._membership is None:
            return computed, offloaded
        return computed, offloaded @ self._membership

    def columns(self, local: Array, snr: Array) -> Array | None:
        """What `nested_sums` adds up, (..., N, 1 + G): local rates, then each ratio in its group's column.

        None where there is no curve, or every user is a group of its own.
        """
        if self.curve is None or self._membership is None:
            return None
        return namespace(local).concatenate([local[..., None], snr[..., None] * self._membership], -1)

    def of_users(self, values: FloatArray) -> FloatArray:
        """Give each user its group's value, (..., G) to (..., N)."""
        return values if self._group is None else values[..., self._group]


def _membership(group: np.ndarray) -> FloatArray:
    """1 for the group of each user, (N, G)."""
    return (group[:, None] == np.arange(group.max() + 1)).astype(np.float64)
