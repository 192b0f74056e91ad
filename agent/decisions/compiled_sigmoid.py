"""The relaxed decision of logits in machine code (`agent.decisions.binary`)."""

import numpy as np
from numba import njit


@njit("f8[::1](f4[::1])", cache=True, error_model="numpy")
def sigmoid(logits):
    """The relaxed decision (N,) in double precision."""
    relaxed = np.empty(len(logits))
    for user in range(len(logits)):
        relaxed[user] = 1 / (1 + np.exp(-max(np.float64(logits[user]), -700.0)))
    return relaxed
