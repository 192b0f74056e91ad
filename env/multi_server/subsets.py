"""Which server takes which users, where what a server is worth to each set of users is known."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray


@cache
def subsets(num_users: int) -> NDArray[np.bool_]:
    """All subsets, (2^N, N): subset i holds user u where bit u of i is set."""
    every = np.arange(2**num_users)[:, None] >> np.arange(num_users) & 1
    table: NDArray[np.bool_] = every.astype(bool)
    table.setflags(write=False)
    return table


@cache
def _parts(num_users: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Every subset with every subset of it, (3^N,) both, those of one subset together; and where each begins."""
    whole, part = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
    for user in range(num_users):
        bit = 1 << user
        whole, part = np.concatenate([whole, whole | bit, whole | bit]), np.concatenate([part, part, part | bit])
    order = np.lexsort((part, whole))
    whole, part = whole[order], part[order]
    return whole, part, np.searchsorted(whole, np.arange(2**num_users))


def best_partition(values: FloatArray) -> NDArray[np.int64]:
    """The decision (N,) of the largest sum, for values (2^N, M) of subsets on servers; who is on none counts 0.

    By dynamic programming over the servers, in 3^N steps each. A value of -inf forbids a subset; the empty one
    must have a finite value on each server.
    """
    num_users = len(values).bit_length() - 1
    whole, part, first = _parts(num_users)
    best, taken = np.zeros(len(values)), []
    for server in range(values.shape[1]):
        total = best[whole ^ part] + values[part, server]
        highest = np.maximum.reduceat(total, first)
        is_best = np.flatnonzero(total == highest[whole])
        taken.append(part[is_best[np.searchsorted(whole[is_best], np.arange(len(values)))]])
        best = highest
    rest = int(best.argmax())
    decision = np.zeros(num_users, dtype=np.int64)
    for server in reversed(range(values.shape[1])):
        mine = int(taken[server][rest])
        decision[subsets(num_users)[mine]] = server + 1
        rest ^= mine
    return decision
