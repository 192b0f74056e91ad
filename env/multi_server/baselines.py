"""Rules of thumb for several servers, to be called as those of `env.baselines`."""

from typing import Any

import numpy as np

from ..baselines import Choice, best_of, coordinate_descent
from ..decisions import member
from ..limits import Limited


def greedy_by_gain(environment: Any, rng: np.random.Generator | None = None) -> Choice:
    """Send users to the server that they reach best, the users of the best links first, as many as is best.

    N + 1 decisions. The best link is that of the least a_us (`env.multi_server.costs`), among the servers that are
    there and have places left.
    """
    costs, limits = member(environment, "costs").bandwidth, environment.decisions
    num_users, num_servers = costs.shape
    room, there = np.full(num_servers, num_users), np.ones(costs.shape, dtype=bool)
    if isinstance(limits, Limited):
        room, there = limits.capacities[1:].copy(), limits.mask[:, 1:]
    decisions = np.zeros((num_users + 1, num_users), dtype=np.int64)
    reach = np.where(there, costs, np.inf)
    for place, user in enumerate(np.argsort(reach.min(-1))):
        open_ = np.where(room > 0, reach[user], np.inf)
        server = int(open_.argmin())
        if open_[server] < np.inf:
            decisions[place + 1 :, user] = server + 1
            room[server] -= 1
    return best_of(environment, decisions)


def descent_from_greedy(environment: Any, rng: np.random.Generator) -> Choice:
    """Coordinate descent from `greedy_by_gain`'s decision."""
    start = greedy_by_gain(environment)
    decision, value, calls = coordinate_descent(environment, rng, start.decision)
    return Choice(decision, value, start.evaluations + calls)
