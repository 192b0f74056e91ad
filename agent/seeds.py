"""The streams of random numbers that one seed gives: one list, so that no two purposes share a stream.

The first weights come from the seed itself. Worlds draw from the seed itself and from keys from 4 to
99 (`env/seeds.py`), so that an agent and a world of one seed are independent.
"""

import numpy as np

LEARNING = 1
"""Minibatches and the quantizer's noise."""
BASELINE = 2
"""Of methods that decide at random."""
NETWORKS = 3
"""First weights of the second and every further network of several."""

PROBES = 100
"""What an agent values beside its candidates, to notice what goes wrong."""
VALUES = 101
"""First weights and minibatches of a learned value, and what it proposes at random."""


def stream(seed: int, key: int) -> np.random.SeedSequence:
    """What a generator of one purpose is made from."""
    return np.random.SeedSequence(seed, spawn_key=(key,))


def of_networks(seed: int, count: int) -> list[int]:
    """Of the first weights of `count` networks: the first is the network that `seed` gives on its own."""
    return [seed, *stream(seed, NETWORKS).generate_state(count - 1).tolist()]
