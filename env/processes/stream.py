"""What random processes bring to an environment's frames, drawn a block of frames ahead of time."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..arrays import InputError
from ..state import generator_state, restore_generator
from .process import Process

BLOCK = 128
"""Frames drawn together: what a draw costs beside its numbers is paid once a block."""


class Stream:
    """Frame after frame of R processes side by side, each with a random generator of its own.

    The numbers are those that drawing frame by frame would give; a replica's do not depend on the others.

    Args:
        processes: (R,), one object for each replica.
        num_users: N.
        seeds: (R,).

    Raises:
        InputError: when a process is made for another number of users.
    """

    def __init__(self, processes: Sequence[Process], num_users: int, seeds: Sequence[Any]) -> None:
        self._processes = processes
        self._rngs = [np.random.default_rng(seed) for seed in seeds]
        for process, rng in zip(processes, self._rngs, strict=True):
            process.reset(num_users, rng)

    def next_block(self) -> np.ndarray:
        """The next `BLOCK` frames, (BLOCK, R, N)."""
        try:
            self._start: dict[str, Any] | InputError = {
                "rngs": [generator_state(rng) for rng in self._rngs],
                "processes": [process.state_dict() for process in self._processes],
            }
        except InputError as error:  # of interest only to whoever wants the state
            self._start = error
        pairs = zip(self._processes, self._rngs, strict=True)
        return np.stack([process.sample_frames(BLOCK, rng) for process, rng in pairs], axis=1)

    def state_dict(self) -> dict[str, Any]:
        """What must be kept to draw the current block again."""
        if isinstance(self._start, InputError):
            raise self._start
        return dict(self._start)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to before the block that was the last when `state_dict` was asked."""
        for rng, saved in zip(self._rngs, state["rngs"], strict=True):
            restore_generator(rng, saved)
        for process, saved in zip(self._processes, state["processes"], strict=True):
            process.load_state_dict(saved)
