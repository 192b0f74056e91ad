"""`env.lambert_w` of one price, in machine code."""

from typing import Any

import numpy as np
from numba import float64, njit

from .lambert_w import SMALL_PRICE

_INNER: Any = {"cache": True, "error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Of what only machine code calls."""
TINY = float(np.finfo(np.float64).tiny)


@njit(float64(float64), **_INNER)
def log_snr(price):
    """As `env.lambert_w.log_snr`, of one price."""
    root = np.sqrt(2 * price)
    if price < SMALL_PRICE:
        return root + price / 3 + root * price / 18
    s = price - np.expm1(-(root + price / 3))
    for _ in range(2):
        power = np.expm1(-s)
        s = s - (s + power - price) / max(-power, TINY)
    return s
