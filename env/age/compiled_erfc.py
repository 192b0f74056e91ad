"""The complementary error function of the C library, as `math.erfc`, of many numbers in machine code."""

import math

import numpy as np
from numba import float64, njit, types


@njit(float64[::1](types.Array(float64, 1, "C", readonly=True)), cache=True, error_model="numpy", nogil=True)
def erfc(x):
    """Of each entry, (M,)."""
    found = np.empty(len(x))
    for i in range(len(x)):
        found[i] = math.erfc(x[i])
    return found
