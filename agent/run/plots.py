"""The curves of a run, with matplotlib (the `sim` extra): of a `History`, or of the columns of a run's folder.

A function `plot_...` draws into the `axes` that it is given, or else into a figure of its own, and returns the
figure; to save it is the caller's: ``save(plot_rate(history), "rate.png")``. For a paper, all of it happens in a
block ``with style("print"):`` (`agent.run.style`).
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..checks import InputError
from .record import History, confidence_band
from .style import current

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

Metrics = Mapping[str, NDArray[np.float64]] | History
"""Of one run: its `History`, or columns (frames,) by name, such as ``RunFolder(path).read_metrics()``."""
Columns = Mapping[str, NDArray[np.float64]]
UNDATED: dict[str, dict[str, Any]] = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}
"""What leaves the date out of a file."""
_AT_A_TIME = 10_000
"""Windows of a moving mean."""
WIDEST_LABEL = 55
"""Letters in a line beside an axis; more would be cut off."""
LEGEND_LETTERS = 60
"""Of a legend's line in print; a line's sample takes seven."""
ONE_COLUMN = 8
"""Inches on a screen; in print, figures that are not wider have the width of one column."""


def plot_run(
    metrics: Metrics,
    folder: Path,
    window: int = 50,
    each: NDArray[np.float64] | None = None,
    labels: Mapping[str, str] | None = None,
    limits: Mapping[str, float] | None = None,
    title: str = "",
) -> list[Path]:
    """Save `rate.png`, `loss.png`, `candidates.png` and `time.png` into `folder`, in print as PDF too.

    Where `labels` names metrics of the environment, also `metrics.png`, a panel of each. Returns their paths.

    Args:
        metrics: columns of `metrics.csv`, each (rows,).
        folder: an existing folder.
        window: frames of the rolling mean.
        each: of a run of R replicas, whose means `metrics` holds, the rate (frames, R) of each.
        labels: of the environment's metrics, and of 'value', with their units.
        limits: of some of the environment's metrics, drawn as lines.
        title: above each curve, such as the environment's name; in print the caption's.

    Raises:
        ImportError: without matplotlib, naming the extra.
    """
    labels = labels or {}
    figures = {
        "rate": plot_rate(metrics, None, window, each=each, labels=labels),
        "loss": plot_loss(metrics, None, window),
        "candidates": plot_candidates(metrics),
        "time": plot_time(metrics, None, window),
    }
    for figure in figures.values() if title and current().width is None else ():
        figure.axes[0].set_title(title)
    panels = {name: label for name, label in labels.items() if name != "value"}
    if panels:
        figures["metrics"] = plot_metrics(metrics, panels, None, window, limits=limits)
    paths = [folder / f"{name}.png" for name in figures]
    for figure, path in zip(figures.values(), paths, strict=True):
        save(figure, path)
    return paths


def save(figure: "Figure", path: str | Path) -> list[Path]:
    """Save a figure as its ending says, in the current style, of print as PDF and PNG; returns the paths written.

    Fonts are embedded as TrueType. The same figure gives the same bytes: no date is written.
    """
    from matplotlib import rc_context

    chosen, path = current(), Path(path)
    paths = [path.with_suffix(ending) for ending in chosen.endings] or [path]
    with rc_context({"pdf.fonttype": 42, "ps.fonttype": 42, "svg.hashsalt": "mec-offloading"}):
        for file in paths:
            undated = UNDATED.get(file.suffix.lower())
            figure.savefig(file, dpi=chosen.dpi, metadata=undated)
    return paths


def value_label(labels: Mapping[str, str], normalized: bool) -> str:
    """What an axis of values bears: the environment's own label; of normalised ones without its unit."""
    label = labels.get("value", "Value of the decision")
    if not normalized:
        return label
    name = label.split(" (")[0].replace("\n", " ")
    return fill(f"Normalized {name[:1].lower()}{name[1:]} (the best decision: 1)", WIDEST_LABEL)


def plot_metrics(
    metrics: Metrics,
    labels: Mapping[str, str],
    axes: "Sequence[Axes] | None" = None,
    window: int = 50,
    *,
    limits: Mapping[str, float] | None = None,
) -> "Figure":
    """A panel of each of an environment's metrics: rolling mean, mean of all frames so far, and its limit.

    Args:
        metrics: a `Metrics`.
        labels: names of columns, each with what is written beside its panel, such as a world's `metric_labels`
            without 'value'.
        axes: one for each of `labels`.
        window: frames of the rolling mean.
        limits: of some columns, drawn as lines.

    Raises InputError for a name that is no column, ImportError without matplotlib.
    """
    columns, limits = _columns(metrics), limits or {}
    absent = [name for name in labels if name not in columns]
    if absent:
        raise InputError(f"labels must name columns of the run, {list(columns)}, got {absent}")
    if axes is None:
        figure = _figure(8, 2.6 * len(labels))
        axes = list(figure.subplots(len(labels), squeeze=False, sharex=True)[:, 0])
    count = np.arange(1, len(columns["frame"]) + 1)
    for panel, (name, label) in zip(axes, labels.items(), strict=True):
        mean = _moving(columns[name], window, np.nanmean)
        panel.plot(columns["frame"], mean, linewidth=1.0, label=f"mean of {_shown(columns['frame'], window)}")
        panel.plot(columns["frame"], columns[name].cumsum() / count, color="C1", label="mean so far")
        if name in limits:
            panel.axhline(limits[name], color="C3", linestyle="--", label=f"limit, {limits[name]:g}")
        panel.set_ylabel(label)
        panel.grid(alpha=0.3)
        _legend(panel, loc="lower right", ncols=3)
    axes[-1].set_xlabel("Time frame")
    return _root(axes[-1])


def plot_seeds(
    rates: Mapping[str, NDArray[np.float64]],
    axes: "Axes | None" = None,
    window: int = 100,
    *,
    seconds: Mapping[str, NDArray[np.float64]] | None = None,
    label: str | None = None,
) -> "Figure":
    """The normalised rates of several configurations, each (seeds, frames).

    A line is the mean over seeds of a rolling mean over `window` frames, its band the least and the most of the
    seeds. The axis shows the distance to the optimum, 1 - rate, on a logarithmic scale.

    Args:
        rates: by the name in the legend.
        axes: to draw into.
        window: frames of the rolling mean.
        seconds: the time, in seconds, after which each frame was done, (frames,), by the same names: lines are
            then drawn over it, on a logarithmic scale, from the first full window on.
        label: for figures that know no optimum, which are drawn as they are: what is written beside the axis.
    """
    axes = _over_frames(axes)
    for name, group in rates.items():
        rolled = moving_means(group, window)
        shown = np.maximum(1 - rolled, 1e-7) if label is None else rolled
        along = np.arange(group.shape[1]) if seconds is None else seconds[name]
        first = 0 if seconds is None else min(window, len(along)) - 1  # with a full window
        counted = f" (mean of {len(group)} seeds)" if len(group) > 1 else " (one seed)"
        text = name + ("" if current().width else counted)
        (line,) = axes.plot(along[first:], shown.mean(0)[first:], label=text)
        band = (along[first:], shown.min(0)[first:], shown.max(0)[first:])
        axes.fill_between(*band, alpha=0.2, linewidth=0, color=line.get_color())
    if label is None:
        axes.set_yscale("log")
    axes.set_ylabel(f"{label or '1 - normalized rate'}\n(mean of {window} frames)")
    if seconds is not None:
        axes.set_xscale("log")
        axes.set_xlabel("Time of deciding and learning (s)")
    _legend(axes)
    return _root(axes)


def plot_rate(
    metrics: Metrics,
    axes: "Axes | None" = None,
    window: int = 50,
    *,
    each: NDArray[np.float64] | None = None,
    labels: Mapping[str, str] | None = None,
) -> "Figure":
    """Normalised rate where the optimum is known, else the value: rolling mean, and band from least to most.

    Args:
        metrics: a `Metrics`.
        axes: to draw into.
        window: frames of the rolling mean.
        each: of a run of R replicas, whose means `metrics` holds, the rate (frames, R) of each: the band is then
            the 95% confidence of the mean.
        labels: of 'value', with its unit, as a world's `metric_labels`.
    """
    columns, axes = _columns(metrics), _over_frames(axes)
    known = not np.isnan(columns["normalized_rate"]).all()
    if each is not None:
        _rolling_replicas(axes, columns["frame"], each, window)
    else:
        _rolling(axes, columns["frame"], columns["normalized_rate"] if known else columns["value"], window)
        if known:
            axes.set_ylim(top=1.002)
    _legend(axes, loc="lower right")
    axes.set_ylabel(value_label(labels or {}, normalized=known))
    return _root(axes)


def plot_loss(metrics: Metrics, axes: "Axes | None" = None, window: int = 50) -> "Figure":
    """Training loss, and held-out accuracy, a rolling mean, on an axis of its own."""
    columns, axes = _columns(metrics), _over_frames(axes)
    learned = ~np.isnan(columns["loss"])
    frames = columns["frame"][learned]
    axes.plot(frames, columns["loss"][learned], color="C3", linewidth=0.8, label="training loss")
    axes.set_ylabel("Training loss")
    if np.nanmin(columns["loss"], initial=np.inf) > 0:
        axes.set_yscale("log")
    right = axes.twinx()
    from matplotlib import rcParams

    right.set_prop_cycle(rcParams["axes.prop_cycle"][1:])  # in print other dashes than the loss has
    accuracy = columns["accuracy"][learned]
    if not np.isnan(accuracy).all():
        label = f"held-out accuracy (mean of {window} learning steps)"
        right.plot(frames, _moving(accuracy, window, np.nanmean), color="C0", linewidth=1.2, label=label)
        right.set_ylabel("Held-out accuracy")
        lines = [*axes.get_lines(), *right.get_lines()]
        _legend(right, lines, loc="center right")
    return _root(axes)


def plot_candidates(metrics: Metrics, axes: "Axes | None" = None) -> "Figure":
    """K, apart from it the frames with probes, and the place of the best candidate."""
    columns, axes = _columns(metrics), _over_frames(axes)
    frames, candidates, probed = columns["frame"], columns["candidates"], ~np.isnan(columns["probe_gain"])
    axes.plot(frames[~probed], candidates[~probed], drawstyle="steps-post", label="candidates K")
    if probed.any():
        axes.plot(frames[probed], candidates[probed], "+", markersize=3, color="C0", label="K and probes")
    if not np.isnan(columns["best_candidate"]).all():
        place = columns["best_candidate"] + 1
        axes.plot(frames, place, ".", markersize=2, color="C1", label="place of the best candidate")
    axes.set_ylabel("Candidates a frame")
    axes.set_ylim(0, 1.25 * np.max(candidates, initial=1))
    _legend(axes, loc="upper right", ncols=3)
    return _root(axes)


def plot_time(metrics: Metrics, axes: "Axes | None" = None, window: int = 50) -> "Figure":
    """Wall time of each decision, learning included, in milliseconds, and its rolling mean."""
    columns, axes = _columns(metrics), _over_frames(axes)
    milliseconds = 1e3 * columns["decide_seconds"]
    axes.plot(columns["frame"], milliseconds, ".", markersize=1, color="0.7", label="each frame")
    mean = _moving(milliseconds, window, np.nanmean)
    axes.plot(columns["frame"], mean, label=f"mean of {_shown(columns['frame'], window)}")
    axes.set_ylabel("Time a frame (ms)")
    axes.set_yscale("log")
    _legend(axes, loc="upper right")
    return _root(axes)


def _legend(axes: "Axes", lines: "Sequence[Line2D] | None" = None, **place: Any) -> None:
    """A legend of the axes' lines, or of these; in print above the axes, in as many columns as fit."""
    handles, labels = axes.get_legend_handles_labels()
    if lines is not None:
        handles, labels = list(lines), [str(line.get_label()) for line in lines]
    if current().width is not None:
        longest = max(map(len, labels), default=1)
        columns = max(1, min(len(labels), LEGEND_LETTERS // (longest + 7)))
        place = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "frameon": False, "ncols": columns}
    axes.legend(handles, labels, **place)


def _columns(metrics: Metrics) -> Columns:
    return metrics.arrays() if isinstance(metrics, History) else metrics


def _root(axes: "Axes") -> "Figure":
    figure = axes.get_figure(root=True)
    assert figure is not None
    return figure


def _over_frames(axes: "Axes | None") -> "Axes":
    """The axes, or those of a new figure, with the frames along."""
    axes = _figure(8, 4.5).subplots() if axes is None else axes
    axes.set_xlabel("Time frame")
    axes.grid(alpha=0.3)
    return axes


def _figure(width: float, height: float) -> "Figure":
    """An empty figure of inches, in print as wide as a column or both; without matplotlib's global state."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("plots need matplotlib: install the 'sim' extra") from error
    widths = current().width
    if widths is not None:
        wide = widths[0] if width <= ONE_COLUMN else widths[1]
        width, height = wide, 1.2 * height * wide / width  # legends stand above the axes
    return Figure(figsize=(width, height), layout="constrained")


def _rolling(axes: "Axes", frames: NDArray[np.float64], values: NDArray[np.float64], window: int) -> None:
    mean = _moving(values, window, np.nanmean)
    axes.fill_between(
        frames,
        _moving(values, window, np.nanmin),
        _moving(values, window, np.nanmax),
        alpha=0.25,
        linewidth=0,
        label=f"least to most of {_shown(frames, window)}",
    )
    axes.plot(frames, mean, linewidth=1.2, label=f"mean of {_shown(frames, window)}")


def _rolling_replicas(axes: "Axes", frames: NDArray[np.float64], each: NDArray[np.float64], window: int) -> None:
    rolled = np.array([_moving(rate, window, np.nanmean) for rate in each.T]).T
    low, high = confidence_band(rolled)
    label = "95% confidence of the mean over replicas"
    axes.fill_between(frames, low, high, alpha=0.25, linewidth=0, label=label)
    mean = f"mean of {each.shape[1]} replicas and {window} frames"
    axes.plot(frames, rolled.mean(1), linewidth=1.2, label=mean)


def _shown(frames: NDArray[np.float64], window: int) -> str:
    """What a window of rows holds."""
    step = int(frames[1] - frames[0]) if len(frames) > 1 else 1
    return f"{window} frames" + ("" if step == 1 else f", one in {step}")


def _moving(
    values: NDArray[np.float64], window: int, reduce: Callable[..., NDArray[np.float64]]
) -> NDArray[np.float64]:
    """`reduce` (one that passes over nan) of the last `window` values at each place, of fewer at the start."""
    if not len(values):
        return values
    padded = np.concatenate([np.full(window - 1, np.nan), np.where(np.isinf(values), np.nan, values)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, window)
    parts = range(0, len(windows), _AT_A_TIME)  # each a copy that is as many times larger as the window is long
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of nothing is nan
        return np.concatenate([reduce(windows[part : part + _AT_A_TIME], axis=-1) for part in parts])


def plot_panels(
    panels: Mapping[str, Mapping[str, NDArray[np.float64]]], axes: "Sequence[Axes] | None" = None, window: int = 50
) -> "Figure":
    """Curves over the frames, {what: {label: (seeds, frames)}}, one panel below another.

    Lines are the mean over the seeds of `moving_means` over `window` frames, bands their least and most. The first
    frames, whose window is not full, are not drawn.
    """
    if axes is None:
        axes = list(_figure(8, 4.5 * len(panels)).subplots(len(panels), squeeze=False)[:, 0])
    for panel, (what, curves) in zip(axes, panels.items(), strict=True):
        for label, runs in curves.items():
            frames = np.arange(runs.shape[1])[window - 1 :]
            full = moving_means(runs, window)[:, window - 1 :]
            panel.plot(frames, full.mean(0), label=label)
            panel.fill_between(frames, full.min(0), full.max(0), alpha=0.15, linewidth=0)
        panel.set_ylabel(f"{what}\n(mean of {window} frames)")
        panel.set_xlabel("Time frame")
        panel.grid(alpha=0.3)
        _legend(panel)
    return _root(axes[0])


def moving_means(runs: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Of runs (seeds, frames), each the mean of the last `window` frames, of fewer at the start."""
    return np.array([_moving(run, window, np.nanmean) for run in runs])


def plot_points(
    values: Sequence[float],
    curves: Mapping[str, NDArray[np.float64]],
    labels: tuple[str, str],
    axes: "Axes | None" = None,
) -> "Figure":
    """Curves over a setting, {label: (values, seeds)}: means with their deviation over seeds."""
    axes = _figure(8, 4.5).subplots() if axes is None else axes
    for label, runs in curves.items():
        axes.errorbar(values, runs.mean(1), runs.std(1), marker="o", capsize=3, label=label)
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    axes.grid(alpha=0.3)
    _legend(axes)
    return _root(axes)


def plot_boxes(
    rates: Mapping[int, Mapping[str, NDArray[np.float64]]], label: str, axes: "Sequence[Axes] | None" = None
) -> "Figure":
    """Box plots of figures with a label, {users: {method: (frames,)}}, one panel for each number of users.

    Boxes hold the middle half of the frames, whiskers the 5th to the 95th percentile, triangles are means.
    """
    if axes is None:
        figure = _figure(4.2 * len(rates) + 1.8, 5)
        axes = list(figure.subplots(1, len(rates), squeeze=False, sharey=True)[0])
    for panel, (users, methods) in zip(axes, rates.items(), strict=True):
        names = list(methods)[::-1]
        panel.boxplot(
            [methods[name] for name in names],
            orientation="horizontal",
            tick_labels=names,
            whis=(5, 95),
            showmeans=True,
            flierprops={"marker": ".", "markersize": 2, "markeredgecolor": "0.6"},
        )
        panel.set_title(f"{users} users")
        panel.set_xlabel(label)
        panel.grid(alpha=0.3, axis="x")
    return _root(axes[0])
