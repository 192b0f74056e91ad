"""Normalised rates of several runs, over their seeds: a Markdown table of windows of frames, and a plot.

python scripts/summarize.py runs/wpmec-* runs/published-* --plot curves.png
"""

import argparse
import re
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from agent.run.folder import RunFolder
from agent.run.plots import plot_seeds, save
from env import InputError

from .common.errors import explained
from .common.settings import load_yaml


def main() -> None:
    """Print one row a configuration; runs that differ in nothing but their seed share it, as do replicas."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("runs", nargs="+", help="folders written by simulate.py")
    parser.add_argument(
        "--windows", default="0-1000,1000-3000,8000-10000", help="frames, from (included) to (left out)"
    )
    parser.add_argument("--plot", type=Path, help="PNG file for the mean and spread over the frames")
    arguments = parser.parse_args()
    with explained():
        windows = [window_of(text) for text in arguments.windows.split(",")]
        rates = collect(arguments.runs)
        print(table(rates, windows))
        if arguments.plot:
            save(plot_seeds(rates), arguments.plot)


def window_of(text: str) -> tuple[int, int]:
    """The first frame of a window, and the first after it; raises InputError for what is none."""
    found = re.fullmatch(r"(\d+)-(\d+)", text.strip())
    if found is None or int(found[1]) >= int(found[2]):
        raise InputError(f"windows must be such as 0-1000,1000-3000, got {text!r}")
    return int(found[1]), int(found[2])


def collect(runs: list[str]) -> dict[str, NDArray[np.float64]]:
    """Normalised rates, (seeds, frames), by the first folder's name without its seed.

    Raises InputError for a folder that holds no run, or a run that knows no optimum.
    """
    names: dict[str, str] = {}
    rates: dict[str, list[NDArray[np.float64]]] = {}
    for run in map(Path, runs):
        settings = load_yaml(RunFolder(run).read_config())
        folder = RunFolder(run, settings.get("replicas"))
        if settings.pop("metrics_every", 1) != 1:
            raise InputError(f"runs must have a row of each frame, {run} was made with --metrics_every")
        settings.pop("seed")
        metrics = folder.read_metrics()
        if np.isnan(metrics["normalized_rate"]).any():
            raise InputError(f"{run} knows no optimum for its frames")
        each = folder.read_each()
        name = names.setdefault(
            yaml.safe_dump(settings), re.sub(r"(-seed\d+-\d{8}-\d{6}(-\d+)?|[-_]\d+)$", "", run.name)
        )
        rates.setdefault(name, []).extend([metrics["normalized_rate"]] if each is None else each.T)
    return {name: np.array([rate[: min(map(len, group))] for rate in group]) for name, group in rates.items()}


def table(rates: dict[str, NDArray[np.float64]], windows: list[tuple[int, int]]) -> str:
    """Markdown text: mean over the seeds of each window's mean, and the seeds' standard deviation."""
    heads = [f"frames {first:,} to {last:,}" for first, last in windows]
    lines = [f"| runs | seeds | {' | '.join(heads)} |", "| --- " * (2 + len(heads)) + "|"]
    for name, group in rates.items():
        if group.shape[1] < max(last for _, last in windows):
            raise InputError(f"windows must lie within the {group.shape[1]} frames of {name}")
        means = np.array([group[:, first:last].mean(1) for first, last in windows])
        spread = means.std(1, ddof=1) if len(group) > 1 else np.full(len(windows), np.nan)
        cells = [f"{mean:.6f} ± {std:.6f}" for mean, std in zip(means.mean(1), spread, strict=True)]
        lines.append(f"| {name} | {len(group)} | {' | '.join(cells)} |")
    return "\n".join(lines)
