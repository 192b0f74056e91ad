"""The critic under a cap by array operations, all candidates at once, where Numba is not installed.

The search of `compiled_capped`, step by step, in the table of `price_curve`.
"""

import numpy as np

from ..arrays import FloatArray
from .price_curve import NO_RATE, tabulate


class CappedCurve:
    """The best rates of decisions under a cap; nan for one whose price is not in the table.

    Args:
        slope: W, (G,), bit/s.
        group: of each user, (N,).
    """

    def __init__(self, slope: FloatArray, group: np.ndarray) -> None:
        self._price, inverse_snr, gain = tabulate(slope)
        self._row = np.hstack([inverse_snr, gain])
        self._slope = slope
        self._no_rate = min(NO_RATE[0], NO_RATE[1] * float(slope.min()))
        self._membership = (group[:, None] == np.arange(len(slope))).astype(np.float64)

    def rate(
        self,
        local: FloatArray,
        most: FloatArray,
        kink: FloatArray,
        by_kink: np.ndarray,
        snr: FloatArray,
        decisions: FloatArray,
    ) -> FloatArray:
        """As of a `CompiledCapped`."""
        lead, groups = decisions.shape[:-1], len(self._slope)
        offloaded = ((decisions * snr) @ self._membership).reshape(-1, groups)
        (alone,) = (~offloaded.any(-1)).nonzero()
        offloaded[alone] = 1.0  # in place of nothing to search for
        stays = 1 - np.take_along_axis(decisions, np.broadcast_to(by_kink, decisions.shape), -1)
        local, most, kink = (np.take_along_axis(array, by_kink, -1) for array in (local, most, kink))
        nobody = np.zeros((*lead, 1))
        # Entry j: of the users from j on, and of those before.
        rising = np.concatenate([(stays * local)[..., ::-1].cumsum(-1)[..., ::-1], nobody], -1).reshape(-1)
        held = np.concatenate([nobody, (stays * most).cumsum(-1)], -1).reshape(-1)
        place = np.broadcast_to(kink, decisions.shape).reshape(-1, kink.shape[-1])
        edge = np.arange(len(place)) * (place.shape[-1] + 1)  # of each row in the two flat arrays above

        low, high = np.zeros(len(place), dtype=np.int64), np.full(len(place), len(self._price) - 1)
        first, last = np.zeros_like(low), np.full_like(low, place.shape[-1])
        for _ in range(int(np.ceil(np.log2(len(self._price))))):
            middle = (low + high) // 2
            row = self._row[middle]
            inverse_a = 1 + (offloaded * row[:, :groups]).sum(-1)
            left = self._price[middle] - (offloaded * row[:, groups:]).sum(-1)
            below = (place * inverse_a[:, None] < 1).sum(-1)
            third = (rising[edge + below] + self._no_rate) / 3
            too_low = left * left * left < third * third * third * inverse_a * inverse_a
            low, first = np.where(too_low, middle, low), np.where(too_low, below, first)
            high, last = np.where(too_low, high, middle), np.where(too_low, last, below)
        outside = (low == 0) | (high == len(self._price) - 1)
        low = np.minimum(low, len(self._price) - 2)
        start, stop = self._row[low], self._row[low + 1]
        inverse_low, inverse_high = (1 + (offloaded * row[:, :groups]).sum(-1) for row in (start, stop))
        earned_low, earned_high = ((offloaded * row[:, groups:]).sum(-1) for row in (start, stop))
        # Between the two, kink by kink: the first piece whose own solution is not beyond its end.
        rows, j, users = np.arange(len(place)), first, place.shape[-1]
        while True:
            third = (rising[edge + j] + self._no_rate) / 3
            ahead = np.log((third * inverse_low ** (2 / 3) + earned_low) / self._price[low])
            behind = np.log((third * inverse_high ** (2 / 3) + earned_high) / self._price[low + 1])
            share = ahead / (ahead - behind)
            inverse_a = inverse_low + share * (inverse_high - inverse_low)
            beyond = (j < last) & (place[rows, np.minimum(j, users - 1)] * inverse_a < 1)
            if not beyond.any():
                break
            j = j + beyond
        before = place[rows, np.maximum(j - 1, 0)]
        at_kink = (j > first) & (before * inverse_a > 1)
        share = np.where(at_kink, (inverse_low - 1 / before) / (inverse_low - inverse_high), share)
        share = share.clip(0, 1)  # what is outside of the table is looked up all the same
        inverse_snr = start[:, :groups] + share[:, None] * (stop - start)[:, :groups]
        demand = offloaded * inverse_snr
        a = 1 / (1 + demand.sum(-1))
        sent = (demand * np.log1p(1 / inverse_snr)) @ self._slope
        rate = held[edge + j] + rising[edge + j] * np.cbrt(a) + sent * a
        rate[outside] = np.nan
        rate[alone] = held[edge[alone] + users]
        return rate.reshape(lead)[()]
