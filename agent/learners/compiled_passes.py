"""The pass of one observation, and Adam's step, in machine code (`agent.learners`)."""

import numpy as np
from numba import njit

_SUMS = {"reassoc", "contract", "nsz"}
"""Sums may be taken in any order; what is infinite or no number stays so."""


@njit("f4[::1](f4[::1], i8[::1], b1, f4[::1])", cache=True, error_model="numpy", fastmath=_SUMS)
def fully_connected(weights, widths, relu, observation):
    """Logits of one observation, both flat, for all weights and biases one after another, layer by layer."""
    signal, start = observation, 0
    for layer in range(len(widths) - 1):
        inputs, outputs = widths[layer], widths[layer + 1]
        biases = start + inputs * outputs
        result = weights[biases : biases + outputs].copy()
        for unit in range(outputs):
            row, total = weights[start + unit * inputs : start + (unit + 1) * inputs], np.float32(0)
            for entry in range(inputs):
                total += row[entry] * signal[entry]
            result[unit] += total
        if layer < len(widths) - 2:
            for unit in range(outputs):
                if relu:
                    result[unit] = max(result[unit], np.float32(0))
                else:
                    result[unit] = np.float32(0.5) * np.tanh(np.float32(0.5) * result[unit]) + np.float32(0.5)
        signal, start = result, biases + outputs
    return signal


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
