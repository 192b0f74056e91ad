"""The published functions under their published names, answered by this project's solvers.

Published defaults throughout (weights 1 for even and 1.5 for odd users). A published script runs with
``from optimization import bisection`` changed to ``from env.compat import bisection``.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from env.arrays import FloatArray, positive
from env.baselines import coordinate_descent
from env.channel import Channel
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
    """Coordinate descent from a random decision, drawn with `seed`: (rate in bit/s, decision (N,)).

    Raises ValueError when the gains `h` (N,) are not positive and finite.
    """
    gains = positive("h", h)
    if gains.ndim != 1 or not gains.size:
        raise ValueError(f"h must have shape (N,), got {gains.shape}")
    env = WirelessPoweredMEC(gains.size, channel=_Still(gains))
    choice = coordinate_descent(env, np.random.default_rng(seed))
    return choice.value, choice.decision.astype(int)


class _Still(Channel):
    """The same gains in every frame."""

    def __init__(self, gains: FloatArray) -> None:
        self.gains = gains

    def reset(self, num_users: int, rng: np.random.Generator) -> None:
        """Nothing to do: the environment is made for these gains."""

    def sample(self, rng: np.random.Generator) -> FloatArray:
        return self.gains
