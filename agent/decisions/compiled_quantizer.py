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


@njit(["i8[::1](f8[::1], i8[::1], i8)", "i8[::1](f4[::1], i8[::1], i8)"], cache=True, error_model="numpy")
def counts_of_order(relaxed, order, k):
    """Of users that offload in each of k candidates of an order (N,), as of `OrderPreserving`."""
    counts = np.empty(k, np.int64)
    counts[0] = 0
    for x in relaxed:
        counts[0] += x > 0.5
    nearest = smallest(np.abs(relaxed[order] - relaxed.dtype.type(0.5)), k - 1)
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


@njit("i8(i8[::1], i8, f8[::1], i8[::1], i8[:, ::1])", cache=True, error_model="numpy")
def _popped(heap, waiting, cost, depth, places):
    """The first of `waiting` subsets of a heap, which then holds one less."""
    first, last, at = heap[0], heap[waiting - 1], 0
    waiting -= 1
    while 2 * at + 1 < waiting:  # sift down
        child = 2 * at + 1
        if child + 1 < waiting and _before(cost, depth, places, heap[child + 1], heap[child]):
            child += 1
        if not _before(cost, depth, places, heap[child], last):
            break
        heap[at] = heap[child]
        at = child
    heap[at] = last
    return first


@njit("void(i8[::1], i8, i8, f8[::1], i8[::1], i8[:, ::1])", cache=True, error_model="numpy")
def _push(heap, waiting, new, cost, depth, places):
    """Add a subset to a heap of `waiting` ones."""
    at = waiting
    while at > 0 and _before(cost, depth, places, new, heap[(at - 1) // 2]):  # sift up
        heap[at] = heap[(at - 1) // 2]
        at = (at - 1) // 2
    heap[at] = new


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
        first = _popped(heap, waiting, cost, depth, places)
        waiting -= 1
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
            _push(heap, waiting, new, cost, depth, places)
            waiting += 1
    return candidates


@njit("i8[:, ::1](i8[:, ::1], f8[:, ::1], i8[::1], i8)", cache=True, error_model="numpy")
def _cheapest(choices, gaps, users, k):
    """Of one frame, as `cheapest_of_each`."""
    num_users, num_choices = choices.shape
    found = np.empty((k, num_users), np.int64)
    found[:] = choices[:, 0]
    size = 3 * k + 1
    cost, depth = np.empty(size), np.empty(size, np.int64)
    places = np.empty((size, min(k, num_users) + 1), np.int64)  # a user's place times C, and its rank
    heap, waiting, made = np.empty(size, np.int64), 1, 1
    cost[0], depth[0], places[0, 0], heap[0] = gaps[users[0], 1], 1, 1, 0
    for row in range(1, k):
        state = _popped(heap, waiting, cost, depth, places)
        waiting -= 1
        for level in range(depth[state]):
            user = users[places[state, level] // num_choices]
            found[row, user] = choices[user, places[state, level] % num_choices]
        last, rank = places[state, depth[state] - 1] // num_choices, places[state, depth[state] - 1] % num_choices
        gap, joined = gaps[users[last]], 0.0
        if last + 1 < num_users:
            joined = cost[state] + gaps[users[last + 1], 1]
        for kind in range(3):  # the last one's rank rises; the user after joins; it takes the last one's place
            if (rank + 1 == num_choices) if kind == 0 else (last + 1 == num_users or (kind == 2 and rank != 1)):
                continue
            depth[made] = depth[state] + (kind == 1)
            places[made, : depth[state]] = places[state, : depth[state]]
            if kind == 0:
                places[made, depth[made] - 1] += 1
                cost[made] = cost[state] + gap[rank + 1] - gap[rank]
            else:
                places[made, depth[made] - 1] = (last + 1) * num_choices + 1
                cost[made] = joined - gap[1] if kind == 2 else joined
            _push(heap, waiting, made, cost, depth, places)
            waiting, made = waiting + 1, made + 1
    return found


@njit("i8[:, :, ::1](i8[:, :, ::1], f8[:, :, ::1], i8[:, ::1], i8)", cache=True, error_model="numpy", nogil=True)
def cheapest_of_each(choices, gaps, users, k):
    """The k decisions (R, k, N) of least cost of each frame, as of `agent.decisions.cheapest`.

    Of choices (R, N, C) of each user, cheapest first, by how much they cost more than its first (R, N, C), and of
    users (R, N) from the least certain on.
    """
    found = np.empty((len(choices), k, choices.shape[1]), np.int64)
    for row in range(len(choices)):
        found[row] = _cheapest(choices[row], gaps[row], users[row], k)
    return found


@njit(["i8[:, ::1](f8[::1], i8[::1], i8)", "i8[:, ::1](f4[::1], i8[::1], i8)"], cache=True, error_model="numpy")
def order_preserving_and_nearest(relaxed, order, k):
    """Candidates (k, N), as of `OrderPreservingAndNearest`; of few users the order may be left empty."""
    if len(order) == 0:
        order = smallest(-relaxed, len(relaxed))
    counts = counts_of_order(relaxed, order, min((k + 1) // 2, len(relaxed) + 1))
    double = relaxed.astype(np.float64)
    others = nearest(double, np.abs(1 - 2 * double), k)
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


@njit(
    ["i8[:, :, ::1](f8[:, ::1], i8[:, ::1], i8)", "i8[:, :, ::1](f4[:, ::1], i8[:, ::1], i8)"],
    cache=True,
    error_model="numpy",
    nogil=True,
)
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
