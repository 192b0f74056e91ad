"""What a comparison gives: a table, box plots and learning curves, of the frames that it has saved."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from agent.run.plots import plot_boxes, plot_seeds, save, value_label

from .comparing import METRIC, ONLINE, TRAINING, Comparison


def report(comparison: Comparison, output: Path) -> None:
    """`table.md`, `table.csv` and `boxes.png` over all seeds.

    Where an optimum is not known, values stand beside those of the best method, paired: by how much a method
    is worse on the frames of the same seed. Where decisions matter later, the worlds' own metrics come first.
    """
    rows: list[dict[str, str]] = []
    boxes: dict[int, dict[str, np.ndarray]] = {}
    for users in comparison.users:
        parts = {
            name: [comparison.read(output, users, seed, name) for seed in comparison.settings["seeds"]]
            for name in comparison.settings["methods"]
        }
        figure = "normalized_rate" if comparison.known else "value"
        boxes[users] = {name: np.concatenate([part[figure] for part in of]) for name, of in parts.items()}
        quality = _normalized(parts) if comparison.known else _values(parts)
        for name, of_seeds in parts.items():
            calls = np.mean([part["evaluations"].mean() for part in of_seeds])
            seconds = np.median(np.concatenate([part["seconds"] for part in of_seeds]))
            metrics = {
                key.removeprefix(METRIC).replace("_", " "): _spread([part[key].mean() for part in of_seeds], 4)
                for key in of_seeds[0]
                if key.startswith(METRIC)
            }
            first = metrics if comparison.matters_later(name) else {}
            cost = {"critic calls": f"{calls:.1f}", "ms": f"{1e3 * seconds:.3f}"}
            if any("rival" in method for method in comparison.settings["methods"].values()):
                cost |= {
                    column: format(np.mean([part[key] for part in of_seeds]), form)
                    for key, (column, form) in TRAINING.items()
                }
            rows.append({"users": str(users), "method": name, **first, **quality[name], **cost, **metrics})
    head = list(dict.fromkeys(key for row in rows for key in row))
    lines = [head, ["---"] * len(head), *([row.get(key, "") for key in head] for row in rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
    (output / "table.md").write_text(table, encoding="utf-8")
    with (output / "table.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *lines[2:]])
    labels = comparison.world(next(iter(comparison.settings["methods"])), comparison.sizes[0]).metric_labels
    save(plot_boxes(boxes, value_label(labels, normalized=comparison.known)), output / "boxes.png")
    if comparison.settings["curves"]:
        _draw_curves(comparison, output)
    print(table + f"table, box plot and frames: {output}")


def _draw_curves(comparison: Comparison, output: Path) -> None:
    """`curves.png`, or one for each number of users: the distance to the optimum by frames seen."""
    learners = [name for name, method in comparison.settings["methods"].items() if "baseline" not in method]
    for users in comparison.users:
        rates = {
            name: np.array(
                [comparison.read(output, users, seed, name)[ONLINE] for seed in comparison.settings["seeds"]]
            )
            for name in learners
        }
        figure = plot_seeds(rates)
        figure.axes[0].set_xscale("log")
        figure.axes[0].set_xlim(left=10)
        name = "curves.png" if len(comparison.users) == 1 else f"curves-{users}.png"
        save(figure, output / name)


def _normalized(parts: dict[str, list[dict[str, np.ndarray]]]) -> dict[str, dict[str, str]]:
    """Of each method, from its frames of each seed: how near it came to the optimum, on average and at worst."""
    columns = {}
    for name, of_seeds in parts.items():
        rate = np.concatenate([part["normalized_rate"] for part in of_seeds])
        means = [part["normalized_rate"].mean() for part in of_seeds]
        columns[name] = {
            "normalized rate": f"{rate.mean():.6f}",
            "± over seeds": f"{np.std(means, ddof=1):.6f}" if len(means) > 1 else "",
            "5th percentile": f"{np.percentile(rate, 5):.6f}",
            "minimum": f"{rate.min():.6f}",
        }
    return columns


def _values(parts: dict[str, list[dict[str, np.ndarray]]]) -> dict[str, dict[str, str]]:
    """Of each method, from its frames of each seed: its value, and beside the best method's."""
    means = {name: np.array([part["value"].mean() for part in of_seeds]) for name, of_seeds in parts.items()}
    best = max(means, key=lambda name: float(means[name].mean()))
    top = means[best].mean()
    return {
        name: {
            "value": _spread(of_seeds, 6),
            "relative to the best": f"{of_seeds.mean() / top:.4f}" if top else "",
            "paired difference": "best" if name == best else _spread(of_seeds - means[best], 4),
        }
        for name, of_seeds in means.items()
    }


def _spread(of_seeds: Any, digits: int) -> str:
    """The mean over seeds ± their standard deviation."""
    spread = f" ± {np.std(of_seeds, ddof=1):.2g}" if len(of_seeds) > 1 else ""
    return f"{np.mean(of_seeds):.{digits}g}{spread}"
