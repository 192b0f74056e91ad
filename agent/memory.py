"""The replay memory: a ring of past frames and the decisions that were best in them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from .arrays import Array, copy_of, integers, like, namespace, on_device, rows
from .checks import InputError, flag, size, torch_device, whole_number


class ReplayMemory:
    """The last `capacity` pairs (observation, decision), sampled uniformly (DROO, section V-C).

    Frames of fewer users are filled up with rows of zeros; one of more users makes room for as many in all.

    Args:
        capacity: pairs kept; the oldest is overwritten.
        num_users: N.
        num_features: F of an observation (N, F).
        blank_row: start with one all-zero pair, as the published code does.
        replicas: R memories side by side, all arrays then with R as first dimension; None for one.
        device: None for NumPy arrays, else the torch device that holds them.
        double: keep observations in double precision.

    Attributes:
        counter: frames ever counted, the blank pair included; of one without a feasible decision nothing is
            stored.
        stored: pairs ever stored; of replicas that differ in it (R,).

    Raises:
        InputError: when a size is below 1 or does not fit the memory, or the device is none.
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
        double: bool = False,
    ) -> None:
        self.capacity = whole_number("capacity", capacity, 1, None)
        size("num_users", num_users)
        size("num_features", num_features)
        lead = () if replicas is None else (size("replicas", replicas),)
        shape = (*lead, capacity, num_users, num_features)
        flag("double", double)
        if device is not None:
            torch_device("device", device)
        self.observations: Array
        self.decisions: Array
        try:
            if device is None:
                self.observations = np.zeros(shape, dtype=np.float64 if double else np.float32)
                self.decisions = np.zeros(shape[:-1], dtype=np.float32)
            else:
                dtype = torch.float64 if double else torch.float32
                self.observations = torch.zeros(shape, dtype=dtype, device=device)
                self.decisions = torch.zeros(shape[:-1], dtype=torch.float32, device=device)
        except (MemoryError, ValueError, RuntimeError, OverflowError) as error:
            raise InputError(
                f"memory_size must be such that {' x '.join(map(str, shape))} numbers fit the machine's memory, "
                f"got {capacity}"
            ) from error
        self._lead = lead
        self._replicas = on_device(np.arange(*lead), device) if lead else None
        self.counter = int(flag("blank_row", blank_row))
        self.stored: Array = int(blank_row)

    def __len__(self) -> int:
        """Pairs in the memory; of replicas that differ in it, in the fullest."""
        most = self.stored if isinstance(self.stored, int) else int(self.stored.max())
        return min(most, self.capacity)

    def remember(self, observation: Array, decision: Array, where: Array = True) -> None:
        """Store one pair: observation (..., N, F) and decision (..., N); of replicas those `where` (R,) is true.

        On a device, which is not asked, the others store the pair before it once more.
        """
        self.counter += 1
        if where is not True or not isinstance(self.stored, int):
            self._remember_some(observation, decision, where)
            return
        place, num_users = self.stored % self.capacity, np.shape(decision)[-1]
        if num_users == self.decisions.shape[-1] and not self._lead:
            self.observations[place], self.decisions[place] = observation, decision
        elif num_users == self.decisions.shape[-1]:
            self.observations[..., place, :, :] = observation
            self.decisions[..., place, :] = decision
        else:
            self.make_room(num_users)
            self.observations[..., place, :, :] = 0
            self.decisions[..., place, :] = 0
            self.observations[..., place, :num_users, :] = observation
            self.decisions[..., place, :num_users] = decision
        self.stored += 1

    def _remember_some(self, observation: Array, decision: Array, where: Array) -> None:
        if not self._lead:
            return
        if not isinstance(self.decisions, np.ndarray):
            last, place = (self.stored - 1) % self.capacity, self.stored % self.capacity
            old = self.observations[:, last], self.decisions[:, last]
            self.observations[:, place] = torch.where(where[:, None, None], observation, old[0])
            self.decisions[:, place] = torch.where(where[:, None], decision, old[1])
            self.stored += 1
            return
        where, stored = np.broadcast_to(where, self._lead), np.broadcast_to(self.stored, self._lead)
        replicas = np.flatnonzero(where)
        places = stored[replicas] % self.capacity
        self.observations[replicas, places] = observation[replicas]
        self.decisions[replicas, places] = decision[replicas]
        self.stored = stored + where

    def make_room(self, num_users: int) -> None:
        """Let frames of up to `num_users` users fit."""
        more = num_users - self.decisions.shape[-1]
        if more > 0:
            self.observations = _widened(self.observations, more, -2)
            self.decisions = _widened(self.decisions, more, -1)

    def sample(self, batch_size: int, rng: Any, replicas: Array | None = None) -> tuple[Array, Array]:
        """Draw pairs with replacement: observations (..., batch_size, N, F) and decisions (..., batch_size, N).

        Args:
            batch_size: B.
            rng: a `numpy.random.Generator`, or `agent.generators.Generators` of the replicas that draw.
            replicas: places of those, on the memory's device, where not all draw; the first dimension is then
                theirs.

        Raises InputError when nothing is stored yet.
        """
        if not len(self):
            raise InputError("the replay memory is empty: remember a pair before sampling")
        replicas = self._replicas if replicas is None else replicas
        lead = () if replicas is None else (len(replicas),)
        places = integers(rng.random((*lead, batch_size)) * self._sizes(replicas))
        if replicas is not None:
            places = places + self.capacity * replicas[:, None]
        num_users, num_features = self.observations.shape[-2:]
        observations = self.observations.reshape(-1, num_users, num_features)
        return rows(observations, places), rows(self.decisions.reshape(-1, num_users), places)

    def recent(self, count: int) -> tuple[Array, Array]:
        """The last `count` pairs that are still stored, oldest first: (..., count, N, F) and (..., count, N)."""
        xp, device = namespace(self.observations), self.observations.device
        count = min(count, len(self))
        if not isinstance(self.stored, int):
            places = (self.stored[:, None] - count + xp.arange(count, device=device)) % self.capacity
            replicas = xp.arange(len(self.stored), device=device)[:, None]
            return self.observations[replicas, places], self.decisions[replicas, places]
        first = (self.stored - count) % self.capacity
        if (end := first + count) <= self.capacity:
            return copy_of(self.observations[..., first:end, :, :]), copy_of(self.decisions[..., first:end, :])
        places = xp.arange(self.stored - count, self.stored, device=device) % self.capacity
        return self.observations[..., places, :, :], self.decisions[..., places, :]

    def state_dict(self) -> dict[str, Any]:
        """The stored pairs and the counter."""
        used = len(self)
        return {
            "observations": copy_of(self.observations[..., :used, :, :]),
            "decisions": copy_of(self.decisions[..., :used, :]),
            "counter": self.counter,
            "stored": self.stored,
        }

    def _sizes(self, replicas: Array | None) -> Array:
        """Pairs that each of the replicas at these places may draw from, (...)."""
        if isinstance(self.stored, int):
            return len(self)
        return self.stored[replicas].clip(1, self.capacity)[:, None]

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` of a memory of the same sizes returned; raises InputError for another's."""
        counter = int(state["counter"])
        stored = state.get("stored", counter)
        most = stored if isinstance(stored, int) else int(stored.max())
        used = min(most, self.capacity)
        for own, name in ((self.observations, "observations"), (self.decisions, "decisions")):
            saved, at = state[name], len(self._lead)
            expected = (*own.shape[:at], used, *own.shape[at + 1 :])
            if tuple(saved.shape) != expected:
                raise InputError(f"memory must hold {name} of shape {expected}, got {tuple(saved.shape)}")
        self.observations[..., :used, :, :] = like(self.observations, state["observations"])
        self.decisions[..., :used, :] = like(self.decisions, state["decisions"])
        self.counter = counter
        self.stored = stored if isinstance(stored, int) else np.asarray(stored)


def _widened(array: Array, more: int, axis: int) -> Array:
    """The array with `more` entries of 0 at the end of an axis."""
    shape = list(array.shape)
    shape[axis] = more
    if isinstance(array, np.ndarray):
        return np.concatenate([array, np.zeros(shape, array.dtype)], axis)
    return torch.cat([array, array.new_zeros(shape)], axis)
