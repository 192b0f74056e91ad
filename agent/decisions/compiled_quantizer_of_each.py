"""OP and KNN of many relaxed decisions in machine code, each as `compiled_quantizer` takes one."""

import numpy as np
from numba import njit

from .compiled_quantizer import nearest, order_preserving, order_preserving_and_nearest


@njit("i8[:, :, ::1](f8[:, ::1], f8[:, ::1], i8)", cache=True, error_model="numpy", nogil=True)
def nearest_of_each(relaxed, costs, k):
    """`nearest` for relaxed decisions and costs (R, N): (R, k, N)."""
    replicas, users = relaxed.shape
    candidates = np.empty((replicas, k, users), np.int64)
    for row in range(replicas):
        found = nearest(relaxed[row], costs[row], k)
        for place in range(k):
            for user in range(users):
                candidates[row, place, user] = found[place, user]
    return candidates


@njit("i8[:, :, ::1](f8[:, ::1], i8[:, ::1], i8, b1)", cache=True, error_model="numpy", nogil=True)
def order_preserving_and_nearest_of_each(relaxed, order, k, single):
    """`order_preserving_and_nearest` for relaxed decisions (R, N) and orders (R, N) or (R, 0): (R, k, N)."""
    replicas, users = relaxed.shape
    candidates = np.empty((replicas, k, users), np.int64)
    for row in range(replicas):
        found = order_preserving_and_nearest(relaxed[row], order[row], k, single)
        for place in range(k):
            for user in range(users):
                candidates[row, place, user] = found[place, user]
    return candidates


@njit("Tuple((i8[:, ::1], i8[:, ::1]))(f8[:, ::1], i8)", cache=True, error_model="numpy", nogil=True)
def order_preserving_of_each(relaxed, k):
    """`order_preserving` for relaxed decisions (R, N): orders (R, N) and counts (R, k)."""
    replicas, users = relaxed.shape
    orders, counts = np.empty((replicas, users), np.int64), np.empty((replicas, k), np.int64)
    for row in range(replicas):
        order, offloading = order_preserving(relaxed[row], k)
        for user in range(users):
            orders[row, user] = order[user]
        for place in range(k):
            counts[row, place] = offloading[place]
    return orders, counts
