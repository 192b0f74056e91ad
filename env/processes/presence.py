"""Users that come and go: who is on in each frame."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import LARGEST, InputError, mapping, number_between, whole_number
from .process import Process


class Presence(Process):
    """Who is on in a frame, (num_users,), bool, at least one; subclass it for a process of your own."""


class PresenceSchedule(Presence):
    """Users switched off and on again at given frames (DROO, section VI, "when users turn on and off").

    Args:
        off: from which frame on which users are off, as ``{frame: [users]}``; before the first, none.

    Raises:
        InputError: for a frame or user that is no whole number, and at `reset` for a user that there is not, or
            when all would be off.
    """

    def __init__(self, off: Mapping[int, Sequence[int]]) -> None:
        self.off = {
            int(frame): [whole_number("a user of off", user, 0) for user in _listed(users)]
            for frame, users in sorted(mapping("off", off).items())
        }

    def reset(self, num_users: int, rng: np.random.Generator) -> None:
        for users in self.off.values():
            if len(set(users)) >= num_users or max(users, default=0) >= num_users:
                raise InputError(f"off must name users 0 to {num_users - 1}, not all of them, got {users}")
        self._num_users = num_users
        self._frame = 0

    def sample_frames(self, frames: int, rng: np.random.Generator) -> NDArray[np.bool_]:
        on = np.ones((frames, self._num_users), dtype=bool)
        for start, users in self.off.items():
            since = max(start - self._frame, 0)
            on[since:] = True
            on[since:, users] = False
        self._frame += frames
        return on

    def state_dict(self) -> dict[str, Any]:
        return {"frame": self._frame, **self._added()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._frame = int(state["frame"])
        self._load_added(state)


class RandomPresence(Presence):
    """Arrivals and departures: each user stays on, then off, for geometrically distributed numbers of frames.

    Args:
        mean_on: mean frames from arrival to departure.
        mean_off: mean frames from departure to the next arrival. All users begin on.

    A departure that would leave nobody does not take place.

    Raises:
        InputError: when a mean is below 1.
    """

    def __init__(self, mean_on: float = 500.0, mean_off: float = 250.0) -> None:
        for name, mean in (("mean_on", mean_on), ("mean_off", mean_off)):
            number_between(name, mean, 1, LARGEST, "be 1 frame or more, and finite")
        self.mean_on, self.mean_off = mean_on, mean_off

    def reset(self, num_users: int, rng: np.random.Generator) -> None:
        self._on = np.ones(num_users, dtype=bool)

    def sample_frames(self, frames: int, rng: np.random.Generator) -> NDArray[np.bool_]:
        on = np.empty((frames, self._on.size), dtype=bool)
        for frame, draw in enumerate(rng.random(on.shape)):
            on[frame] = self._on
            changed = self._on ^ (draw < np.where(self._on, 1 / self.mean_on, 1 / self.mean_off))
            if changed.any():
                self._on = changed
        return on

    def state_dict(self) -> dict[str, Any]:
        return {"on": self._on.copy(), **self._added()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._on = np.array(state["on"], dtype=bool)
        self._load_added(state)


def _listed(users: Any) -> list[Any]:
    if not isinstance(users, Iterable) or np.ndim(users) != 1:  # type: ignore[arg-type]
        raise InputError(f"off must hold a list of users for each frame, got {users!r}")
    return list(users)
