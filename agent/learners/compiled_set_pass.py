"""The pass of one observation through a set network in machine code (`agent.learners.set_backpropagation`)."""

import numpy as np
from numba import boolean, float32, float64, int64, njit, types

from .compiled_passes import SUMS, affine

_GivenRows = types.Array(float32, 2, "C", readonly=True)


@njit(
    types.Tuple((float64[::1], int64))(float32[::1], int64, int64[::1], float64[::1]),
    cache=True,
    error_model="numpy",
)
def _hidden(weights, start, widths, signal):
    """What comes out of layers of these widths with ReLU, and where the next one's weights start."""
    for width in widths:
        result = affine(weights, start, start + len(signal) * width, width, signal)
        start += (len(signal) + 1) * width
        for unit in range(width):
            result[unit] = max(result[unit], 0.0)
        signal = result
    return signal, start


@njit(
    float32[::1](float32[::1], int64[::1], int64[::1], int64, boolean, boolean, int64, float64[::1], _GivenRows),
    cache=True,
    error_model="numpy",
    fastmath=SUMS,
)
def set_network(weights, embedding, hidden, sums, masked, relative, group, constants, observation):
    """Logits (N,) of an observation (N, F) for the weights of a `SetNetwork` in their order.

    Of layers of the widths `embedding` and `hidden`; its constants are NOBODY, CENTRE, SPREAD, SCALE and OFF.
    """
    nobody, centre, spread, scale, off = constants[0], constants[1], constants[2], constants[3], constants[4]
    users, own = observation.shape[0], observation.shape[1] - masked
    seen, terms = np.empty((users, own + sums)), np.empty((users, sums))
    start = 0
    for user in range(users):
        for entry in range(own):
            seen[user, entry] = observation[user, entry]
        signal, start = seen[user, :own], (embedding[-1] if len(embedding) else own) * sums
        signal, start = _hidden(weights, start, embedding, signal)
        for k in range(sums):
            total = 0.0
            for entry in range(len(signal)):
                total += signal[entry] * weights[entry * sums + k]
            terms[user, k] = nobody if masked and not observation[user, own] > 0 else total
    for first in range(0, users, group):
        for k in range(sums):
            top, total = -np.inf, 0.0
            for user in range(first, first + group):
                top = max(top, terms[user, k])
            for user in range(first, first + group):
                total += np.exp(terms[user, k] - top)
            total = np.log(total)
            for user in range(first, first + group):
                crowd = terms[user, k] - top - total if relative else (total + (top - centre)) / spread
                seen[user, own + k] = crowd
    logits, layers = np.empty(users, np.float32), start
    for user in range(users):
        signal, start = _hidden(weights, layers, hidden, seen[user])
        total, skip = 0.0, start + len(signal)
        for entry in range(len(signal)):
            total += signal[entry] * weights[start + entry]
        for entry in range(own + sums):
            total += seen[user, entry] * weights[skip + entry]
        total += weights[skip + own + sums]
        logits[user] = off if masked and not observation[user, own] > 0 else scale * total
    return logits
