"""Candidates that are nested in each other, without the K x N table that would list them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array, integers, namespace, take


@dataclass(frozen=True)
class Nested:
    """K candidates: candidate k offloads the first ``counts[k]`` users of one order.

    All order-preserving candidates are of this kind, since each is a threshold on the relaxed decision. A critic
    that knows it (`evaluate.takes_nested`) values them by running sums.

    Args:
        order: (..., N), users from the first to offload to the last.
        counts: (..., K), how many of them offload.
    """

    order: Array
    counts: Array

    def __len__(self) -> int:
        return int(self.counts.shape[-1])

    def expand(self) -> Array:
        """The candidates one by one, (..., K, N), 0 local and 1 offload."""
        rank = namespace(self.order).argsort(self.order, -1)
        return integers(rank[..., None, :] < self.counts[..., None])

    def pick(self, best: Array) -> Array:
        """The candidate at place `best` (...), a decision (..., N)."""
        if self.order.ndim == 1:
            decision = np.zeros(self.order.shape, dtype=np.int64)
            decision[self.order[: self.counts[best]]] = 1
            return decision
        rank = namespace(self.order).argsort(self.order, -1)
        return integers(rank < take(self.counts, best[..., None]))


def listed(candidates: Array) -> Array:
    """Candidates (..., K, N) one by one, of an array or `Nested`."""
    return candidates.expand() if isinstance(candidates, Nested) else candidates


def pick(candidates: Array, best: Array) -> Array:
    """Of candidates (..., K, N), as an array or `Nested`, that at place `best` (...): (..., N)."""
    if isinstance(candidates, Nested):
        return candidates.pick(best)
    if candidates.ndim == 2:
        return candidates[best]
    return candidates[namespace(candidates).arange(len(best), device=best.device), best]


def takes_nested(evaluate: Callable[[Any], Any]) -> bool:
    """Whether a critic takes `Nested` candidates too: where it has a true attribute of this name."""
    return bool(getattr(evaluate, "takes_nested", False))
