"""The quantizers as ONNX operators: K candidates (K, N) of a relaxed decision, (N,) of bits or (N, C) of choices.

They compare the same numbers as `agent.decisions`, and of equal ones take the same first. The K cheapest decisions
are there found with a heap. Here, all that can be among them are listed beforehand: where users are sorted by what
it costs them to leave their first choice, so many others surely cost no more than a decision, and those with less
than K such are few, 94 for K = 32. What they cost is summed up in the order in which the heap sums, so that it is
rounded as there. Where rounding has made one cheaper than the one that a heap reaches it from, as happens where
users cost the same, the heap is gone through step by step; otherwise sorting gives what it gives. (What is not
listed is then left out: in 1 of 100,000 observations sums that are the same but for their last bit came in another
order, by docs/deployment.md.)
"""

from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..checks import InputError
from ..decisions.most_probable import MostProbable
from ..decisions.quantizer import (
    KNearest,
    MostProbableBits,
    NoisyOrderPreserving,
    NoisyProbabilities,
    OrderPreserving,
    OrderPreservingAndNearest,
    Quantizer,
)
from .graph import BOOL, DOUBLE, FLOAT, INT, Graph, Value

MOST = 512
"""Candidates up to which the cheapest decisions are listed beforehand."""
_FAR = 1e30
"""What it costs a user that is not there to leave its first choice."""
_FIRST = np.array([0])
_State = tuple[tuple[int, int], ...]
"""Users that leave their first choice, as places among those sorted, with the ranks of their choices."""


class Asked(NamedTuple):
    """What candidates are asked of."""

    relaxed: Value
    users: Value
    """(1,), N."""
    k: Any
    """How many candidates; of OP perhaps a value (1,). Fewer where there are no more."""
    num_users: int | None
    """N where it is known beforehand."""
    noise: Value = None
    """(N,), where the quantizer is noisy."""


def candidates_of(graph: Graph, quantizer: Quantizer, asked: Asked) -> Value:
    """Candidates (K, N), int64; raises InputError for a quantizer that cannot be written in operators."""
    write = WRITTEN.get(type(quantizer))
    if write is None:
        known = ", ".join(kind.__name__ for kind in WRITTEN)
        raise InputError(f"quantizer must be {known} to be exported, got {type(quantizer).__name__}")
    return graph("Cast", write(graph, quantizer, asked), to=INT)


def is_noisy(quantizer: Quantizer, k: int) -> bool:
    """Whether it draws random numbers for `k` candidates."""
    return k > 1 and isinstance(quantizer, NoisyOrderPreserving | NoisyProbabilities)


def _order_preserving(graph: Graph, quantizer: Any, asked: Asked) -> Value:
    relaxed, users, k, *_ = asked
    most = graph("Min", np.array([k]) if isinstance(k, int) else k, graph("Add", users, np.array([1])))
    flips = graph("Sub", most, np.array([1]))
    if isinstance(quantizer, OrderPreserving) and not quantizer.distinct:
        return _tied(graph, relaxed, flips)
    values, order = graph.sort(graph("Cast", relaxed, to=DOUBLE), users, largest=True)
    margin = graph("Sub", values, np.float64(0.5))
    above = graph("Cast", graph("Greater", margin, np.float64(0)), to=INT)
    offloading = graph("ReduceSum", above, _FIRST, keepdims=1)
    _, nearest = graph.sort(graph("Abs", margin), flips)
    counts = graph("Add", nearest, graph("Cast", graph("GreaterOrEqual", nearest, offloading), to=INT))
    counts = graph("Unsqueeze", graph("Concat", offloading, counts, axis=0), np.array([1]))
    return graph("Less", graph.places(order, users), counts)


def _tied(graph: Graph, relaxed: Value, flips: Value) -> Value:
    """OP in which equal entries change sides together."""
    half = graph("CastLike", np.float64(0.5), relaxed)
    _, nearest = graph.sort(graph("Abs", graph("Sub", relaxed, half)), flips)
    threshold = graph("Unsqueeze", graph("Gather", relaxed, nearest), np.array([1]))
    above, equal = graph("Greater", relaxed, threshold), graph("GreaterOrEqual", relaxed, threshold)
    flipped = graph("Or", above, graph("And", equal, graph("LessOrEqual", threshold, half)))
    return graph("Concat", graph("Unsqueeze", graph("Greater", relaxed, half), _FIRST), flipped, axis=0)


def _noisy(graph: Graph, quantizer: Any, asked: Asked) -> Value:
    relaxed, users, k, _, noise = asked
    exact = OrderPreserving(distinct=isinstance(quantizer, NoisyOrderPreserving))
    all_k = graph("Min", np.array([k]), graph("Mul", np.array([2]), graph("Add", users, np.array([1]))))
    half = graph("Div", all_k, np.array([2]))
    clean = _order_preserving(graph, exact, asked._replace(k=graph("Sub", all_k, half)))
    if not is_noisy(quantizer, k):
        return clean
    one = np.float64(1)
    if exact.distinct:
        inside = graph("Cast", relaxed, to=DOUBLE)
        inside = graph("Clip", inside, np.float64(1e-300), np.float64(1 - 1e-16))
        odds = graph("Div", graph("Sub", one, inside), inside)
        shift = graph("Exp", graph("Neg", graph("Mul", np.float64(quantizer.noise), noise)))
        shifted = graph("Div", one, graph("Add", one, graph("Mul", odds, shift)))
    else:
        raised = graph("Add", graph("Cast", relaxed, to=DOUBLE), noise)
        shifted = graph("Div", one, graph("Add", one, graph("Exp", graph("Neg", raised))))
    return graph("Concat", clean, _order_preserving(graph, exact, asked._replace(relaxed=shifted, k=half)), axis=0)


def _nearest(graph: Graph, quantizer: Any, asked: Asked) -> Value:
    users, relaxed = asked.users, graph("Cast", asked.relaxed, to=DOUBLE)
    if isinstance(quantizer, MostProbableBits):
        inside = graph("Clip", relaxed, np.float64(1e-300), np.float64(1 - 1e-16))
        zero = graph("Neg", graph("Log", graph("Sub", np.float64(1), inside)))
        costs = graph("Abs", graph("Sub", zero, graph("Neg", graph("Log", inside))))
    else:
        costs = graph("Abs", graph("Sub", np.float64(1), graph("Mul", np.float64(2), relaxed)))
    values, order = graph.sort(costs, users)
    ranks = _cheapest(graph, values, graph.places(order, users), asked, 2)
    return graph("Xor", graph("Greater", relaxed, np.float64(0.5)), graph("Cast", ranks, to=BOOL))


def _order_preserving_and_nearest(graph: Graph, quantizer: Any, asked: Asked) -> Value:
    _, users, k, *_ = asked
    few = graph("Div", graph("Add", _count(graph, users, k, 2), np.array([1])), np.array([2]))
    kept = _order_preserving(graph, OrderPreserving(), asked._replace(k=few))
    others = _nearest(graph, KNearest(), asked)
    signs = [
        graph("Sub", graph("Mul", np.float32(2), graph("Cast", one, to=FLOAT)), np.float32(1))
        for one in (kept, others)
    ]
    agreeing = graph("MatMul", signs[0], graph("Transpose", signs[1], perm=[1, 0]))
    same = graph("Cast", graph("Equal", agreeing, graph("Cast", users, to=FLOAT)), to=INT)
    new = graph("Equal", graph("ReduceMax", same, axes=[0], keepdims=0), np.int64(0))
    both = graph("Concat", kept, graph("Compress", others, new, axis=0), axis=0)
    return graph("Slice", both, _FIRST, np.array([k]), _FIRST)


def _most_probable(graph: Graph, quantizer: Any, asked: Asked) -> Value:
    relaxed, users, *_ = asked
    num_choices = quantizer.num_choices
    if num_choices == 2:
        relaxed = graph("Cast", relaxed, to=DOUBLE)
        pair = [graph("Unsqueeze", one, np.array([1])) for one in (graph("Sub", np.float64(1), relaxed), relaxed)]
        relaxed = graph("Concat", *pair, axis=1)
    costs = graph("Neg", graph("Log", graph("Max", relaxed, np.finfo(np.float64).tiny)))
    values, choices = graph.sort(costs, np.array([num_choices]))
    gaps = graph("Sub", values, graph("Slice", values, _FIRST, np.array([1]), np.array([1])))
    gaps = graph("Slice", gaps, np.array([1]), np.array([num_choices]), np.array([1]))
    _, order = graph.sort(graph("Gather", gaps, np.int64(0), axis=1), users)
    gaps = graph("Reshape", graph("Gather", gaps, order), np.array([-1]))
    ranks = _cheapest(graph, gaps, graph.places(order, users), asked, num_choices)
    ranks = graph("Transpose", graph("Cast", ranks, to=INT), perm=[1, 0])
    return graph("Transpose", graph("GatherElements", choices, ranks, axis=1), perm=[1, 0])


WRITTEN: dict[type, Callable[..., Value]] = {
    OrderPreserving: _order_preserving,
    KNearest: _nearest,
    MostProbableBits: _nearest,
    NoisyOrderPreserving: _noisy,
    NoisyProbabilities: _noisy,
    OrderPreservingAndNearest: _order_preserving_and_nearest,
    MostProbable: _most_probable,
}
"""The quantizers that have a function here; of classes that inherit from them nothing is known."""


def _count(graph: Graph, users: Value, k: int, num_choices: int) -> Value:
    """`k` (1,), or all C^N decisions where they are fewer."""
    enough = int(np.ceil(np.log(k) / np.log(num_choices)))  # users of whom there are k decisions
    there_are = graph("Pow", np.int64(num_choices), graph("Min", users, np.array([enough])))
    return graph("Min", np.array([k]), there_are)


def _cheapest(graph: Graph, gaps: Value, places: Value, asked: Asked, num_choices: int) -> Value:
    """Which choice each user takes, (k, N), 0 for its first, in the `k` cheapest decisions.

    Args:
        gaps: what leaving its first choice costs each user, for its second, third and so on, flat (N (C - 1),); of
            users from the least certain on.
        places: of the users among those, (N,).
    """
    _, users, k, num_users, _ = asked
    if k > MOST:
        raise InputError(f"num_candidates must be at most {MOST} to be exported with this quantizer, got {k}")
    ranks, terms, parents = listed(k, num_choices, num_users)
    length = (ranks.shape[1] - 1) * (num_choices - 1)
    padded = graph("Concat", gaps, np.full(length, _FAR), axis=0)
    known = graph("Slice", padded, _FIRST, np.array([length]))
    signed = graph("Concat", np.zeros(1), known, graph("Neg", known), axis=0)
    sums = graph("CumSum", graph("Gather", signed, terms), np.int64(0))
    totals = graph("Gather", sums, np.int64(len(terms) - 1))
    first = _popped(graph, totals, parents, _count(graph, users, k, num_choices))
    columns = graph("Min", places, np.int64(ranks.shape[1] - 1))
    return graph("Gather", graph("Gather", ranks, first), columns, axis=1)


def _popped(graph: Graph, totals: Value, parents: NDArray[np.int64], count: Value) -> Value:
    """Places of the first `count` that a heap gives, of decisions of such costs, each reached from its parent."""
    falls = graph("Less", totals, graph("Gather", totals, parents))
    any_falls = graph("Cast", graph("ReduceMax", graph("Cast", falls, to=INT), keepdims=0), to=BOOL)
    size = len(parents)
    children = np.full((size, max(1, np.bincount(parents[1:], minlength=1).max())), size)  # none is at the end
    for place, parent in enumerate(parents[1:].tolist(), 1):
        children[parent, (children[parent] < size).sum()] = place
    infinite = np.full(1, np.inf)
    costs = graph("Concat", totals, infinite, axis=0)
    start = np.full(size + 1, np.inf)
    start[0] = 0

    def step() -> dict[str, Any]:
        place = graph("ArgMin", "waiting", axis=0, keepdims=1)
        left = graph("ScatterElements", "waiting", place, infinite)
        following = graph("Reshape", graph("Gather", children, place), np.array([-1]))
        now = graph("ScatterElements", left, following, graph("Gather", costs, following))
        more = graph("Identity", "more")
        return {more: (bool, []), now: (np.float64, [size + 1]), place: (np.int64, [1])}

    def heap() -> dict[str, Any]:
        inputs = {"step": (np.int64, []), "more": (bool, []), "waiting": (np.float64, [size + 1])}
        trips = graph("Reshape", count, np.array([], dtype=np.int64))
        _, places = graph("Loop", trips, np.array(True), start, outputs=2, body=graph.body(inputs, step))
        return {graph("Reshape", places, np.array([-1])): (np.int64, ["K"])}

    def sort() -> dict[str, Any]:
        return {graph.sort(totals, count)[1]: (np.int64, ["K"])}

    return graph("If", any_falls, then_branch=graph.body({}, heap), else_branch=graph.body({}, sort))


def listed(
    k: int, num_choices: int, num_users: int | None
) -> tuple[NDArray[np.int8], NDArray[np.int32], NDArray[np.int64]]:
    """All decisions that can be among the `k` cheapest.

    Returns:
        The rank of each user's choice, (T, P + 1), of the P least certain users, and 0 for all others; the terms
        (L, T) of which each decision's cost is the sum, one after another, as places in the gaps, one more, and
        with those negated after them, 0 for nothing; and the decision (T,) that each is reached from.
    """
    last_user = k if num_users is None else num_users
    span = num_choices - 1
    found: dict[_State, tuple[int, ...]] = {(): ()}
    origin: dict[_State, _State] = {(): ()}
    waiting: list[tuple[_State, _State, tuple[int, ...]]] = [((), ((0, 1),), (1,))]
    while waiting:
        parent, state, terms = waiting.pop()
        if _before(state, k) >= k:
            continue
        found[state], origin[state] = terms, parent
        rest, (last, rank) = state[:-1], state[-1]
        own, following = last * span + rank, (last + 1) * span + 1
        if rank < span:
            waiting.append((state, (*rest, (last, rank + 1)), (*terms, own + 1, -own)))
        if last + 1 < last_user:
            waiting.append((state, (*state, (last + 1, 1)), (*terms, following)))
            if rank == 1:
                waiting.append((state, (*rest, (last + 1, 1)), (*terms, following, -own)))
    states = sorted(found)  # so that of equal sums the first is what a heap of them has first
    users = 1 + max((place for state in states for place, _ in state), default=0)
    ranks = np.zeros((len(states), users + 1), np.int8 if num_choices < 128 else np.int32)
    sums = np.zeros((max(1, *map(len, found.values())) if len(found) > 1 else 1, len(states)), np.int32)
    for row, state in enumerate(states):
        for place, rank in state:
            ranks[row, place] = rank
        for step, term in enumerate(found[state]):
            sums[step, row] = term if term > 0 else users * span - term
    places = {state: row for row, state in enumerate(states)}
    return ranks, sums, np.array([places[origin[state]] for state in states])


def _before(state: _State, enough: int) -> int:
    """How many decisions surely come before one, or at least `enough`.

    They leave no more first choices, the j-th last of them by a user that is no later; or have all the same users
    leave them, with choices that are no dearer.
    """
    places = [place for place, _ in reversed(state)]
    count, ways = 1, np.ones(places[0] + 1, np.int64)
    for level, place in enumerate(places):
        if level:  # the earlier users at this level, each below the one before
            ways = ways[::-1].cumsum()[::-1][1:][: place + 1]
        count += int(ways.sum())
        if count > enough:
            return count
    return count - 1 + prod(1 + rank for _, rank in state) - 2 ** len(state)
