"""Standardisation of observations in machine code (`agent.standardization`, which says what it is)."""

import numpy as np
from numba import float32, float64, njit, types, void

_Given = types.Array(float64, 3, "A", readonly=True)
_Table = float64[:, ::1]


@njit(void(types.Array(float64, 2, "A", readonly=True), _Table, _Table, float64), cache=True, error_model="numpy")
def update(observation, mean, variance, share):
    """Take an observation (N, F) into mean and variance."""
    for user in range(mean.shape[0]):
        for feature in range(mean.shape[1]):
            off = observation[user, feature] - mean[user, feature]
            mean[user, feature] += share * off
            variance[user, feature] = (1 - share) * (variance[user, feature] + share * off * off)


@njit(float32[:, :, ::1](_Given, _Table, _Table, float64, float64), cache=True, error_model="numpy")
def standardized(observations, mean, variance, no_spread, limit):
    """Observations (B, N, F) as the network sees them."""
    seen = np.empty(observations.shape, np.float32)
    for user in range(mean.shape[0]):
        for feature in range(mean.shape[1]):
            size, scale = abs(mean[user, feature]), np.sqrt(variance[user, feature])
            if not scale > no_spread * size:
                scale = size if size > 0 else 1.0
            for place in range(len(observations)):
                off = (observations[place, user, feature] - mean[user, feature]) / scale
                seen[place, user, feature] = min(max(off, -limit), limit)
    return seen
