"""Random fields that are fixed in space: what a user finds at a place is there when it comes back.

A field has the correlation ``exp(-d / D)`` of shadowing (Gudmundson 1991; 3GPP TR 38.901, section 7.4.4) over the
distance d in any direction. It takes no memory: it is a function of the place, made of lattices of normal numbers.
"""

from functools import cache
from typing import Any

import numpy as np

from ..arrays import FloatArray, positive_number
from ..machine_code import machine_code
from ..state import Stateful

LATTICES = np.array(
    [
        [0.0162, 0.0190],
        [0.0878, 0.0558],
        [0.2796, 0.1370],
        [0.7133, 0.2729],
        [1.5849, 0.3570],
        [3.2351, 0.1583],
    ]
)
"""Of each lattice the spacing over D, and its share of the variance: the mixture nearest to exp(-d / D)."""
SIDE = 1024
"""Of the table that all lattices read, each from a place of its own: one repeats after so many spacings."""
_POINTS = 2048
"""Worked on at a time, few enough for a processor's cache."""


class SpatialField(Stateful):
    """A standard normal number for every place in the plane, correlated as exp(-d / D) within 0.005.

    The sum of lattices of independent normal numbers, each turned and shifted at random and interpolated
    bilinearly, over the deviation that the weights have at the place. So over the fields that generators give, the
    number at a place is normal with unit variance, whatever the place.

    Args:
        correlation_distance: D, m.
        rng: what turns and shifts the lattices.

    Raises:
        InputError: when `correlation_distance` is not positive and finite.
    """

    def __init__(self, correlation_distance: float, rng: np.random.Generator) -> None:
        spacing = positive_number("correlation_distance", correlation_distance) * LATTICES[:, 0]
        angle = rng.uniform(0, 2 * np.pi, len(spacing))
        self._lattices = np.empty((len(spacing), 5))
        """Of each: cosine and sine over the spacing, shift in both directions, weight."""
        self._lattices[:, 0], self._lattices[:, 1] = np.cos(angle) / spacing, np.sin(angle) / spacing
        self._lattices[:, 2:4] = rng.uniform(0, SIDE, (len(spacing), 2))
        self._lattices[:, 4] = np.sqrt(LATTICES[:, 1])

    def at(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """The numbers at places of coordinates x and y (...), m."""
        compiled = machine_code("processes.compiled_shadowing")
        flat_x, flat_y = (np.ascontiguousarray(array, dtype=np.float64).ravel() for array in (x, y))
        values = np.empty(flat_x.size)
        if compiled is not None:
            compiled.field(self._lattices, normal_numbers(), flat_x, flat_y, values)
        else:
            for first in range(0, values.size, _POINTS):
                part = slice(first, first + _POINTS)
                values[part] = self._of(flat_x[part], flat_y[part])
        return values.reshape(np.shape(x))

    def _of(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """The numbers at places (n,)."""
        cosine, sine, right, up, weight = self._lattices.T[..., None]
        table = normal_numbers()
        places: list[Any] = []
        for along in (cosine * x + sine * y + right, cosine * y - sine * x + up):
            cell = np.floor(along)
            whole = cell.astype(np.int64)
            places.append((whole & (SIDE - 1), (whole + 1) & (SIDE - 1), along - cell))
        (column, next_column, f), (row, next_row, g) = places
        here = (1 - f) * table[row, column] + f * table[row, next_column]
        above = (1 - f) * table[next_row, column] + f * table[next_row, next_column]
        total = (weight * ((1 - g) * here + g * above)).sum(0)
        variance = (weight**2 * ((1 - f) ** 2 + f**2) * ((1 - g) ** 2 + g**2)).sum(0)
        return np.asarray(total / np.sqrt(variance))


@cache
def normal_numbers() -> FloatArray:
    """The table (SIDE, SIDE), the same for all fields."""
    numbers = np.random.default_rng(38901).standard_normal((SIDE, SIDE))
    numbers.setflags(write=False)
    return numbers
