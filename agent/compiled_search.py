"""The neighbours of local search in machine code (`agent.local_search`)."""

import numpy as np
from numba import njit, types

from .decisions.compiled_quantizer import list_order_preserving_and_nearest
from .decisions.compiled_smallest import smallest

_Decision = types.Array(types.int64, 1, "C", readonly=True)
_Decisions = types.Array(types.int64, 2, "C", readonly=True)
_Codes, _Numbers, _Table = types.int64[::1], types.float64[::1], types.float64[:, ::1]


@njit(_Table(_Numbers), cache=True, error_model="numpy")
def log_probabilities_of_bits(relaxed):
    """Of both choices of every user, (N, 2), for a relaxed decision (N,)."""
    likely = np.empty((len(relaxed), 2))
    for user in range(len(relaxed)):
        likely[user, 0] = np.log(max(1 - relaxed[user], 1e-300))
        likely[user, 1] = np.log(max(relaxed[user], 1e-300))
    return likely


@njit(_Codes(_Decisions, _Codes), cache=True, error_model="numpy")
def codes(decisions, weights):
    """Of decisions (K, N): (K,)."""
    sums = np.zeros(len(decisions), np.int64)
    for row in range(len(decisions)):
        for user in range(len(weights)):
            sums[row] += decisions[row, user] * weights[user]
    return sums


@njit(types.void(_Numbers, _Codes, _Codes, types.int64[:, ::1], _Table, _Codes), cache=True, error_model="numpy")
def propose(relaxed, order, weights, candidates, likely, of_candidates):
    """Fill in candidates (k, N) by `order_preserving_and_nearest`, log-probabilities (N, 2) and k codes."""
    list_order_preserving_and_nearest(relaxed, order, False, candidates)
    likely[:] = log_probabilities_of_bits(relaxed)
    of_candidates[: len(candidates)] = codes(candidates, weights)


@njit(
    types.UniTuple(types.int64, 2)(
        _Table, _Decision, _Codes, types.int64, _Codes, types.int64, types.int64, types.int64, types.int64[:, ::1]
    ),
    cache=True,
    error_model="numpy",
)
def neighbours(likely, decision, codes, known, weights, frame, sweeping, exchanging, near):
    """Fill in neighbours (calls, N) of a decision (N,), and their codes after the `known` ones.

    Returns how many there are, L, which may be less, and how many of the first are new.
    """
    num_users, num_choices = likely.shape
    calls = len(near)
    most = calls + known
    loss = np.empty(num_users * num_choices)  # of user u's choice c, at C u + c
    least = np.empty(num_users)
    own = 0
    for user in range(num_users):
        own += decision[user] * weights[user]
        least[user] = np.inf
        for choice in range(num_choices):
            lost = likely[user, decision[user]] - likely[user, choice]
            loss[num_choices * user + choice] = np.inf if choice == decision[user] else lost
            least[user] = min(least[user], loss[num_choices * user + choice])
    single = smallest(loss, most)
    doubtful = smallest(least, exchanging)
    pairs = len(doubtful) * (len(doubtful) - 1) // 2
    one, other, lost = np.empty(pairs, np.int64), np.empty(pairs, np.int64), np.empty(pairs)
    pair = 0
    for first in range(len(doubtful)):
        for second in range(first + 1, len(doubtful)):
            u, v = doubtful[first], doubtful[second]
            one[pair], other[pair] = u, v
            lost[pair] = loss[num_choices * u + decision[v]] + loss[num_choices * v + decision[u]]
            pair += 1
    exchange = smallest(lost, most)

    swept = max(calls // sweeping, 1)
    moves = swept + len(single) + len(exchange)
    count = min(calls, moves)
    sweep_codes = np.empty(swept, np.int64)
    new = 0
    for again in range(2):  # what is new, then, where there is room, what is not
        filled, singles, exchanges = new if again else 0, 0, 0
        for move in range(moves):
            if filled == count:
                break
            if move < swept:
                place = swept * frame + move
                first = second = place % num_users
                to_first = (decision[first] + place // num_users % (num_choices - 1) + 1) % num_choices
                to_second = to_first
            elif singles < len(single) and (exchanges == len(exchange) or singles <= 2 * exchanges + 1):
                first = second = single[singles] // num_choices
                to_first = to_second = single[singles] % num_choices
                singles += 1
            else:
                first, second = one[exchange[exchanges]], other[exchange[exchanges]]
                to_first, to_second = decision[second], decision[first]
                exchanges += 1
            code = own + weights[first] * (to_first - decision[first])
            if second != first:
                code += weights[second] * (to_second - decision[second])
            old = code == own
            for row in range(known):
                old = old or codes[row] == code
            if move < swept:
                sweep_codes[move] = code
            else:
                for sweep in range(swept):
                    old = old or sweep_codes[sweep] == code
            if old != (again == 1):
                continue
            for user in range(num_users):
                near[filled, user] = decision[user]
            near[filled, first] = to_first
            near[filled, second] = to_second
            codes[known + filled] = code
            filled += 1
        if not again:
            new = filled
    return count, new
