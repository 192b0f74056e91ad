"""Users of one weight share their signal-to-noise ratio, so a decision enters the allocation by a few sums."""

from functools import cached_property
from typing import Any

import numpy as np

from env.allocation import PriceCurve
from env.arrays import Array, FloatArray, namespace, take


class WeightGroups:
    """The sums S and H of `env.allocation` over local and offloading users, one H for each distinct weight.

    Args:
        weights: (N,), or (..., N) when they differ within a batch; each user is then a group of its own.
        rate_scale: bit/s of slope W for each unit of weight.
        device: None for NumPy, else a torch device.
    """

    def __init__(self, weights: FloatArray, rate_scale: float, device: Any = None) -> None:
        self.weights = weights
        self.membership: Array | None = None
        """(N, G), 1 where a user belongs to a group; None where each user is one of its own."""
        self._group: np.ndarray | None = None
        self._device = device
        distinct = weights
        if weights.ndim == 1:
            found, group = np.unique(weights, return_inverse=True)
            if 2 * len(found) <= len(weights):  # else the sums cost more than they save
                distinct = found
                self._group = group
                self.membership = self._moved((group[:, None] == np.arange(len(found))).astype(np.float64))
        self._slope = rate_scale * distinct
        self.slope = self._moved(self._slope)
        """W, (G,), or (..., N), bit/s."""

    @cached_property
    def curve(self) -> PriceCurve | None:
        """Where the search for the price starts; None for weights that differ within a batch."""
        if self._slope.ndim > 1:
            return None
        curve = PriceCurve(self._slope)
        return curve if self._device is None else curve.on(self._device)

    def sums(self, local: Array, snr: Array, decisions: Array) -> tuple[Array, Array]:
        """S (...) and H (..., G) of decisions (..., N) of 0.0 and 1.0, for local rates and ratios (..., N)."""
        offloaded = decisions * snr
        computed = ((1 - decisions) * local).sum(-1)
        return computed, offloaded if self.membership is None else offloaded @ self.membership

    def nested_sums(self, local: Array, snr: Array, order: Array, counts: Array) -> tuple[Array, Array]:
        """S (..., K) and H (..., K, G) when decision k offloads the first counts[k] (..., K) users of the order (..., N).

        They are running sums: K decisions cost as much as N + K, not N K, additions.
        """
        xp = namespace(local)
        each = xp.concatenate([local[..., None], snr[..., None] * self.membership], -1)
        each = take(each, order)
        running = xp.concatenate([0 * each[..., :1, :], xp.cumsum(each, -2)], -2)
        sums = take(running, counts)
        return running[..., -1:, 0] - sums[..., 0], sums[..., 1:]

    def of_users(self, values: FloatArray) -> FloatArray:
        """Give each user its group's value, (..., G) to (..., N)."""
        return values if self._group is None else values[..., self._group]

    def _moved(self, array: FloatArray) -> Array:
        if self._device is None:
            return array
        import torch

        return torch.as_tensor(array, device=self._device)
