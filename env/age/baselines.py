"""Rules for who transmits in `AgeMEC`: each keeps to the places there are, and to the sensors that have energy.

As in `env.baselines`, each takes the environment at its current frame and a random generator.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..baselines import Choice, Evaluating, best_of, best_of_random
from ..decisions import member
from ..limits import Limited


class Ageing(Evaluating, Protocol):
    """What these rules see of an `AgeMEC`."""

    frame: int
    gains: FloatArray
    age: FloatArray
    decisions: Limited

    def worth(self) -> FloatArray:
        """(q + 1, N), what each sensor saves that transmits, row m where m do."""


def round_robin(environment: Ageing, rng: np.random.Generator | None = None) -> Choice:
    """The next q sensors in turn that have energy, from one that moves on by q in each frame."""
    start = member(environment, "frame") * int(environment.decisions.capacities[1])
    return _first(environment, (start + np.arange(environment.num_users)) % environment.num_users)


def oldest_first(environment: Ageing, rng: np.random.Generator | None = None) -> Choice:
    """The q oldest that have energy."""
    return _first(environment, np.argsort(-member(environment, "age"), kind="stable"))


def best_channel(environment: Ageing, rng: np.random.Generator | None = None) -> Choice:
    """The q of the largest gains that have energy."""
    return _first(environment, np.argsort(-member(environment, "gains"), kind="stable"))


def oldest_as_many_as_best(environment: Ageing, rng: np.random.Generator | None = None) -> Choice:
    """The oldest that have energy, as many as is best: at most q + 1 decisions."""
    return _as_many_as_best(environment, np.argsort(-member(environment, "age"), kind="stable"))


def one_by_one(environment: Ageing, rng: np.random.Generator | None = None) -> Choice:
    """Add the sensor that helps most until none helps or the places are taken: it asks only for values."""
    choice = best_of(environment, np.zeros((1, member(environment, "num_users"))))
    evaluations = 1
    for _ in range(environment.decisions.capacities[1]):
        left = np.flatnonzero(environment.decisions.mask[:, 1] & (choice.decision == 0))
        if not left.size:
            break
        best = best_of(environment, choice.decision + np.eye(environment.num_users)[left])
        evaluations += len(left)
        if not best.value > choice.value:
            break
        choice = best
    return choice._replace(evaluations=evaluations)


def best_of_32_random(environment: Ageing, rng: np.random.Generator) -> Choice:
    """The best of as many random decisions as an agent asks for by default."""
    return best_of_random(environment, rng, 32)


def max_weight(environment: Ageing, rng: np.random.Generator | None = None) -> Choice:
    """For each m, the m sensors that save most where m transmit: the best decision of all, of at most q + 1."""
    worth = member(environment, "worth")()
    able = _able(environment, np.arange(environment.num_users))
    most = min(len(worth) - 1, len(able))
    decisions = np.zeros((most + 1, environment.num_users))
    for m in range(1, most + 1):
        decisions[m, able[np.argsort(-worth[m, able], kind="stable")[:m]]] = 1
    return best_of(environment, decisions)


def _able(environment: Ageing, order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those of an order that have energy."""
    return order[environment.decisions.mask[order, 1]]


def _first(environment: Ageing, order: NDArray[np.int64]) -> Choice:
    """The first q of an order that have energy."""
    decision = np.zeros(environment.num_users)
    decision[_able(environment, order)[: environment.decisions.capacities[1]]] = 1
    return best_of(environment, decision[None])


def _as_many_as_best(environment: Ageing, order: NDArray[np.int64]) -> Choice:
    """The first m of an order that have energy, m of 0 to q the best."""
    able = _able(environment, order)[: environment.decisions.capacities[1]]
    decisions = np.zeros((len(able) + 1, environment.num_users))
    decisions[:, able] = np.tri(len(able) + 1, len(able), -1)
    return best_of(environment, decisions)
