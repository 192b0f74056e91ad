"""The pass of one observation through layers, and Adam's step, in machine code (`agent.learners`)."""

import numpy as np
from numba import float32, int64, njit, types

from .backpropagation import ACTIVATIONS

_Given = types.Array(float32, 1, "C", readonly=True)
SUMS = {"reassoc", "contract", "nsz"}
"""Sums may be taken in any order; what is infinite or no number stays so."""
_, RELU, LEAKY_RELU, SIGMOID, TANH = range(len(ACTIVATIONS))


@njit(float32[::1](float32[::1], int64, int64, int64, _Given), cache=True, error_model="numpy", fastmath=SUMS)
def affine(weights, start, biases, outputs, signal):
    """W x + b for a signal x, W (outputs, inputs) and b in `weights` from `start` and `biases` on; -1 for no b."""
    inputs, result = len(signal), np.empty(outputs, np.float32)
    for unit in range(outputs):
        result[unit] = weights[biases + unit] if biases >= 0 else np.float32(0)
    for unit in range(outputs):
        row, total = weights[start + unit * inputs : start + (unit + 1) * inputs], np.float32(0)
        for entry in range(inputs):
            total += row[entry] * signal[entry]
        result[unit] += total
    return result


@njit(
    float32[::1](float32[::1], int64[::1], int64[:, ::1], int64[::1], float32[::1], _Given),
    cache=True,
    error_model="numpy",
)
def fully_connected(weights, widths, begins, activations, slopes, observation):
    """Logits of one observation, flat; `begins` (L, 2) says where each layer's weights and biases are."""
    signal = observation
    for layer in range(len(begins)):
        result = affine(weights, begins[layer, 0], begins[layer, 1], widths[layer + 1], signal)
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
