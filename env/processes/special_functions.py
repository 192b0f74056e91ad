"""Functions of whole arrays that channels need; the core has no SciPy."""

import numpy as np

from ..arrays import FloatArray


def normal_distribution(z: FloatArray) -> FloatArray:
    """The standard normal distribution function, within 7.5e-8 (Abramowitz and Stegun 26.2.17)."""
    t = 1 / (1 + 0.2316419 * np.abs(z))
    series = t * _polynomial(t, (0.319381530, -0.356563782, 1.781477937, -1.821255978, 1.330274429))
    tail = series * np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    return np.where(z > 0, 1 - tail, tail)


def bessel_j0(x: FloatArray) -> FloatArray:
    """Bessel function of order 0 of x >= 0, within 1e-7 (Abramowitz and Stegun 9.4.1 and 9.4.3)."""
    small, large = (np.minimum(x, 3.0) / 3) ** 2, np.maximum(x, 3.0)
    below = _polynomial(small, (1, -2.2499997, 1.2656208, -0.3163866, 0.0444479, -0.0039444, 0.0002100))
    s = 3 / large
    size = _polynomial(s, (0.79788456, -0.00000077, -0.00552740, -0.00009512, 0.00137237, -0.00072805, 0.00014476))
    turn = _polynomial(
        s, (-0.78539816, -0.04166397, -0.00003954, 0.00262573, -0.00054125, -0.00029333, 0.00013558)
    )
    return np.where(x <= 3, below, size * np.cos(large + turn) / np.sqrt(large))


def _polynomial(x: FloatArray, coefficients: tuple[float, ...]) -> FloatArray:
    value = np.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        value *= x
        value += coefficient
    return value
