"""A heap of subsets in machine code, the cheapest first: each has a cost, and `depth` places of an order."""

from numba import njit

from ..machine_code import INNER

_HEAP = "i8[::1], i8, f8[::1], i8[::1], i8[:, ::1]"


@njit("b1(f8[::1], i8[::1], i8[:, ::1], i8, i8)", **INNER)
def _before(cost, depth, places, one, other):
    """Whether a subset comes before another: it costs less, or at equal costs its places do."""
    if cost[one] != cost[other]:
        return cost[one] < cost[other]
    for level in range(min(depth[one], depth[other])):
        if places[one, level] != places[other, level]:
            return places[one, level] < places[other, level]
    return depth[one] < depth[other]


@njit(f"i8({_HEAP})", **INNER)
def popped(heap, waiting, cost, depth, places):
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


@njit("void(i8[::1], i8, i8, f8[::1], i8[::1], i8[:, ::1])", **INNER)
def push(heap, waiting, new, cost, depth, places):
    """Add a subset to a heap of `waiting` ones."""
    at = waiting
    while at > 0 and _before(cost, depth, places, new, heap[(at - 1) // 2]):  # sift up
        heap[at] = heap[(at - 1) // 2]
        at = (at - 1) // 2
    heap[at] = new
