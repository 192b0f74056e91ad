"""The folder of a run: metrics, checkpoint, summary; safe against being stopped at any moment."""

import contextlib
import csv
import itertools
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent import checkpoint
from agent.checks import InputError
from agent.run.record import FIXED, Columns, confidence_band, means_of, rates_of

CONFIG, METRICS, CHECKPOINT, SUMMARY = "config.yaml", "metrics.csv", "checkpoint.pt", "summary.json"
REPLICAS = "replicas.csv"
BAND = ("low", "high")
"""95% confidence band of the mean over replicas."""
_SUMMARIZED = (
    *("frames", "seed", "num_users", "replicas", "unit", "averaged_frames"),
    *("infeasible_frames", "frames_per_second", "decisions_per_second"),
)
ADDED = ("probe_gain", "saturated")
"""Columns that version 0.1 did not write."""
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
    """

    def __init__(self, path: str | Path, replicas: int | None = None) -> None:
        self.path = Path(path)
        self._headers: dict[str, Sequence[str]] = {METRICS: FIXED if replicas is None else (*FIXED, *BAND)}
        if replicas is not None:
            self._headers[REPLICAS] = [str(place) for place in range(replicas)]
        self._metrics: Sequence[str] = ()
        self._rows: dict[str, list[Sequence[str]]] = {name: [] for name in self._headers}

    @classmethod
    def new(cls, parent: str | Path, name: str, replicas: int | None = None) -> "RunFolder":
        """A folder of its own for a run that was not given one: ``parent/name``, or with -2, -3, ... appended."""
        for count in itertools.count(1):
            path = Path(parent) / (name if count == 1 else f"{name}-{count}")
            with contextlib.suppress(FileExistsError):
                path.mkdir(parents=True)
                return cls(path, replicas)
        raise AssertionError("there is always a free name")

    def record(self, metrics: Sequence[str]) -> None:
        """Write a column in `metrics.csv` for each of an environment's metrics, after the fixed ones.

        Raises InputError when one bears the name of another column or of an entry of the summary.
        """
        taken = [name for name in metrics if name in (*self._headers[METRICS], *_SUMMARIZED)]
        if taken:
            raise InputError(f"frame_metrics must not name columns that there are already, got {', '.join(taken)}")
        self._metrics = list(metrics)
        self._headers[METRICS] = [*self._headers[METRICS], *metrics]

    def create(self, config: str) -> None:
        """Make the folder for a new run of the configuration `config` (YAML text).

        Raises:
            InputError: when the folder already holds anything, or is a file.
        """
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise InputError(f"output must be a new or empty folder, {self.path} belongs to another run")
        self.path.mkdir(parents=True, exist_ok=True)
        for name, header in self._headers.items():
            self._replace(name, ",".join(header) + "\n")
        self._replace(CONFIG, config)

    def read_config(self) -> str:
        """The configuration that `create` was given; raises InputError when the folder holds no run."""
        path = self.path / CONFIG
        if not path.is_file():
            raise InputError(f"resume must be the folder of a run, {self.path} holds no {CONFIG}")
        return path.read_text(encoding="utf-8")

    def append(self, columns: Columns) -> None:
        """Keep the rows of some frames until the next `flush`: of replicas their means, and the rate of each."""
        if REPLICAS in self._headers:
            self._rows[REPLICAS].extend([f"{rate:.9g}" for rate in row] for row in rates_of(columns).tolist())
            columns = means_of(columns)
        header = self._headers[METRICS]
        whole = ("frame",) if REPLICAS in self._headers else _WHOLE
        cells = [[_cell(value, name in whole) for value in columns[name].tolist()] for name in header]
        self._rows[METRICS].extend(zip(*cells, strict=True))

    def flush(self) -> None:
        """Write the rows kept since the last flush, down to the disk."""
        for name, rows in self._rows.items():
            with (self.path / name).open("a", newline="", encoding="utf-8") as file:
                csv.writer(file, lineterminator="\n").writerows(rows)
                file.flush()
                os.fsync(file.fileno())
            rows.clear()

    def write_config(self, config: str) -> None:
        """Put another configuration in place, of the same run with more frames to go."""
        self._replace(CONFIG, config)

    def save(
        self, frame: int, agent: Mapping[str, Any], environment: Mapping[str, Any] | None, identity: str
    ) -> None:
        """Flush, then write the checkpoint of a run that has done `frame` frames.

        `identity` is what must not differ when the run goes on: the configuration without what may change.
        """
        self.flush()
        content = {"frame": frame, "agent": agent, "environment": environment, "identity": identity}
        checkpoint.write(self.path / CHECKPOINT, content)

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
        return {**state, "environment": checkpoint.to_arrays(state["environment"])}

    def cut_metrics(self, frames: int) -> None:
        """Leave the first `frames` rows of `metrics.csv` and the like.

        Raises InputError where there are fewer, or other columns than this run writes.
        """
        kept = {}
        for name, header in self._headers.items():
            table = self.path / name
            lines = table.read_text(encoding="utf-8").splitlines(keepends=True) if table.exists() else []
            if len(lines) <= frames or not lines[frames].endswith("\n"):
                raise InputError(f"{table} must hold the {frames} frames of the checkpoint, it was cut short")
            lines = _with_columns(lines[: frames + 1], header)
            if lines[0] != ",".join(header) + "\n":
                raise InputError(f"{table} must have the columns {','.join(header)}, got {lines[0].rstrip()}")
            kept[name] = "".join(lines)
        for name, text in kept.items():
            self._replace(name, text)

    def read_metrics(self) -> dict[str, NDArray[np.float64]]:
        """The columns of `metrics.csv`, each (frames,), nan where empty."""
        with (self.path / METRICS).open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        table = np.array([[float(cell) if cell else np.nan for cell in row] for row in rows[1:]])
        table = table.reshape(-1, len(rows[0]))
        return dict(zip(rows[0], table.T, strict=True))

    def read_each(self) -> NDArray[np.float64] | None:
        """The rates (frames, R) of the replicas; None for a run of one."""
        if REPLICAS not in self._headers:
            return None
        return np.loadtxt(self.path / REPLICAS, delimiter=",", skiprows=1, ndmin=2)

    def write_summary(self, figures: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """Write `summary.json`: `more`, and means over the last 20% of the frames, of values over those that had a
        feasible decision, and an environment's `figures` of the run under names that are free.

        Returns its content.
        """
        metrics = self.read_metrics()
        frames = len(metrics["frame"])
        tail = slice(frames - max(1, frames // 5) if frames else 0, frames)
        seconds = float(metrics["decide_seconds"].sum())
        each = self.read_each()
        if each is not None:
            means = each[tail].mean(0)
            low, high = confidence_band(means)
            more |= {"rate_of_each": means.tolist(), "rate_low": float(low), "rate_high": float(high)}
        summary = {
            "frames": frames,
            **more,
            "averaged_frames": f"{tail.start} to {tail.stop - 1}" if frames else None,
            "infeasible_frames": int((metrics["value"] == -np.inf).sum()),
            "normalized_rate": _mean(metrics["normalized_rate"][tail]),
            "value": _mean(metrics["value"][tail]),
            "candidates": _mean(metrics["candidates"][tail]),
            "loss": _mean(metrics["loss"][tail]),
            "accuracy": _mean(metrics["accuracy"][tail]),
            **{name: _mean(metrics[name][tail]) for name in self._metrics},
            "decisions_per_second": frames / seconds if seconds else None,
        }
        summary |= {name: figure for name, figure in (figures or {}).items() if name not in summary}
        self._replace(SUMMARY, json.dumps(summary, indent=2) + "\n")
        return summary

    def _replace(self, name: str, text: str) -> None:
        """Put a text file in its place in one step."""
        temporary = self.path / (name + ".part")
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path / name)


def _with_columns(lines: list[str], header: Sequence[str]) -> list[str]:
    """The lines of a table, with the columns, empty, that an earlier version did not write."""
    before = lines[0].rstrip("\n").split(",")
    if before != [name for name in header if name not in ADDED]:
        return lines
    places = [before.index(name) if name in before else None for name in header]
    rows = [line.rstrip("\n").split(",") for line in lines[1:]]
    filled = [",".join("" if place is None else row[place] for place in places) + "\n" for row in rows]
    return [",".join(header) + "\n", *filled]


def _mean(values: Iterable[float]) -> float | None:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else None


def _cell(value: float, whole: bool) -> str:
    if np.isnan(value):
        return ""
    return str(int(value)) if whole else repr(value)
