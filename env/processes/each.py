"""Any random process of replicas: one for all where it takes the generators of all, else one for each."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, TypeVar

import numpy as np

from ..arrays import size
from ..generators import Generators
from .process import Process

AnyProcess = TypeVar("AnyProcess", bound=Process)


class OfEach(Process):
    """R processes side by side as one whose numbers have R as first dimension.

    Args:
        processes: (R,).
    """

    def __init__(self, processes: Sequence[Process]) -> None:
        self.each = list(processes)

    def reset(self, num_users: int, rng: Generators) -> None:  # type: ignore[override]
        for process, own in zip(self.each, rng.each, strict=True):
            process.reset(num_users, own)

    def sample(self, rng: Generators) -> np.ndarray:  # type: ignore[override]
        """The next frame of each, (R, num_users)."""
        return np.stack([process.sample(own) for process, own in zip(self.each, rng.each, strict=True)])

    def state_dict(self) -> dict[str, Any]:
        return {"each": [process.state_dict() for process in self.each]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for process, saved in zip(self.each, state["each"], strict=True):
            process.load_state_dict(saved)


def of_each(process: AnyProcess, replicas: int | None) -> AnyProcess:
    """The process of a world of R replicas; of one world, None, the process itself.

    It draws from `Generators` and gives numbers (R, num_users), or (num_users,) where these are the same for all.
    A class takes them itself where it says so (`draws_for_many`); a subclass of it must say so again, for it may
    know nothing of more dimensions.

    Raises InputError when `replicas` is not a whole number from 1.
    """
    if replicas is None or "draws_for_many" in vars(type(process)):
        return process
    return OfEach([deepcopy(process) for _ in range(size("replicas", replicas))])  # type: ignore[return-value]
