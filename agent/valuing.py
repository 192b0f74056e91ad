"""How the decisions of a frame are valued: each once, no more than a budget, likeliest first as long as it pays.

A critic that solves a program a decision takes milliseconds each: then calls are what a frame costs. (Not in the
paper, whose critic is a bisection.)
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .decisions.nested import Nested, listed
from .decisions.quantizer import always_differ
from .settings import AgentSettings
from .workers import Workers, values_of

Evaluate = Callable[[Any], ArrayLike]


NO_LIMIT = sys.maxsize


class Valuing:
    """What an agent's settings say of valuing decisions: `max_evaluations`, `patience`, `workers`."""

    def __init__(self, settings: AgentSettings) -> None:
        self.once = not settings.published
        self.differ = (
            settings.num_networks == 1 and always_differ(settings.proposer) and not settings.learned_value
        )
        self.patience = settings.patience
        self.most = NO_LIMIT if settings.max_evaluations is None else settings.max_evaluations
        self.reserved = settings.searched
        """Calls that proposals leave to local search."""
        self.at_once = self.patience is None and settings.max_evaluations is None
        """Whether decisions are valued all at once."""
        self._workers = None if settings.workers is None else Workers(settings.workers)

    @property
    def takes_nested(self) -> bool:
        """Whether proposals may be `Nested` too."""
        return self.patience is None and self._workers is None

    @property
    def all_at_once(self) -> bool:
        """Whether decisions are valued all at once, in this process."""
        return self.at_once and self._workers is None

    def proposals(self, k: int) -> int:
        """Of how many of `k` proposals the budget has room for, at most."""
        return min(k, self.most - self.reserved)

    def of_frame(self, evaluate: Evaluate) -> "FrameCritic":
        """The critic of one frame."""
        return FrameCritic(evaluate if self._workers is None else self._workers.of_frame(evaluate), self)


class FrameCritic:
    """A critic in one frame, which knows what it has valued.

    Args:
        evaluate: maps decisions (L, N) to values (L,).
        how: they are valued.

    Attributes:
        best: the best value so far, where there is a patience; -inf at first.
    """

    __slots__ = ("_evaluate", "_how", "_in_vain", "_known", "_left", "_not_listed", "best")

    def __init__(self, evaluate: Evaluate, how: Valuing) -> None:
        self._evaluate = evaluate
        self._how = how
        self.best = -np.inf
        self._left = how.most
        self._known: dict[Any, float] = {}
        self._not_listed: list[tuple[Any, NDArray[np.float64]]] = []
        self._in_vain = False

    def proposals(self, candidates: Any) -> NDArray[np.float64]:
        """Values (L,) of the first L of candidates (K, N): of all, unless budget or patience end before.

        Patience p ends it once p decisions one after another were no better than the best before them; as many
        are valued side by side as are needed whatever their values. While none is feasible it goes on.
        """
        if isinstance(candidates, Nested) or (self._how.at_once and (self._how.differ or not self._how.once)):
            return self._value(candidates)
        return self._new_ones(candidates, self._how.reserved, self._how.patience)

    def neighbours(self, near: NDArray[np.int64], new: bool) -> NDArray[np.float64]:
        """As local search asks: values (L,) of decisions (L, N), -inf for those that were left out.

        Once patience has ended it without a better one, nothing more is valued. Where all are known to be `new`,
        none is looked for among those before.
        """
        if new and self._how.at_once:
            return self._value(near)
        before = self.best
        values = np.zeros(0) if self._in_vain else self._new_ones(near, 0, self._how.patience)
        self._in_vain |= len(values) < len(near) and self.best == before > -np.inf
        if len(values) == len(near):
            return values
        return np.concatenate([values, np.full(len(near) - len(values), -np.inf)])

    def probes(self, decisions: NDArray[np.int64]) -> NDArray[np.float64]:
        """Values (L,) of the first L of decisions (K, N), as many as the budget has room for."""
        return self._new_ones(decisions, 0, None)

    def _new_ones(self, decisions: Any, reserved: int, patience: int | None) -> NDArray[np.float64]:
        """Values (L,) of the first L of decisions (K, N), of which those are valued that were not yet."""
        codes, new = self._listed(decisions)
        if self._how.at_once and len(new) == len(codes):
            return self._value(decisions, codes)
        room = max(min(len(new), self._left - reserved), 0)
        in_vain = 0 if self._known else -1  # the first is the best so far, whatever it is worth
        done = 0
        while done < room:
            if patience is not None and self.best == -np.inf:
                in_vain = min(in_vain, 0)
            count = room - done if patience is None else min(patience - in_vain, room - done)
            if count == 0:
                break
            places = new[done : done + count]
            best = self.best
            rows = decisions if len(places) == len(codes) else _rows(decisions, places)
            values = self._value(rows, [codes[place] for place in places])
            for value in values.tolist():
                best, in_vain = (value, 0) if value > best else (best, in_vain + 1)
            done += count
        end = new[done] if done < len(new) else len(codes)
        return np.array([self._known[code] for code in codes[:end]])

    def _listed(self, decisions: Any) -> tuple[list[Any], list[int]]:
        """The codes of decisions (K, N), and the places of those that are new, the first of each."""
        while self._not_listed:
            valued, values = self._not_listed.pop()
            self._known.update(zip(codes_of(valued), values.tolist(), strict=True))
        if not self._how.once:
            count = len(self._known)
            return list(range(count, count + len(decisions))), list(range(len(decisions)))
        codes = codes_of(decisions)
        if len(set(codes)) == len(codes) and self._known.keys().isdisjoint(codes):
            return codes, list(range(len(codes)))
        first = {code: place for place, code in reversed(list(enumerate(codes)))}
        return codes, sorted(place for code, place in first.items() if code not in self._known)

    def _value(self, decisions: Any, codes: Sequence[Any] | None = None) -> NDArray[np.float64]:
        values = values_of(self._evaluate, decisions)
        if self._how.patience is not None:
            self.best = max(self.best, float(values.max()))
        self._left -= len(values)
        if codes is None:  # they may never be asked for
            self._not_listed.append((decisions, values))
        else:
            self._known.update(zip(codes, values.tolist(), strict=True))
        return values


def codes_of(decisions: Any) -> list[Any]:
    """One hashable object for each of decisions (K, N), or `Nested` ones; equal ones for equal decisions."""
    rows = np.ascontiguousarray(listed(decisions), dtype=np.int64)
    codes: list[Any] = rows.view(f"V{rows.itemsize * rows.shape[1]}").ravel().tolist()
    return codes


def _rows(decisions: NDArray[Any], places: Sequence[int]) -> NDArray[Any]:
    rows = decisions[places]
    rows.setflags(write=False)
    return rows
