"""What the paper's figures share: how much is simulated, and tables of their numbers."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.run.plots import moving_means, plot_panels, save

ROOT = Path(__file__).resolve().parents[3]
WINDOW = 100
"""Frames of the moving averages."""


@dataclass(frozen=True)
class Scale:
    """How much is simulated."""

    frames: int
    seeds: tuple[int, ...]
    output: Path


Figure = Callable[[Scale], None]


def save_curves(name: str, scale: Scale, results: dict[str, NDArray[np.float64]], panels: dict[str, int]) -> None:
    """NAME.png, the moving averages over the frames, and NAME.csv, their mean, least and most over the seeds."""
    panel_curves = {
        title: {label: runs[part] for label, runs in results.items()} for title, part in panels.items()
    }
    save(plot_panels(panel_curves, None, WINDOW), scale.output / f"{name}.png")
    head, columns = ["frame"], [np.arange(scale.frames, dtype=float)]
    for title, curves in panel_curves.items():
        for label, runs in curves.items():
            averages = moving_means(runs, WINDOW)
            for statistic, reduce in {"mean": np.mean, "least": np.min, "most": np.max}.items():
                head.append(f"{title}, {label}, {statistic}")
                columns.append(reduce(averages, axis=0))
    write_csv(scale.output / f"{name}.csv", head, np.array(columns).T[WINDOW - 1 :: 10])


def write_csv(path: Path, head: list[str], rows: Any) -> None:
    """A table with one line of names."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *rows])
