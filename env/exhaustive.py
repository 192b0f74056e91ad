"""Every binary decision of a few users."""

from functools import lru_cache

import numpy as np

from env.arrays import FloatArray


@lru_cache(maxsize=4)
def all_decisions(num_users: int) -> FloatArray:
    """All decisions, (2^N, N), read-only; row r holds the binary digits of r, user 0 first."""
    places = np.arange(num_users)[::-1]
    decisions = (np.arange(2**num_users)[:, None] >> places & 1).astype(np.float64)
    decisions.setflags(write=False)
    return decisions
