"""The scales of a world's observations and values, measured once in random frames, for learners that need them."""

from typing import NamedTuple

import numpy as np

from ..arrays import FloatArray
from .worlds import Worlds

FRAMES = 200
RANDOM = 8
"""Random decisions that are valued in each of them, beside the one in which nobody offloads and its neighbours."""


class Scaling(NamedTuple):
    """Means and standard deviations; a deviation of 0 counts as 1."""

    observation_mean: FloatArray
    """(N, F)."""
    observation_deviation: FloatArray
    """(N, F)."""
    value_mean: float
    value_deviation: float
    least_value: float
    """The least value of a feasible decision."""


def measured(worlds: Worlds) -> Scaling:
    """The scaling of the first world, from its frames of seed 0, in which random decisions are carried out.

    It is the same each time, so that every environment of a world has the same. The world must be reset
    afterwards.
    """
    worlds = worlds.one()
    rng = np.random.default_rng(0)
    worlds.reset([0] * worlds.number)
    observations, values = [], []
    for _ in range(FRAMES):
        observations.append(worlds.observe()[0])
        kind = worlds.kinds()[0]
        idle = kind.idle()
        candidates = np.concatenate([kind.random(RANDOM, rng), idle[None], kind.neighbours(idle)])
        worth = worlds.evaluate(np.broadcast_to(candidates, (worlds.number, *candidates.shape)))[0]
        feasible = np.isfinite(worth)
        values.append(worth[feasible])
        decision = candidates[feasible.argmax()]
        worlds.step(np.broadcast_to(decision, (worlds.number, *decision.shape)))
    seen, known = np.array(observations), np.concatenate(values)
    known = known if known.size else np.zeros(1)
    deviation, of_values = seen.std(0), float(known.std())
    return Scaling(
        seen.mean(0),
        np.where(deviation > 0, deviation, 1.0),
        float(known.mean()),
        of_values or 1.0,
        float(known.min()),
    )
