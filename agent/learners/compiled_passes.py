"""The pass of one observation, and Adam's step, of one network or many, in machine code (`agent.learners`)."""

import numpy as np
from numba import boolean, float32, int64, njit, types, void

from .backpropagation import ACTIVATIONS

_Given, _GivenRows = (types.Array(float32, dimensions, "C", readonly=True) for dimensions in (1, 2))
_SUMS = {"reassoc", "contract", "nsz"}
"""Sums may be taken in any order; what is infinite or no number stays so."""
_, RELU, LEAKY_RELU, SIGMOID, TANH = range(len(ACTIVATIONS))


@njit(float32[::1](float32[::1], int64, int64, int64, _Given), cache=True, error_model="numpy", fastmath=_SUMS)
def _layer(weights, start, biases, outputs, signal):
    """W x + b for a signal x, W (outputs, inputs) and b in `weights` from `start` and `biases` on; -1 for no b."""
    inputs = len(signal)
    result = np.zeros(outputs, np.float32) if biases < 0 else weights[biases : biases + outputs].copy()
    for unit in range(outputs):
        row, total = weights[start + unit * inputs : start + (unit + 1) * inputs], np.float32(0)
        for entry in range(inputs):
            total += row[entry] * signal[entry]
        result[unit] += total
    return result


@njit(
    types.Tuple((float32[::1], int64))(float32[::1], int64, int64[::1], float32[::1]),
    cache=True,
    error_model="numpy",
)
def _hidden(weights, start, widths, signal):
    """What comes out of layers of these widths with ReLU, and where the next one's weights start."""
    for width in widths:
        result = _layer(weights, start, start + len(signal) * width, width, signal)
        start += (len(signal) + 1) * width
        for unit in range(width):
            result[unit] = max(result[unit], np.float32(0))
        signal = result
    return signal, start


@njit(
    float32[::1](float32[::1], int64[::1], int64[:, ::1], int64[::1], float32[::1], _Given),
    cache=True,
    error_model="numpy",
)
def fully_connected(weights, widths, begins, activations, slopes, observation):
    """Logits of one observation, flat; `begins` (L, 2) says where each layer's weights and biases are."""
    signal = observation
    for layer in range(len(begins)):
        result = _layer(weights, begins[layer, 0], begins[layer, 1], widths[layer + 1], signal)
        activation, slope = activations[layer], slopes[layer]
        for unit in range(len(result)):
            if activation == RELU:
                result[unit] = max(result[unit], np.float32(0))
            elif activation == LEAKY_RELU:
                result[unit] = max(result[unit], slope * result[unit])
            elif activation == SIGMOID:
                result[unit] = np.float32(0.5) * np.tanh(np.float32(0.5) * result[unit]) + np.float32(0.5)
            elif activation == TANH:
                result[unit] = np.tanh(result[unit])
        signal = result
    return result


@njit(
    float32[::1](float32[::1], int64[::1], int64[::1], int64, boolean, boolean, int64, float32[::1], _GivenRows),
    cache=True,
    error_model="numpy",
    fastmath=_SUMS,
)
def set_network(weights, embedding, hidden, sums, masked, relative, group, constants, observation):
    """Logits (N,) of an observation (N, F) for the weights of a `SetNetwork` in their order.

    Of layers of the widths `embedding` and `hidden`; its constants are NOBODY, CENTRE, SPREAD, SCALE and OFF.
    """
    nobody, centre, spread, scale, off = constants
    users, own = observation.shape[0], observation.shape[1] - masked
    seen, terms = np.empty((users, own + sums), np.float32), np.empty((users, sums), np.float32)
    start = 0
    for user in range(users):
        seen[user, :own] = observation[user, :own]
        signal, start = seen[user, :own], (embedding[-1] if len(embedding) else own) * sums
        signal, start = _hidden(weights, start, embedding, signal)
        for k in range(sums):
            total = np.float32(0)
            for entry in range(len(signal)):
                total += signal[entry] * weights[entry * sums + k]
            terms[user, k] = nobody if masked and not observation[user, own] > 0 else total
    for first in range(0, users, group):
        for k in range(sums):
            top, total = np.float32(-np.inf), np.float32(0)
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
        total, skip = np.float32(0), start + len(signal)
        for entry in range(len(signal)):
            total += signal[entry] * weights[start + entry]
        for entry in range(own + sums):
            total += seen[user, entry] * weights[skip + entry]
        total += weights[skip + own + sums]
        logits[user] = off if masked and not observation[user, own] > 0 else scale * total
    return logits


_WeightsOfEach = float32[:, ::1]
_GivenRowsOfEach = types.Array(float32, 3, "C", readonly=True)


@njit(
    _WeightsOfEach(_WeightsOfEach, int64[::1], int64[:, ::1], int64[::1], float32[::1], _GivenRows),
    cache=True,
    error_model="numpy",
    nogil=True,
)
def fully_connected_of_each(weights, widths, begins, activations, slopes, observations):
    """`fully_connected` for weights (R, ...) and observations (R, N F): logits (R, ...)."""
    logits = np.empty((len(weights), widths[-1]), np.float32)
    for row in range(len(weights)):
        logits[row] = fully_connected(weights[row], widths, begins, activations, slopes, observations[row])
    return logits


@njit(
    _WeightsOfEach(
        _WeightsOfEach,
        *(int64[::1], int64[::1], int64, boolean, boolean, int64, float32[::1], _GivenRowsOfEach),
    ),
    cache=True,
    error_model="numpy",
    nogil=True,
)
def set_network_of_each(weights, embedding, hidden, sums, masked, relative, group, constants, observations):
    """`set_network` for weights (R, ...) and observations (R, N, F): logits (R, N)."""
    logits = np.empty(observations.shape[:2], np.float32)
    for row in range(len(weights)):
        logits[row] = set_network(
            weights[row], embedding, hidden, sums, masked, relative, group, constants, observations[row]
        )
    return logits


@njit("f8[::1](f4[::1])", cache=True, error_model="numpy")
def sigmoid(logits):
    """The relaxed decision (N,) in double precision."""
    relaxed = np.empty(len(logits))
    for user in range(len(logits)):
        relaxed[user] = 1 / (1 + np.exp(-max(np.float64(logits[user]), -700.0)))
    return relaxed


@njit(
    "void(f4[::1], f4[::1], f4[::1], f4[::1], f4, f4, f4, f4, f4, f4)",
    cache=True,
    error_model="numpy",
    fastmath={"contract"},
)
def adam(weights, gradient, first, second, decay, beta1, beta2, rate, correction, epsilon):
    """One step: `rate` is that of the unbiased first moment, `correction` makes the second one unbiased."""
    new1, new2 = np.float32(1) - beta1, np.float32(1) - beta2
    for place in range(len(weights)):
        slope = gradient[place] + decay * weights[place]
        mean = beta1 * first[place] + new1 * slope
        square = beta2 * second[place] + new2 * slope * slope
        first[place] = mean
        second[place] = square
        weights[place] -= rate * mean / (np.sqrt(square) * correction + epsilon)


@njit(
    void(*[_WeightsOfEach] * 4, float32, float32, float32, float32[::1], float32[::1], float32),
    cache=True,
    error_model="numpy",
    nogil=True,
)
def adam_of_each(weights, gradient, first, second, decay, beta1, beta2, rate, correction, epsilon):
    """`adam` for vectors (R, ...), each with its own rate and correction (R,)."""
    for row in range(len(weights)):
        adam(
            *(weights[row], gradient[row], first[row], second[row]),
            *(decay, beta1, beta2, rate[row], correction[row], epsilon),
        )
