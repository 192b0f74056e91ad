"""Users that move: where each is, and how fast, frame after frame, in the plane, m."""

import csv
import math
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..arrays import (
    FloatArray,
    InputError,
    file_path,
    finite_number,
    not_negative,
    positive,
    positive_number,
    real_numbers,
)
from ..state import Stateful


class Movement(NamedTuple):
    """Where users are in some frames; all (frames, N)."""

    x: FloatArray
    """m."""
    y: FloatArray
    """m."""
    speed: FloatArray
    """m/s."""


class Mobility(Stateful):
    """How users move; subclass it for a model of your own: `reset`, `move` and `extent`.

    Its state is its attributes (`env.state.Stateful`). Random numbers come from the generator that `reset` gets.
    """

    @property
    def num_users(self) -> int | None:
        """N where the model fixes it, else None."""
        return None

    @property
    @abstractmethod
    def extent(self) -> FloatArray:
        """The least and the most x and y that a user comes to, (2, 2), m: ``[[x, y], [x, y]]``."""

    def reset(self, num_users: int, frame_length: float, rng: np.random.Generator) -> None:
        """Start over at frame 0 with `num_users` users, frames being `frame_length` seconds apart."""
        if self.num_users not in (None, num_users):
            raise InputError(f"num_users must be {self.num_users}, as in {type(self).__name__}, got {num_users}")
        self._frame_length, self._rng, self._frame = frame_length, rng, 0
        self.start(num_users)

    def start(self, num_users: int) -> None:
        """What a subclass does at frame 0."""

    def move(self, frames: int) -> Movement:
        """The next frames: the same however many are asked for at a time."""
        times = np.arange(self._frame, self._frame + frames) * np.float64(self._frame_length)
        self._frame += frames
        return self.during(times)

    @abstractmethod
    def during(self, times: FloatArray) -> Movement:
        """At the times (frames,), s, of the next frames."""


class _InArea(Mobility):
    """Users in a rectangle from (0, 0)."""

    def __init__(self, area: Sequence[float]) -> None:
        self.area = positive("area", area)
        if self.area.shape != (2,):
            raise InputError(f"area must be a width and a height, m, got {area}")

    @property
    def extent(self) -> FloatArray:
        return np.stack([np.zeros(2), self.area])


class Places(Mobility):
    """Users that stay at given places.

    Args:
        places: (N, 2), m.

    Raises:
        InputError: when the shape does not fit.
    """

    def __init__(self, places: Sequence[Sequence[float]]) -> None:
        self.places = real_numbers("places", places)
        if self.places.ndim != 2 or self.places.shape[1] != 2 or not len(self.places):
            raise InputError(f"places must have shape (N, 2), got {self.places.shape}")

    @property
    def num_users(self) -> int:
        return len(self.places)

    @property
    def extent(self) -> FloatArray:
        return np.stack([self.places.min(0), self.places.max(0)])

    def during(self, times: FloatArray) -> Movement:
        shape = (len(times), len(self.places))
        x, y = (np.broadcast_to(self.places[:, axis], shape) for axis in range(2))
        return Movement(x, y, np.zeros(shape))


class RandomWaypoint(_InArea):
    """Each user walks straight to a random place, rests, walks to the next (Johnson and Maltz 1996).

    Users begin at random places, on their way. In the long run they are oftener in the middle than at the edges.

    Args:
        area: width and height, m, of the rectangle from (0, 0).
        speed: the least and the most of a uniform draw for each way, m/s; walking by default.
        pause: the least and the most of a uniform draw for each rest, s.

    Raises:
        InputError: for a setting out of range, naming it.
    """

    def __init__(
        self,
        area: Sequence[float] = (200.0, 200.0),
        speed: Sequence[float] = (0.8, 1.9),
        pause: Sequence[float] = (0.0, 30.0),
    ) -> None:
        super().__init__(area)
        self.speed = _least_and_most("speed", positive("speed", speed))
        self.pause = _least_and_most("pause", not_negative("pause", pause))

    def start(self, num_users: int) -> None:
        self._to = self._rng.uniform(0, self.area, (num_users, 2))
        self._ways, self._leaves = np.zeros((num_users, 7)), np.zeros(num_users)
        for user in range(num_users):
            self._depart(user)

    def during(self, times: FloatArray) -> Movement:
        ways, which = self._ways.copy(), None
        while self._leaves.min() <= times[-1]:  # one departure after another, as it is frame by frame
            user = int(self._leaves.argmin())
            first = int(np.searchsorted(times, self._leaves[user]))
            self._depart(user)
            if which is None:
                which = np.tile(np.arange(len(ways)), (len(times), 1))
            which[first:, user] = len(ways)
            ways = np.concatenate([ways, self._ways[user : user + 1]])
        of_frames = ways if which is None else ways[which]
        x, y, right, up, began, took, speed = np.moveaxis(of_frames, -1, 0)
        share = (times[:, None] - began) / took
        moves = share < 1
        share = np.minimum(share, 1.0)
        return Movement(x + share * right, y + share * up, np.where(moves, speed, 0.0))

    def _depart(self, user: int) -> None:
        """Into `_ways` the next one: where it begins and leads to from there, m; begin, length in s, speed."""
        to_x, to_y, fast, long = self._rng.random(4).tolist()
        x, y = self._to[user].tolist()
        right, up = to_x * self.area[0] - x, to_y * self.area[1] - y
        speed = self.speed[0] + fast * (self.speed[1] - self.speed[0])
        began, took = float(self._leaves[user]), max(math.hypot(right, up) / speed, 1e-300)
        self._ways[user] = x, y, right, up, began, took, speed
        self._to[user] = x + right, y + up
        self._leaves[user] = began + took + self.pause[0] + long * (self.pause[1] - self.pause[0])


class GaussMarkovMobility(_InArea):
    """Speed and direction with memory (Liang and Haas 1999; Camp, Boleng and Davies 2002, section 2.5).

    ``s' = a s + (1 - a) mean + sqrt(1 - a^2) w``, likewise the direction about a mean of the user's own, with
    ``a = exp(-frame_length / memory)``. Users turn back at the edges as in a mirror. A speed below 0 is 0.

    Args:
        area: width and height, m, of the rectangle from (0, 0).
        speed: mean, m/s.
        speed_deviation: m/s.
        direction_deviation: radians.
        memory: s.

    Raises:
        InputError: for a setting out of range, naming it.
    """

    def __init__(
        self,
        area: Sequence[float] = (200.0, 200.0),
        speed: float = 1.4,
        speed_deviation: float = 0.3,
        direction_deviation: float = 0.8,
        memory: float = 10.0,
    ) -> None:
        super().__init__(area)
        self.speed = positive_number("speed", speed)
        self.deviations = [
            float(not_negative(name, finite_number(name, value)))
            for name, value in (("speed_deviation", speed_deviation), ("direction_deviation", direction_deviation))
        ]
        self.memory = positive_number("memory", memory)

    def start(self, num_users: int) -> None:
        self._place = self._rng.uniform(0, self.area, (num_users, 2))
        self._heading = self._rng.uniform(0, 2 * np.pi, num_users)
        self._apart = self._rng.normal(size=(2, num_users))
        """Of speed and direction from their means, in deviations."""

    def during(self, times: FloatArray) -> Movement:
        memory = np.exp(-self._frame_length / self.memory)
        news = np.sqrt(1 - memory**2) * self._rng.normal(size=(len(times), *self._apart.shape))
        apart = np.empty_like(news)
        for frame, new in enumerate(news):
            apart[frame] = self._apart
            self._apart = memory * self._apart + new
        speed = np.maximum(self.speed + self.deviations[0] * apart[:, 0], 0)
        heading = self._heading + self.deviations[1] * apart[:, 1]
        ways = self._frame_length * speed[..., None] * np.stack([np.cos(heading), np.sin(heading)], -1)
        places = np.add.accumulate(np.concatenate([self._place[None], ways]))
        self._place = places[-1]
        x, y = np.moveaxis(_mirrored(places[:-1], self.area), -1, 0)
        return Movement(np.ascontiguousarray(x), np.ascontiguousarray(y), speed)


class Line(Mobility):
    """Vehicles on a straight road, each with a speed of its own; at an end they turn round.

    Args:
        start, end: of the road, (2,), m.
        speed: the least and the most of a uniform draw for each vehicle, m/s; 30 to 60 km/h by default.
        lanes: metres to the right of the line from start to end; each vehicle is in one of them at random.

    Raises:
        InputError: for a setting out of range, naming it.
    """

    def __init__(
        self,
        start: Sequence[float] = (0.0, 0.0),
        end: Sequence[float] = (400.0, 0.0),
        speed: Sequence[float] = (30 / 3.6, 60 / 3.6),
        lanes: Sequence[float] = (0.0,),
    ) -> None:
        ends = [real_numbers(name, point) for name, point in (("start", start), ("end", end))]
        if any(point.shape != (2,) or not np.isfinite(point).all() for point in ends):
            raise InputError(f"start and end must be two places, m, got {start} and {end}")
        self.ends = np.stack(ends)
        self.speed = _least_and_most("speed", positive("speed", speed))
        self.lanes = real_numbers("lanes", lanes)
        self.length = float(np.linalg.norm(self.ends[1] - self.ends[0]))
        if self.length == 0:
            raise InputError(f"start and end must be two places, m, got {start} and {end}")
        if self.lanes.ndim != 1 or not self.lanes.size:
            raise InputError(f"lanes must hold one number a lane, m, got {lanes}")

    @property
    def extent(self) -> FloatArray:
        _, right = self._axes()
        corners = self.ends[:, None] + self.lanes[:, None] * right
        return np.stack([corners.min((0, 1)), corners.max((0, 1))])

    def _axes(self) -> tuple[FloatArray, FloatArray]:
        along = (self.ends[1] - self.ends[0]) / self.length
        return along, np.array([along[1], -along[0]])

    def start(self, num_users: int) -> None:
        self._begin = self._rng.uniform(0, 2 * self.length, num_users)  # the second half is the way back
        self._speed = self._rng.uniform(*self.speed, num_users)
        self._lane = self.lanes[self._rng.integers(len(self.lanes), size=num_users)]

    def during(self, times: FloatArray) -> Movement:
        along, right = self._axes()
        way = _mirrored(self._begin + times[:, None] * self._speed, self.length)
        x, y = (self.ends[0, axis] + way * along[axis] + self._lane * right[axis] for axis in range(2))
        return Movement(x, y, np.broadcast_to(self._speed, way.shape))


class RecordedTrack(Mobility):
    """Users on recorded tracks: a CSV file with a header `time,x,y` and maybe `user`; s and m.

    Between two rows a user is on the straight line between them; before its first row at the first place. When the
    longest track ends all begin again. Rows of each user must be in the order of time.

    Args:
        path: of the file.

    Raises:
        InputError: for a file that is not so, naming the row. FileNotFoundError: when there is none.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(file_path("path", path))
        if not Path(path).is_file():
            raise FileNotFoundError(f"no such track file: {path}")
        try:
            self._tracks = _read_tracks(Path(path))
        except (UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{path} must be a CSV file in UTF-8: {error}") from error
        first = min(float(track[0, 0]) for track in self._tracks)
        for track in self._tracks:
            track[:, 0] -= first
        self._ends = max(float(track[-1, 0]) for track in self._tracks)

    @property
    def num_users(self) -> int:
        return len(self._tracks)

    @property
    def extent(self) -> FloatArray:
        places = np.concatenate(self._tracks)[:, 1:]
        return np.stack([places.min(0), places.max(0)])

    def during(self, times: FloatArray) -> Movement:
        times = times % self._ends if self._ends > 0 else np.zeros_like(times)
        x, y, speed = (np.empty((len(times), len(self._tracks))) for _ in range(3))
        for user, track in enumerate(self._tracks):
            x[:, user], y[:, user] = (np.interp(times, track[:, 0], track[:, axis]) for axis in (1, 2))
            steps = np.diff(track, axis=0)
            speeds = np.concatenate([[0], np.hypot(steps[:, 1], steps[:, 2]) / steps[:, 0], [0]])
            speed[:, user] = speeds[np.searchsorted(track[:, 0], times, side="right")]
        return Movement(x, y, speed)


def _read_tracks(path: Path) -> list[FloatArray]:
    """Of each user, in the order in which they appear: rows of time, x and y."""
    tracks: dict[str, list[list[float]]] = {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, skipinitialspace=True)
        names = [name.strip().lower() for name in reader.fieldnames or ()]
        if not {"time", "x", "y"} <= set(names):
            raise InputError(f"{path} must have a header with time, x and y, got {','.join(names) or 'nothing'}")
        reader.fieldnames = names
        for number, row in enumerate(reader, 2):
            try:
                point = [float(row[name]) for name in ("time", "x", "y")]
            except (TypeError, ValueError):
                point = [np.nan]
            track = tracks.setdefault((row.get("user") or "").strip(), [])
            if not np.isfinite(point).all():
                raise InputError(f"line {number} of {path} must hold numbers for time, x and y, got {dict(row)}")
            if track and point[0] <= track[-1][0]:
                raise InputError(f"line {number} of {path} must be later than the one before, got time {point[0]}")
            track.append(point)
    if not tracks:
        raise InputError(f"{path} must hold a row for each place, got none")
    return [np.array(track) for track in tracks.values()]


def _mirrored(place: FloatArray, length: FloatArray | float) -> FloatArray:
    """Places on an endless line, folded into 0 to `length`."""
    return np.asarray(length - np.abs(place % (2 * length) - length))


def _least_and_most(name: str, pair: FloatArray) -> tuple[float, float]:
    if pair.shape != (2,) or pair[0] > pair[1]:
        raise InputError(f"{name} must be the least and the most, got {pair.tolist()}")
    return float(pair[0]), float(pair[1])
