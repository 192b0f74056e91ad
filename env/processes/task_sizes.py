"""Models of the tasks that users have in a frame: their sizes. To a process every task is a user."""

from pathlib import Path

import numpy as np

from env.arrays import FloatArray, InputError, positive, positive_number
from env.processes.process import Process
from env.processes.trace import Replay, read_variables


class TaskSizes(Process):
    """Sizes of a frame's tasks, MB, positive, those of the first user first; subclass it for one of your own."""


class UniformTaskSizes(TaskSizes):
    """Independent uniform sizes; the defaults are the range of the released DDLO data.

    Args:
        smallest, largest: MB.

    Raises:
        InputError: when one is not positive and finite, or `largest` is below `smallest`.
    """

    def __init__(self, smallest: float = 10.0, largest: float = 30.0) -> None:
        self.smallest = positive_number("smallest", smallest)
        self.largest = positive_number("largest", largest)
        if self.largest < self.smallest:
            raise InputError(f"largest must be at least smallest, {smallest}, got {largest}")

    def sample_frames(self, frames: int, rng: np.random.Generator) -> FloatArray:
        return rng.uniform(self.smallest, self.largest, (frames, self._size))


class RecordedTaskSizes(Replay, TaskSizes):
    """Replays the rows of a file in order, and from the first again after the last.

    Args:
        path: a `.mat` (needs SciPy, the `sim` extra) or `.npz` file that holds ``task_size`` (rows, N M), MB, the
            tasks of the first user first.

    Raises:
        InputError: when the file cannot be read as its ending says, `task_size` is missing, of another shape, or
            not positive and finite.
        FileNotFoundError: when there is no such file.
    """

    counted = "num_devices times num_tasks"

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        variables = read_variables(self.path)
        if "task_size" not in variables:
            raise InputError(f"{path} must hold the variable 'task_size', found {sorted(variables)}")
        self.sizes = positive(f"'task_size' in {path}", variables["task_size"])
        if self.sizes.ndim != 2 or 0 in self.sizes.shape:
            raise InputError(f"'task_size' in {path} must have shape (rows, N M), got {self.sizes.shape}")

    @property
    def rows(self) -> FloatArray:
        return self.sizes
