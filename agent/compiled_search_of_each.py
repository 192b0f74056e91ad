"""The neighbours of local search of many agents in machine code, each as `compiled_search` finds those of one."""

import numpy as np
from numba import njit, types

from .compiled_search import neighbours

_Decisions = types.Array(types.int64, 2, "C", readonly=True)


@njit(
    types.int64[:, :, ::1](
        types.float64[:, :, ::1], _Decisions, types.int64[:, ::1], types.int64[::1], *[types.int64] * 4
    ),
    cache=True,
    error_model="numpy",
    nogil=True,
)
def neighbours_of_each(likely, decision, known, weights, calls, frame, sweeping, exchanging):
    """The neighbours (R, L, N) of decisions (R, N), L being the same for all."""
    replicas, users = decision.shape
    first = neighbours(likely[0], decision[0], known[0], weights, calls, frame, sweeping, exchanging)[0]
    near = np.empty((replicas, len(first), users), np.int64)
    for row in range(replicas):
        of_row = first
        if row > 0:
            of_row = neighbours(
                likely[row], decision[row], known[row], weights, calls, frame, sweeping, exchanging
            )[0]
        for place in range(len(first)):
            for user in range(users):
                near[row, place, user] = of_row[place, user]
    return near
