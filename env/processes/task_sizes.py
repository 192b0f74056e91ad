"""Models of the tasks that users have in a frame: their sizes.

A multi-task environment calls `reset` once and then `sample` once a frame; every random number comes from the
generator it passes.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from env.arrays import FloatArray, positive, positive_number
from env.processes.trace import read_variables


class TaskSizes(ABC):
    """What a multi-task environment asks of its tasks; subclass it for a model of your own."""

    def reset(self, num_devices: int, num_tasks: int) -> None:  # noqa: B027 (most models have no state)
        """Start over with N users of M tasks; raises ValueError when the model is made for other numbers."""

    @abstractmethod
    def sample(self, num_devices: int, num_tasks: int, rng: np.random.Generator) -> FloatArray:
        """Sizes of the next frame's tasks, (N, M), MB, positive."""

    def state_dict(self) -> dict[str, Any]:
        """What must be kept to continue after this frame; arrays and plain values."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:  # noqa: B027
        """Continue from what `state_dict` returned, after a `reset`."""


class UniformTaskSizes(TaskSizes):
    """Independent uniform sizes; the defaults are the range of the released DDLO data.

    Args:
        smallest, largest: MB.

    Raises:
        ValueError: when one is not positive and finite, or `largest` is below `smallest`.
    """

    def __init__(self, smallest: float = 10.0, largest: float = 30.0) -> None:
        self.smallest = positive_number("smallest", smallest)
        self.largest = positive_number("largest", largest)
        if self.largest < self.smallest:
            raise ValueError(f"largest must be at least smallest, {smallest}, got {largest}")

    def sample(self, num_devices: int, num_tasks: int, rng: np.random.Generator) -> FloatArray:
        return rng.uniform(self.smallest, self.largest, (num_devices, num_tasks))


class RecordedTaskSizes(TaskSizes):
    """Replays the rows of a file in order, and from the first again after the last.

    Args:
        path: a `.mat` (needs SciPy, the `sim` extra) or `.npz` file that holds ``task_size`` (rows, N M), MB, the
            tasks of the first user first.

    Raises:
        ValueError: when the file cannot be read as its ending says, `task_size` is missing, of another shape, or
            not positive and finite.
        FileNotFoundError: when there is no such file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        variables = read_variables(self.path)
        if "task_size" not in variables:
            raise ValueError(f"{path} must hold the variable 'task_size', found {sorted(variables)}")
        self.sizes = positive(f"'task_size' in {path}", variables["task_size"])
        if self.sizes.ndim != 2 or 0 in self.sizes.shape:
            raise ValueError(f"'task_size' in {path} must have shape (rows, N M), got {self.sizes.shape}")
        self._next = 0

    def reset(self, num_devices: int, num_tasks: int) -> None:
        width = self.sizes.shape[1]
        if num_devices * num_tasks != width:
            raise ValueError(
                f"num_devices times num_tasks must be {width}, as in {self.path}, got {num_devices} x {num_tasks}"
            )
        self._next = 0

    def sample(self, num_devices: int, num_tasks: int, rng: np.random.Generator) -> FloatArray:
        sizes = self.sizes[self._next]
        self._next = (self._next + 1) % len(self.sizes)
        return sizes.reshape(num_devices, num_tasks)

    def state_dict(self) -> dict[str, Any]:
        return {"next": self._next}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._next = int(state["next"])
