"""A frame's decision in one call of machine code: proposals, their values, and the search around the best of them.

The steps are those of `compiled_search`; the critic between them is a C function, given by its address
(`agent.critics.critic_in_machine_code` says what it is to be).
"""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from .compiled_search import neighbours, propose

_Numbers, _Codes = types.float64[::1], types.int64[::1]


@intrinsic
def _call(typing, function, context, decisions, count, users, values):
    """What the C function at an address returns for five whole numbers, of which three are addresses too."""

    def code(target, builder, signature, arguments):
        number = ir.IntType(64)
        kind = ir.FunctionType(number, [number] * 5).as_pointer()
        return builder.call(builder.inttoptr(arguments[0], kind), arguments[1:])

    return types.int64(*[types.int64] * 6), code


@njit("i8(i8, i8, i8[:, ::1], f8[::1])", cache=True, error_model="numpy")
def _highest(critic, context, decisions, values):
    """The place of the best of decisions (L, N), whose values (L,) are filled in.

    Less than 0 where the critic cannot value them, one has no number, or none is worth more than -inf.
    """
    count, users = decisions.shape
    if _call(critic, context, decisions.ctypes.data, count, users, values.ctypes.data) != 1:  # type: ignore[call-arg]
        return -1
    best = 0
    for place in range(count):
        if values[place] != values[place]:
            return -1
        if values[place] > values[best]:
            best = place
    return best if values[best] > -np.inf else -1


@njit(
    types.Tuple((types.int64, types.int64, types.int64, types.float64))(
        _Numbers, _Codes, types.int64, _Codes, *[types.int64] * 7, _Codes
    ),
    cache=True,
    error_model="numpy",
)
def decide(
    relaxed, order, k, weights, first_calls, second_calls, frame, sweeping, exchanging, critic, context, decision
):
    """Fill in the best decision (N,) of k proposals for a relaxed decision and of its neighbours.

    Returns its place among all that were valued, the place of the best proposal, how many were valued, and the
    best value; a place of -1 where what is asked for is not all in machine code.
    """
    users, calls = len(relaxed), max(first_calls, second_calls)
    candidates, near = np.empty((k, users), np.int64), np.empty((calls, users), np.int64)
    likely, codes = np.empty((users, 2)), np.empty(k + first_calls + second_calls, np.int64)
    values = np.empty(max(k, calls))
    propose(relaxed, order, weights, candidates, likely, codes)
    proposal = _highest(critic, context, candidates, values[:k])
    if proposal < 0:
        return -1, 0, 0, 0.0
    decision[:] = candidates[proposal]
    place, value, count = proposal, values[proposal], k
    for turn in range(2):
        calls = second_calls if turn else first_calls
        there, new = 0, 0
        if calls > 0:
            there, new = neighbours(
                likely, decision, codes, count, weights, frame, sweeping, exchanging, near[:calls]
            )
        if new < there:  # the rest are known
            return -1, 0, 0, 0.0
        if there > 0:
            best = _highest(critic, context, near[:there], values[:there])
            if best < 0:
                return -1, 0, 0, 0.0
            if values[best] > value:
                decision[:] = near[best]
                place, value = count + best, values[best]
        count += there
    return place, proposal, count, value
