"""The K joint decisions of least cost, where a decision costs the sum of its users' costs, without listing C^N."""

import heapq

import numpy as np
from numpy.typing import NDArray

from ..machine_code import machine_code

COMPILED = "decisions.compiled_cheapest"
LISTED = 2**16
"""Entries of a table of K decisions and N users up to which machine code lists decisions."""


def cheapest(cost: NDArray[np.floating], k: int) -> NDArray[np.int64]:
    """The `k` decisions of least cost, (..., k, N), best first, in O(N C log C + k (N + log k)).

    Args:
        cost: finite, of each user's choices, (..., N, C), C from 2.
        k: how many, at most C^N.
    """
    num_users, num_choices = cost.shape[-2:]
    choices = np.argsort(cost, axis=-1, kind="stable")  # of each user, its first, second, ... choice
    gaps = np.take_along_axis(cost, choices, -1)
    gaps = gaps - gaps[..., :1]
    users = np.argsort(gaps[..., 1], axis=-1, kind="stable")  # the least certain first
    frames = (
        choices.reshape(-1, num_users, num_choices),
        gaps.astype(np.float64).reshape(-1, num_users, num_choices),
        users.reshape(-1, num_users),
    )
    code = machine_code(COMPILED) if k * num_users <= LISTED else None
    if code is not None:
        found = code.cheapest_of_each(*frames, k)
    else:
        found = np.stack([_of_one(*frame, k) for frame in zip(*frames, strict=True)])
    listed: NDArray[np.int64] = found.reshape(*cost.shape[:-2], k, num_users)
    return listed


def _of_one(
    choices: NDArray[np.intp], gaps: NDArray[np.float64], places: NDArray[np.intp], k: int
) -> NDArray[np.int64]:
    """Of one frame, (k, N), from its users' choices in order, (N, C), their gaps, and the users in order (N,)."""
    users = places.tolist()
    gap = gaps[users].tolist()
    found = np.tile(choices[:, 0], (k, 1))
    # A state is the users that leave their first choice, as places in `users` with the ranks of their choices. It
    # is reached once, from one that costs no more: its last user's rank rises by one; the user after joins with
    # its second choice; or, where the last has its second choice, the user after joins in its place.
    heap: list[tuple[float, tuple[tuple[int, int], ...]]] = [(gap[0][1], ((0, 1),))]
    for row in range(1, k):
        total, state = heapq.heappop(heap)
        for place, rank in state:
            found[row, users[place]] = choices[users[place], rank]
        rest, (last, rank) = state[:-1], state[-1]
        if rank + 1 < gaps.shape[1]:
            heapq.heappush(heap, (total + gap[last][rank + 1] - gap[last][rank], (*rest, (last, rank + 1))))
        if last + 1 < len(users):
            joined = total + gap[last + 1][1]
            heapq.heappush(heap, (joined, (*state, (last + 1, 1))))
            if rank == 1:
                heapq.heappush(heap, (joined - gap[last][1], (*rest, (last + 1, 1))))
    return found
