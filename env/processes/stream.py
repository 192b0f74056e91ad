"""What random processes bring to an environment's frames, drawn a block of frames ahead of time."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

BLOCK = 128
"""Frames drawn together: what a draw costs beside its numbers is paid once a block."""


class Process(Protocol):
    """A channel, or any other process that draws a row of N numbers a frame."""

    def reset(self, num_users: int, rng: np.random.Generator) -> None:
        """Start over."""

    def sample_frames(self, frames: int, rng: np.random.Generator) -> np.ndarray:
        """The next frames' rows, (frames, N)."""

    def state_dict(self) -> dict[str, Any]:
        """What must be kept to continue."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` returned."""


class Stream:
    """Frame after frame of R processes side by side, each with a random generator of its own.

    The numbers are those that drawing frame by frame would give; a replica's do not depend on the others.

    Args:
        processes: (R,), one object for each replica.
        num_users: N.
        seeds: (R,).

    Raises:
        ValueError: when a process is made for another number of users.
    """

    def __init__(self, processes: Sequence[Process], num_users: int, seeds: Sequence[Any]) -> None:
        self._processes = processes
        self._rngs = [np.random.default_rng(seed) for seed in seeds]
        for process, rng in zip(processes, self._rngs, strict=True):
            process.reset(num_users, rng)

    def next_block(self) -> np.ndarray:
        """The next `BLOCK` frames, (BLOCK, R, N)."""
        self._start: dict[str, Any] = {
            "rngs": [rng.bit_generator.state for rng in self._rngs],
            "processes": [process.state_dict() for process in self._processes],
        }
        pairs = zip(self._processes, self._rngs, strict=True)
        return np.stack([process.sample_frames(BLOCK, rng) for process, rng in pairs], axis=1)

    def state_dict(self) -> dict[str, Any]:
        """What must be kept to draw the current block again."""
        return {
            "rngs": [json.dumps(state) for state in self._start["rngs"]],
            "processes": self._start["processes"],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to before the block that was the last when `state_dict` was asked."""
        for rng, saved in zip(self._rngs, state["rngs"], strict=True):
            rng.bit_generator.state = json.loads(saved)
        for process, saved in zip(self._processes, state["processes"], strict=True):
            process.load_state_dict(saved)
