"""What `compiled_passes` does for one network, for many."""

import numpy as np
from numba import float32, float64, int64, njit, types, void

from .compiled_passes import adam, fully_connected
from .compiled_passes import finish as finish_one
from .compiled_passes import pass_back as pass_back_one

_GivenRows = types.Array(float32, 2, "C", readonly=True)
_WeightsOfEach = float32[:, ::1]


@njit(
    _WeightsOfEach(_WeightsOfEach, int64[::1], int64[:, ::1], int64[::1], float64[::1], _GivenRows),
    cache=True,
    error_model="numpy",
    nogil=True,
)
def fully_connected_of_each(weights, widths, begins, activations, slopes, observations):
    """`fully_connected` for weights (R, ...) and observations (R, N F): logits (R, ...)."""
    logits = np.empty((len(weights), widths[-1]), np.float32)
    for row in range(len(weights)):
        of_row = fully_connected(weights[row], widths, begins, activations, slopes, observations[row])
        for unit in range(len(of_row)):
            logits[row, unit] = of_row[unit]
    return logits


@njit("void(f4[:, :, ::1], f4[:, ::1], i8, f4)", cache=True, error_model="numpy", nogil=True)
def finish(signal, bias, activation, slope):
    """`compiled_passes.finish` for products (R, B, outputs) and biases (R, outputs)."""
    for row in range(len(signal)):
        finish_one(signal[row], bias[row], activation, slope)


@njit("void(f4[:, :, ::1], f4[:, :, ::1], i8, f4, f4[:, ::1])", cache=True, error_model="numpy", nogil=True)
def pass_back(error, signal, activation, slope, of_bias):
    """`compiled_passes.pass_back` for error terms and signals (R, B, outputs), gradients (R, outputs)."""
    for row in range(len(error)):
        pass_back_one(error[row], signal[row], activation, slope, of_bias[row])


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
