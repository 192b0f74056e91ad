"""The gains that an environment's frames bring, drawn a block of frames ahead of time."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from env.arrays import FloatArray, positive
from env.channel import Channel

BLOCK = 128
"""Frames drawn together: what a draw costs beside its numbers is paid once a block."""


class GainStream:
    """Gains frame after frame, of R channels side by side, each with a random generator of its own.

    The numbers are those that drawing frame by frame would give; a replica's do not depend on the others.

    Args:
        channels: (R,), each at its start; one object for each replica.
        num_users: N.
        seeds: (R,).

    Raises:
        ValueError: when a channel is made for another number of users, or a gain is not positive and finite.
    """

    def __init__(self, channels: Sequence[Channel], num_users: int, seeds: Sequence[int]) -> None:
        self._channels = channels
        self._num_users = num_users
        self._rngs = [np.random.default_rng(seed) for seed in seeds]
        for channel, rng in zip(channels, self._rngs, strict=True):
            channel.reset(num_users, rng)

    def next_block(self) -> FloatArray:
        """The gains of the next `BLOCK` frames, (BLOCK, R, N)."""
        self._start: dict[str, Any] = {
            "rngs": [rng.bit_generator.state for rng in self._rngs],
            "channels": [channel.state_dict() for channel in self._channels],
        }
        sources = zip(self._channels, self._rngs, strict=True)
        gains = [channel.sample_frames(BLOCK, rng) for channel, rng in sources]
        return positive("gains", np.stack(gains, axis=1))

    def state_dict(self) -> dict[str, Any]:
        """What must be kept to draw the current block again."""
        rngs = [json.dumps(state) for state in self._start["rngs"]]
        return {"rngs": rngs, "channels": self._start["channels"]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to before the block that was the last when `state_dict` was asked."""
        for rng, saved in zip(self._rngs, state["rngs"], strict=True):
            rng.bit_generator.state = json.loads(saved)
        for channel, saved in zip(self._channels, state["channels"], strict=True):
            channel.load_state_dict(saved)
