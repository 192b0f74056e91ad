"""Running standardisation: what a network sees has mean 0 and deviation 1, whatever the unit of an observation."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from .arrays import Array, copy_of, like, namespace
from .machine_code import compile_ahead, machine_code

COMPILED = "compiled_standardization"
"""Machine code of one agent."""
HORIZON = 10_000
"""Frames over which mean and variance are taken at most: older ones fade."""
STARTING = 32
"""Frames in which the users of a feature stand in for its past."""
LIMIT = 10.0
"""Deviations from the mean beyond which an entry is cut off."""
_NO_SPREAD = 1e-12
"""A deviation of less than this part of the mean is rounding: the entry is constant, and seen as 0."""


class Standardization:
    """Mean and variance of every entry (user and feature) of the observations so far (Welford 1962).

    In the first 32 frames, all users of a feature share one mean and one variance, those over users and frames: so
    the very first observation is already seen at scale 1. Kept in double precision, so that observations may have
    any unit and any offset.

    Args:
        num_users: N.
        num_features: F.
        replicas: R of them side by side, all arrays then with R as first dimension; None for one.
        device: None for NumPy arrays, else the torch device that holds them.

    Attributes:
        frames: how many were seen.
    """

    def __init__(
        self, num_users: int, num_features: int, *, replicas: int | None = None, device: str | None = None
    ) -> None:
        shape = (*(() if replicas is None else (replicas,)), num_users, num_features)
        self.frames = 0
        self._used: tuple[Array, Array] | None = None
        self._alone = replicas is None and device is None
        if self._alone:
            compile_ahead([COMPILED])
        self._mean: Array
        self._variance: Array
        if device is None:
            self._mean, self._variance = np.zeros(shape), np.zeros(shape)
        else:
            self._mean = torch.zeros(shape, dtype=torch.float64, device=device)
            self._variance = torch.zeros_like(self._mean)

    def update(self, observation: Array) -> None:
        """Take an observation (..., N, F) into account."""
        self.frames += 1
        self._used = None
        share = 1 / min(self.frames, HORIZON)
        if self._alone and (code := machine_code(COMPILED)) is not None:
            code.update(observation, self._mean, self._variance, share)
            return
        off = observation - self._mean
        self._mean = self._mean + share * off
        self._variance = (1 - share) * (self._variance + share * off * off)

    def __call__(self, observations: Array, replicas: Array | None = None) -> Array:
        """Observations (..., B, N, F), of the replicas at these places, as the network sees them, float32.

        Before the first `update`, they are their own mean and variance.
        """
        if self._alone and (how := self.settled) is not None and (code := machine_code(COMPILED)) is not None:
            return code.standardized(observations, *how)
        if self.frames == 0:
            mean = observations.mean((-3, -2))[..., None, None, :]
            scale = _scale(mean, ((observations - mean) ** 2).mean((-3, -2))[..., None, None, :])
        else:
            mean, scale = (
                self.mean_and_scale() if replicas is None else (one[replicas] for one in self.mean_and_scale())
            )
        seen = ((observations - mean) / scale).clip(-LIMIT, LIMIT)
        return seen.astype(np.float32) if isinstance(seen, np.ndarray) else seen.float()

    @property
    def settled(self) -> tuple[Array, Array, float, float] | None:
        """Mean, variance (N, F) and both constants, as machine code takes them; None while users share a mean."""
        return (self._mean, self._variance, _NO_SPREAD, LIMIT) if self.frames >= STARTING else None

    def mean_and_scale(self) -> tuple[Array, Array]:
        """What is subtracted and divided by, (..., 1, N or 1, F) each."""
        if self._used is None:
            mean, variance = self._mean, self._variance
            if self.frames < STARTING:
                shared = mean.mean(-2)[..., None, :]
                mean, variance = shared, (variance + (mean - shared) ** 2).mean(-2)[..., None, :]
            self._used = mean[..., None, :, :], _scale(mean, variance)[..., None, :, :]
        return self._used

    def state_dict(self) -> dict[str, Any]:
        """Mean, variance and number of frames."""
        return {"frames": self.frames, "mean": copy_of(self._mean), "variance": copy_of(self._variance)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.frames = int(state["frames"])
        self._used = None
        self._mean[...] = like(self._mean, state["mean"])
        self._variance[...] = like(self._variance, state["variance"])


def _scale(mean: Array, variance: Array) -> Array:
    """The deviation; of a constant entry its size, or 1."""
    xp, deviation, size = namespace(mean), variance**0.5, abs(mean)
    return xp.where(deviation > _NO_SPREAD * size, deviation, xp.where(size > 0, size, xp.ones_like(size)))
