"""The pass of one observation, what is between a minibatch's matrix products, and Adam's step, in machine code.

All give what NumPy gives (`agent.learners`). The pass of one observation is in double precision, in which the
order of a sum is lost when the logits are rounded to single precision. The others go term by term as NumPy does:
nothing is contracted, and a sum over the batch adds row after row.
"""

import numpy as np
from numba import float32, float64, int64, njit, types, void

from ..compiled_standardization import standardized
from ..decisions.compiled_sigmoid import sigmoid
from .backpropagation import ACTIVATIONS

_Given = types.Array(float32, 1, "C", readonly=True)
SUMS = {"reassoc", "contract", "nsz"}
"""Sums may be taken in any order; what is infinite or no number stays so."""
_, RELU, LEAKY_RELU, SIGMOID, TANH = range(len(ACTIVATIONS))


@njit(
    float64[::1](float32[::1], int64, int64, int64, float64[::1]), cache=True, error_model="numpy", fastmath=SUMS
)
def affine(weights, start, biases, outputs, signal):
    """W x + b for a signal x, W (outputs, inputs) and b in `weights` from `start` and `biases` on; -1 for no b."""
    inputs, result = len(signal), np.empty(outputs)
    for unit in range(outputs):
        result[unit] = weights[biases + unit] if biases >= 0 else 0.0
    for unit in range(outputs):
        row, total = weights[start + unit * inputs : start + (unit + 1) * inputs], 0.0
        for entry in range(inputs):
            total += row[entry] * signal[entry]
        result[unit] += total
    return result


@njit(
    float32[::1](float32[::1], int64[::1], int64[:, ::1], int64[::1], float64[::1], _Given),
    cache=True,
    error_model="numpy",
)
def fully_connected(weights, widths, begins, activations, slopes, observation):
    """Logits of one observation, flat; `begins` (L, 2) says where each layer's weights and biases are."""
    signal = observation.astype(np.float64)
    for layer in range(len(begins)):
        result = affine(weights, begins[layer, 0], begins[layer, 1], widths[layer + 1], signal)
        activation, slope = activations[layer], slopes[layer]
        for unit in range(len(result)):
            if activation == RELU:
                result[unit] = max(result[unit], 0.0)
            elif activation == LEAKY_RELU:
                result[unit] = max(result[unit], slope * result[unit])
            elif activation == SIGMOID:
                result[unit] = 0.5 * np.tanh(0.5 * result[unit]) + 0.5
            elif activation == TANH:
                result[unit] = np.tanh(result[unit])
        signal = result
    return signal.astype(np.float32)


@njit(
    void(
        *(float32[::1], int64[::1], int64[:, ::1], int64[::1], float64[::1]),
        *(types.Array(float64, 3, "A", readonly=True), float64[:, ::1], float64[:, ::1], float64, float64),
        float64[::1],
    ),
    cache=True,
    error_model="numpy",
)
def relax(weights, widths, begins, activations, slopes, observations, mean, variance, no_spread, limit, relaxed):
    """Fill in the relaxed decision (N,) of bits of one observation (1, N, F), which is standardised first."""
    seen = standardized(observations, mean, variance, no_spread, limit)
    relaxed[:] = sigmoid(fully_connected(weights, widths, begins, activations, slopes, seen.reshape(-1)))


@njit("void(f4[:, ::1], f4[::1], i8, f4)", cache=True, error_model="numpy")
def finish(signal, bias, activation, slope):
    """Add the bias (outputs,) to products (B, outputs), and take the activation, where it is linear in parts."""
    for row in range(signal.shape[0]):
        for unit in range(signal.shape[1]):
            value = signal[row, unit] + bias[unit]
            if value < 0 and activation == RELU:
                value = np.float32(0)
            elif value < 0 and activation == LEAKY_RELU:
                value *= slope
            signal[row, unit] = value


@njit("void(f4[:, ::1], f4[:, ::1], i8, f4, f4[::1])", cache=True, error_model="numpy")
def pass_back(error, signal, activation, slope, of_bias):
    """Error terms (B, outputs) of a layer's signal, what came out of it, become those before its activation.

    Their sums are the bias's gradient (outputs,).
    """
    of_bias[:] = 0
    for row in range(error.shape[0]):
        for unit in range(error.shape[1]):
            value, out = error[row, unit], signal[row, unit]
            if activation == RELU:
                value *= np.float32(out > 0)
            elif activation == LEAKY_RELU:
                value *= np.float32(1) if out > 0 else slope
            elif activation == SIGMOID:
                value *= out * (np.float32(1) - out)
            elif activation == TANH:
                value *= np.float32(1) - out * out
            error[row, unit] = value
            of_bias[unit] += value


@njit("void(f4[::1], f4[::1], f4[::1], f4[::1], f4, f4, f4, f4, f4, f4)", cache=True, error_model="numpy")
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
