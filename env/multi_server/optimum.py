"""The optimum of several servers over all (M + 1)^N decisions, with a bound that holds for each of them.

In the symbols of `costs`, and with any loads A_s, G_s and prices l_s >= 0 of a place, squares of sums are

    (sum a)^2 = 2 A sum a - A^2 + (sum a - A)^2,

so the cost of any decision x with n_s(x) <= q_s users on server s is exactly

    C(x) = D + sum_u r_u(x_u) + sum_s [(A_s(x) - A_s)^2 + (G_s(x) - G_s)^2 + l_s (q_s - n_s(x))],

where w_us = 2 (a_us A_s + b_us G_s) + l_s, w_u0 = 1, r_us = w_us - min_s w_us, and the Lagrangian bound is

    D = sum_u min_s w_us - sum_s (A_s^2 + G_s^2 + l_s q_s).

D is concave in loads and prices; its maximum is the optimum of the continuous relaxation, in which users split
over servers. All terms beside D are 0 or more: a choice with D + r_us above a known cost is in no better decision,
which leaves few choices to few users. These are gone through user by user, all decisions of the first users side
by side; one is dropped when D, its r, and what its loads and places must still miss at least, exceed the known
cost.
"""

import time
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from .costs import Costs, cost_of, marginal_costs

FIRST_TEMPERATURE, LAST_TEMPERATURE = 0.3, 2e-6
COOLING = 0.4
STEPS = 8
"""Of Newton's method at a temperature; each point gives a valid bound, so running out costs tightness only."""
WIDEST = 2**17
"""Decisions of the first users that are kept side by side; more are dropped, at the price of the bound."""
PIECE = 2**21
"""Numbers at once of what these add up to, after which the time is looked at."""
SLACK = 1e-11
"""Rounding of a cost, relative to N."""


class MultiServerOptimum(NamedTuple):
    """The best decision found and how good any decision could be."""

    decision: NDArray[np.int64]
    """(N,)."""
    cost: Any
    """Of `decision`."""
    lower_bound: Any
    """No decision costs less."""


class _Relaxed(NamedTuple):
    """The maximum of the Lagrangian bound."""

    bound: float
    loads: FloatArray
    """A and G, (2 M,)."""
    prices: FloatArray
    """l, (M,)."""
    soft: FloatArray
    """The users' shares of each choice, (N, M + 1), all but optimal in the continuous relaxation."""


def certified_optimum(
    costs: Costs,
    capacities: NDArray[np.int64],
    mask: NDArray[np.bool_],
    tolerance: float = 1e-9,
    time_limit: float | None = None,
) -> MultiServerOptimum:
    """The decision of least cost that keeps capacities (M + 1,) and mask (N, M + 1), with a bound on every one.

    The search ends when the bound is within `tolerance` of the cost, relative to N, or after `time_limit` seconds.
    """
    deadline = np.inf if time_limit is None else time.monotonic() + time_limit
    relaxed = _relax(costs, capacities, mask)
    known = _descend(costs, _rounded(relaxed.soft, capacities), capacities, mask)
    cost = float(cost_of(costs, known))
    if cost - relaxed.bound <= tolerance * len(mask):
        return MultiServerOptimum(known, cost, min(relaxed.bound, cost))
    found, bound = _search(costs, relaxed, capacities, mask, cost, deadline)
    if found is not None:
        known, cost = found, float(cost_of(costs, found))
    return MultiServerOptimum(known, cost, min(max(bound, relaxed.bound), cost))


def _weights(costs: Costs, loads: FloatArray, prices: FloatArray, mask: NDArray[np.bool_]) -> FloatArray:
    """w, (N, M + 1), infinite where a choice is not there."""
    servers = costs.cpu.shape[1]
    offloading = 2 * (costs.bandwidth * loads[:servers] + costs.cpu * loads[servers:]) + prices
    return np.where(mask, np.concatenate([np.ones((len(mask), 1)), offloading], -1), np.inf)


class _Dual:
    """D of loads and prices, one vector: A and G (2 M,), and l of the servers whose places may be short.

    Args:
        costs: of the frame.
        capacities: (M + 1,). mask: (N, M + 1).
    """

    def __init__(self, costs: Costs, capacities: NDArray[np.int64], mask: NDArray[np.bool_]) -> None:
        num_users, self.servers = costs.cpu.shape
        self._costs, self._mask = costs, mask
        self._short = np.flatnonzero(capacities[1:] < num_users)
        self.size = 2 * self.servers + len(self._short)
        self._places = np.zeros(self.size)
        self._places[2 * self.servers :] = capacities[1:][self._short]
        self._curvature = np.where(np.arange(self.size) < 2 * self.servers, 2.0, 0.0)
        self._slope = np.zeros((num_users, self.servers + 1, self.size))  # of w
        for server in range(self.servers):
            self._slope[:, server + 1, server] = 2 * costs.bandwidth[:, server]
            self._slope[:, server + 1, self.servers + server] = 2 * costs.cpu[:, server]
        for place, server in enumerate(self._short.tolist()):
            self._slope[:, server + 1, 2 * self.servers + place] = 1
        self._slope[~mask] = 0

    def parts(self, point: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Loads (2 M,) and prices (M,)."""
        prices = np.zeros(self.servers)
        prices[self._short] = point[2 * self.servers :]
        return point[: 2 * self.servers], prices

    def _fixed(self, point: FloatArray) -> float:
        return float(self._curvature @ point**2 / 2 + self._places @ point)

    def value(self, point: FloatArray) -> float:
        """D."""
        w = _weights(self._costs, *self.parts(point), self._mask)
        return float(w.min(-1).sum()) - self._fixed(point)

    def smooth(self, point: FloatArray, temperature: float) -> tuple[float, FloatArray]:
        """D with soft minima and a logarithm that keeps prices above 0, and the soft choices (N, M + 1)."""
        prices = point[2 * self.servers :]
        if prices.min(initial=1) <= 0:
            return -np.inf, self._slope[..., 0]
        w = _weights(self._costs, *self.parts(point), self._mask)
        least = w.min(-1, keepdims=True)
        powers = np.exp((least - w) / temperature)
        total = powers.sum(-1, keepdims=True)
        value = float((least - temperature * np.log(total)).sum()) - self._fixed(point)
        return value + temperature * float(np.log(prices).sum()), powers / total

    def newton(self, point: FloatArray, temperature: float, soft: FloatArray) -> tuple[FloatArray, float]:
        """Newton's step of the smooth D, and how steeply it rises along it."""
        barrier = np.zeros(self.size)
        barrier[2 * self.servers :] = temperature / point[2 * self.servers :]
        mean = np.einsum("uc,ucd->ud", soft, self._slope)
        gradient = mean.sum(0) - self._curvature * point - self._places + barrier
        spread = np.tensordot(soft[..., None] * self._slope, self._slope, ((0, 1), (0, 1))) - mean.T @ mean
        hessian = spread / temperature + np.diag(self._curvature + barrier**2 / temperature)
        step: FloatArray = np.linalg.solve(hessian, gradient)
        return step, float(gradient @ step)


def _relax(costs: Costs, capacities: NDArray[np.int64], mask: NDArray[np.bool_]) -> _Relaxed:
    """Maximise D by Newton's method on a smooth D, at a temperature that falls."""
    dual = _Dual(costs, capacities, mask)
    point = np.full(dual.size, 0.5)
    point[2 * dual.servers :] = 0.1
    temperature, best, bound = FIRST_TEMPERATURE, point, -np.inf
    while temperature > LAST_TEMPERATURE:
        for _ in range(STEPS):
            value, soft = dual.smooth(point, temperature)
            step, rise = dual.newton(point, temperature, soft)
            length = 1.0
            while length > 1e-6 and dual.smooth(point + length * step, temperature)[0] < value + length * rise / 4:
                length /= 2
            if length <= 1e-6:
                break
            point = point + length * step
            if rise < temperature / 100:
                break
        if (value := dual.value(point)) > bound:
            bound, best = value, point
        temperature *= COOLING
    return _Relaxed(bound - SLACK * len(mask), *dual.parts(best), dual.smooth(best, temperature)[1])


def _rounded(soft: FloatArray, capacities: NDArray[np.int64]) -> NDArray[np.int64]:
    """The largest shares that keep the capacities, the largest of all first, (N,)."""
    decision = np.zeros(len(soft), dtype=np.int64)
    room = capacities.copy()
    for user in np.argsort(-soft.max(-1)):
        decision[user] = np.where(room > 0, soft[user], -1.0).argmax()
        room[decision[user]] -= 1
    return decision


def _descend(
    costs: Costs, decision: NDArray[np.int64], capacities: NDArray[np.int64], mask: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Change the one user that gains most, within the limits, until none gains."""
    decision = decision.copy()
    while True:
        taken = np.bincount(decision, minlength=len(capacities))
        change = np.where(mask & (taken < capacities), marginal_costs(costs, decision), 0.0)
        user, choice = np.unravel_index(change.argmin(), change.shape)
        if change[user, choice] >= -SLACK:
            return decision
        decision[user] = choice


class _Begun(NamedTuple):
    """Decisions of the first users, side by side."""

    chosen: NDArray[Any]
    """(K, N)."""
    total: NDArray[Any]
    """What they add to loads and places, (K, 3 M)."""
    spent: NDArray[Any]
    """The sum of r so far, (K,)."""
    at_least: NDArray[Any]
    """How far above D what they begin is at least, (K,)."""

    def some(self, rows: Any) -> "_Begun":
        """Those of some rows."""
        return _Begun(*(one[rows] for one in self))


class _Choices:
    """The choices that are open below a gap above D, user by user, and what those of later users may add."""

    def __init__(
        self, costs: Costs, relaxed: _Relaxed, capacities: NDArray[np.int64], mask: NDArray[np.bool_], gap: float
    ) -> None:
        num_users, servers = costs.cpu.shape
        w = _weights(costs, relaxed.loads, relaxed.prices, mask)
        self._reduced = w - w.min(-1, keepdims=True)
        self._open = self._reduced < gap
        largest = np.where(self._open, self._reduced, 0.0).max(-1)
        self.users = np.lexsort((-largest, self._open.sum(-1)))  # the settled ones first
        # To loads and places: what each choice adds, (N, M + 1, 3 M); between what later users add, (N, 3 M).
        self._adds = np.zeros((num_users, servers + 1, 3 * servers))
        for server in range(servers):
            self._adds[:, server + 1, server] = costs.bandwidth[:, server]
            self._adds[:, server + 1, servers + server] = costs.cpu[:, server]
            self._adds[:, server + 1, 2 * servers + server] = 1
        least, most = (
            limit(np.where(self._open[..., None], self._adds, beyond), 1)[self.users]
            for limit, beyond in ((np.min, np.inf), (np.max, 0.0))
        )
        self._least, self._most = (one[::-1].cumsum(0)[::-1] - one for one in (least, most))
        self._goal = np.concatenate([relaxed.loads, capacities[1:].astype(np.float64)])
        self._prices, self._gap = relaxed.prices, gap

    def nothing(self) -> _Begun:
        """Before the first user."""
        num_users, _, width = self._adds.shape
        return _Begun(np.zeros((1, num_users), dtype=np.int8), np.zeros((1, width)), np.zeros(1), np.zeros(1))

    def at_once(self, place: int) -> int:
        """How many decisions go on with the user of a place at once."""
        return max(1, PIECE // (self._adds.shape[-1] * int(self._open[self.users[place]].sum())))

    def extended(self, begun: _Begun, place: int) -> _Begun:
        """The decisions with each open choice of the user of a place, but those that the gap rules out."""
        user, servers = self.users[place], len(self._prices)
        choices = np.flatnonzero(self._open[user])
        total = (begun.total[:, None] + self._adds[user, choices]).reshape(-1, 3 * servers)
        spent = (begun.spent[:, None] + self._reduced[user, choices]).ravel()
        low, high = total + self._least[place] - self._goal, total + self._most[place] - self._goal
        missed = np.maximum(np.maximum(low, -high), 0.0)
        at_least = spent + (missed[:, : 2 * servers] ** 2).sum(-1)
        at_least += np.maximum(-high[:, 2 * servers :], 0.0) @ self._prices
        kept = np.flatnonzero((low[:, 2 * servers :] <= 0).all(-1) & (at_least < self._gap))
        before, choice = np.divmod(kept, len(choices))
        chosen = begun.chosen[before]
        chosen[:, user] = choices[choice]
        return _Begun(chosen, total[kept], spent[kept], at_least[kept])


def _search(
    costs: Costs,
    relaxed: _Relaxed,
    capacities: NDArray[np.int64],
    mask: NDArray[np.bool_],
    known: float,
    deadline: float,
) -> tuple[NDArray[np.int64] | None, float]:
    """The best decision of less cost than the known one, None where there is none, and a bound on every one."""
    gap, dropped = known - relaxed.bound, np.inf
    open_ = _Choices(costs, relaxed, capacities, mask, gap)
    begun = open_.nothing()
    for place in range(len(mask)):
        parts, late, rows = [begun.some(slice(0))], False, open_.at_once(place)
        for first in range(0, len(begun.spent), rows):
            late = time.monotonic() > deadline
            if late and any(len(part.spent) for part in parts):  # what has no time is dropped
                dropped = min(dropped, float(begun.at_least[first:].min()))
                break
            parts.append(open_.extended(begun.some(slice(first, first + rows)), place))
        begun = _Begun(*map(np.concatenate, zip(*parts, strict=True)))
        few = 1 if late else WIDEST
        if len(begun.spent) > few:
            order = begun.at_least.argsort()
            dropped = min(dropped, float(begun.at_least[order[few]]))
            begun = begun.some(order[:few])
    bound = relaxed.bound + min(gap, dropped)
    if not len(begun.spent):
        return None, bound
    decisions = begun.chosen.astype(np.int64)
    cost = cost_of(costs, decisions)
    best = int(cost.argmin())
    if cost[best] >= known:
        return None, bound
    return decisions[best], min(bound, float(cost[best]) if dropped == np.inf else bound)
