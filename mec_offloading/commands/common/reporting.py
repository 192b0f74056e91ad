"""What a comparison gives: tables, box plots and learning curves, of the frames that it has saved."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from threading import Thread

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agent.run.plots import plot_boxes, plot_seeds, save, value_label
from agent.run.statistics import Interval, compare_with, interquartile_mean, mean_interval, warning_of
from agent.run.style import style
from agent.run.tables import WRITERS, Cell, Column, Table, p_value, unit_of

from .comparing import METRIC, ONLINE, Comparison

Frames = dict[str, NDArray[np.float64]]
"""Of a method and a seed, by name, (frames,); what its learning before them took, ()."""
USERS, METHOD = Column("users"), Column("method")
RATE = Column("normalized rate", form=".6f", best="most")
PERCENTILE, MINIMUM = Column("5th percentile", form=".6f"), Column("minimum", form=".6f")
RELATIVE = Column("relative to the best", form=".4f")
CALLS, TIME = Column("critic calls", form=".1f"), Column("decision time", "ms", ".3f")
IMPROVEMENT = Column("probability of improvement", form=".2f")
ADJUSTED = Column("adjusted p-value", form=p_value)
TRAINING = {
    "training_frames": Column("training frames", form=",.0f"),
    "training_calls": Column("training calls", form=",.0f"),
    "training_seconds": Column("training time", "s", ".1f"),
}
"""What learning before the measured frames took, and its columns, which stand where there are rivals."""


def ahead() -> None:
    """Import what a report computes and draws with, while something else is waited for."""
    for name in ("scipy.stats", "matplotlib.pyplot"):
        Thread(target=import_module, args=(name,), daemon=True).start()


def report(comparison: Comparison, output: Path, look: str = "screen") -> None:
    """Write and print the tables, and draw the box plots and, where they are asked for, the learning curves.

    `table` (.md, .csv, .tex) is over all seeds. `paired` holds every method beside the best one on the frames of
    the same seeds, where there are several: by how much it is worse, and how sure that is. Where an optimum is not
    known, both are of the values. Where decisions matter later, the worlds' own metrics come first.

    Raises InputError for a look that is no style of figures.
    """
    with style(look):
        whole, paired, boxes = [], [], {}
        for users, size in zip(comparison.users, comparison.sizes, strict=True):
            frames = {
                name: [comparison.read(output, users, seed, name) for seed in comparison.settings["seeds"]]
                for name in comparison.settings["methods"]
            }
            whole += [{USERS: users, **row} for row in _rows(comparison, frames, size)]
            paired += [
                {USERS: users, **row} for row in paired_rows(_measured(comparison, frames), _measure(comparison))
            ]
            figure = "normalized_rate" if comparison.known else "value"
            boxes[users] = {name: np.concatenate([part[figure] for part in of]) for name, of in frames.items()}
        tables = {"table": Table.of(whole, _notes(comparison), group=True)}
        if len(comparison.settings["methods"]) > 1:
            tables["paired"] = Table.of(paired, _paired_notes(comparison), group=True)
        for name, table in tables.items():
            table.write(*(output / f"{name}{ending}" for ending in WRITERS))
        save(
            plot_boxes(boxes, value_label(_labels(comparison), normalized=comparison.known)), output / "boxes.png"
        )
        if comparison.settings["curves"]:
            _draw_curves(comparison, output)
    print("\n".join(table.markdown() for table in tables.values()))
    print(f"tables, box plot and frames: {output}")


def _rows(
    comparison: Comparison, frames: Mapping[str, Sequence[Frames]], size: int | None
) -> list[dict[Column, Cell]]:
    """A row for each method in worlds of one size: its decisions, their cost, and the world's metrics."""
    measure, rivals = _measure(comparison), any("rival" in of for of in comparison.settings["methods"].values())
    measured = _measured(comparison, frames)
    top = max((float(of_seeds.mean()) for of_seeds in measured.values()), default=0.0)
    rows = []
    for name, parts in frames.items():
        labels = comparison.world(name, size).metric_labels
        metrics: dict[Column, Cell] = {
            Column(key.replace("_", " "), unit_of(labels.get(key, ""))): interval(
                [part[METRIC + key].mean() for part in parts]
            )
            for key in (saved.removeprefix(METRIC) for saved in parts[0] if saved.startswith(METRIC))
        }
        quality: dict[Column, Cell] = {measure: interval(measured[name])}
        if comparison.known:
            rate = np.concatenate([part["normalized_rate"] for part in parts])
            quality |= {PERCENTILE: float(np.percentile(rate, 5)), MINIMUM: float(rate.min())}
        else:
            quality[RELATIVE] = float(measured[name].mean() / top) if top else None
        cost: dict[Column, Cell] = {
            CALLS: float(np.mean([part["evaluations"].mean() for part in parts])),
            TIME: 1e3 * float(np.median(np.concatenate([part["seconds"] for part in parts]))),
        }
        if rivals:
            cost |= {column: _whole([part[key] for part in parts]) for key, column in TRAINING.items()}
        first = metrics if comparison.matters_later(name) else {}
        rows.append({METHOD: name, **first, **quality, **cost, **metrics})
    return rows


def paired_rows(measured: Mapping[str, NDArray[np.float64]], measure: Column) -> list[dict[Column, Cell]]:
    """A row for each method, of its figures (seeds,) beside those of the method with the best mean.

    A method that was not feasible in every seed, or whose figures are not known, has no numbers.
    """
    iqm = Column("interquartile mean", measure.unit, measure.form, "most")
    difference = Column("difference to the best", measure.unit, ".2g")
    finite = {name: of_seeds for name, of_seeds in measured.items() if np.isfinite(of_seeds).all()}
    best = max(finite, key=lambda name: float(finite[name].mean()), default="")
    beside = compare_with(best, finite) if finite else {}
    rows = []
    for name in measured:
        row: dict[Column, Cell] = {METHOD: name, iqm: interquartile_mean(finite[name]) if name in finite else None}
        row |= dict.fromkeys((difference, IMPROVEMENT, ADJUSTED))
        if name in beside:
            of = beside[name]
            row |= {difference: of.difference, IMPROVEMENT: of.improvement}
            row[ADJUSTED] = of.adjusted_p_value if len(finite[name]) > 1 else None
        rows.append(row)
    return rows


def interval(of_seeds: ArrayLike) -> Interval:
    """The mean over seeds (seeds,) and its 95% interval; without one where decisions were not feasible."""
    numbers = np.asarray(of_seeds, dtype=np.float64)
    if np.isfinite(numbers).all():
        return mean_interval(numbers)
    return Interval(float(numbers.mean()), np.nan, np.nan)


def _measured(comparison: Comparison, frames: Mapping[str, Sequence[Frames]]) -> dict[str, NDArray[np.float64]]:
    """Of each method a number for each seed, (seeds,): the mean normalised rate, or value; more is better."""
    figure = "normalized_rate" if comparison.known else "value"
    return {name: np.array([part[figure].mean() for part in parts]) for name, parts in frames.items()}


def _measure(comparison: Comparison) -> Column:
    """The column of what methods are held against each other by."""
    return (
        RATE if comparison.known else Column("value", unit_of(_labels(comparison).get("value", "")), ".6g", "most")
    )


def _labels(comparison: Comparison) -> Mapping[str, str]:
    return comparison.world(next(iter(comparison.settings["methods"])), comparison.sizes[0]).metric_labels


def _notes(comparison: Comparison) -> list[str]:
    seeds, frames = len(comparison.settings["seeds"]), comparison.settings["frames"]
    if seeds == 1:
        return [f"Of one seed, {frames:,} frames."]
    over = f"Means over {seeds} seeds of {frames:,} frames each, in brackets their 95% intervals"
    return [f"{over}; decision times are medians." if not comparison.known else
            f"{over}; percentile and minimum are of single frames, decision times are medians."]  # fmt: skip


def _paired_notes(comparison: Comparison) -> list[str]:
    seeds, methods = len(comparison.settings["seeds"]), len(comparison.settings["methods"])
    warning = warning_of(seeds, methods)
    by = ", by Wilcoxon's signed rank test" if warning is None else ""
    notes = [
        "Each method beside that of the best mean, which has no difference, paired over the seeds; in brackets "
        "95% intervals; the probability is that of being better than the best in a seed; p-values are after "
        f"Holm's correction over the methods{by}."
    ]
    return notes if warning is None else [*notes, f"Warning: {warning}."]


def _whole(of_seeds: ArrayLike) -> int | float:
    """A mean, without decimals where it has none."""
    mean = float(np.mean(of_seeds))
    return int(mean) if mean.is_integer() else mean


def _draw_curves(comparison: Comparison, output: Path) -> None:
    """`curves.png`, or one for each number of users: the distance to the optimum by frames seen."""
    learners = [name for name, method in comparison.settings["methods"].items() if "baseline" not in method]
    seeds = comparison.settings["seeds"]
    for users in comparison.users:
        rates = {
            name: np.array([comparison.read(output, users, seed, name)[ONLINE] for seed in seeds])
            for name in learners
        }
        figure = plot_seeds(rates)
        figure.axes[0].set_xscale("log")
        figure.axes[0].set_xlim(left=10)
        save(figure, output / ("curves.png" if len(comparison.users) == 1 else f"curves-{users}.png"))
