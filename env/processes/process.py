"""The interface of all random processes: start over, draw the next frames, save and restore."""

from typing import ClassVar

import numpy as np

from ..state import Stateful


class Process(Stateful):
    """Something that brings each user a number in every frame, such as a gain; subclass it for one of your own.

    An environment calls `reset` once and then draws frame after frame, perhaps several ahead of time; all random
    numbers come from the generator that it passes. A subclass writes `sample` or `sample_frames`, whichever is
    easier. What it keeps from frame to frame in its attributes is saved with a run (`env.state.Stateful`).
    """

    draws_for_many: ClassVar[bool]
    """Set where a class draws for R replicas at once, given `env.generators.Generators` (`env.processes.each`)."""

    @property
    def num_users(self) -> int | None:
        """The number of users where the process fixes it, else None."""
        return None

    def reset(self, num_users: int, rng: np.random.Generator) -> None:
        """Start over with `num_users` users; raises InputError when the process is made for another number."""
        self._size = num_users

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """The next frame, (num_users,)."""
        return np.asarray(self.sample_frames(1, rng))[..., 0, :]

    def sample_frames(self, frames: int, rng: np.random.Generator) -> np.ndarray:
        """The next frames, (frames, num_users): the numbers that `sample` gives one by one."""
        if type(self).sample is Process.sample:
            raise TypeError(f"{type(self).__name__} must have a method sample or sample_frames")
        return np.stack([self.sample(rng) for _ in range(frames)], -2)
