"""A sort of few numbers in machine code, which ends with the smallest."""

import numpy as np
from numba import njit

from ..machine_code import INNER


@njit("i8[::1](f8[::1], i8)", **INNER)
def smallest(values, count):
    """Places of the `count` smallest of values (N,), or of all, smallest first; of equal ones the first."""
    count = min(count, len(values))
    places = np.empty(count, np.int64)
    filled = 0
    for place in range(len(values)):
        value = values[place]
        if filled == count:
            if count == 0 or not value < values[places[count - 1]]:
                continue
            at = count - 1
        else:
            at = filled
            filled += 1
        while at > 0 and value < values[places[at - 1]]:
            places[at] = places[at - 1]
            at -= 1
        places[at] = place
    return places
