"""What is carried out in place of an action that cannot be."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import InputError
from ..decisions import Decisions
from ..limits import Limited
from .worlds import Worlds


def within_limits(kind: Decisions, action: NDArray[Any]) -> NDArray[Any]:
    """A decision that keeps the limits and differs from an action (N,) in as few users as possible.

    Who takes a choice that is not there computes locally; of more users than a choice has places for, those of the
    lowest numbers keep it.
    """
    if not isinstance(kind, Limited) or kind.feasible(action):
        return action
    chosen = np.asarray(action, dtype=np.int64)
    kept = np.where(kind.mask[np.arange(len(chosen)), chosen], chosen, 0)
    for choice in range(1, kind.num_choices):
        kept[np.flatnonzero(kept == choice)[kind.capacities[choice] :]] = 0
    return kept.astype(action.dtype)


def nearest(worlds: Worlds, place: int, action: NDArray[Any]) -> NDArray[Any]:
    """Of world `place`, the feasible decision nearest to an action (N,) that is worth -inf.

    Tried are the action's neighbours, the decision in which nobody offloads, and its neighbours.

    Raises InputError where none of them is worth more than -inf.
    """
    kind = worlds.kinds()[place]
    idle = kind.idle()
    tried = np.concatenate([kind.neighbours(action), idle[None], kind.neighbours(idle)])
    values = worlds.evaluate(np.broadcast_to(tried, (worlds.number, *tried.shape)))[place]
    feasible = tried[values > -np.inf]
    if not len(feasible):
        name = type(worlds.first).__name__
        raise InputError(f"{name} carries out feasible decisions only, and none was found near {action.tolist()}")
    distance = (feasible != action).sum(-1)
    return np.asarray(feasible[distance.argmin()])
