"""Ranked assignment of one frame in machine code; `agent.decisions.ranked_assignment` says what, step by step.

The free users of a set are the last ones of all, from its `start` on.
"""

import numpy as np
from numba import njit

from .ranked_assignment import ROUNDING

_MOVES = "Tuple((f8[:, ::1], i8[:, ::1], i8[:, ::1]))(f8[:, ::1], i8[::1], i8, i8[::1])"


@njit("i8[::1](i8[::1], i8)", cache=True, error_model="numpy", nogil=True)
def _taken(best, places):
    """How many users take each choice, (C,)."""
    taken = np.zeros(places, np.int64)
    for choice in best:
        taken[choice] += 1
    return taken


@njit(_MOVES, cache=True, error_model="numpy", nogil=True)
def _moves(cost, best, start, capacities):
    """Distances, following nodes and movers, as of `_Moves`, by the users from `start` on."""
    places = len(capacities)
    distance, movers = np.full((places + 1, places + 1), np.inf), np.zeros((places, places), np.int64)
    seen, largest = np.zeros(places, np.bool_), 1.0
    for user in range(start, len(cost)):
        own = best[user]
        for choice in range(places):
            loss = cost[user, choice] - cost[user, own]
            if np.isfinite(loss) and abs(loss) > largest:
                largest = abs(loss)
            if not seen[own] or loss < distance[own, choice]:
                distance[own, choice], movers[own, choice] = loss, user
        seen[own] = True
    taken = _taken(best, places)
    for choice in range(places):
        if taken[choice] < capacities[choice]:
            distance[choice, places] = 0
    distance[places] = 0
    following = np.empty((places + 1, places + 1), np.int64)
    for node in range(places + 1):
        distance[node, node] = 0
        following[:, node] = node
    rounding = ROUNDING * largest
    for through in range(places + 1):
        to, onward, first = distance[:, through].copy(), distance[through].copy(), following[:, through].copy()
        for node in range(places + 1):
            for end in range(places + 1):
                if to[node] + onward[end] < distance[node, end] - rounding:
                    distance[node, end] = to[node] + onward[end]
                    following[node, end] = first[node]
    return distance, following, movers


@njit("void(i8[::1], i8[:, ::1], i8[:, ::1], i8, i8)", cache=True, error_model="numpy", nogil=True)
def _move(best, following, movers, start, end):
    """As there."""
    free_places = len(movers)
    while start != end:
        to = following[start, end]
        if free_places != start and free_places != to:
            best[movers[start, to]] = to
        start = to


@njit("i8[::1](f8[:, ::1], i8[::1])", cache=True, error_model="numpy", nogil=True)
def best_one(cost, capacities):
    """The decision (N,) of least cost, as of `_best`."""
    best = np.empty(len(cost), np.int64)
    for user in range(len(cost)):
        best[user] = cost[user].argmin()
    while True:
        excess = _taken(best, len(capacities)) - capacities
        over = excess.argmax()
        if excess[over] <= 0:
            return best
        _, following, movers = _moves(cost, best, 0, capacities)
        _move(best, following, movers, over, len(capacities))


@njit("f8[::1](f8[:, ::1], i8[::1], i8, i8[::1])", cache=True, error_model="numpy", nogil=True)
def _more_of_each_part(cost, best, start, capacities):
    """As there, of the users from `start` on."""
    users, places = len(cost) - start, len(capacities)
    more, room = np.full(users, np.inf), _taken(best, places) < capacities
    by_users = np.full((places, places), np.inf)  # by those after the part's first
    for part in range(users - 1, -1, -1):
        user = start + part
        own = best[user]
        arcs = np.full((places + 1, places + 1), np.inf)
        arcs[:places, :places] = by_users
        for choice in range(places):
            if room[choice]:
                arcs[choice, places] = 0
        arcs[places] = 0
        for through in range(places + 1):
            to, onward = arcs[:, through].copy(), arcs[through].copy()
            for node in range(places + 1):
                for end in range(places + 1):
                    arcs[node, end] = min(arcs[node, end], to[node] + onward[end])
        for choice in range(places):
            loss = cost[user, choice] - cost[user, own]
            by_users[own, choice] = min(by_users[own, choice], loss)
            if choice != own:
                more[part] = min(more[part], loss + arcs[choice, own])
    return more


@njit("i8[:, ::1](f8[:, ::1], i8[::1], f8, i8, i8[::1])", cache=True, error_model="numpy", nogil=True)
def ranked(cost, best, total, k, capacities):
    """The k decisions of least cost, or all, (k or fewer, N), from the best one and what it costs."""
    users, places = cost.shape
    costs, found = np.empty((k, users, places)), np.empty((k, users), np.int64)
    costs[0], found[0] = cost, best
    starts = np.zeros(k, np.int64)
    value, whole, of_part = np.empty(k * users), np.empty(k * users, np.int64), np.empty(k * users, np.int64)
    parts, count = 0, 1
    while count < k:
        last = count - 1
        more = _more_of_each_part(costs[last], found[last], starts[last], capacities)
        for part in range(len(more)):
            if more[part] < np.inf:
                value[parts], whole[parts], of_part[parts] = total + more[part], last, part
                parts += 1
        if not parts:
            break
        least = value[:parts].argmin()  # of two parts that cost the same, the one that was found first
        total, of, user = value[least], whole[least], starts[whole[least]] + of_part[least]
        value[least : parts - 1], whole[least : parts - 1] = value[least + 1 : parts], whole[least + 1 : parts]
        of_part[least : parts - 1] = of_part[least + 1 : parts]
        parts -= 1
        costs[count], found[count], starts[count] = costs[of], found[of], user
        own = found[count, user]
        costs[count, user, own] = np.inf
        distance, following, movers = _moves(costs[count], found[count], user + 1, capacities)
        to = (costs[count, user] + distance[:places, own]).argmin()
        found[count, user] = to
        _move(found[count], following, movers, to, own)
        count += 1
    return found[:count].copy()
