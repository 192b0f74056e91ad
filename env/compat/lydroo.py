"""`ResourceAllocation` of the published LyDROO program: the critic of one decision."""

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import LARGEST, FloatArray, InputError, not_negative, number_between, real_numbers
from ..lyapunov.allocation import ENERGY_WEIGHT, split_time
from ..lyapunov.world import LyapunovMEC, Problem

GAIN_SCALE = 1e10
"""The published script multiplies its gains by it before it calls `Algo1_NUM`."""
ROUNDING = 1e-6
"""How far below 0 a queue may be that was computed as 0."""
_LEAST_GAIN = 1e-30
"""In place of a gain of 0, over which nothing can be sent."""
_LEAST_WEIGHT = 1e-12
"""In place of a weight of 0, where logarithms are taken."""


def Algo1_NUM(  # noqa: N802 (the published name)
    mode: ArrayLike, h: ArrayLike, w: ArrayLike, Q: ArrayLike, Y: ArrayLike, V: float = 20
) -> tuple[float, FloatArray, FloatArray]:
    """Optimal resource allocation of one LyDROO frame for the decision `mode`.

    Args:
        mode: (N,), 0 local or 1 offload; users of any other entry, such as -1, are absent.
        h: gains times 1e10, as the published script passes them, 0 or more.
        w: weights, 0 or more; all 1 where empty.
        Q: (N,) data queues, Mbit; what is below 0 by rounding is 0.
        Y: energy queues as recorded (the factor of 10 belongs to the solver, here as there); likewise.
        V: weight of the rate, 0 or more.

    Of h, w and Y the first N count.

    Returns:
        The objective, the rate (N,) in Mbit, and the energy (N,) in J.

    Raises:
        InputError: for a shape that does not fit, or numbers that are negative, not finite, or too large.
    """
    data = _queue("Q", Q)
    num_users = data.size
    decision = real_numbers("mode", mode)
    if decision.shape != data.shape or not num_users:
        raise InputError(f"mode and Q must have one shape (N,), got {decision.shape} and {data.shape}")
    energy_queue = _first("Y", _queue("Y", Y), num_users)
    gains = _first("h", not_negative("h", h), num_users) / GAIN_SCALE
    weights = not_negative("w", w)
    weights = np.ones(num_users) if weights.size == 0 else _first("w", weights, num_users)
    rate_weight = number_between("V", V, 0, LARGEST, "be 0 or more and finite")

    frame = _frame(rate_weight, *(array.tobytes() for array in (weights, gains, data, energy_queue)))
    present = (decision == 0) | (decision == 1)
    offloads = (decision == 1).astype(np.float64)
    rate, energy = frame.service(offloads, split_time(frame.answers, offloads))
    rate, energy = np.where(present, rate, 0.0), np.where(present, energy, 0.0)
    objective = (data + rate_weight * weights) @ rate - ENERGY_WEIGHT * energy_queue @ energy
    underflown = (decision == 0) & (energy == 0)
    if underflown.any():  # at a long energy queue it counts all the same
        objective += (frame.local_objective - (data + rate_weight * weights) * rate)[underflown].sum()
    return np.float64(objective), rate, energy


@lru_cache(maxsize=4)
def _frame(rate_weight: float, *frame: bytes) -> Problem:
    """A frame folded, kept for its other decisions."""
    weights, gains, data, energy_queue = (np.frombuffer(array) for array in frame)
    world = _world(rate_weight, tuple(weights.tolist()))
    return world.fold(np.maximum(gains, _LEAST_GAIN), data, energy_queue)


@lru_cache(maxsize=64)
def _world(rate_weight: float, weights: tuple[float, ...]) -> LyapunovMEC:
    positive = [max(weight, _LEAST_WEIGHT) for weight in weights]
    return LyapunovMEC(len(weights), weights=positive, rate_weight=max(rate_weight, _LEAST_WEIGHT))


def _queue(name: str, value: ArrayLike) -> FloatArray:
    queue = real_numbers(name, value)
    return not_negative(name, np.where((queue < 0) & (queue >= -ROUNDING), 0.0, queue))


def _first(name: str, array: FloatArray, num_users: int) -> FloatArray:
    if array.ndim != 1 or len(array) < num_users:
        raise InputError(f"{name} must hold {num_users} entries, one for each of Q, got shape {array.shape}")
    return array[:num_users]
