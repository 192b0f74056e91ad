"""Standardisation of one observation in machine code (`agent.standardization`, which says what it is)."""

import numpy as np
from numba import njit


@njit("void(f8[:, :], f8[:, ::1], f8[:, ::1], f8)", cache=True, error_model="numpy")
def update(observation, mean, variance, share):
    """Take an observation (N, F) into mean and variance."""
    for user in range(mean.shape[0]):
        for feature in range(mean.shape[1]):
            off = observation[user, feature] - mean[user, feature]
            mean[user, feature] += share * off
            variance[user, feature] = (1 - share) * (variance[user, feature] + share * off * off)


@njit("f4[:, ::1](f8[:, :], f8[:, ::1], f8[:, ::1], f8, f8)", cache=True, error_model="numpy")
def standardized(observation, mean, variance, no_spread, limit):
    """An observation (N, F) as the network sees it."""
    seen = np.empty(mean.shape, np.float32)
    for user in range(mean.shape[0]):
        for feature in range(mean.shape[1]):
            size, scale = abs(mean[user, feature]), np.sqrt(variance[user, feature])
            if not scale > no_spread * size:
                scale = size if size > 0 else 1.0
            off = (observation[user, feature] - mean[user, feature]) / scale
            seen[user, feature] = min(max(off, -limit), limit)
    return seen
