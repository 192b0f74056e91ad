"""The replay memory: a ring of past frames and the decisions that were best in them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agent.checks import whole_number


class ReplayMemory:
    """The last `capacity` pairs (observation, decision), sampled uniformly (DROO, section V-C).

    Args:
        capacity: pairs kept; the oldest is overwritten.
        num_users: N.
        num_features: F of an observation (N, F).
        blank_row: start with one all-zero pair, as the published code does.

    Attributes:
        counter: pairs ever stored, the blank one included.

    Raises:
        ValueError: when `capacity` is below 1.
    """

    def __init__(self, capacity: int, num_users: int, num_features: int = 1, *, blank_row: bool = False) -> None:
        shape = (
            whole_number("capacity", capacity),
            whole_number("num_users", num_users),
            whole_number("num_features", num_features),
        )
        self.observations = np.zeros(shape, dtype=np.float32)
        self.decisions = np.zeros(shape[:2], dtype=np.float32)
        self.counter = int(blank_row)

    def __len__(self) -> int:
        return min(self.counter, self.capacity)

    @property
    def capacity(self) -> int:
        """How many pairs fit."""
        return len(self.decisions)

    def remember(self, observation: ArrayLike, decision: ArrayLike) -> None:
        """Store one pair: observation (N, F) and decision (N,)."""
        place = self.counter % self.capacity
        self.observations[place] = observation
        self.decisions[place] = decision
        self.counter += 1

    def sample(self, batch_size: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Draw pairs with replacement: observations (batch_size, N, F) and decisions (batch_size, N).

        Raises ValueError when nothing is stored yet.
        """
        if not len(self):
            raise ValueError("the replay memory is empty: remember a pair before sampling")
        places = rng.integers(len(self), size=batch_size)
        return self.observations[places], self.decisions[places]

    def recent(self, count: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The last `count` pairs that are still stored, oldest first."""
        places = np.arange(self.counter - min(count, len(self)), self.counter) % self.capacity
        return self.observations[places], self.decisions[places]

    def state_dict(self) -> dict[str, Any]:
        """The stored pairs and the counter."""
        used = len(self)
        return {
            "observations": self.observations[:used].copy(),
            "decisions": self.decisions[:used].copy(),
            "counter": self.counter,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` of a memory of the same sizes returned; raises ValueError for another's."""
        observations, decisions = np.asarray(state["observations"]), np.asarray(state["decisions"])
        used = len(decisions)
        fits = used <= self.capacity and used == min(int(state["counter"]), self.capacity)
        fits &= observations.shape == (used, *self.observations.shape[1:])
        if not fits or decisions.shape != (used, *self.decisions.shape[1:]):
            raise ValueError(
                f"memory must hold up to {self.capacity} observations {self.observations.shape[1:]}, "
                f"got {observations.shape} and decisions {decisions.shape}"
            )
        self.observations[:used] = observations
        self.decisions[:used] = decisions
        self.counter = int(state["counter"])
