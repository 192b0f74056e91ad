"""Gains of users that move among access points, as 3GPP TR 38.901 V16.1 gives them."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np

from ...arrays import FloatArray, InputError, finite_number, flag, positive_number, real_numbers
from ...machine_code import machine_code
from ..channel import Channel, Geometry, complex_normal
from ..mobility import Mobility, RandomWaypoint
from ..shadowing import SpatialField
from ..special_functions import bessel_j0, normal_distribution
from . import penetration
from .scenarios import Scenario, UMi


class _People(NamedTuple):
    """What is of users and not of places; all (N,), or numbers for anybody outdoors."""

    inside: Any
    """Whether a user is indoors."""
    depth: Any
    """d_2D-in, m, 0 outdoors."""
    penetration: Any
    """Loss of walls and rooms, dB, 0 outdoors."""
    draw: Any
    """(M, N), uniform in [0, 1): of the effective environment height."""


class TR38901(Channel):
    """Path loss, line of sight, shadowing, penetration and fading of N users' links to M access points.

    A link is in line of sight where a random field of the place is below the probability (section 7.6.3.3, Table
    7.6.3.1-2). Its path loss is that of its state, its shadowing a field of the place, the state and the access
    point. Fading is Rician in line of sight, with a K that is log-normal and a field too (Table 7.5-6), else
    Rayleigh. It goes on from frame to frame with the Jakes correlation ``J0(2 pi v T / wavelength)``, v being the
    speed of the user. Where a user comes nearer than the standard's range, the path loss is that at its end.

    Its N M numbers are the links user after user, as for every channel of `MultiServerMEC`.

    Args:
        scenario: `UMi` street canyon by default, `UMa`, `RMa`, `InH` or `InF`.
        mobility: how users move; by default `RandomWaypoint`, walking in 200 m x 200 m.
        access_points: (M, 2), m; by default one in the middle of where users come to.
        frame_length: T, seconds from frame to frame; `LyapunovMEC`'s frames last 1.
        antenna_gain: of both antennas together, dBi.
        shadowing, fading: False leaves it out.
        site_correlation: of the shadowing of a user's links to different access points, 0 to 1.
        indoor: the share of users indoors (not in `InH` and `InF`), each for ever and at a depth of its own: the
            smaller of two uniform draws (section 7.4.3.1). Their fading is Rayleigh.
        building: 'low' or 'high' loss of their walls.

    Attributes:
        movement: where users were in the last frames drawn. in_sight: (frames, N, M), of their links.

    Raises:
        InputError: for a setting out of range, naming it, and where users come farther than the standard's range.
    """

    def __init__(
        self,
        scenario: Scenario | None = None,
        mobility: Mobility | None = None,
        access_points: Sequence[Sequence[float]] | None = None,
        frame_length: float = 1.0,
        antenna_gain: float = 0.0,
        shadowing: bool = True,
        fading: bool = True,
        site_correlation: float = 0.5,
        indoor: float = 0.0,
        building: penetration.Building = "low",
    ) -> None:
        for name, value, kind in (("scenario", scenario, Scenario), ("mobility", mobility, Mobility)):
            if not isinstance(value, kind | None):
                raise InputError(f"{name} must be a {kind.__name__}, got {value!r}")
        self.scenario = UMi() if scenario is None else scenario
        self.mobility = RandomWaypoint() if mobility is None else deepcopy(mobility)
        extent = self.mobility.extent
        points = extent.mean(0)[None] if access_points is None else real_numbers("access_points", access_points)
        if points.ndim != 2 or points.shape[1] != 2 or not len(points):
            raise InputError(f"access_points must have shape (M, 2), got {points.shape}")
        self.access_points = points
        farthest = float(np.linalg.norm(np.abs(points[:, None] - extent).max(1), axis=-1).max())
        try:
            reach = np.array([max(farthest, self.scenario.least_distance)])
            self.scenario.check_distance(reach, np.zeros(1, dtype=bool))
        except InputError as error:
            raise InputError(f"access_points must be within reach of wherever users come to: {error}") from None
        self.frame_length = positive_number("frame_length", frame_length)
        self.antenna_gain = finite_number("antenna_gain", antenna_gain)
        self.shadowing, self.has_fading = flag("shadowing", shadowing), flag("fading", fading)
        self.site_correlation = _share("site_correlation", site_correlation)
        self.indoor = _share("indoor", indoor)
        if self.indoor and self.scenario.most_inside is None:
            raise InputError(f"indoor must be 0 in {type(self.scenario).__name__}, got {indoor}")
        if not isinstance(building, str) or building not in penetration.SPREAD:
            raise InputError(f"building must be 'low' or 'high', got {building!r}")
        if self.indoor and building not in self.scenario.walls:
            raise InputError(f"building must be 'low' in {type(self.scenario).__name__}, got {building!r}")
        self.building = building

    @property
    def num_users(self) -> int | None:
        """The number of links where the mobility fixes that of users."""
        users = self.mobility.num_users
        return None if users is None else users * len(self.access_points)

    @property
    def num_servers(self) -> int:
        """M."""
        return len(self.access_points)

    def reset(self, num_users: int, rng: np.random.Generator) -> None:
        """Start over; `num_users` is the number of links, N M."""
        sites = len(self.access_points)
        if num_users % sites:
            raise InputError(f"access_points must divide the number of links, {num_users}, got {sites}")
        users = num_users // sites
        if np.ndim(self.scenario.user_height) and np.shape(self.scenario.user_height) != (users,):
            shape = np.shape(self.scenario.user_height)
            raise InputError(f"user_height must be one number or have shape ({users},), got {shape}")
        places, moves, self._rng = (np.random.default_rng(seed) for seed in rng.integers(2**63, size=3))
        self.mobility.reset(users, self.frame_length, moves)
        table = self.scenario.large_scale
        distances = table.state_distance, table.k_distance, *table.shadowing_distance
        self._fields = [[SpatialField(distance, places) for distance in distances] for _ in range(sites)]
        self._common = [SpatialField(distance, places) for distance in table.shadowing_distance]
        draw, inside = places.random((sites, users)), places.random(users) < self.indoor
        depth = (self.scenario.most_inside or 0.0) * places.random((2, users)).min(0)
        walls = penetration.SPREAD[self.building] * places.normal(size=users)
        walls = walls + penetration.through_walls(self.scenario.carrier, self.building)
        walls = np.where(inside, walls + penetration.inside(depth), 0.0)
        self._people = _People(inside, np.where(inside, depth, 0.0), walls, draw)
        self._amplitude = complex_normal((1, num_users), self._rng)[0]

    def sample_frames(self, frames: int, rng: np.random.Generator) -> FloatArray:
        """The links of the next frames, (frames, N M)."""
        move = self.mobility.move(frames)
        shape = (*move.x.shape, len(self.access_points))
        gains, k = np.empty(shape), np.empty(shape)
        self.in_sight = np.empty(shape, dtype=bool)
        for site in range(shape[2]):
            parts = self._large_scale(site, move.x, move.y, self._people)
            gains[..., site], k[..., site], self.in_sight[..., site] = parts
        self.movement = move
        if self.has_fading:
            scattered = self._scattered(move.speed, shape[2]).reshape(shape)
            gains *= ((np.sqrt(k) + scattered.real) ** 2 + scattered.imag**2) / (k + 1)
        return gains.reshape(frames, -1)

    def average_gain(self, x: FloatArray, y: FloatArray, access_point: int = 0) -> FloatArray:
        """Of somebody outdoors at places x, y (...), m, and one access point, (...): all but fading."""
        anybody = _People(np.zeros((), dtype=bool), 0.0, 0.0, np.zeros(len(self.access_points)))
        return self._large_scale(access_point, np.asarray(x), np.asarray(y), anybody)[0]

    def geometry(self, frame: int) -> Geometry | None:
        """Where everybody is in a frame; None between taking over a state and the next draw."""
        if not hasattr(self, "movement"):
            return None
        place = frame % len(self.movement.x)
        return Geometry(np.stack([self.movement.x[place], self.movement.y[place]], -1), self.access_points)

    def state_dict(self) -> dict[str, Any]:
        """All but what is told of the last frames."""
        return {name: part for name, part in super().state_dict().items() if name not in ("movement", "in_sight")}

    def _large_scale(
        self, site: int, x: FloatArray, y: FloatArray, people: _People
    ) -> tuple[FloatArray, FloatArray, np.ndarray]:
        """Average gains, Rician K and line-of-sight states of the links to an access point, all as x and y."""
        scenario, table = self.scenario, self.scenario.large_scale
        state, k_field, *_ = self._fields[site]
        distance = np.hypot(x - self.access_points[site, 0], y - self.access_points[site, 1])
        outside = np.maximum(distance - people.depth, 0)
        distance = np.maximum(distance, scenario.least_distance)
        in_sight = normal_distribution(state.at(x, y)) < scenario.line_of_sight_probability(outside)
        loss = scenario.path_loss(distance, in_sight, people.draw[site]) + people.penetration - self.antenna_gain
        kind = np.where(people.inside, 2, np.where(in_sight, 0, 1))
        direct = kind == 0
        shadow = np.zeros(loss.shape)
        if self.shadowing:
            shadow = self._shadow(site, x, y, kind)
            spread = np.where(people.inside, table.shadowing[2], scenario.shadowing(distance, in_sight))
            loss = loss - spread * shadow
        k = np.zeros(loss.shape)
        if self.has_fading:
            own = np.sqrt(1 - table.shadowing_and_k**2) * k_field.at(x[direct], y[direct])
            k_mean, k_spread = table.k_factor
            decibel = k_mean + k_spread * (table.shadowing_and_k * shadow[direct] + own)
            k[direct] = 10 ** (decibel / 10)
        return np.asarray(10 ** (-loss / 10)), k, in_sight

    def _shadow(self, site: int, x: FloatArray, y: FloatArray, kind: np.ndarray) -> FloatArray:
        """Shadowing of the links to an access point, in standard deviations; more gain where it is positive."""
        shadow = np.empty(kind.shape)
        alone = len(self.access_points) == 1
        for one, own in enumerate(self._fields[site][2:]):
            of_kind = kind == one
            if not of_kind.any():
                continue
            here = x[of_kind], y[of_kind]
            value = own.at(*here)
            if not alone:
                common = self._common[one].at(*here)
                value = np.sqrt(1 - self.site_correlation) * value + np.sqrt(self.site_correlation) * common
            shadow[of_kind] = value
        return shadow

    def _scattered(self, speed: FloatArray, sites: int) -> np.ndarray:
        """Complex amplitudes of the scattered paths, of unit power, (frames, N M)."""
        turn = 2 * np.pi * self.frame_length / self.scenario.wavelength
        correlation = np.repeat(bessel_j0(turn * speed), sites, axis=1)
        news = complex_normal(correlation.shape, self._rng)
        compiled = machine_code("processes.compiled_shadowing")
        if compiled is not None:
            compiled.with_memory(self._amplitude, correlation, news)
            return news
        news *= np.sqrt(1 - correlation**2)
        for frame, rho in enumerate(correlation):
            new = news[frame].copy()
            news[frame] = self._amplitude
            self._amplitude = rho * self._amplitude + new
        return news


def _share(name: str, value: float) -> float:
    number = finite_number(name, value)
    if not 0 <= number <= 1:
        raise InputError(f"{name} must be between 0 and 1, got {value}")
    return number
