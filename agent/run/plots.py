"""The curves of a run, from its metrics, with matplotlib (the `sim` extra)."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .record import confidence_band

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Metrics = Mapping[str, NDArray[np.float64]]


def plot_run(
    metrics: Metrics,
    folder: Path,
    window: int = 50,
    each: NDArray[np.float64] | None = None,
    labels: Mapping[str, str] | None = None,
    limits: Mapping[str, float] | None = None,
    title: str = "",
) -> list[Path]:
    """Save `rate.png`, `loss.png`, `candidates.png` and `time.png` into `folder`; returns their paths.

    Where `labels` names metrics of the environment, also `metrics.png`, a panel of each.

    Args:
        metrics: columns of `metrics.csv`, each (frames,).
        folder: an existing folder.
        window: frames of the rolling mean.
        each: of a run of R replicas, whose means `metrics` holds, the rate (frames, R) of each.
        labels: of the environment's metrics, and of 'value', with their units.
        limits: of some of the environment's metrics, drawn as lines.
        title: above each curve, such as the environment's name.

    Raises:
        ImportError: without matplotlib, naming the extra.
    """
    labels = labels or {}
    paths = []
    for name, draw in {
        "rate": plot_rate,
        "loss": plot_loss,
        "candidates": plot_candidates,
        "time": plot_time,
    }.items():
        figure, axes = _axes_over_frames()
        if each is not None and draw is plot_rate:
            plot_rate_of_replicas(axes, metrics, window, each)
        else:
            draw(axes, metrics, window)
        if draw is plot_rate:
            axes.set_ylabel(value_label(labels, normalized=_known(metrics)))
        if title:
            axes.set_title(title)
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1], dpi=120)
    panels = {name: label for name, label in labels.items() if name != "value"}
    if panels:
        paths.append(folder / "metrics.png")
        plot_metrics(metrics, paths[-1], window, panels, limits or {})
    return paths


WIDEST_LABEL = 55
"""Letters in a line beside an axis; more would be cut off."""


def value_label(labels: Mapping[str, str], normalized: bool) -> str:
    """What an axis of values bears: the environment's own label; of normalised ones without its unit."""
    label = labels.get("value", "Value of the decision")
    if not normalized:
        return label
    name = label.split(" (")[0].replace("\n", " ")
    return fill(f"Normalized {name[:1].lower()}{name[1:]} (the best decision: 1)", WIDEST_LABEL)


def plot_metrics(
    metrics: Metrics, path: Path, window: int, labels: Mapping[str, str], limits: Mapping[str, float]
) -> None:
    """Save a panel of each column that `labels` names: rolling mean, mean of all frames so far, and its limit."""
    figure = _figure(8, 2.6 * len(labels))
    panels = figure.subplots(len(labels), squeeze=False, sharex=True)[:, 0]
    count = np.arange(1, len(metrics["frame"]) + 1)
    for axes, (name, label) in zip(panels, labels.items(), strict=True):
        mean = _moving(metrics[name], window, np.nanmean)
        axes.plot(metrics["frame"], mean, linewidth=1.0, label=f"mean of {window} frames")
        axes.plot(metrics["frame"], metrics[name].cumsum() / count, color="C1", label="mean so far")
        if name in limits:
            axes.axhline(limits[name], color="C3", linestyle="--", label=f"limit, {limits[name]:g}")
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
        axes.legend(loc="lower right", ncols=3)
    panels[-1].set_xlabel("Time frame")
    figure.savefig(path, dpi=120)


def plot_seeds(rates: Mapping[str, NDArray[np.float64]], path: Path, window: int = 100) -> None:
    """Save the normalised rates of several configurations, each (seeds, frames), as one PNG.

    A line is the mean over seeds of a rolling mean over `window` frames, its band the least and the most of the
    seeds. The axis shows the distance to the optimum, 1 - rate, on a logarithmic scale.
    """
    figure, axes = _axes_over_frames()
    for name, group in rates.items():
        gap = np.maximum(1 - np.array([_moving(rate, window, np.nanmean) for rate in group]), 1e-7)
        frames = np.arange(group.shape[1])
        axes.plot(frames, gap.mean(0), label=f"{name} (mean of {len(group)} seeds)")
        axes.fill_between(frames, gap.min(0), gap.max(0), alpha=0.2, linewidth=0)
    axes.set_yscale("log")
    axes.set_ylabel(f"1 - normalized rate\n(mean of {window} frames)")
    axes.legend()
    figure.savefig(path, dpi=120)


def plot_rate(axes: "Axes", metrics: Metrics, window: int) -> None:
    """Normalised rate where the optimum is known, else the value: rolling mean, and band from least to most."""
    known = _known(metrics)
    values = metrics["normalized_rate"] if known else metrics["value"]
    _rolling(axes, metrics["frame"], values, window)
    if known:
        axes.set_ylim(top=1.002)
    axes.legend(loc="lower right")


def plot_rate_of_replicas(axes: "Axes", metrics: Metrics, window: int, each: NDArray[np.float64]) -> None:
    """The rolling mean of the rate, over replicas its mean and 95% confidence band."""
    rolled = np.array([_moving(rate, window, np.nanmean) for rate in each.T]).T
    low, high = confidence_band(rolled)
    count = each.shape[1]
    label = "95% confidence of the mean over replicas"
    axes.fill_between(metrics["frame"], low, high, alpha=0.25, linewidth=0, label=label)
    axes.plot(
        metrics["frame"], rolled.mean(1), linewidth=1.2, label=f"mean of {count} replicas and {window} frames"
    )
    axes.legend(loc="lower right")


def plot_loss(axes: "Axes", metrics: Metrics, window: int) -> None:
    """Training loss, and held-out accuracy on an axis of its own."""
    learned = ~np.isnan(metrics["loss"])
    frames = metrics["frame"][learned]
    axes.plot(frames, metrics["loss"][learned], color="C3", linewidth=0.8, label="training loss")
    axes.set_ylabel("Training loss")
    if np.nanmin(metrics["loss"], initial=np.inf) > 0:
        axes.set_yscale("log")
    right = axes.twinx()
    accuracy = metrics["accuracy"][learned]
    if not np.isnan(accuracy).all():
        label = f"held-out accuracy (mean of {window} learning steps)"
        right.plot(frames, _moving(accuracy, window, np.nanmean), color="C0", linewidth=1.2, label=label)
        right.set_ylabel("Held-out accuracy")
        lines = [*axes.get_lines(), *right.get_lines()]
        right.legend(lines, [str(line.get_label()) for line in lines], loc="center right")


def plot_candidates(axes: "Axes", metrics: Metrics, window: int) -> None:
    """K, apart from it the frames with probes, and the place of the best candidate."""
    frames, candidates, probed = metrics["frame"], metrics["candidates"], ~np.isnan(metrics["probe_gain"])
    axes.plot(frames[~probed], candidates[~probed], drawstyle="steps-post", label="candidates K")
    if probed.any():
        axes.plot(frames[probed], candidates[probed], "+", markersize=3, color="C0", label="K and probes")
    if not np.isnan(metrics["best_candidate"]).all():
        place = metrics["best_candidate"] + 1
        axes.plot(metrics["frame"], place, ".", markersize=2, color="C1", label="place of the best candidate")
    axes.set_ylabel("Candidates a frame")
    axes.set_ylim(0, 1.25 * np.max(metrics["candidates"], initial=1))
    axes.legend(loc="upper right", ncols=3)


def plot_time(axes: "Axes", metrics: Metrics, window: int) -> None:
    """Wall time of each decision, learning included, in milliseconds."""
    milliseconds = 1e3 * metrics["decide_seconds"]
    axes.plot(metrics["frame"], milliseconds, ".", markersize=1, color="0.7", label="each frame")
    mean = _moving(milliseconds, window, np.nanmean)
    axes.plot(metrics["frame"], mean, label=f"mean of {window} frames")
    axes.set_ylabel("Time a frame (ms)")
    axes.set_yscale("log")
    axes.legend(loc="upper right")


def _known(metrics: Metrics) -> bool:
    """Whether there is an optimum to compare with."""
    return not np.isnan(metrics["normalized_rate"]).all()


def _axes_over_frames() -> "tuple[Figure, Axes]":
    figure = _figure(8, 4.5)
    axes = figure.subplots()
    axes.set_xlabel("Time frame")
    axes.grid(alpha=0.3)
    return figure, axes


def _figure(width: float, height: float) -> "Figure":
    """An empty figure of inches; without any of matplotlib's global state."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("plots need matplotlib: install the 'sim' extra") from error
    return Figure(figsize=(width, height), layout="constrained")


def _rolling(axes: "Axes", frames: NDArray[np.float64], values: NDArray[np.float64], window: int) -> None:
    mean = _moving(values, window, np.nanmean)
    axes.fill_between(
        frames,
        _moving(values, window, np.nanmin),
        _moving(values, window, np.nanmax),
        alpha=0.25,
        linewidth=0,
        label=f"least to most of {window} frames",
    )
    axes.plot(frames, mean, linewidth=1.2, label=f"mean of {window} frames")


def _moving(
    values: NDArray[np.float64], window: int, reduce: Callable[..., NDArray[np.float64]]
) -> NDArray[np.float64]:
    """`reduce` (one that passes over nan) of the last `window` values at each place, of fewer at the start."""
    if not len(values):
        return values
    padded = np.concatenate([np.full(window - 1, np.nan), np.where(np.isinf(values), np.nan, values)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of nothing is nan
        return reduce(np.lib.stride_tricks.sliding_window_view(padded, window), axis=-1)


def plot_panels(
    panels: Mapping[str, Mapping[str, NDArray[np.float64]]], path: Path, window: int
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Save curves over the frames, {what: {label: (seeds, frames)}}, one panel below another.

    Lines are the mean over the seeds of moving averages over `window` frames, bands their least and most; returns
    the moving averages, each (seeds, frames). The first frames, whose window is not full, are not drawn.
    """
    averages = {
        what: {
            label: np.array([_moving(run, window, np.nanmean) for run in runs]) for label, runs in curves.items()
        }
        for what, curves in panels.items()
    }
    figure = _figure(8, 4.5 * len(panels))
    for axes, (what, curves) in zip(
        figure.subplots(len(panels), squeeze=False)[:, 0], averages.items(), strict=True
    ):
        for label, runs in curves.items():
            frames = np.arange(runs.shape[1])[window - 1 :]
            full = runs[:, window - 1 :]
            axes.plot(frames, full.mean(0), label=label)
            axes.fill_between(frames, full.min(0), full.max(0), alpha=0.15, linewidth=0)
        axes.set_ylabel(f"{what}\n(mean of {window} frames)")
        axes.set_xlabel("Time frame")
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=120)
    return averages


def plot_points(
    values: Sequence[float], curves: Mapping[str, NDArray[np.float64]], path: Path, labels: tuple[str, str]
) -> None:
    """Save curves over a setting, {label: (values, seeds)}: means with their deviation over seeds."""
    figure = _figure(8, 4.5)
    axes = figure.subplots()
    for label, runs in curves.items():
        axes.errorbar(values, runs.mean(1), runs.std(1), marker="o", capsize=3, label=label)
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)


def plot_boxes(rates: Mapping[int, Mapping[str, NDArray[np.float64]]], path: Path, label: str) -> None:
    """Save box plots of figures with a label, {users: {method: (frames,)}}, one panel for each number of users.

    Boxes hold the middle half of the frames, whiskers the 5th to the 95th percentile, triangles are means.
    """
    figure = _figure(4.2 * len(rates) + 1.8, 5)
    panels = figure.subplots(1, len(rates), squeeze=False, sharey=True)[0]
    for axes, (users, methods) in zip(panels, rates.items(), strict=True):
        names = list(methods)[::-1]
        axes.boxplot(
            [methods[name] for name in names],
            orientation="horizontal",
            tick_labels=names,
            whis=(5, 95),
            showmeans=True,
            flierprops={"marker": ".", "markersize": 2, "markeredgecolor": "0.6"},
        )
        axes.set_title(f"{users} users")
        axes.set_xlabel(label)
        axes.grid(alpha=0.3, axis="x")
    figure.savefig(path, dpi=120)
