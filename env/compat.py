"""The published functions under their published names, answered by this project's solvers.

Published defaults throughout (weights 1 for even and 1.5 for odd users). A published script runs with
``from optimization import bisection`` changed to ``from env.compat import bisection``.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from env.arrays import positive
from env.wireless_powered import WirelessPoweredMEC


def bisection(
    h: ArrayLike, M: ArrayLike, weights: Sequence[float] | np.ndarray = ()
) -> tuple[float, float, list[float]]:
    """Optimal time split for the decision `M` (N,) at gains `h` (N,).

    Returns (rate in bit/s, charging time a, transmit times of the offloading users in their order).
    Raises ValueError for input that `WirelessPoweredMEC.allocate` refuses.
    """
    gains, decision = np.asarray(h), np.asarray(M)
    if gains.ndim != 1 or gains.shape != decision.shape:
        raise ValueError(f"h and M must have one shape (N,), got {gains.shape} and {decision.shape}")
    env = WirelessPoweredMEC(gains.size, weights=None if len(weights) == 0 else list(weights))
    result = env.allocate(gains, decision)
    return float(result.rate), float(result.charging_time), result.transmit_time[decision == 1].tolist()


def cd_method(h: ArrayLike, seed: int | None = None) -> tuple[float, np.ndarray]:
    """Coordinate descent from a random decision: change the one user that gains most, until none does.

    (Bi and Zhang, IEEE Trans. Wireless Comm. 2018, Algorithm 2.) Returns (rate in bit/s, decision (N,)).
    """
    gains = positive("h", h)
    env = WirelessPoweredMEC(gains.size)
    decision = np.random.default_rng(seed).integers(2, size=gains.size)
    rate = float(env.allocate(gains, decision).rate)
    flips = np.eye(gains.size, dtype=decision.dtype)
    while True:
        neighbours = decision ^ flips
        rates = env.allocate(gains, neighbours).rate
        best = int(rates.argmax())
        if rates[best] <= rate:
            return rate, decision
        rate, decision = float(rates[best]), neighbours[best]
