"""Links of users to several servers: cells side by side, path loss, shadowing and Rayleigh fading."""

import numpy as np

from ..arrays import LARGEST, FloatArray, InputError, number_between, positive_number, size, whole_number
from .channel import Channel, Geometry


class Cells(Channel):
    """Gains of the links of N users to M servers, each in the middle of a cell, in rows of a hexagonal grid.

    A user is anywhere in a disc around some server. The gain of a link over d km is ``140.7 + 36.7 log10(d)`` dB
    of path loss and log-normal shadowing (3GPP TR 36.814's small cells without line of sight, as in Tran and
    Pompili 2019, section VI), times Rayleigh fading, which is new in every frame.

    Its N M numbers are the links user after user, as for every channel of `MultiServerMEC`.

    Args:
        num_servers: M.
        radius: of a cell, m; servers are twice as far from each other.
        shadowing: standard deviation, dB.
        closest: distance from a server within which a user does not come, m.
        stay: frames that users stay at a place, with its shadowing; None for ever. By default 1: every frame is a
            network of its own.

    Attributes:
        servers: (M, 2), m. users: (N, 2), m, in the last frame.

    Raises:
        InputError: for a setting out of range, naming it.
    """

    draws_for_many = True

    def __init__(
        self,
        num_servers: int = 3,
        radius: float = 150.0,
        shadowing: float = 8.0,
        closest: float = 10.0,
        stay: int | None = 1,
    ) -> None:
        self.num_servers = size("num_servers", num_servers)
        self.radius = positive_number("radius", radius)
        self.shadowing = number_between("shadowing", shadowing, 0, LARGEST, "be 0 or more and finite")
        self.closest = positive_number("closest", closest)
        if closest >= radius:
            raise InputError(f"closest must be below radius, {radius}, got {closest}")
        self.stay = None if stay is None else whole_number("stay", stay)
        in_a_row = int(np.ceil(np.sqrt(num_servers)))
        row, column = np.divmod(np.arange(num_servers), in_a_row)
        self.servers = 2 * self.radius * np.stack([column + row % 2 / 2, row * np.sqrt(3) / 2], -1)

    def reset(self, num_users: int, rng: np.random.Generator) -> None:
        """Start over; `num_users` is the number of links, N M."""
        if num_users % self.num_servers:
            raise InputError(f"num_servers must divide the number of links, {num_users}, got {self.num_servers}")
        self._size = num_users
        self._stayed = self._drawn = 0
        self._place(rng)

    def _place(self, rng: np.random.Generator) -> None:
        num_users = self._size // self.num_servers
        home = self.servers[rng.integers(self.num_servers, size=num_users)]
        distance = np.sqrt(rng.uniform(self.closest**2, self.radius**2, num_users))
        angle = rng.uniform(0, 2 * np.pi, num_users)
        self.users = home + distance[..., None] * np.stack([np.cos(angle), np.sin(angle)], -1)
        apart = np.linalg.norm(self.users[..., None, :] - self.servers, axis=-1)
        loss = 140.7 + 36.7 * np.log10(np.maximum(apart, self.closest) / 1000)
        loss += self.shadowing * rng.normal(size=loss.shape[-2:])
        self._average = 10 ** (-loss.reshape(*loss.shape[:-2], -1) / 10)

    def sample(self, rng: np.random.Generator) -> FloatArray:
        """The links of the next frame, (N M,)."""
        if self.stay is not None and self._stayed == self.stay:
            self._place(rng)
            self._stayed = 0
        self._stayed += 1
        self._drawn += 1
        return self._average * rng.exponential(size=self._size)

    def geometry(self, frame: int) -> Geometry | None:
        """Where everybody is; None for a frame at other places than the last one."""
        here = self.stay is None or 0 < self._drawn - frame <= self._stayed
        return Geometry(self.users, self.servers) if here else None
