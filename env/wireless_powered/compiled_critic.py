"""The critic of the wireless powered problem as a C function, for agents that decide in machine code."""

from typing import Any

import numpy as np
from numba import cfunc, types
from numba.np.numpy_support import carray

from ..arrays import FloatArray
from .compiled_curve import CompiledCurve, rates_of_decisions

_Numbers, _Integers = types.CPointer(types.float64), types.CPointer(types.int64)


@cfunc(types.int64(_Numbers, _Integers, types.int64, types.int64, _Numbers), cache=True)
def rates(context, decisions, count, users, values):
    """Fill in the rates (count,), bit/s, of decisions (count, users); returns 1 where all are known.

    The context is N, G and P, then the arrays of a `Context`, one after another.
    """
    sizes = carray(context, 3)
    groups, rows = int(sizes[1]), int(sizes[2])
    if users != sizes[0]:
        return 0
    table, columns = 3 + groups, 3 + groups + rows * (1 + 2 * groups)
    given = carray(context, columns + users * (1 + groups))
    known = rates_of_decisions(
        given[columns:].reshape(users, 1 + groups),
        carray(decisions, (count, users)),
        given[table:columns].reshape(rows, 1 + 2 * groups),
        given[3:table],
        carray(values, count),
    )
    return 1 if known else 0


class Context:
    """What `rates` is given: W (G,), the table (P, 1 + 2 G) of a curve, and columns (N, 1 + G) of a frame.

    A copy of it is None, since an address is that of one array.

    Args:
        columns: of a block of frames, (BLOCK, N, 1 + G).
        curve: the table of rates.
    """

    def __init__(self, columns: FloatArray, curve: CompiledCurve) -> None:
        self.columns = columns
        sizes = columns.shape[1], len(curve.slope), len(curve.table)
        self._given = np.concatenate([sizes, curve.slope, curve.table.ravel(), columns[0].ravel()])
        self._of_frame = self._given[-columns[0].size :].reshape(columns.shape[1:])
        self._addresses = int(rates.address), int(self._given.ctypes.data)  # type: ignore[arg-type]

    def __reduce__(self) -> tuple[Any, ...]:
        return type(None), ()

    def of_frame(self, place: int) -> tuple[int, int]:
        """The addresses of `rates` and of what it is given of the frame at a place of the block."""
        self._of_frame[...] = self.columns[place]
        return self._addresses
