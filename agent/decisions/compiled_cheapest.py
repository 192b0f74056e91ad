"""The cheapest decisions of choices in machine code (`agent.decisions.cheapest` says what)."""

import numpy as np
from numba import njit

from .compiled_heap import popped, push


@njit("i8[:, :, ::1](i8[:, :, ::1], f8[:, :, ::1], i8[:, ::1], i8)", cache=True, error_model="numpy", nogil=True)
def cheapest_of_each(choices, gaps, users, k):
    """The k decisions (R, k, N) of least cost of each frame, as of `agent.decisions.cheapest`.

    Of choices (R, N, C) of each user, cheapest first, by how much they cost more than its first (R, N, C), and of
    users (R, N) from the least certain on.
    """
    frames, num_users, num_choices = choices.shape
    found, size = np.empty((frames, k, num_users), np.int64), 3 * k + 1
    cost, depth, heap = np.empty(size), np.empty(size, np.int64), np.empty(size, np.int64)
    places = np.empty((size, min(k, num_users) + 1), np.int64)  # a user's place times C, and its rank
    for frame in range(frames):
        for row in range(k):
            for user in range(num_users):
                found[frame, row, user] = choices[frame, user, 0]
        waiting, made = 1, 1
        cost[0], depth[0], places[0, 0], heap[0] = gaps[frame, users[frame, 0], 1], 1, 1, 0
        for row in range(1, k):
            state = popped(heap, waiting, cost, depth, places)
            waiting -= 1
            for level in range(depth[state]):
                user = users[frame, places[state, level] // num_choices]
                found[frame, row, user] = choices[frame, user, places[state, level] % num_choices]
            end = places[state, depth[state] - 1]
            last, rank = end // num_choices, end % num_choices
            user, joined = users[frame, last], 0.0
            if last + 1 < num_users:
                joined = cost[state] + gaps[frame, users[frame, last + 1], 1]
            for kind in range(3):  # the last's rank rises; the user after joins; it takes the last one's place
                if kind == 0 and rank + 1 == num_choices:
                    continue
                if kind > 0 and (last + 1 == num_users or (kind == 2 and rank != 1)):
                    continue
                depth[made] = depth[state] + (kind == 1)
                for level in range(depth[state]):
                    places[made, level] = places[state, level]
                if kind == 0:
                    places[made, depth[made] - 1] += 1
                    cost[made] = cost[state] + gaps[frame, user, rank + 1] - gaps[frame, user, rank]
                else:
                    places[made, depth[made] - 1] = (last + 1) * num_choices + 1
                    cost[made] = joined - gaps[frame, user, 1] if kind == 2 else joined
                push(heap, waiting, made, cost, depth, places)
                waiting, made = waiting + 1, made + 1
    return found
