"""Models of the tasks that users have in a frame: their sizes. To a process every task is a user."""

from typing import Any

import numpy as np

from ..arrays import FloatArray, InputError, flag, frozen, positive, positive_number
from .process import Process
from .recording import Recording, described, numbers
from .trace import Layout, Replay, arranged, stored_decisions, stored_values


class TaskSizes(Process):
    """Sizes of a frame's tasks, MB, positive, those of the first user first; subclass it for one of your own."""


class UniformTaskSizes(TaskSizes):
    """Independent uniform sizes; the defaults are the range of the released DDLO data.

    Args:
        smallest, largest: MB.

    Raises:
        InputError: when one is not positive and finite, or `largest` is below `smallest`.
    """

    draws_for_many = True

    def __init__(self, smallest: float = 10.0, largest: float = 30.0) -> None:
        self.smallest = positive_number("smallest", smallest)
        self.largest = positive_number("largest", largest)
        if self.largest < self.smallest:
            raise InputError(f"largest must be at least smallest, {smallest}, got {largest}")

    def sample_frames(self, frames: int, rng: np.random.Generator) -> FloatArray:
        return rng.uniform(self.smallest, self.largest, (frames, self._size))


class RecordedTaskSizes(Replay, TaskSizes):
    """Replays recorded task sizes frame by frame, and from the first again after the last.

    Beside them a file may hold ``gain_mode`` (rows, N M), decisions that the frames were labelled with, and
    ``gain_min`` (1, rows) or (rows, 1), their costs: see `MultiTaskMEC.label_report`.

    Args:
        path: of a file, or in code an array, as of `env.RecordedTrace`; sizes are (rows, N M), MB, the tasks of
            the first user first, or (rows, N, M).
        start: the row of the first frame.
        variable: name of the sizes; 'task_size' by default.
        layout: 'frames', rows are frames; 'users', rows are users and the last axis frames, also of what is stored
            beside the sizes.
        index_column: whether the first column of a `.csv` file is left out; by default it is found out.
        labels: whether what is stored beside the sizes is read.

    Attributes:
        sizes: (rows, N M), MB. decisions: (rows, N M) or None. costs: (rows,) or None.

    Raises:
        InputError, FileNotFoundError, ImportError: as `env.RecordedTrace`.

    Warns:
        EnvironmentWarning: when there are more users, or tasks, than frames.
    """

    counted = "num_devices times num_tasks"
    draws_for_many = True

    def __init__(
        self,
        path: Any,
        start: int = 0,
        *,
        variable: str | None = None,
        layout: Layout = "frames",
        index_column: bool | None = None,
        labels: bool = True,
    ) -> None:
        recording = Recording(
            path, ["task_size" if variable is None else variable, "gain_mode", "gain_min"], index_column
        )
        self.name = recording.name
        label, array = recording.main(variable, "task_size", "task sizes")
        sizes = arranged(label, array, layout, "(rows, N M) or (rows, N, M), a row a frame", several=True)
        sizes = numbers(label, sizes.reshape(len(sizes), -1))
        self.sizes = frozen(positive(described(label, array), sizes))
        self.costs: FloatArray | None = None
        if flag("labels", labels):
            self.decisions = stored_decisions(recording, ("gain_mode",), self.sizes, layout)
            self.costs = stored_values(recording, "gain_min", len(sizes))
        self._start_at(start)

    @property
    def rows(self) -> FloatArray:
        return self.sizes
