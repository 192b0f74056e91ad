"""OP and KNN of one relaxed decision in machine code (`agent.decisions.quantizer` says what).

Relaxed decisions in single precision are given in double precision, which changes none.
"""

import numpy as np
from numba import njit

from ..machine_code import INNER
from .compiled_heap import popped, push
from .compiled_smallest import smallest


@njit("i8[::1](f8[::1])", **INNER)
def _falling(relaxed):
    """The order (N,) of a relaxed decision, of equal entries the first first."""
    negative = np.empty(len(relaxed))
    for user in range(len(relaxed)):
        negative[user] = -relaxed[user]
    return smallest(negative, len(relaxed))


@njit("i8[::1](f8[::1], i8[::1], i8, b1)", **INNER)
def _counts_of_order(relaxed, order, k, single):
    """Of users that offload in each of k candidates of an order (N,), as of `OrderPreserving`.

    Margins are those of single precision where the relaxed decision was.
    """
    counts, margin = np.empty(k, np.int64), np.empty(len(order))
    counts[0] = 0
    for place in range(len(order)):
        off = relaxed[order[place]] - 0.5
        counts[0] += off > 0
        margin[place] = abs(np.float64(np.float32(off))) if single else abs(off)
    nearest = smallest(margin, k - 1)
    for row in range(1, k):
        place = nearest[row - 1]
        counts[row] = place + (place >= counts[0])
    return counts


@njit("Tuple((i8[::1], i8[::1]))(f8[::1], i8)", cache=True, error_model="numpy")
def order_preserving(relaxed, k):
    """Order (N,) and counts (k,) of `Nested` candidates, as of `OrderPreserving`; of few users."""
    order = _falling(relaxed)
    return order, _counts_of_order(relaxed, order, k, False)


@njit("Tuple((i8[::1], i8[::1]))(f8[::1], i8[::1])", cache=True, error_model="numpy")
def tied(relaxed, nearest):
    """Order (N,) and counts (k,) of `Nested` candidates in which equal entries change sides together.

    `nearest` (k - 1,) are the places of the entries nearest to 1/2, which are the thresholds.
    """
    counts = np.empty(len(nearest) + 1, np.int64)
    for row in range(len(counts)):
        threshold = relaxed[nearest[row - 1]] if row > 0 else 0.5
        counts[row] = 0
        for user in range(len(relaxed)):
            x = relaxed[user]
            counts[row] += x > threshold or (row > 0 and x == threshold and not threshold > 0.5)
    return _falling(relaxed), counts


@njit("i8[:, ::1](f8[::1], f8[::1], i8)", cache=True, error_model="numpy")
def nearest(relaxed, costs, k):
    """The k candidates (k, N) of the least flips of the rounded decision, costs (N,) being those of one."""
    order = smallest(costs, k)
    candidates = np.empty((k, len(relaxed)), np.int64)
    for row in range(k):
        for user in range(len(relaxed)):
            candidates[row, user] = relaxed[user] > 0.5
    size = 2 * k + 1
    cost, depth = np.empty(size), np.empty(size, np.int64)
    places = np.empty((size, len(order) + 1), np.int64)
    heap, waiting, made = np.empty(size, np.int64), 1, 1
    cost[0], depth[0], places[0, 0], heap[0] = costs[order[0]], 1, 0, 0
    for row in range(1, k):
        first = popped(heap, waiting, cost, depth, places)
        waiting -= 1
        for level in range(depth[first]):
            candidates[row, order[places[first, level]]] ^= 1
        end = places[first, depth[first] - 1]
        if end + 1 == len(order):
            continue
        added = cost[first] + costs[order[end + 1]]
        for replaces in range(2):
            new = made
            made += 1
            depth[new] = depth[first] + 1 - replaces
            for level in range(depth[new] - 1):
                places[new, level] = places[first, level]
            places[new, depth[new] - 1] = end + 1
            cost[new] = added - costs[order[end]] if replaces else added
            push(heap, waiting, new, cost, depth, places)
            waiting += 1
    return candidates


@njit("void(f8[::1], i8[::1], b1, i8[:, ::1])", **INNER)
def list_order_preserving_and_nearest(relaxed, order, single, candidates):
    """Fill in candidates (k, N), as of `OrderPreservingAndNearest`; of few users the order may be left empty."""
    k, users = candidates.shape
    if len(order) == 0:
        order = _falling(relaxed)
    counts = _counts_of_order(relaxed, order, min((k + 1) // 2, users + 1), single)
    costs = np.empty(users)
    for user in range(users):
        costs[user] = abs(1 - 2 * relaxed[user])
    others = nearest(relaxed, costs, k)
    kept = len(counts)
    for row in range(kept):
        for place in range(users):
            candidates[row, order[place]] = place < counts[row]
    filled = kept
    for other in range(k):
        if filled == k:
            break
        known = False
        for row in range(kept):
            same = True
            for user in range(users):
                if candidates[row, user] != others[other, user]:
                    same = False
                    break
            if same:
                known = True
                break
        if not known:
            for user in range(users):
                candidates[filled, user] = others[other, user]
            filled += 1


@njit("i8[:, ::1](f8[::1], i8[::1], i8, b1)", cache=True, error_model="numpy")
def order_preserving_and_nearest(relaxed, order, k, single):
    """The same, made here."""
    candidates = np.empty((k, len(relaxed)), np.int64)
    list_order_preserving_and_nearest(relaxed, order, single, candidates)
    return candidates
