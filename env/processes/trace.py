"""Recorded rows that are replayed: channel gains, with what is stored beside them."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy, deepcopy
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray, InputError, binary, flag, frozen, one_of, positive, require_positive, whole_number
from ..checking import EnvironmentWarning
from .channel import Channel
from .process import Process
from .recording import Recording, described, numbers

Layout = Literal["frames", "users"]
Unit = Literal["power", "dB", "amplitude", "complex"]
UNITS = ("power", "dB", "amplitude", "complex")
_FEW = 20
"""Below so many numbers, a table's shape says nothing about what its rows are."""


class Replay(Process):
    """Recorded rows in their order, and from the first again after the last; a subclass has `name` and `rows`."""

    name: str
    """The file, for messages."""
    counted: ClassVar[str] = "num_users"
    """What the columns are, for messages."""
    start = 0
    """The row of the first frame."""
    decisions: FloatArray | None = None
    """(rows, N), stored beside the rows; None where there are none."""

    @property
    def rows(self) -> FloatArray:
        """(rows, N)."""
        raise TypeError(f"{type(self).__name__} must have rows")

    @property
    def num_users(self) -> int:
        return int(self.rows.shape[1])

    def row_of(self, frame: int) -> int:
        """The row that frame `frame` (from 0) shows."""
        return int(self.rows_of(frame, 1)[0])

    def rows_of(self, first: int, frames: int) -> NDArray[np.int64]:
        """The rows (frames,) that frames from `first` on show."""
        return (self.start + first + np.arange(frames)) % len(self.rows)

    def reset(self, num_users: int, rng: np.random.Generator) -> None:
        if num_users != self.num_users:
            raise InputError(f"{self.counted} must be {self.num_users}, as in {self.name}, got {num_users}")
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

    def __deepcopy__(self, memo: dict[int, Any]) -> "Replay":
        """Copies share what is recorded, which cannot be written to."""
        made = copy(self)
        for name, value in vars(self).items():
            shared = isinstance(value, np.ndarray) and not value.flags.writeable
            setattr(made, name, value if shared else deepcopy(value, memo))
        return made

    def _start_at(self, start: int) -> None:
        if whole_number("start", start, 0) >= len(self.rows):
            raise InputError(f"start must be a row of {self.name}, 0 to {len(self.rows) - 1}, got {start}")
        self.start = start


class RecordedTrace(Replay, Channel):
    """Replays recorded gains frame by frame, and from the first again after the last.

    Beside the gains a file may hold ``output_mode`` or ``off_mode``, (rows, N), decisions that somebody or
    something labelled the frames with, and ``output_obj``, (rows, 1) or (1, rows), rates, bit/s. They are labels:
    see `WirelessPoweredMEC.label_report`.

    Args:
        path: of a `.mat` (of any version), `.npz`, `.npy`, `.csv`, `.h5` or `.hdf5` file
            (`env.processes.recording`); in code also an array, a data frame, or a mapping of arrays by name. Gains
            are (rows, N), a row a frame, or (rows, N, M) for M servers.
        start: the row of the first frame.
        variable: name of the gains; 'input_h' by default. An array, a data frame, a `.npy` and a `.csv` file hold
            one table without a name.
        unit: 'power', the linear power ratio h; 'dB', ``10 log10(h)``; 'amplitude', ``sqrt(h)``; 'complex',
            coefficients whose squared magnitude is h.
        layout: 'frames', rows are frames; 'users', rows are users and the last axis frames, (N, rows) or
            (N, M, rows), also of what is stored beside the gains.
        index_column: whether the first column of a `.csv` file is left out; by default it is found out.
        labels: whether what is stored beside the gains is read.

    Attributes:
        gains: (rows, N), power ratios; of several servers (rows, N M), the links user after user. num_servers: M,
        1 for gains (rows, N). decisions: (rows, N) or None. rates: (rows,), bit/s, or None.

    Raises:
        InputError: when the file cannot be read as its ending says, the variable is missing, a shape does not fit,
            a gain is not positive and finite or not in the unit, a decision not 0 or 1, or `start` is not one of
            the rows.
        FileNotFoundError: when there is no such file.
        ImportError: when a library is missing, naming the extra.

    Warns:
        EnvironmentWarning: when there are more users than frames, as in a table whose rows are users.
    """

    draws_for_many = True

    def __init__(
        self,
        path: Any,
        start: int = 0,
        *,
        variable: str | None = None,
        unit: Unit = "power",
        layout: Layout = "frames",
        index_column: bool | None = None,
        labels: bool = True,
    ) -> None:
        one_of("unit", unit, tuple(UNITS))
        wanted = ["input_h" if variable is None else variable, "output_mode", "off_mode", "output_obj"]
        recording = Recording(path, wanted, index_column)
        self.name = recording.name
        label, array = recording.main(variable, "input_h", "gains")
        shape = "(rows, N), a row a frame, or (rows, N, M) for M servers"
        gains = arranged(label, array, layout, shape, several=True)
        self.num_servers = gains.shape[2] if gains.ndim == 3 else 1
        gains = gains.reshape(len(gains), -1)
        self.gains = frozen(np.ascontiguousarray(in_power(described(label, array), gains, unit)))
        self.rates: FloatArray | None = None
        if flag("labels", labels) and self.num_servers == 1:
            self.decisions = stored_decisions(recording, ("output_mode", "off_mode"), self.gains, layout)
            self.rates = stored_values(recording, "output_obj", len(gains))
        self._start_at(start)

    @property
    def rows(self) -> FloatArray:
        return self.gains


def as_channel(channel: Any, one_server: bool = True) -> Channel | None:
    """A world's setting `channel`: a `Channel` or None as it is, a recording as a `RecordedTrace`.

    Raises InputError for anything else, and where the world has one server for a recording of several.
    """
    if isinstance(channel, str | Path | np.ndarray) or hasattr(channel, "to_numpy"):
        channel = RecordedTrace(channel)
    if not isinstance(channel, Channel | None):
        raise InputError(f"channel must be a Channel or the path of a trace, got {channel!r}")
    servers = servers_of(channel)
    if one_server and servers is not None and servers > 1:
        name = type(channel).__name__
        if isinstance(channel, RecordedTrace):
            shape = (len(channel.gains), channel.gains.shape[1] // servers, servers)
            name = f"{channel.name} of shape {shape}"
        raise InputError(
            f"channel must be gains to one server, {name} holds those to {servers}: keep one, or use "
            "env.MultiServerMEC"
        )
    return channel


def servers_of(channel: Channel | None) -> int | None:
    """To how many servers the links of a channel lead, user after user; None where it does not say."""
    servers: int | None = getattr(channel, "num_servers", None)
    return servers


_WITHOUT = "; set labels to False to do without"


def stored_decisions(
    recording: Recording, names: Sequence[str], rows: FloatArray, layout: Layout
) -> FloatArray | None:
    """Decisions stored beside `rows` under the first of the names that is there, of the same shape; else None.

    Raises InputError for another shape, or what is not 0 or 1.
    """
    found = next((found for found in map(recording.get, names) if found is not None), None)
    if found is None:
        return None
    label, array = found
    stored = array.T if layout == "users" else array
    if stored.shape != rows.shape:
        raise InputError(
            f"{label} must have the shape of what it labels, {rows.shape}, got {stored.shape}{_WITHOUT}"
        )
    with helped(_WITHOUT):
        return frozen(np.array(binary(described(label, array), numbers(label, stored))))


def stored_values(recording: Recording, name: str, rows: int) -> FloatArray | None:
    """Values (rows,) stored under that name as a row or a column, positive; None where there are none.

    Raises InputError for another shape, or what is not positive and finite.
    """
    found = recording.get(name)
    if found is None:
        return None
    label, array = found
    if array.shape not in {(rows, 1), (1, rows), (rows,)}:
        raise InputError(f"{label} must have shape ({rows}, 1), got {array.shape}{_WITHOUT}")
    with helped(_WITHOUT):
        return frozen(positive(described(label, array), numbers(label, array)).reshape(rows))


def arranged(label: str, array: np.ndarray, layout: Layout, shape: str, several: bool = False) -> np.ndarray:
    """A recorded array with frames first, (rows, N) or, if `several`, (rows, N, M).

    Raises InputError for another layout or another shape than `shape` says; warns of more users than frames.
    """
    one_of("layout", layout, ("frames", "users"))
    if array.dtype.kind not in "biufc":
        numbers(label, array)
    if array.ndim not in ((2, 3) if several else (2,)) or 0 in array.shape:
        turned = "" if layout == "frames" else ", with layout 'users' the frames last"
        raise InputError(f"{label} must have shape {shape}{turned}, got {array.shape}")
    turned_array = np.moveaxis(array, -1, 0) if layout == "users" else array
    frames, users = turned_array.shape[:2]
    if users > frames and array.size >= _FEW:
        rows, other = ("users", "users") if layout == "frames" else ("frames", "frames")
        warnings.warn(
            f"{described(label, array)} has more users than frames, {users} and {frames}: "
            f"if its rows are {rows}, set layout to {other!r}",
            EnvironmentWarning,
            stacklevel=1,  # once for a file, wherever it is read from
        )
    return turned_array


def in_power(label: str, array: np.ndarray, unit: Unit) -> FloatArray:
    """Gains as linear power ratios; `label` names them with their shape.

    Raises InputError unless they are positive and finite, with the setting where it is probably another unit.
    """
    if unit == "complex" and array.dtype.kind == "c":
        gains = np.asarray(array.real**2 + array.imag**2, dtype=np.float64)
    elif array.dtype.kind == "c":
        raise InputError(
            f"{label} must be real numbers for the unit {unit!r}, got complex ones: set unit to 'complex' for "
            "channel coefficients"
        )
    else:
        gains = np.array(array, dtype=np.float64)
    help_ = ""
    if unit == "power" and gains.min() < 0:
        help_ = ": set unit to 'dB' for gains in dB, to 'complex' for real channel coefficients"
    elif unit == "amplitude":
        with helped(": an amplitude has no sign, set unit to 'complex' for channel coefficients"):
            require_positive(label, gains)
    with np.errstate(over="ignore"):
        if unit == "dB":
            gains = 10 ** (gains / 10)
        elif unit == "amplitude" or (unit == "complex" and array.dtype.kind != "c"):
            gains = gains**2
    if help_ == "" and np.isnan(gains).any():
        help_ = ": what is missing must be filled in"
    elif help_ == "" and (gains == 0).any():
        help_ = ": a link that is not there needs a small gain, such as 1e-15"
    with helped(help_):
        require_positive(label, gains)
    return gains


@contextmanager
def helped(text: str) -> Iterator[None]:
    """What would help, behind the message of an InputError that is raised inside."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{error}{text}") from None
