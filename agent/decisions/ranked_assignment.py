"""The K best joint decisions where places are limited: ranked assignment (Murty, Operations Research 1968).

Each user takes one choice, choice c takes at most q_c users, and a decision costs the sum of its users' costs.
Murty's method finds the decisions in order: the set of all feasible ones is partitioned by the first user in which
a decision differs from the best, the best of each part is found, and the part of the least is partitioned again.

A part's best needs no new assignment problem. It follows from the best decision of the set by one shortest path:
the flow of users onto choices is of least cost, and the user that must leave choice s for t closes a cycle with
the shortest path from t back to s (Ahuja, Magnanti and Orlin, Network Flows, 1993, chapter 9). The nodes are the C
choices and one more, the free places. An arc from choice to choice costs what the user loses by it that moves most
cheaply; those to and from the free places cost nothing, and lead there only from choices with room. So all parts
of a set are valued together, in O(N C^3).
"""

import heapq
import itertools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..machine_code import machine_code

LISTED = 2**20
"""Entries of k tables of all users' choices up to which machine code ranks decisions."""
ROUNDING = 1e-12
"""A path that is shorter by less, of the largest cost, is not: arcs would close cycles by rounding."""


class _Set(NamedTuple):
    """Decisions in which some users are fixed and some choices forbidden, with the best of them."""

    cost: NDArray[np.float64]
    """(N, C), infinite where forbidden."""
    free: NDArray[np.intp]
    """Users that are not fixed."""
    best: NDArray[np.int64]
    """(N,)."""


def ranked_decisions(cost: NDArray[np.floating], k: int, capacities: NDArray[Any]) -> NDArray[np.int64]:
    """The `k` decisions of least cost that keep the capacities, or all there are: (k or fewer, N), best first.

    Args:
        cost: (N, C), infinite where a choice is not there; choice 0 is, for everybody.
        k: how many.
        capacities: (C,), of choice 0 at least N.
    """
    first = np.array(cost, dtype=np.float64, order="C")
    code = machine_code("decisions.compiled_assignment") if k * first.size <= LISTED else None
    if code is not None:
        places = np.array(capacities, dtype=np.int64)
        best = code.best_one(first, places)
        total = float(np.take_along_axis(first, best[:, None], -1).sum())
        listed: NDArray[np.int64] = code.ranked(first, best, total, k, places)
        return listed
    split = _Set(first, np.arange(len(cost)), _best(first, capacities))
    total = float(np.take_along_axis(first, split.best[:, None], -1).sum())
    found = [split.best]
    count = itertools.count()  # of two parts that cost the same, the one that was found first
    parts: list[tuple[float, int, _Set, int]] = []
    while len(found) < k:
        for place, more in enumerate(_more_of_each_part(split, capacities).tolist()):
            if more < np.inf:
                heapq.heappush(parts, (total + more, next(count), split, place))
        if not parts:
            break
        total, _, whole, place = heapq.heappop(parts)
        split = _part(whole, place, capacities)
        found.append(split.best)
    return np.array(found)


def _best(cost: NDArray[np.float64], capacities: NDArray[Any]) -> NDArray[np.int64]:
    """The decision (N,) of least cost: cheapest choices, then moves along shortest paths to free places."""
    best, users = cost.argmin(-1), np.arange(len(cost))
    while True:
        excess = np.bincount(best, minlength=len(capacities)) - capacities
        over = int(excess.argmax())
        if excess[over] <= 0:
            return best
        _move(best, _Moves(cost, best, users, capacities), over, len(capacities))


def _more_of_each_part(whole: _Set, capacities: NDArray[Any]) -> NDArray[np.float64]:
    """By how much the best of each part costs more than that of the whole set, (F,).

    Part j of a set with F free users is that in which free user j leaves its choice and those before it keep
    theirs.
    """
    users, num_choices = whole.free, len(capacities)
    own, rows = whole.best[users], np.arange(len(users))
    loss = whole.cost[users] - whole.cost[users, own][:, None]
    arcs = np.full((len(users), num_choices + 1, num_choices + 1), np.inf)
    arcs[rows[:-1], own[1:], :-1] = loss[1:]
    arcs = np.minimum.accumulate(arcs[::-1])[::-1]  # of part j: by the users after j
    arcs[:, _room(whole.best, capacities), -1] = 0
    arcs[:, -1] = 0
    for through in range(num_choices + 1):
        arcs = np.minimum(arcs, arcs[:, :, through, None] + arcs[:, None, through])
    loss[rows, own] = np.inf
    more: NDArray[np.float64] = (loss + arcs[rows, :-1, own]).min(-1)
    return more


def _part(whole: _Set, place: int, capacities: NDArray[Any]) -> _Set:
    """The part in which the free user at `place` leaves its choice and those before it keep theirs."""
    user, cost, best = int(whole.free[place]), whole.cost.copy(), whole.best.copy()
    own = int(best[user])
    cost[user, own] = np.inf
    moves = _Moves(cost, best, whole.free[place + 1 :], capacities)
    to = int((cost[user] + moves.distance[:-1, own]).argmin())
    best[user] = to
    _move(best, moves, to, own)
    return _Set(cost, whole.free[place:], best)


def _room(best: NDArray[np.int64], capacities: NDArray[Any]) -> NDArray[np.intp]:
    """The choices that have room."""
    return np.flatnonzero(np.bincount(best, minlength=len(capacities)) < capacities)


class _Moves:
    """Shortest paths between choices and the free places, node C, by the moves of some users.

    Attributes:
        distance: lengths, (C + 1, C + 1). following: the node after the first on the path; likewise. movers: the
            user that moves from choice to choice, (C, C).
    """

    def __init__(
        self,
        cost: NDArray[np.float64],
        best: NDArray[np.int64],
        users: NDArray[np.intp],
        capacities: NDArray[Any],
    ) -> None:
        places = len(capacities)
        distance = np.full((places + 1, places + 1), np.inf)
        self.movers = np.zeros((places, places), dtype=np.intp)
        choices, own = np.arange(places), best[users]
        loss = cost[users] - cost[users, own][:, None]
        for choice in np.unique(own):
            there = np.flatnonzero(own == choice)
            cheapest = there[loss[there].argmin(0)]
            distance[choice, :-1], self.movers[choice] = loss[cheapest, choices], users[cheapest]
        distance[_room(best, capacities), -1] = 0
        distance[-1] = 0
        np.fill_diagonal(distance, 0)
        following = np.tile(np.arange(places + 1), (places + 1, 1))
        rounding = ROUNDING * np.abs(loss[np.isfinite(loss)]).max(initial=1)
        for through in range(places + 1):
            by = distance[:, through, None] + distance[through]
            shorter = by < distance - rounding
            distance = np.where(shorter, by, distance)
            following = np.where(shorter, following[:, through, None], following)
        self.distance, self.following = distance, following


def _move(best: NDArray[np.int64], moves: _Moves, start: int, end: int) -> None:
    """Move the users on the shortest path from node `start` to `end` on by one choice each."""
    free_places = len(moves.movers)
    while start != end:
        to = int(moves.following[start, end])
        if free_places not in (start, to):
            best[moves.movers[start, to]] = to
        start = to
