"""The K most probable joint decisions of users that choose among C, without listing C^N."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..checks import size
from .asked import count_of, relaxed_of
from .cheapest import cheapest
from .limits import Limited, cheapest_within


@dataclass(frozen=True)
class MostProbable:
    """MP: the K decisions of the largest product of the users' probabilities, the likeliest first.

    A decision's log-probability falls short of the best one's by a sum of one gap a user, ``ln max p - ln p`` of
    what it chooses, 0 for its first choice. So these are the K smallest sums of gaps. For two choices the gap is
    ``|logit|``: it orders as KNN's does user by user.

    Args:
        num_choices: C.

    Raises:
        InputError: when `num_choices` is below 2.
    """

    num_choices: int
    prefix: ClassVar[bool] = True
    distinct: ClassVar[bool] = True

    def __post_init__(self) -> None:
        size("num_choices", self.num_choices, 2)

    def max_candidates(self, num_users: int) -> int:
        """C^N."""
        return int(self.num_choices) ** size("num_users", num_users)

    def __call__(
        self, relaxed: NDArray[np.floating], k: int, rng: np.random.Generator | None = None
    ) -> NDArray[np.int64]:
        """`k` candidates, (..., k, N), for each user's probabilities (..., N, C)."""
        relaxed = relaxed_of(relaxed, self.num_choices)
        users = relaxed.shape[-2 if self.num_choices > 2 or relaxed.ndim > 1 else -1]
        return cheapest(_costs(relaxed, self.num_choices), count_of(k, self.max_candidates(users)))

    def within(
        self, relaxed: NDArray[np.floating], k: int, rng: np.random.Generator | None, limits: Limited
    ) -> NDArray[np.int64]:
        """The `k` most probable that keep the limits, or all there are."""
        return cheapest_within(_costs(relaxed, self.num_choices), k, limits)


def _costs(relaxed: NDArray[np.floating], num_choices: int) -> NDArray[np.float64]:
    """Negated log-probabilities (N, C) of each user's choices; of bits from their relaxed decision (N,)."""
    if num_choices == 2 and relaxed.ndim == 1:
        relaxed = np.stack([1 - relaxed, relaxed], -1)
    costs: NDArray[np.float64] = -np.log(np.maximum(relaxed, np.finfo(np.float64).tiny))
    return costs
