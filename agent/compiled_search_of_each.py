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
    replicas, count, found = len(decision), known.shape[1], calls
    near, codes = np.empty((replicas, calls, decision.shape[1]), np.int64), np.empty(count + calls, np.int64)
    for row in range(replicas):
        for place in range(count):
            codes[place] = known[row, place]
        found = neighbours(
            likely[row], decision[row], codes, count, weights, frame, sweeping, exchanging, near[row]
        )[0]
    return near if found == calls else near[:, :found].copy()
