"""Channel models: the gain of each user's link to the access point, frame after frame.

A channel is an average gain (path loss over the distance) times fading of unit mean power.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from ..arrays import EXTREME, FloatArray, InputError, last_dimension, number_between, positive, positive_number
from .process import Process

SPEED_OF_LIGHT = 3e8
"""m/s, rounded as in the papers."""


class PathLoss:
    """Average gain over distance: ``A_d (c / (4 pi f_c d))^(d_e)`` (DROO, section VI).

    Args:
        distances: metres from the access point, one a user; by default 2.5 + 0.3 i for user i = 0, 1, ...
        antenna_gain: A_d. 3.0 matches the published data sets, 4.11 is what the paper prints.
        carrier_frequency: f_c, Hz.
        exponent: d_e.

    Raises:
        InputError: when a setting is not positive and finite.
    """

    def __init__(
        self,
        distances: Sequence[float] | None = None,
        antenna_gain: float = 3.0,
        carrier_frequency: float = 915e6,
        exponent: float = 2.8,
    ) -> None:
        self.distances = None if distances is None else positive("distances", distances)
        if self.distances is not None and (self.distances.ndim != 1 or not self.distances.size):
            raise InputError(f"distances must have shape (N,), got {self.distances.shape}")
        self.antenna_gain = positive_number("antenna_gain", antenna_gain)
        self.carrier_frequency = positive_number("carrier_frequency", carrier_frequency)
        self.exponent = positive_number("exponent", exponent)

    def distances_of(self, num_users: int) -> FloatArray:
        """The distances, (num_users,), m. Raises InputError when `distances` are of another number."""
        distances = self.distances
        if distances is None:
            distances = np.asarray(2.5 + 0.3 * np.arange(num_users))
        last_dimension("distances", distances, num_users)
        return distances

    def average_gain(self, num_users: int) -> FloatArray:
        """Average gains, (num_users,). Raises InputError when `distances` are of another number."""
        wave = SPEED_OF_LIGHT / (4 * np.pi * self.carrier_frequency * self.distances_of(num_users))
        return positive("average gains", self.antenna_gain * wave**self.exponent)


class Geometry(NamedTuple):
    """Where users and access points are."""

    users: FloatArray
    """(N, 2), m."""
    access_points: FloatArray
    """(M, 2), m."""
    known: Literal["places", "distances", "nothing"] = "places"
    """What of it is known: of distances, the directions are made up; of nothing, it is all made up."""


def around(distances: FloatArray) -> FloatArray:
    """Places (N, 2) at distances (N,) from (0, 0), in directions evenly apart."""
    angles = np.pi / 2 - 2 * np.pi * np.arange(len(distances)) / len(distances)
    return np.asarray(distances[:, None] * np.stack([np.cos(angles), np.sin(angles)], -1))


class Channel(Process):
    """Gains of a frame, (num_users,), power ratios, positive; subclass it for a model of your own."""

    def geometry(self, frame: int) -> Geometry | None:
        """For pictures, where everybody is in a frame, from 0, among those drawn last; None where not known."""
        return None


class _Fading(Channel):
    """Path loss times fading; a subclass supplies `fading`."""

    def __init__(self, path_loss: PathLoss | None = None) -> None:
        self.path_loss = PathLoss() if path_loss is None else path_loss

    @property
    def num_users(self) -> int | None:
        distances = self.path_loss.distances
        return None if distances is None else distances.size

    def reset(self, num_users: int, rng: np.random.Generator) -> None:
        self.average_gain = self.path_loss.average_gain(num_users)

    def sample_frames(self, frames: int, rng: np.random.Generator) -> FloatArray:
        return self.average_gain * self.fading((frames, self.average_gain.size), rng)

    def geometry(self, frame: int) -> Geometry:
        distances = self.path_loss.distances_of(self.average_gain.size)
        return Geometry(around(distances), np.zeros((1, 2)), "distances")

    @abstractmethod
    def fading(self, shape: tuple[int, int], rng: np.random.Generator) -> FloatArray:
        """Fading power of unit mean in the next frames, `shape` (frames, num_users)."""


class Rayleigh(_Fading):
    """Rayleigh block fading: unit-mean exponential power, independent from frame to frame (DROO, section VI).

    Args:
        path_loss: average gains; the published ones by default.
    """

    draws_for_many = True

    def fading(self, shape: tuple[int, int], rng: np.random.Generator) -> FloatArray:
        return rng.exponential(size=shape)


class Rician(_Fading):
    """Rician block fading, ``|sqrt(p) + sqrt(1 - p) g|^2`` with g complex normal of unit power.

    Args:
        path_loss: average gains; the published ones by default.
        line_of_sight: p, the share of the mean power in the line of sight (0.3 in the LyDROO paper).

    Raises:
        InputError: when `line_of_sight` is outside [0, 1].
    """

    draws_for_many = True

    def __init__(self, path_loss: PathLoss | None = None, line_of_sight: float = 0.3) -> None:
        super().__init__(path_loss)
        self.line_of_sight = number_between("line_of_sight", line_of_sight, 0, 1, "be between 0 and 1")

    def fading(self, shape: tuple[int, int], rng: np.random.Generator) -> FloatArray:
        scattered = np.sqrt(1 - self.line_of_sight) * complex_normal(shape, rng)
        return np.asarray(np.abs(np.sqrt(self.line_of_sight) + scattered) ** 2)


class GaussMarkov(_Fading):
    """Rayleigh fading with memory: ``g' = rho g + sqrt(1 - rho^2) w``, power ``|g|^2``, w complex normal.

    First-order Gauss-Markov model with the Jakes correlation ``rho = J0(2 pi f_d T)`` between frames
    (Clarke 1968; Jakes 1974). Each frame by itself is distributed as in `Rayleigh`.

    Args:
        path_loss: average gains; the published ones by default.
        doppler_frequency: f_d, Hz; speed over wavelength.
        frame_length: T, seconds.

    Raises:
        InputError: when `doppler_frequency` is negative or `frame_length` not positive.
    """

    draws_for_many = True

    def __init__(
        self,
        path_loss: PathLoss | None = None,
        doppler_frequency: float = 1.0,
        frame_length: float = 0.1,
    ) -> None:
        super().__init__(path_loss)
        number_between("doppler_frequency", doppler_frequency, 0, EXTREME, "be 0 Hz or more, up to 1e60")
        positive_number("frame_length", frame_length)
        self.correlation = _bessel_j0(2 * np.pi * doppler_frequency * frame_length)

    def reset(self, num_users: int, rng: np.random.Generator) -> None:
        super().reset(num_users, rng)
        self._amplitude = complex_normal((1, num_users), rng)[..., 0, :]

    def fading(self, shape: tuple[int, int], rng: np.random.Generator) -> FloatArray:
        news = complex_normal(shape, rng)
        power = np.empty(news.shape)
        for frame in range(shape[0]):
            power[..., frame, :] = np.abs(self._amplitude) ** 2
            new = np.sqrt(1 - self.correlation**2) * news[..., frame, :]
            self._amplitude = self.correlation * self._amplitude + new
        return power

    def state_dict(self) -> dict[str, Any]:
        return {"amplitude": self._amplitude.copy(), **self._added()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._amplitude = np.array(state["amplitude"])
        self._load_added(state)


def complex_normal(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Circular complex normal numbers of unit power, `shape` (frames, num_users), drawn frame after frame.

    Of R generators (R, frames, num_users).
    """
    parts = rng.normal(scale=np.sqrt(0.5), size=(shape[0], 2, shape[1]))
    return np.asarray(parts[..., 0, :] + 1j * parts[..., 1, :])


def _bessel_j0(x: float) -> float:
    """Bessel function of order 0: the mean of cos(x sin(theta)) over a circle (Abramowitz and Stegun 9.1.18).

    The mean over equally spaced angles converges faster than any power of their number; the core has no SciPy.
    """
    if x > 1e4:  # the first term of the asymptotic series (9.2.1), here within 1e-7 of 0's scale
        return float(np.sqrt(2 / (np.pi * x)) * np.cos(x - np.pi / 4))
    count = 64 + 2 * int(x)
    angles = 2 * np.pi * np.arange(count) / count
    return float(np.cos(x * np.sin(angles)).mean())
