"""The folder of a run: metrics, checkpoint, summary; safe against being stopped at any moment."""

import contextlib
import csv
import hashlib
import io
import itertools
import json
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import checkpoint
from ..checks import InputError
from ..version import VERSION
from .record import FIXED, Columns, confidence_band, data_frame, means_of, rates_of

LOCK = ".lock"
CONFIG, METRICS, CHECKPOINT, SUMMARY = "config.yaml", "metrics.csv", "checkpoint.pt", "summary.json"
REPLICAS = "replicas.csv"
BAND = ("low", "high")
"""95% confidence band of the mean over replicas."""
_SUMMARIZED = (
    *("version", "frames", "seed", "num_users", "replicas", "unit", "stopped_early", "averaged_frames"),
    *("infeasible_frames", "frames_per_second", "decisions_per_second"),
)
ADDED = ("probe_gain", "saturated")
"""Columns that version 0.1 did not write."""
_CHUNK = 2**22
"""Characters of a table that are read at a time."""
_WHOLE = ("frame", "candidates", "best_candidate")
"""Columns of whole numbers in the rows of one run, written as such."""


class RunFolder:
    """Files of one run.

    A checkpoint is written only after the rows before it are on disk, and a run that goes on first cuts
    `metrics.csv` back to the checkpoint's frame: so it writes the rows that an uninterrupted run writes.

    Args:
        path: the folder.
        replicas: for a run of so many replicas: `metrics.csv` then holds their means and the band of the mean, and
            `replicas.csv` the normalised rate (the value, where no optimum is known) of each.
        every: n, to keep the row of every n-th frame only: of the frames n - 1, 2n - 1, and so on.
    """

    def __init__(self, path: str | Path, replicas: int | None = None, every: int = 1) -> None:
        self.path = Path(path)
        self._every = every
        self.totals: dict[str, float] = {"infeasible": 0, "seconds": 0.0}
        """Of all frames so far, kept or not: those without a feasible decision, and the time of decisions."""
        self._headers: dict[str, Sequence[str]] = {METRICS: FIXED if replicas is None else (*FIXED, *BAND)}
        if replicas is not None:
            self._headers[REPLICAS] = [str(place) for place in range(replicas)]
        self._metrics: Sequence[str] = ()
        self._rows: dict[str, list[Sequence[str]]] = {name: [] for name in self._headers}
        self._digests: dict[str, Any] = {}
        """SHA-256 of each table as far as it is written."""

    @classmethod
    def new(cls, parent: str | Path, name: str, replicas: int | None = None, every: int = 1) -> "RunFolder":
        """A folder of its own for a run that was not given one: ``parent/name``, or with -2, -3, ... appended."""
        for count in itertools.count(1):
            path = Path(parent) / (name if count == 1 else f"{name}-{count}")
            with contextlib.suppress(FileExistsError):
                path.mkdir(parents=True)
                return cls(path, replicas, every)
        raise AssertionError("there is always a free name")

    def record(self, metrics: Sequence[str]) -> None:
        """Write a column in `metrics.csv` for each metric of the environment and of callbacks, after the fixed.

        Raises InputError when one bears the name of another column or of an entry of the summary.
        """
        torn = [name for name in metrics if not name or set(name) & set(',"\r\n')]
        if torn:
            raise InputError(f"metrics must have names without commas, quotes or line breaks, got {torn}")
        taken = [name for name in metrics if name in (*self._headers[METRICS], *_SUMMARIZED)]
        if taken:
            raise InputError(f"metrics must not name columns that there are already, got {', '.join(taken)}")
        self._metrics = list(metrics)
        self._headers[METRICS] = [*self._headers[METRICS], *metrics]

    def create(self, config: str) -> None:
        """Make the folder for a new run of the configuration `config` (YAML text).

        Raises:
            InputError: when the folder already holds anything, or is a file. What a run left that was stopped
                while it made its folder is nothing.
        """
        begun = {LOCK, *(name + end for name in (CONFIG, *self._headers) for end in ("", ".part"))} - {CONFIG}
        if self.path.exists() and (not self.path.is_dir() or {held.name for held in self.path.iterdir()} - begun):
            raise InputError(f"output must be a new or empty folder, {self.path} belongs to another run")
        self.path.mkdir(parents=True, exist_ok=True)
        for name in self._headers:
            self._replace(name, self._header(name))
        self._replace(CONFIG, config)

    def read_config(self) -> str:
        """The configuration that `create` was given; raises InputError when the folder holds no run."""
        path = self.path / CONFIG
        if not path.is_file():
            raise InputError(f"resume must be the folder of a run, {self.path} holds no {CONFIG}")
        try:
            return path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{path} must be text in UTF-8, {error}") from error

    def append(self, columns: Columns) -> Columns:
        """Keep the rows of some frames until the next `flush`: of replicas their means, and the rate of each.

        Returns the columns of `metrics.csv` as they are written, with no rows where none of the frames is kept.
        """
        if self._every > 1:
            infeasible, seconds = columns["value"] == -np.inf, columns["decide_seconds"]
            self.totals["infeasible"] += int((infeasible if infeasible.ndim == 1 else infeasible.any(-1)).sum())
            self.totals["seconds"] += float((seconds if seconds.ndim == 1 else seconds.mean(-1)).sum())
            numbers = columns["frame"] if columns["frame"].ndim == 1 else columns["frame"][:, 0]
            kept = (numbers + 1) % self._every == 0
            columns = {name: column[kept] for name, column in columns.items()}
        if REPLICAS in self._headers:
            self._rows[REPLICAS].extend([f"{rate:.9g}" for rate in row] for row in rates_of(columns).tolist())
            columns = means_of(columns)
        header = self._headers[METRICS]
        whole = ("frame",) if REPLICAS in self._headers else _WHOLE
        cells = [[_cell(value, name in whole) for value in columns[name].tolist()] for name in header]
        self._rows[METRICS].extend(zip(*cells, strict=True))
        return {name: columns[name] for name in header}

    def flush(self) -> None:
        """Write the rows kept since the last flush, down to the disk."""
        for name, rows in self._rows.items():
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows(rows)
            written = text.getvalue().encode()
            with (self.path / name).open("ab") as file:
                file.write(written)
                file.flush()
                os.fsync(file.fileno())
            self._digest_of(name).update(written)
            rows.clear()

    def write_config(self, config: str) -> None:
        """Put another configuration in place, of the same run with more frames to go."""
        self._replace(CONFIG, config)

    def save(
        self,
        frame: int,
        agent: Mapping[str, Any],
        environment: Mapping[str, Any] | None,
        identity: str,
        callbacks: Mapping[str, Any] | None = None,
    ) -> Path:
        """Flush, then write the checkpoint of a run that has done `frame` frames.

        `identity` is what must not differ when the run goes on: the configuration without what may change. Returns
        the checkpoint's path.
        """
        self.flush()
        tables = {name: self._digest_of(name).hexdigest() for name in self._headers}
        content = {
            "frame": frame,
            "agent": agent,
            "environment": environment,
            "identity": identity,
            "tables": tables,
            "totals": dict(self.totals),
            "callbacks": callbacks,
        }
        checkpoint.write(self.path / CHECKPOINT, content)
        return self.path / CHECKPOINT

    def read_checkpoint(self, *identities: str) -> dict[str, Any] | None:
        """The last checkpoint, of one of these identities; None for a run that has none yet; changes nothing.

        Raises:
            InputError: when the checkpoint is damaged, of another configuration, or holds no environment.
        """
        path = self.path / CHECKPOINT
        if not path.exists():
            return None
        state = checkpoint.read(path)
        if state.get("identity") not in identities:
            raise InputError(
                f"{path} is the checkpoint of another configuration than {self.path / CONFIG}; "
                f"{checkpoint.version_of(state)}"
            )
        if state.get("environment") is None:
            raise InputError(f"{path} holds no environment: it needs state_dict and load_state_dict to resume")
        as_written = {name: checkpoint.to_arrays(state.get(name)) for name in ("environment", "callbacks")}
        return {**state, **as_written}

    def cut_metrics(self, frames: int, digests: Mapping[str, str] | None = None) -> None:
        """Leave the rows of the first `frames` frames in `metrics.csv` and the like.

        `digests` are what the checkpoint says of these tables, by their names, where it does. A table is read once
        and needs neither memory nor room on the disk that grow with it.

        Raises InputError where there are fewer rows, others than were written, or other columns than this run
        writes; nothing is then changed.
        """
        ends = {}
        for name, header in self._headers.items():
            table, rows = self.path / name, frames // self._every
            first, end, digest = _read_rows(table, rows)
            if digest is None:
                raise InputError(f"{table} must hold the {frames} frames of the checkpoint, it was cut short")
            if first not in (self._header(name), _without_added(header)):
                raise InputError(f"{table} must have the columns {','.join(header)}, got {first.rstrip()}")
            if digests is not None and digests.get(name, digest.hexdigest()) != digest.hexdigest():
                raise InputError(f"{table} must hold the {rows} rows that the run wrote, some were changed since")
            ends[name] = first, end, digest
        for name, (first, end, digest) in ends.items():
            os.truncate(self.path / name, end)
            self._digests[name] = digest
            if first != self._header(name):
                lines = (self.path / name).read_text(encoding="utf-8").splitlines()
                text = _with_columns(lines, self._headers[name])
                self._replace(name, text)
                self._digests[name] = hashlib.sha256(text.encode())

    def read_metrics(self) -> dict[str, NDArray[np.float64]]:
        """The columns of `metrics.csv`, each (rows,), nan where empty.

        Raises InputError where the table was changed to something that is none.
        """
        return _read_table(self.path / METRICS)

    def read_each(self) -> NDArray[np.float64] | None:
        """The rates (rows, R) of the replicas; None for a run of one."""
        if REPLICAS not in self._headers:
            return None
        return np.stack(list(_read_table(self.path / REPLICAS).values()), -1)

    def to_frame(self, each: bool = False) -> Any:
        """`metrics.csv` as a pandas DataFrame, one row a frame; of replicas their means and the band.

        With `each`, of a run of R replicas, one column `rate` with the index `frame, replica`: the normalised rate
        of each (the value, where no optimum is known).

        Raises InputError with `each` for a run of one, ImportError without pandas, naming the extra.
        """
        metrics = self.read_metrics()
        if not each:
            return data_frame(metrics)
        path = self.path / REPLICAS
        if not path.exists():
            raise InputError(f"each must be False for a run of one, {self.path} holds no {REPLICAS}")
        rates = np.stack(list(_read_table(path).values()), -1)
        return data_frame({"frame": np.tile(metrics["frame"][:, None], rates.shape[1]), "rate": rates})

    def write_summary(self, figures: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """Write `summary.json`: `more`, and means over the last 20% of the rows, of values over those that had a
        feasible decision, and an environment's `figures` of the run under names that are free.

        Returns its content.
        """
        metrics = self.read_metrics()
        numbers = metrics["frame"]
        rows = len(numbers)
        tail = slice(rows - max(1, rows // 5) if rows else 0, rows)
        infeasible, seconds = int((metrics["value"] == -np.inf).sum()), float(metrics["decide_seconds"].sum())
        if self._every > 1:
            infeasible, seconds = int(self.totals["infeasible"]), self.totals["seconds"]
        each = self.read_each()
        if each is not None:
            means = [_mean(rates) for rates in each[tail].T]
            known = np.array([mean for mean in means if mean is not None])
            low, high = confidence_band(known) if len(known) else (np.nan, np.nan)
            more |= {"rate_of_each": means, "rate_low": float(low), "rate_high": float(high)}
        summary = {
            "version": VERSION,
            "frames": rows,
            **more,
            "averaged_frames": f"{numbers[tail.start]:.0f} to {numbers[-1]:.0f}" if rows else None,
            "infeasible_frames": infeasible,
            "normalized_rate": _mean(metrics["normalized_rate"][tail]),
            "value": _mean(metrics["value"][tail]),
            "candidates": _mean(metrics["candidates"][tail]),
            "loss": _mean(metrics["loss"][tail]),
            "accuracy": _mean(metrics["accuracy"][tail]),
            **{name: _mean(metrics[name][tail]) for name in self._metrics},
            "decisions_per_second": more.get("frames", rows) / seconds if seconds else None,
        }
        summary |= {name: figure for name, figure in (figures or {}).items() if name not in summary}
        summary = {name: _finite(value) for name, value in summary.items()}
        self._replace(SUMMARY, json.dumps(summary, indent=2, allow_nan=False) + "\n")
        return summary

    def _header(self, name: str) -> str:
        """The first line of a table."""
        return ",".join(self._headers[name]) + "\n"

    def _digest_of(self, name: str) -> Any:
        """The running SHA-256 of a table."""
        if name not in self._digests:
            self._digests[name] = hashlib.sha256(self._header(name).encode())
        return self._digests[name]

    def _replace(self, name: str, text: str) -> None:
        """Put a text file in its place in one step."""
        temporary = self.path / (name + ".part")
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path / name)


@contextlib.contextmanager
def locked(path: Path, argument: str) -> Iterator[None]:
    """Keep other processes out of a folder, which is made where there is none.

    They are refused with an InputError that names the `argument`. The system lets go of the lock when a process
    ends, however it does.
    """
    from filelock import FileLock, Timeout

    if path.exists() and not path.is_dir():  # which is refused for what it is
        yield
        return
    path.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise InputError(
            f"{argument} must be a folder that no other process writes to, a run in {path} is still going"
        ) from error
    except NotImplementedError:  # a file system without locks
        pass
    try:
        yield
    finally:
        (path / LOCK).unlink(missing_ok=True)
        lock.release()


def _read_rows(table: Path, rows: int) -> tuple[str, int, Any]:
    """The first line of a table, where its first `rows` rows end, and their SHA-256; None of fewer rows."""
    if not table.exists():
        return "", 0, None
    with table.open("rb") as file:
        first, end, digest = b"", 0, hashlib.sha256()
        for count, line in enumerate(file):
            first, end = first or line, end + len(line)
            digest.update(line)
            if count == rows:
                return first.decode(errors="replace"), end, digest if line.endswith(b"\n") else None
    return "", 0, None


def _read_table(path: Path) -> dict[str, NDArray[np.float64]]:
    """The columns of a table of numbers, each (rows,), nan where empty; some memory beside them at a time."""
    with path.open(encoding="utf-8", errors="replace") as file:  # what is then no number
        names = file.readline().rstrip("\n").split(",")
        parts = []
        while lines := file.readlines(_CHUNK):
            text = "".join(lines).rstrip("\n").replace("\n", ",") + ","
            for _ in range(2):  # neighbours share a comma
                text = text.replace(",,", ",nan,")
            with warnings.catch_warnings():
                warnings.simplefilter("error", DeprecationWarning)
                try:
                    numbers = np.fromstring(text[:-1], sep=",")
                    parts.append(numbers.reshape(len(lines), len(names)))
                except (ValueError, DeprecationWarning) as error:
                    raise InputError(f"{path} must be a table of numbers in {len(names)} columns") from error
    table = np.concatenate(parts) if parts else np.empty((0, len(names)))
    return dict(zip(names, table.T, strict=True))


def _without_added(header: Sequence[str]) -> str:
    """The first line of a table that an earlier version wrote."""
    return ",".join(name for name in header if name not in ADDED) + "\n"


def _with_columns(lines: list[str], header: Sequence[str]) -> str:
    """A table of an earlier version with the columns, empty, that it did not write."""
    before = lines[0].split(",")
    places = [before.index(name) if name in before else None for name in header]
    rows = [line.split(",") for line in lines[1:]]
    filled = [",".join("" if place is None else row[place] for place in places) + "\n" for row in rows]
    return "".join([",".join(header) + "\n", *filled])


def _mean(values: Iterable[float]) -> float | None:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else None


def _finite(value: Any) -> Any:
    """A value as JSON has it, which knows no infinity: None in its place."""
    if isinstance(value, list):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _cell(value: float, whole: bool) -> str:
    if np.isnan(value):
        return ""
    return str(int(value)) if whole else repr(value)
