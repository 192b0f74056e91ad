"""Local search around the best candidate: a proposal is improved before it is carried out and learned.

DROO's candidates are all thresholds on one relaxed decision. Where the best decision is no threshold (at most q of
N users, groups that must agree, an order that nobody sees), the best of them is then learned as if it were right.
One user's change, or two that exchange what they do, mostly mends it, and the network learns the mended decision:
the neighbourhoods of coordinate descent and of exchange local search for assignment, the likeliest changes first.
(Not in the paper.)
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .arrays import Array, namespace, on_device
from .checks import FLOAT64, InputError
from .decisions.limits import Limited, Limits
from .decisions.nested import Nested, listed
from .decisions.quantizer import LISTED, OrderPreservingAndNearest, Quantizer, order_for, propose_within
from .machine_code import machine_code

COMPILED = "compiled_search"
"""Machine code of one agent; for many `_of_each` is added."""
COMPILED_FRAME = "compiled_frame"
"""That of a frame whose critic is machine code too."""
INT64 = np.dtype(np.int64)
ROUNDS = 2
"""The search goes on from the best decision of its first half."""
SWEEPING = 4
"""One of so many neighbours changes a user in turn: so a network that is sure and wrong is found out."""
EXCHANGING = 10
"""Of so many users, those whose choice is the least certain, each pair is tried to exchange what they do."""


class Found(NamedTuple):
    """The best decision of a frame; of R replicas arrays."""

    decision: Array
    """(R, N)."""
    value: Array
    """(R,)."""
    place: Array
    """(R,), among all candidates of the frame."""


class LocalSearch:
    """Values more decisions around the best one: neighbours that have not been valued yet.

    Neighbours are the decisions in which one user does something else, and those in which two users exchange what
    they do, one of these after two of those; of both kinds the network's likeliest come first. One in four changes
    a user in turn. Where no decision so far is worth more than -inf (none is feasible), half of them are instead
    any decisions: the idle one, then random ones in which any number of users offloads. Where one is feasible and
    none of its neighbours, the second half of the calls goes to further candidates of the quantizer and some of
    these.

    Args:
        num_choices: C.
        quantizer: that proposed the candidates.
        calls: decisions that are valued in a frame.
        device: None for NumPy arrays, else the torch device.
    """

    def __init__(self, num_choices: int, quantizer: Quantizer, calls: int, device: str | None = None) -> None:
        self._num_choices = num_choices
        self._quantizer = quantizer
        self._device = device
        first = (calls + ROUNDS - 1) // ROUNDS
        self._rounds = [count for count in (first, calls - first) if count]
        self._settled_for = 0
        self._known_turns: dict[tuple[int, int], Array] = {}

    def _settle_for(self, num_users: int) -> None:
        """What depends on N, which may change from frame to frame."""
        rng = np.random.default_rng(0)
        self._weights = on_device(rng.integers(-(2**62), 2**62, num_users), self._device)
        """A decision's code is the sum of its choices times these: equal codes, equal decisions."""
        pairs = np.stack(np.triu_indices(min(EXCHANGING, num_users), 1))
        self._first, self._second = (on_device(one, self._device) for one in pairs)
        self._settled_for = num_users

    def __call__(
        self,
        relaxed: Array,
        candidates: Any,
        found: Found,
        evaluate: Callable[[Array], Array],
        rngs: Any,
        frame: int,
        limits: Limits | None = None,
    ) -> Found:
        """The best decision after the search.

        Args:
            relaxed: (R, N) of bits, (R, N, C) of choices.
            candidates: what was valued so far, (R, K, N) or `Nested`.
            found: the best of them.
            evaluate: values (R, L) of decisions (R, L, N).
            rngs: R random generators, on the host.
            frame: its number.
            limits: that decisions keep.
        """
        if found.decision.shape[-1] != self._settled_for:
            self._settle_for(found.decision.shape[-1])
        code = machine_code(f"{COMPILED}_of_each") if self._device is None and limits is None else None
        xp = namespace(relaxed)
        likely = self._log_probabilities(relaxed)
        known = self._codes(candidates)
        decision, value, place = found
        count, rows = known.shape[1], xp.arange(len(known), device=known.device)
        values: Any = None
        for calls in self._rounds:
            if code is None:
                near = self._neighbours(likely, decision, known, calls, frame, limits)
            else:
                start = np.ascontiguousarray(decision, dtype=np.int64), np.ascontiguousarray(known)
                near = code.neighbours_of_each(likely, *start, self._weights, calls, frame, SWEEPING, EXCHANGING)
            if self._device is None:
                half = near.shape[1] // 2
                for row in np.flatnonzero(value == -np.inf).tolist():
                    within = None if limits is None else limits.each[row]
                    any_ = anyhow(near.shape[1] - half, near.shape[-1], self._num_choices, rngs[row], within)
                    near[row, half:] = any_
                if values is not None:
                    for row in np.flatnonzero((values.max(-1) == -np.inf) & (value > -np.inf)).tolist():
                        within = None if limits is None else limits.each[row]
                        near[row] = self._elsewhere(near[row], relaxed[row], known[row], rngs[row], within)
            values = evaluate(near)
            best = values.argmax(-1)
            better = values[rows, best] > value
            decision = xp.where(better[:, None], near[rows, best], decision)
            value = xp.where(better, values[rows, best], value)
            place = xp.where(better, best + count, place)
            known = xp.concatenate([known, self._codes(near)], -1)
            count += near.shape[1]
        return Found(decision, value, place)

    def propose(
        self, relaxed: NDArray[np.float64], k: int
    ) -> tuple[NDArray[np.int64] | None, tuple[Array, Array] | None]:
        """The quantizer's `k` candidates for one relaxed decision of bits (N,), and what the search asks of them.

        All in one call of machine code, for the quantizer of bits that is the default; else None and None.
        """
        code = machine_code(COMPILED)
        if code is None or not self._lists(k, len(relaxed)):
            return None, None
        if len(relaxed) != self._settled_for:
            self._settle_for(len(relaxed))
        candidates, likely = np.empty((k, len(relaxed)), INT64), np.empty((len(relaxed), 2))
        codes = np.empty(k + sum(self._rounds), INT64)
        code.propose(relaxed, order_for(relaxed), self._weights, candidates, likely, codes)
        return candidates, (likely, codes)

    def decide(
        self, relaxed: NDArray[np.float64], k: int, critic: tuple[int, int], frame: int
    ) -> tuple[NDArray[np.int64], tuple[int, int, int, float]] | None:
        """A whole frame in one call of machine code, where its critic is machine code too.

        Args:
            relaxed: a relaxed decision of bits (N,).
            k: proposals.
            critic: addresses, as of `agent.critics.critic_in_machine_code`.
            frame: its number.

        Returns the best decision (N,), its place, that of the best proposal, how many were valued, and its value.
        None where something in this frame is not to be had that way.
        """
        code = machine_code(COMPILED_FRAME)
        if code is None or not self._lists(k, len(relaxed)):
            return None
        if len(relaxed) != self._settled_for:
            self._settle_for(len(relaxed))
        decision = np.empty(len(relaxed), INT64)
        first, second = (*self._rounds, 0)[:2]
        how = self._weights, first, second, frame, SWEEPING, EXCHANGING
        found = code.decide(relaxed, order_for(relaxed), k, *how, *critic, decision)
        return None if found[0] < 0 else (decision, found)

    def _lists(self, k: int, num_users: int) -> bool:
        """Whether machine code proposes `k` candidates of the quantizer, that of bits which is the default."""
        return type(self._quantizer) is OrderPreservingAndNearest and k * num_users <= LISTED

    def around(
        self,
        relaxed: NDArray[np.float64],
        candidates: Any,
        found: tuple[NDArray[np.int64], float, int],
        evaluate: Callable[[NDArray[np.int64], bool], NDArray[np.float64]],
        rng: np.random.Generator,
        frame: int,
        limits: Limits | None,
        start: tuple[Array, Array] | None = None,
    ) -> tuple[NDArray[np.int64], float, int]:
        """The same for one agent on the host: decision (N,), value and place of the best.

        All as above without the first dimension; `evaluate` gives the values (L,) of decisions (L, N), and is told
        whether all of them are known to be new; `start` is what `propose` gave.
        """
        code = machine_code(COMPILED) if limits is None else None
        if code is None:
            if isinstance(candidates, Nested):
                candidates = Nested(candidates.order[None], candidates.counts[None])
            else:
                candidates = candidates[None]
            one = Found(found[0][None], np.array([found[1]]), np.array([found[2]]))

            def value_of(near: Array) -> Array:
                values = evaluate(near[0], False)
                highest(values)
                return values[None]

            one = self(relaxed[None], candidates, one, value_of, [rng], frame, limits)
            return one.decision[0], float(one.value[0]), int(one.place[0])
        decision, value, place = np.ascontiguousarray(found[0], INT64), found[1], found[2]
        if len(decision) != self._settled_for:
            self._settle_for(len(decision))
        weights, count = self._weights, len(candidates)
        if start is None:
            relaxed = np.ascontiguousarray(relaxed, FLOAT64)
            bits = relaxed.ndim == 1
            likely = code.log_probabilities_of_bits(relaxed) if bits else self._log_probabilities(relaxed)
            codes = np.empty(count + sum(self._rounds), INT64)
            codes[:count] = code.codes(np.ascontiguousarray(listed(candidates), INT64), weights)
        else:
            likely, codes = start
        best = 0.0
        for calls in self._rounds:
            near = np.empty((calls, len(decision)), INT64)
            there, new = code.neighbours(
                likely, decision, codes, count, weights, frame, SWEEPING, EXCHANGING, near
            )
            if there < calls:
                near = near[:there]
            if value == -np.inf or best == -np.inf:
                if value == -np.inf:
                    half = there // 2
                    near[half:] = anyhow(there - half, len(decision), self._num_choices, rng)
                else:
                    near = self._elsewhere(near, relaxed, codes[:count], rng, None)
                codes[count : count + there] = code.codes(near, weights)
                new = -1
            values = evaluate(near, new == there)
            at, best = highest(values)
            if best > value:
                decision, value, place = near[at], best, at + count
            count += there
        return decision, value, place

    def _elsewhere(self, near: Array, relaxed: Array, known: Array, rng: Any, limits: Limited | None) -> Array:
        """In place of neighbours (L, N) further candidates of the quantizer, one in four any decision."""
        count, num_users = near.shape
        random = anyhow(count // 4 + 1, num_users, self._num_choices, rng, limits)[1:]
        most = min(len(known) + count, self._quantizer.max_candidates(num_users))
        further = (
            self._quantizer(relaxed, most, rng)
            if limits is None
            else propose_within(self._quantizer, relaxed, most, rng, limits)
        )
        further = further[~np.isin(self._codes(further), known)]
        return np.concatenate([random, further, near])[:count]

    def _log_probabilities(self, relaxed: Array) -> Array:
        """Of every choice of every user, (R, N, C)."""
        xp = namespace(relaxed)
        if self._num_choices == 2:
            relaxed = xp.stack([1 - relaxed, relaxed], -1)
        return xp.log(relaxed.clip(1e-300, None))

    def _codes(self, candidates: Any) -> Array:
        """(R, K) of candidates (R, K, N)."""
        if isinstance(candidates, Nested):
            xp = namespace(candidates.order)
            sums = self._weights[candidates.order].cumsum(-1)
            sums = xp.concatenate([xp.zeros_like(sums[:, :1]), sums], -1)
            rows = xp.arange(len(sums), device=sums.device)
            return sums[rows[:, None], candidates.counts]
        return (candidates * self._weights).sum(-1)

    def _sweep(self, decision: Array, calls: int, frame: int) -> Array:
        """Changes (4, R, S) of some users in turn, frame after frame, whatever the network finds likely."""
        xp = namespace(decision)
        count = max(calls // SWEEPING, 1)
        places = xp.arange(count * frame, count * (frame + 1), device=decision.device)
        users, shift = places % decision.shape[1], places // decision.shape[1] % (self._num_choices - 1) + 1
        users = users + xp.zeros_like(decision[:, :1])
        rows = xp.arange(len(decision), device=decision.device)[:, None]
        choice = (decision[rows, users] + shift) % self._num_choices
        return xp.stack([users, choice, users, choice])

    def _neighbours(
        self, likely: Array, decision: Array, known: Array, calls: int, frame: int, limits: Limits | None
    ) -> Array:
        """`calls` neighbours (R, calls, N) of decisions (R, N), none of the known ones while there are others."""
        xp = namespace(likely)
        replicas, num_users, num_choices = likely.shape
        rows = xp.arange(replicas, device=likely.device)[:, None]
        users = xp.arange(num_users, device=likely.device)
        loss = likely[rows, users, decision][..., None] - likely
        loss[rows, users, decision] = xp.inf  # no change
        most = calls + known.shape[1]

        single = loss.reshape(replicas, -1).argsort(-1)[:, :most]
        user, choice = single // num_choices, single % num_choices
        doubtful = (loss.min(-1) if xp is np else loss.amin(-1)).argsort(-1)[:, :EXCHANGING]
        one, other = doubtful[:, self._first], doubtful[:, self._second]
        of_one, of_other = decision[rows, other], decision[rows, one]
        order = (loss[rows, one, of_one] + loss[rows, other, of_other]).argsort(-1)[:, :most]
        exchanges = xp.stack([one, of_one, other, of_other])[:, rows, order]
        moves = xp.concatenate([xp.stack([user, choice, user, choice]), exchanges], -1)
        moves = moves[..., self._turns(single.shape[1], order.shape[1])]
        sweep = self._sweep(decision, calls, frame)
        first, to_first, second, to_second = xp.concatenate([sweep, moves], -1)
        if limits is not None:  # what they do not permit is no change
            permitted = limits.permit(decision, first, to_first, second, to_second)
            to_first = xp.where(permitted, to_first, decision[rows, first])
            to_second = xp.where(permitted, to_second, decision[rows, second])

        own = self._codes(decision[:, None])
        change = self._weights[first] * (to_first - decision[rows, first])
        change = change + (second != first) * self._weights[second] * (to_second - decision[rows, second])
        codes, swept = own + change, sweep.shape[-1]
        old = (codes[..., None] == known[:, None]).any(-1) | (change == 0)
        again = (codes[:, swept:, None] == codes[:, None, :swept]).any(-1)
        old = xp.concatenate([old[:, :swept], old[:, swept:] | again], -1)
        order = old.argsort(-1, kind="stable") if xp is np else old.byte().sort(dim=-1, stable=True)[1]
        chosen = order[:, :calls]
        places = xp.arange(chosen.shape[1], device=likely.device)
        near = xp.tile(decision[:, None], (1, len(places), 1))
        near[rows, places, first[rows, chosen]] = to_first[rows, chosen]
        near[rows, places, second[rows, chosen]] = to_second[rows, chosen]
        return near

    def _turns(self, singles: int, exchanges: int) -> Array:
        """Places of single changes and exchanges, which follow them: two of the former, one of the latter, ..."""
        if (singles, exchanges) not in self._known_turns:
            turn = np.concatenate([np.arange(singles) / 2, np.arange(exchanges) + 0.5])
            self._known_turns[singles, exchanges] = on_device(turn.argsort(kind="stable"), self._device)
        return self._known_turns[singles, exchanges]


def highest(values: NDArray[np.float64]) -> tuple[int, float]:
    """Place and value of the best of values (K,), of equal ones the first; raises InputError where one is nan."""
    best = int(values.argmax())  # the first nan where there is one
    value = float(values[best])
    if value != value:
        raise InputError(f"evaluate must return numbers, got nan for candidate {best}")
    return best, value


def anyhow(
    count: int, num_users: int, num_choices: int, rng: np.random.Generator, limits: Limited | None = None
) -> NDArray[np.int64]:
    """Decisions (count, N), the idle one first, in which any number of users, equally likely, offload.

    With limits, random ones that keep them.
    """
    if limits is not None:
        drawn = limits.random(count, rng).astype(np.int64)
        drawn[:1] = 0
        return drawn
    offloading = rng.integers(num_users + 1, size=count)
    if count:
        offloading[0] = 0
    chosen = rng.random((count, num_users)).argsort(-1) < offloading[:, None]
    return chosen * rng.integers(1, num_choices, size=(count, num_users))
