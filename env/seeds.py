"""The streams of random numbers that one seed gives: one list, so that no two purposes share a stream.

A world draws from the seed itself, and from one stream of its own for each purpose below. Agents draw from the
keys 1 to 3 (`agent/seeds.py`), so that a world and an agent of one seed are independent.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .arrays import InputError, whole_number

PRESENCE = 4
"""Who comes and goes."""


def stream(seed: int, key: int) -> np.random.SeedSequence:
    """What a generator of one purpose is made from."""
    return np.random.SeedSequence(seed, spawn_key=(key,))


def of_replicas(seed: Any, replicas: int) -> list[int]:
    """The seeds (R,): those given, or from one number on.

    Raises InputError unless `seed` is one whole number from 0, or R of them.
    """
    if isinstance(seed, Sequence | np.ndarray) and not isinstance(seed, str) and np.ndim(seed):
        if len(seed) != replicas:
            raise InputError(f"seed must be one number or {replicas}, one a replica, got {len(seed)}")
        return [whole_number("seed", one, 0, None) for one in seed]
    first = whole_number("seed", seed, 0, None)
    return list(range(first, first + replicas))
