"""Several runs side by side, over their seeds: a table of windows of frames, and curves.

python scripts/summarize.py runs/wpmec-* runs/published-* --plot curves.png
python scripts/summarize.py --label DROO runs/a/* --label "fixed K" runs/b/* --plot curves.pdf --table rates.tex

Normalised rates where all runs know the optimum, else the values of the decisions.
"""

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from agent.run.folder import SUMMARY, RunFolder
from agent.run.plots import plot_seeds, save
from agent.run.style import STYLES, style
from agent.run.tables import Cell, Column, Table, ending, unit_of
from env import InputError

from .common.errors import explained, reading
from .common.reporting import interval
from .common.settings import load_yaml

WINDOWS = "0-1000,1000-3000,8000-10000"
SAME = ("environment", "env", "agent")
"""Settings that runs below one label must share."""


@dataclass(frozen=True)
class Run:
    """One run, or the replicas of one.

    Attributes:
        settings: of its configuration but the seed.
        seeds: of the rows of the figures.
        rates: normalised, (seeds, frames); None where no optimum is known.
        values: of the decisions, (seeds, frames); None where they are not kept, of replicas with an optimum.
        seconds: from the first frame to the end of each, (frames,), of deciding and learning.
        label: of the values, with their unit.
    """

    settings: Mapping[str, Any]
    seeds: Sequence[int]
    rates: NDArray[np.float64] | None
    values: NDArray[np.float64] | None
    seconds: NDArray[np.float64]
    label: str

    @classmethod
    def read(cls, path: Path) -> "Run":
        """The run of a folder; raises InputError where it holds none."""
        with reading(path):
            return cls._read(path)

    @classmethod
    def _read(cls, path: Path) -> "Run":
        settings = load_yaml(RunFolder(path).read_config())
        replicas, seed = settings.get("replicas"), settings.pop("seed")
        if settings.pop("metrics_every", 1) != 1:
            raise InputError(f"runs must have a row of each frame, {path} was made with --metrics_every")
        folder = RunFolder(path, replicas)
        metrics = folder.read_metrics()
        if not len(metrics["frame"]):
            raise InputError(f"runs must have frames, {path} has none")
        known, each = not np.isnan(metrics["normalized_rate"]).all(), folder.read_each()
        rates, values = metrics["normalized_rate"][None], metrics["value"][None]
        if each is not None:
            rates = values = each.T
        told = json.loads((path / SUMMARY).read_text(encoding="utf-8")) if (path / SUMMARY).is_file() else {}
        return cls(
            settings,
            range(seed, seed + (replicas or 1)),
            rates if known else None,
            None if known and each is not None else values,
            metrics["decide_seconds"].cumsum(),
            str(told.get("unit", "value: Value of the decision")).removeprefix("value: "),
        )


def main() -> None:
    """Print one row a configuration; runs that differ in nothing but their seed share it, as do replicas."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("runs", nargs="*", help="folders written by simulate.py")
    parser.add_argument(
        "--label",
        nargs="+",
        action="append",
        default=[],
        metavar=("NAME", "FOLDER"),
        help="a name, and folders of runs that differ in their seeds: a row and a line; any number of times",
    )
    parser.add_argument(
        "--windows", help=f"frames, from (included) to (left out); by default those of {WINDOWS} that runs reach"
    )
    parser.add_argument("--plot", type=Path, help="PNG or PDF file for the mean and spread over the frames")
    parser.add_argument(
        "--by", choices=["frame", "time"], default="frame", help="what lies along the plot: frames or wall time"
    )
    parser.add_argument("--style", choices=STYLES, default="screen", help="of the plot; print writes PDF and PNG")
    parser.add_argument("--table", type=Path, nargs="+", default=[], help="files for the table; .md, .csv, .tex")
    arguments = parser.parse_args()
    with explained():
        windows = [window_of(text) for text in arguments.windows.split(",")] if arguments.windows else None
        for file in arguments.table:
            ending(file)
        if arguments.plot and arguments.plot.suffix not in (".png", ".pdf"):
            raise InputError(f"plot must be a .png or .pdf file, got {arguments.plot}")
        groups = collect(arguments.runs, arguments.label)
        whole = table(groups, windows)
        print(whole.markdown(), end="")
        whole.write(*arguments.table)
        if arguments.plot:
            with style(arguments.style):
                figures, label = figures_of(groups)
                frames = {name: group.shape[1] for name, group in figures.items()}
                seconds = {
                    name: np.mean([run.seconds[: frames[name]] for run in group], axis=0)
                    for name, group in groups.items()
                }
                by_time = seconds if arguments.by == "time" else None
                save(plot_seeds(figures, seconds=by_time, label=label), arguments.plot)


def window_of(text: str) -> tuple[int, int]:
    """The first frame of a window, and the first after it; raises InputError for what is none."""
    found = re.fullmatch(r"(\d+)-(\d+)", text.strip())
    if found is None or int(found[1]) >= int(found[2]):
        raise InputError(f"windows must be such as 0-1000,1000-3000, got {text!r}")
    return int(found[1]), int(found[2])


def collect(runs: Sequence[str], labels: Sequence[Sequence[str]] = ()) -> dict[str, list[Run]]:
    """Runs by their label, or by the first folder's name without its seed, where configurations are the same.

    Raises InputError for a folder that holds no run, for a label without one or with runs that differ in more than
    their seed, and for a seed that is there twice.
    """
    groups: dict[str, list[Run]] = {}
    for name, *folders in labels:
        if not folders:
            raise InputError(f"label must be a name and folders, got {name!r} alone")
        groups.setdefault(name, []).extend(Run.read(Path(folder)) for folder in folders)
    for name, group in groups.items():
        different = [
            key for key in SAME if any(run.settings.get(key) != group[0].settings.get(key) for run in group)
        ]
        if different:
            raise InputError(f"label {name!r} must hold runs of one configuration, they differ in {different}")
    names: dict[str, str] = {}
    for path in map(Path, runs):
        run = Run.read(path)
        short = re.sub(r"(-seed\d+-\d{8}-\d{6}(-\d+)?|[-_]\d+)$", "", path.name)
        name = names.setdefault(yaml.safe_dump(run.settings), short if short not in groups else str(path))
        groups.setdefault(name, []).append(run)
    if not groups:
        raise InputError("runs must be one folder or more, got none")
    for name, group in groups.items():
        seeds = [seed for run in group for seed in run.seeds]
        twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
        if twice:
            raise InputError(f"runs must be of different seeds, those of {name} hold {twice} twice")
    return groups


def figures_of(groups: Mapping[str, Sequence[Run]]) -> tuple[dict[str, NDArray[np.float64]], str | None]:
    """Of each group what is shown, (seeds, frames) up to its shortest run, and its label.

    Normalised rates and None; values where a run knows no optimum. Raises InputError where those are not of one
    kind, or not kept.
    """
    runs = {name: list(group) for name, group in groups.items()}
    known = all(run.rates is not None for group in runs.values() for run in group)
    labels = {run.label for group in runs.values() for run in group}
    figures = {}
    for name, group in runs.items():
        of_runs = [run.rates if known else run.values for run in group]
        kept = [each for each in of_runs if each is not None]
        if len(kept) < len(of_runs):
            raise InputError(f"runs must all know their optimum beside {name}, whose replicas keep no values")
        shortest = min(each.shape[1] for each in kept)
        figures[name] = np.concatenate([each[:, :shortest] for each in kept])
    if known:
        return figures, None
    if len(labels) > 1:
        raise InputError(
            f"runs without an optimum must be of values of one kind, got {' and '.join(sorted(labels))}"
        )
    return figures, labels.pop()


def table(groups: Mapping[str, Sequence[Run]], windows: Sequence[tuple[int, int]] | None = None) -> Table:
    """A row for each group: the mean over the seeds of each window's mean, and its 95% interval.

    Values are those of frames with a feasible decision. Windows that a run does not reach are empty. By default
    those of `WINDOWS` that some run reaches, or else all frames of the shortest. Raises InputError for a window
    that none reaches.
    """
    figures, label = figures_of(groups)
    frames = [group.shape[1] for group in figures.values()]
    if windows is None:
        windows = [window for window in map(window_of, WINDOWS.split(",")) if window[1] <= max(frames)]
        windows = windows or [(0, min(frames))]
    if max(last for _, last in windows) > max(frames):
        raise InputError(f"windows must lie within the {max(frames)} frames of the longest run")
    unit, form = ("", ".6f") if label is None else (unit_of(label), ".6g")
    of = "normalized rate" if label is None else label.split(" (")[0].lower()
    rows = []
    for name, group in figures.items():
        row: dict[Column, Cell] = {Column("runs"): name, Column("seeds"): len(group)}
        for first, last in windows:
            column = Column(f"frames {first:,} to {last:,}", unit, form, "most")
            reached = group.shape[1] >= last
            row[column] = interval([_mean(each[first:last]) for each in group]) if reached else None
        rows.append(row)
    return Table.of(rows, [f"Means over the seeds of the {of}, in brackets their 95% intervals."])


def _mean(figures: NDArray[np.float64]) -> float:
    finite = figures[np.isfinite(figures)]
    return float(finite.mean()) if len(finite) else np.nan
