"""Quantizers against their definitions, over all decisions of few users, in NumPy and in machine code."""

from itertools import product
from typing import Any

import numpy as np

from agent.decisions.most_probable import MostProbable
from agent.decisions.quantizer import KNearest, MostProbableBits, OrderPreserving, OrderPreservingAndNearest
from agent.machine_code import without_machine_code

from .tally import Tally


def relaxed_of(rng: np.random.Generator, users: int) -> Any:
    """A relaxed decision: anything, all but certain, tied, saturated in single precision, or at the very ends."""
    kind = rng.integers(5)
    if kind == 0:
        return rng.random(users)
    if kind == 1:
        return 1 / (1 + np.exp(rng.normal(0, 20, users)))
    if kind == 2:
        return rng.choice([0.25, 0.5, 0.75], users)
    if kind == 3:
        return (1 / (1 + np.exp(rng.normal(0, 30, users)))).astype(np.float32)
    return rng.choice([0.0, 1.0, 0.5, np.nextafter(0.5, 1), 1e-300], users)


def bits(rng: np.random.Generator, tally: Tally) -> None:
    """The nearest, the likeliest and the order-preserving candidates."""
    users = int(rng.integers(1, 8))
    decisions = np.array(list(product((0, 1), repeat=users)))
    for _ in range(40):
        x = relaxed_of(rng, users)
        double = x.astype(np.float64)
        tally.inputs["quantizers of bits"] += 5
        k = int(rng.integers(1, 2**users + 1))
        inside = double.clip(1e-300, 1 - 1e-16)
        distances = {
            "KNearest": (KNearest(), (decisions - double) ** 2),
            "MostProbableBits": (MostProbableBits(), -np.log(np.where(decisions, inside, 1 - inside))),
        }
        for name, (quantizer, costs) in distances.items():
            listed = quantizer(x, k, rng)
            least = np.sort(costs.sum(-1))[:k]
            tally.require(f"{name} candidates differ", len(np.unique(listed, axis=0)) == k)
            places = listed @ (2 ** np.arange(users)[::-1])
            tally.require(f"{name} costs", np.abs(costs.sum(-1)[places] - least) <= 1e-9 * np.maximum(least, 1))
        most = min(k, users + 1)
        for distinct in (True, False):
            listed = OrderPreserving(distinct)(x, most, rng)
            tally.require("OrderPreserving rounds first", (listed[0] == (x > 0.5)).all())
            if len(np.unique(np.abs(x - x.dtype.type(0.5)))) == users and not (double == 0.5).any():
                tally.require("OrderPreserving by (8), (9)", (listed == _order_preserving(x, most)).all())
            if distinct:
                tally.require("OrderPreserving candidates differ", len(np.unique(listed, axis=0)) == most)
        both = OrderPreservingAndNearest()(x, k, rng)
        tally.require("OrderPreservingAndNearest candidates differ", len(np.unique(both, axis=0)) == k)
        with without_machine_code():
            tally.require("KNearest in NumPy", (KNearest()(x, k, rng) == KNearest()(x, k, rng)).all())
            slow, slow_both = OrderPreserving()(x, most, rng), OrderPreservingAndNearest()(x, k, rng)
        tally.require("OrderPreserving in machine code", (slow == OrderPreserving()(x, most, rng)).all())
        tally.require("OrderPreservingAndNearest in machine code", (slow_both == both).all())


def _order_preserving(x: Any, k: int) -> Any:
    """DROO, eqs. (8) and (9), entry by entry."""
    half = x.dtype.type(0.5)
    listed = [[int(value > half) for value in x]]
    for threshold in sorted(x, key=lambda value: abs(value - half))[: k - 1]:
        above = [int(value > threshold or (value == threshold and threshold <= half)) for value in x]
        listed.append(above)
    return np.array(listed)


def choices(rng: np.random.Generator, tally: Tally) -> None:
    """The likeliest decisions among several choices."""
    users, number = int(rng.integers(1, 5)), int(rng.integers(2, 5))
    decisions = np.array(list(product(range(number), repeat=users)))
    for _ in range(20):
        relaxed = rng.dirichlet(np.full(number, rng.choice([0.01, 1.0])), users)
        k = int(rng.integers(1, len(decisions) + 1))
        tally.inputs["quantizers of choices"] += 1
        costs = -np.log(np.maximum(relaxed, np.finfo(float).tiny))
        least = np.sort(costs[np.arange(users), decisions].sum(-1))[:k]
        listed = MostProbable(number)(relaxed, k, rng)
        tally.require("MostProbable candidates differ", len(np.unique(listed, axis=0)) == k)
        tally.require("MostProbable costs", np.isclose(costs[np.arange(users), listed].sum(-1), least, rtol=1e-12))


QUANTIZERS = {"bits": bits, "choices": choices}
