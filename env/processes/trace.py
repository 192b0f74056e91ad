"""Recorded channel gains, read from the published `.mat` format or a `.npz` of the same variables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from env.arrays import FloatArray, InputError, binary, positive, whole_number
from env.processes.channel import Channel
from env.processes.process import Process


class Replay(Process):
    """Recorded rows in their order, and from the first again after the last; a subclass has `path` and `rows`."""

    path: Path
    counted: ClassVar[str] = "num_users"
    """What the columns are, for messages."""
    start = 0
    """The row of the first frame."""

    @property
    def rows(self) -> FloatArray:
        """(rows, N)."""
        raise TypeError(f"{type(self).__name__} must have rows")

    @property
    def num_users(self) -> int:
        return int(self.rows.shape[1])

    def row_of(self, frame: int) -> int:
        """The row that frame `frame` (from 0) shows."""
        return (self.start + frame) % len(self.rows)

    def reset(self, num_users: int, rng: np.random.Generator) -> None:
        if num_users != self.num_users:
            raise InputError(f"{self.counted} must be {self.num_users}, as in {self.path}, got {num_users}")
        self._next = self.start

    def sample_frames(self, frames: int, rng: np.random.Generator) -> FloatArray:
        rows = (self._next + np.arange(frames)) % len(self.rows)
        self._next = int(self._next + frames) % len(self.rows)
        return self.rows[rows]

    def state_dict(self) -> dict[str, Any]:
        return {"next": self._next, **self._added()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._next = int(state["next"])
        self._load_added(state)


class RecordedTrace(Replay, Channel):
    """Replays the rows of a file in order, and from the first again after the last.

    The file holds ``input_h`` (rows, N), the channel gains; and where known ``output_mode`` (rows, N), the
    optimal decisions, and ``output_obj`` (rows, 1) or (1, rows), their weighted sum computation rates, bit/s.

    Args:
        path: a `.mat` (needs SciPy, the `sim` extra) or `.npz` file.
        start: the row of the first frame.

    Attributes:
        gains: (rows, N). decisions: (rows, N) or None. rates: (rows,), bit/s, or None.

    Raises:
        InputError: when the file cannot be read as its ending says, `input_h` is missing, a shape does not fit,
            a gain is not positive and finite, a decision not 0 or 1, or `start` is not one of the rows.
        FileNotFoundError: when there is no such file.
    """

    def __init__(self, path: str | Path, start: int = 0) -> None:
        self.path = Path(path)
        variables = read_variables(self.path)
        if "input_h" not in variables:
            raise InputError(f"{path} must hold the variable 'input_h', found {sorted(variables)}")
        self.gains = positive(f"'input_h' in {path}", variables["input_h"])
        if self.gains.ndim != 2 or 0 in self.gains.shape:
            raise InputError(f"'input_h' in {path} must have shape (rows, N), got {self.gains.shape}")
        rows = len(self.gains)
        self.decisions: FloatArray | None = None
        if "output_mode" in variables:
            self.decisions = binary(f"'output_mode' in {path}", variables["output_mode"])
            if self.decisions.shape != self.gains.shape:
                raise InputError(
                    f"'output_mode' in {path} must have the shape of 'input_h', {self.gains.shape}, "
                    f"got {self.decisions.shape}"
                )
        self.rates: FloatArray | None = None
        if "output_obj" in variables:
            rates = positive(f"'output_obj' in {path}", variables["output_obj"])
            if rates.shape not in {(rows, 1), (1, rows), (rows,)}:
                raise InputError(f"'output_obj' in {path} must have shape ({rows}, 1), got {rates.shape}")
            self.rates = rates.reshape(rows)
        if whole_number("start", start, 0) >= rows:
            raise InputError(f"start must be a row of {path}, 0 to {rows - 1}, got {start}")
        for array in (self.gains, self.decisions, self.rates):
            if array is not None:
                array.setflags(write=False)
        self.start = start

    @property
    def rows(self) -> FloatArray:
        return self.gains


def read_variables(path: Path) -> dict[str, Any]:
    """The variables of a `.mat` or `.npz` file; nothing in it is executed."""
    if not path.is_file():
        hint = "" if path.suffix in {".mat", ".npz"} else " (a class of channels must inherit env.Channel)"
        raise FileNotFoundError(f"no such trace file: {path}{hint}")
    if path.suffix not in {".mat", ".npz"}:
        raise InputError(f"a trace must be a .mat or .npz file, got {path}")
    try:
        if path.suffix == ".npz":
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
        try:
            from scipy.io import loadmat
        except ImportError as error:
            raise ImportError("reading .mat files needs SciPy: install the 'sim' extra") from error
        return {name: value for name, value in loadmat(path).items() if not name.startswith("__")}
    except ImportError:
        raise
    except Exception as error:  # the readers raise a dozen kinds for a damaged file
        raise InputError(f"{path} is not a readable {path.suffix} file: {error}") from error
