"""The published functions under their published names, answered by this project's solvers.

Published defaults throughout (DROO: weights 1 for even and 1.5 for odd users). A published script runs with
``from optimization import bisection`` changed to ``from env.compat import bisection``, or
``from ResourceAllocation import Algo1_NUM`` to ``from env.compat import Algo1_NUM``.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from env.arrays import FloatArray, InputError, positive
from env.baselines import coordinate_descent
from env.lyapunov import LyapunovMEC
from env.processes.channel import Channel
from env.wireless_powered import WirelessPoweredMEC

PUBLISHED_GAIN_SCALE = 1e10
"""The published LyDROO script multiplies its gains by it before it calls `Algo1_NUM`."""


def bisection(
    h: ArrayLike, M: ArrayLike, weights: Sequence[float] | np.ndarray = ()
) -> tuple[float, float, list[float]]:
    """Optimal time split for the decision `M` (N,) at gains `h` (N,).

    Returns (rate in bit/s, charging time a, transmit times of the offloading users in their order).
    Raises InputError for input that `WirelessPoweredMEC.allocate` refuses.
    """
    gains, decision = np.asarray(h), np.asarray(M)
    if gains.ndim != 1 or gains.shape != decision.shape:
        raise InputError(f"h and M must have one shape (N,), got {gains.shape} and {decision.shape}")
    env = WirelessPoweredMEC(gains.size, weights=None if len(weights) == 0 else list(weights))
    result = env.allocate(gains, decision)
    return float(result.rate), float(result.charging_time), result.transmit_time[decision == 1].tolist()


def cd_method(h: ArrayLike, seed: int | None = None) -> tuple[float, np.ndarray]:
    """Coordinate descent from a random decision, drawn with `seed`: (rate in bit/s, decision (N,)).

    Raises InputError when the gains `h` (N,) are not positive and finite.
    """
    gains = positive("h", h)
    if gains.ndim != 1 or not gains.size:
        raise InputError(f"h must have shape (N,), got {gains.shape}")
    env = WirelessPoweredMEC(gains.size, channel=_Still(gains))
    choice = coordinate_descent(env, np.random.default_rng(seed))
    return choice.value, choice.decision.astype(int)


def Algo1_NUM(  # noqa: N802 (the published name)
    mode: ArrayLike, h: ArrayLike, w: ArrayLike, Q: ArrayLike, Y: ArrayLike, V: float = 20
) -> tuple[float, FloatArray, FloatArray]:
    """Optimal resource allocation of one LyDROO frame for the decision `mode` (N,).

    Args:
        mode: (N,), 0 local or 1 offload.
        h: (N,) gains times 1e10, as the published script passes them.
        w: (N,) weights; all 1 where empty.
        Q: (N,) data queues, Mbit.
        Y: (N,) energy queues as recorded (the factor of 10 belongs to the solver, here as there).
        V: weight of the rate.

    Returns (objective, rate (N,) in Mbit, energy (N,) in J).
    Raises InputError for input that `LyapunovMEC` or its `allocate` refuses.
    """
    gains, weights = positive("h", h) / PUBLISHED_GAIN_SCALE, np.asarray(w)
    if gains.ndim != 1 or not gains.size:
        raise InputError(f"h must have shape (N,), got {gains.shape}")
    env = LyapunovMEC(
        gains.size, weights=(weights if weights.size else np.ones(gains.size)).tolist(), rate_weight=V
    )
    result = env.allocate(gains, mode, Q, Y)
    return float(result.objective), result.rate, result.energy


class _Still(Channel):
    """The same gains in every frame."""

    def __init__(self, gains: FloatArray) -> None:
        self.gains = gains

    def reset(self, num_users: int, rng: np.random.Generator) -> None:
        """Nothing to do: the environment is made for these gains."""

    def sample(self, rng: np.random.Generator) -> FloatArray:
        return self.gains
