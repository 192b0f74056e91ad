"""`env.processes.shadowing` in machine code, place after place, and the recursion of fading in time."""

import numpy as np
from numba import complex128, float64, int64, njit, types

_Row, _Rows = (types.Array(float64, dimensions, "C", readonly=True) for dimensions in (1, 2))


@njit([(_Rows, _Rows, _Row, _Row, float64[::1])], cache=True, error_model="numpy")
def field(lattices, table, x, y, values):
    """Into `values` (n,) the numbers at places x, y (n,)."""
    mask = len(table) - 1
    for place in range(len(x)):
        total, variance = 0.0, 0.0
        for one in range(len(lattices)):
            cosine, sine, weight = lattices[one, 0], lattices[one, 1], lattices[one, 4]
            u = cosine * x[place] + sine * y[place] + lattices[one, 2]
            v = cosine * y[place] - sine * x[place] + lattices[one, 3]
            column, row = np.floor(u), np.floor(v)
            f, g = u - column, v - row
            left, low = int64(column) & mask, int64(row) & mask
            right, high = (left + 1) & mask, (low + 1) & mask
            here = (1 - f) * table[low, left] + f * table[low, right]
            above = (1 - f) * table[high, left] + f * table[high, right]
            total += weight * ((1 - g) * here + g * above)
            variance += weight * weight * ((1 - f) ** 2 + f**2) * ((1 - g) ** 2 + g**2)
        values[place] = total / np.sqrt(variance)


@njit([(complex128[::1], _Rows, complex128[:, ::1])], cache=True, error_model="numpy")
def with_memory(amplitude, correlation, news):
    """Into `news` (frames, L) the amplitudes of the frames, the next into `amplitude` (L,)."""
    for frame in range(len(news)):
        for link in range(len(amplitude)):
            new, rho = news[frame, link], correlation[frame, link]
            news[frame, link] = amplitude[link]
            amplitude[link] = rho * amplitude[link] + np.sqrt(1 - rho * rho) * new
