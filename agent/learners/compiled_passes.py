"""The pass of one observation through layers, and Adam's step, in machine code (`agent.learners`).

Both give what NumPy gives. A pass is in double precision, in which the order of a sum is lost when the logits are
rounded to single precision. A step is taken term by term as NumPy takes it: nothing is contracted.
"""

import numpy as np
from numba import float32, float64, int64, njit, types

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
