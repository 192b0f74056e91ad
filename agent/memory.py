"""The replay memory: a ring of past frames and the decisions that were best in them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from agent.arrays import Array, integers
from agent.checks import whole_number


class ReplayMemory:
    """The last `capacity` pairs (observation, decision), sampled uniformly (DROO, section V-C).

    Args:
        capacity: pairs kept; the oldest is overwritten.
        num_users: N.
        num_features: F of an observation (N, F).
        blank_row: start with one all-zero pair, as the published code does.
        replicas: R memories side by side, all arrays then with R as first dimension; None for one.
        device: None for NumPy arrays, else the torch device that holds them.

    Attributes:
        counter: pairs ever stored, the blank one included.

    Raises:
        ValueError: when `capacity` is below 1.
    """

    def __init__(
        self,
        capacity: int,
        num_users: int,
        num_features: int = 1,
        *,
        blank_row: bool = False,
        replicas: int | None = None,
        device: str | None = None,
    ) -> None:
        self.capacity = whole_number("capacity", capacity)
        whole_number("num_users", num_users)
        whole_number("num_features", num_features)
        lead = () if replicas is None else (whole_number("replicas", replicas),)
        shape = (*lead, capacity, num_users, num_features)
        if device is None:
            self.observations: Array = np.zeros(shape, dtype=np.float32)
            self.decisions: Array = np.zeros(shape[:-1], dtype=np.float32)
            self._replica: tuple[Array, ...] = tuple(np.arange(size)[:, None] for size in lead)
        else:
            self.observations = torch.zeros(shape, device=device)
            self.decisions = torch.zeros(shape[:-1], device=device)
            self._replica = tuple(torch.arange(size, device=device)[:, None] for size in lead)
        self._lead = lead
        self.counter = int(blank_row)

    def __len__(self) -> int:
        return min(self.counter, self.capacity)

    def remember(self, observation: Array, decision: Array) -> None:
        """Store one pair: observation (..., N, F) and decision (..., N)."""
        place = self.counter % self.capacity
        self.observations[..., place, :, :] = observation
        self.decisions[..., place, :] = decision
        self.counter += 1

    def sample(self, batch_size: int, rng: Any, replicas: NDArray[np.intp] | None = None) -> tuple[Array, Array]:
        """Draw pairs with replacement: observations (..., batch_size, N, F) and decisions (..., batch_size, N).

        Args:
            batch_size: B.
            rng: a `numpy.random.Generator`, or `agent.generators.Generators` of the replicas that draw.
            replicas: places of those, where not all draw; the first dimension is then theirs.

        Raises ValueError when nothing is stored yet.
        """
        if not len(self):
            raise ValueError("the replay memory is empty: remember a pair before sampling")
        replica = self._replica if replicas is None else (self._replica[0][replicas],)
        places = integers(rng.random((*(len(rows) for rows in replica), batch_size)) * len(self))
        return self.observations[(*replica, places)], self.decisions[(*replica, places)]

    def recent(self, count: int) -> tuple[Array, Array]:
        """The last `count` pairs that are still stored, oldest first: (..., count, N, F) and (..., count, N)."""
        places = np.arange(self.counter - min(count, len(self)), self.counter) % self.capacity
        return self.observations[..., places, :, :], self.decisions[..., places, :]

    def state_dict(self) -> dict[str, Any]:
        """The stored pairs and the counter."""
        used = len(self)
        return {
            "observations": _copy(self.observations[..., :used, :, :]),
            "decisions": _copy(self.decisions[..., :used, :]),
            "counter": self.counter,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` of a memory of the same sizes returned; raises ValueError for another's."""
        counter = int(state["counter"])
        used = min(counter, self.capacity)
        for own, name in ((self.observations, "observations"), (self.decisions, "decisions")):
            saved, at = state[name], len(self._lead)
            expected = (*own.shape[:at], used, *own.shape[at + 1 :])
            if tuple(saved.shape) != expected:
                raise ValueError(f"memory must hold {name} of shape {expected}, got {tuple(saved.shape)}")
        self.observations[..., :used, :, :] = state["observations"]
        self.decisions[..., :used, :] = state["decisions"]
        self.counter = counter


def _copy(array: Array) -> Array:
    return array.copy() if isinstance(array, np.ndarray) else array.clone()
