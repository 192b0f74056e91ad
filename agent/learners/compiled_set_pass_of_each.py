"""Passes of one observation through many set networks in machine code, each as `compiled_set_pass`."""

import numpy as np
from numba import boolean, float32, float64, int64, njit, types

from .compiled_set_pass import set_network

_WeightsOfEach = float32[:, ::1]
_GivenRowsOfEach = types.Array(float32, 3, "C", readonly=True)


@njit(
    _WeightsOfEach(
        _WeightsOfEach,
        *(int64[::1], int64[::1], int64, boolean, boolean, int64, float64[::1], _GivenRowsOfEach),
    ),
    cache=True,
    error_model="numpy",
    nogil=True,
)
def set_network_of_each(weights, embedding, hidden, sums, masked, relative, group, constants, observations):
    """`set_network` for weights (R, ...) and observations (R, N, F): logits (R, N)."""
    replicas, users = observations.shape[:2]
    logits = np.empty((replicas, users), np.float32)
    for row in range(replicas):
        of_row = set_network(
            weights[row], embedding, hidden, sums, masked, relative, group, constants, observations[row]
        )
        for user in range(users):
            logits[row, user] = of_row[user]
    return logits
