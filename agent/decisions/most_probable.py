"""The K most probable joint decisions of users that choose among C, without listing C^N."""

import heapq
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from agent.checks import whole_number


@dataclass(frozen=True)
class MostProbable:
    """MP: the K decisions of the largest product of the users' probabilities, the likeliest first.

    A decision's log-probability falls short of the best one's by a sum of one gap a user, ``ln max p - ln p`` of
    what it chooses, 0 for its first choice. So these are the K smallest sums of gaps, found best first in
    O(N C log C + K (N + log K)). For two choices the gap is |logit|: it orders as KNN's does user by user.

    Args:
        num_choices: C.

    Raises:
        InputError: when `num_choices` is below 2.
    """

    num_choices: int
    prefix: ClassVar[bool] = True

    def __post_init__(self) -> None:
        whole_number("num_choices", self.num_choices, 2)

    def max_candidates(self, num_users: int) -> int:
        """C^N."""
        return int(self.num_choices) ** num_users

    def __call__(
        self, relaxed: NDArray[np.floating], k: int, rng: np.random.Generator | None = None
    ) -> NDArray[np.int64]:
        """`k` candidates, (..., k, N), for each user's probabilities (..., N, C)."""
        if relaxed.ndim > 2:
            rows = [self(row, k) for row in relaxed.reshape(-1, *relaxed.shape[-2:])]
            return np.stack(rows).reshape(*relaxed.shape[:-2], k, -1)
        choices = np.argsort(-relaxed, axis=-1, kind="stable")  # of each user, its first, second, ... choice
        likely = np.log(np.maximum(np.take_along_axis(relaxed, choices, -1), np.finfo(np.float64).tiny))
        gaps = likely[:, :1] - likely
        users = np.argsort(gaps[:, 1], kind="stable").tolist()  # the least certain first
        cost = gaps[users].tolist()
        candidates = np.tile(choices[:, 0], (k, 1))
        # A state is the users that leave their first choice, as places in `users` with the ranks of their choices.
        # It is reached once, from one that costs no more: its last user's rank rises by one; the user after joins
        # with its second choice; or, where the last has its second choice, the user after joins in its place.
        heap: list[tuple[float, tuple[tuple[int, int], ...]]] = [(cost[0][1], ((0, 1),))]
        for row in range(1, k):
            total, state = heapq.heappop(heap)
            for place, rank in state:
                candidates[row, users[place]] = choices[users[place], rank]
            rest, (last, rank) = state[:-1], state[-1]
            if rank + 1 < self.num_choices:
                heapq.heappush(heap, (total + cost[last][rank + 1] - cost[last][rank], (*rest, (last, rank + 1))))
            if last + 1 < len(users):
                joined = total + cost[last + 1][1]
                heapq.heappush(heap, (joined, (*state, (last + 1, 1))))
                if rank == 1:
                    heapq.heappush(heap, (joined - cost[last][1], (*rest, (last + 1, 1))))
        return candidates
