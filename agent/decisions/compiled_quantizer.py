"""OP and KNN of one relaxed decision, or each of many, in machine code (`agent.decisions.quantizer` says what)."""

import numpy as np
from numba import njit


@njit(["i8[::1](f8[::1], i8)", "i8[::1](f4[::1], i8)"], cache=True, error_model="numpy")
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


@njit("i8[::1](f8[::1], i8[::1], i8)", cache=True, error_model="numpy")
def counts_of_order(relaxed, order, k):
    """Of users that offload in each of k candidates of an order (N,), as of `OrderPreserving`."""
    counts = np.empty(k, np.int64)
    counts[0] = 0
    for x in relaxed:
        counts[0] += x > 0.5
    nearest = smallest(np.abs(relaxed[order] - 0.5), k - 1)
    for row in range(1, k):
        place = nearest[row - 1]
        counts[row] = place + (place >= counts[0])
    return counts


@njit("Tuple((i8[::1], i8[::1]))(f8[::1], i8)", cache=True, error_model="numpy")
def order_preserving(relaxed, k):
    """Order (N,) and counts (k,) of `Nested` candidates, as of `OrderPreserving`; of few users."""
    order = smallest(-relaxed, len(relaxed))
    return order, counts_of_order(relaxed, order, k)


@njit(
    ["Tuple((i8[::1], i8[::1]))(f8[::1], i8[::1])", "Tuple((i8[::1], i8[::1]))(f4[::1], i8[::1])"],
    cache=True,
    error_model="numpy",
)
def tied(relaxed, nearest):
    """Order (N,) and counts (k,) of `Nested` candidates in which equal entries change sides together.

    `nearest` (k - 1,) are the places of the entries nearest to 1/2, which are the thresholds.
    """
    counts = np.zeros(len(nearest) + 1, np.int64)
    for x in relaxed:
        counts[0] += x > 0.5
    for row in range(1, len(counts)):
        threshold = relaxed[nearest[row - 1]]
        for x in relaxed:
            counts[row] += x > threshold or (x == threshold and not threshold > 0.5)
    return smallest(-relaxed, len(relaxed)), counts


@njit("b1(f8[::1], i8[::1], i8[:, ::1], i8, i8)", cache=True, error_model="numpy")
def _before(cost, depth, places, one, other):
    """Whether a subset comes before another: it costs less, or at equal costs its places do."""
    if cost[one] != cost[other]:
        return cost[one] < cost[other]
    for level in range(min(depth[one], depth[other])):
        if places[one, level] != places[other, level]:
            return places[one, level] < places[other, level]
    return depth[one] < depth[other]


@njit("i8[:, ::1](f8[::1], f8[::1], i8)", cache=True, error_model="numpy")
def nearest(relaxed, costs, k):
    """The k candidates (k, N) of the least flips of the rounded decision, costs (N,) being those of one."""
    order = smallest(costs, k)
    candidates = np.empty((k, len(relaxed)), np.int64)
    candidates[0] = relaxed > 0.5
    size = 2 * k + 1
    cost, depth = np.empty(size), np.empty(size, np.int64)
    places = np.empty((size, len(order) + 1), np.int64)
    heap, waiting, made = np.empty(size, np.int64), 1, 1
    cost[0], depth[0], places[0, 0], heap[0] = costs[order[0]], 1, 0, 0
    for row in range(1, k):
        first = heap[0]
        waiting -= 1
        last, at = heap[waiting], 0
        while 2 * at + 1 < waiting:  # sift down
            child = 2 * at + 1
            if child + 1 < waiting and _before(cost, depth, places, heap[child + 1], heap[child]):
                child += 1
            if not _before(cost, depth, places, heap[child], last):
                break
            heap[at] = heap[child]
            at = child
        heap[at] = last
        candidates[row] = candidates[0]
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
            places[new, : depth[new]] = places[first, : depth[new]]
            places[new, depth[new] - 1] = end + 1
            cost[new] = added - costs[order[end]] if replaces else added
            at = waiting
            waiting += 1
            while at > 0 and _before(cost, depth, places, new, heap[(at - 1) // 2]):  # sift up
                heap[at] = heap[(at - 1) // 2]
                at = (at - 1) // 2
            heap[at] = new
    return candidates


@njit("i8[:, ::1](f8[::1], i8[::1], i8)", cache=True, error_model="numpy")
def order_preserving_and_nearest(relaxed, order, k):
    """Candidates (k, N), as of `OrderPreservingAndNearest`; of few users the order may be left empty."""
    if len(order) == 0:
        order = smallest(-relaxed, len(relaxed))
    counts = counts_of_order(relaxed, order, min((k + 1) // 2, len(relaxed) + 1))
    others = nearest(relaxed, np.abs(1 - 2 * relaxed), k)
    candidates = np.zeros((k, len(relaxed)), np.int64)
    kept = len(counts)
    for row in range(kept):
        candidates[row, order[: counts[row]]] = 1
    filled = kept
    for other in range(k):
        if filled == k:
            break
        known = False
        for row in range(kept):
            same = True
            for user in range(len(relaxed)):
                if candidates[row, user] != others[other, user]:
                    same = False
                    break
            if same:
                known = True
                break
        if not known:
            candidates[filled] = others[other]
            filled += 1
    return candidates


@njit("i8[:, :, ::1](f8[:, ::1], f8[:, ::1], i8)", cache=True, error_model="numpy", nogil=True)
def nearest_of_each(relaxed, costs, k):
    """`nearest` for relaxed decisions and costs (R, N): (R, k, N)."""
    candidates = np.empty((len(relaxed), k, relaxed.shape[1]), np.int64)
    for row in range(len(relaxed)):
        candidates[row] = nearest(relaxed[row], costs[row], k)
    return candidates


@njit("i8[:, :, ::1](f8[:, ::1], i8[:, ::1], i8)", cache=True, error_model="numpy", nogil=True)
def order_preserving_and_nearest_of_each(relaxed, order, k):
    """`order_preserving_and_nearest` for relaxed decisions (R, N) and orders (R, N) or (R, 0): (R, k, N)."""
    candidates = np.empty((len(relaxed), k, relaxed.shape[1]), np.int64)
    for row in range(len(relaxed)):
        candidates[row] = order_preserving_and_nearest(relaxed[row], order[row], k)
    return candidates


@njit("Tuple((i8[:, ::1], i8[:, ::1]))(f8[:, ::1], i8)", cache=True, error_model="numpy", nogil=True)
def order_preserving_of_each(relaxed, k):
    """`order_preserving` for relaxed decisions (R, N): orders (R, N) and counts (R, k)."""
    orders, counts = np.empty(relaxed.shape, np.int64), np.empty((len(relaxed), k), np.int64)
    for row in range(len(relaxed)):
        orders[row], counts[row] = order_preserving(relaxed[row], k)
    return orders, counts
