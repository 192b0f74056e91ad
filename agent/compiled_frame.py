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


@njit("b1(i8, i8, i8[:, ::1], f8[::1])", cache=True, error_model="numpy")
def _value(critic, context, decisions, values):
    """Fill in the values (L,) of decisions (L, N); returns whether the critic could."""
    count, users = decisions.shape
    if count == 0:
        return True
    return _call(critic, context, decisions.ctypes.data, count, users, values.ctypes.data) == 1  # type: ignore


@njit("i8(f8[::1])", cache=True, error_model="numpy")
def _highest(values):
    """The place of the best of values (L,), of equal ones the first.

    Less than 0 where there is none, one is no number, or all are -inf.
    """
    best = -1
    for place in range(len(values)):
        if values[place] != values[place]:
            return -1
        if values[place] > (values[best] if best >= 0 else -np.inf):
            best = place
    return best


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

    Returns its place among all of them, the place of the best proposal, how many were valued, and the best value.
    The first is -1 where what is asked for is not all in machine code.
    """
    users, most = len(relaxed), k + first_calls + second_calls
    candidates, likely = np.empty((k, users), np.int64), np.empty((users, 2))
    near = np.empty((max(first_calls, second_calls), users), np.int64)
    codes, values = np.empty(most, np.int64), np.empty(most)
    propose(relaxed, order, weights, candidates, likely, codes)
    if not _value(critic, context, candidates, values[:k]):
        return -1, 0, 0, 0.0
    proposal = _highest(values[:k])
    if proposal < 0:
        return -1, 0, 0, 0.0
    decision[:] = candidates[proposal]
    place, count, valued = proposal, k, k
    for turn in range(2):
        calls = second_calls if turn else first_calls
        if calls == 0:
            continue
        there, new = neighbours(likely, decision, codes, count, weights, frame, sweeping, exchanging, near[:calls])
        if not _value(critic, context, near[:new], values[count : count + new]):
            return -1, 0, 0, 0.0
        for other in range(count + new, count + there):  # what is known already
            same = 0
            while codes[same] != codes[other]:
                same += 1
            values[other] = values[same]
        best = _highest(values[count : count + there])
        if best < 0:
            return -1, 0, 0, 0.0
        if values[count + best] > values[place]:
            decision[:] = near[best]
            place = count + best
        count += there
        valued += new
    return place, proposal, valued, values[place]
