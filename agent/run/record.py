"""The record of frames: one entry a frame, named columns over frames, for one run or many side by side."""

import math
import warnings
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import tensors

ABOVE = 1e-9
"""Relative excess over the optimum that rounding explains; anything beyond is an error somewhere."""

Columns = dict[str, NDArray[np.float64]]
"""Figures by name, each (frames,), or (frames, R) of R replicas; nan where not known."""


class Frame(NamedTuple):
    """What happened in one frame: numbers, of replicas arrays (R,); None where not known."""

    frame: int
    """From 0."""
    value: Any
    """Of the decision carried out; for the wireless powered problem the rate, bit/s."""
    optimum: Any
    """The best value of any decision."""
    normalized_rate: Any
    """value / optimum, or of costs the least cost over the cost; None where that divides by 0."""
    candidates: Any
    """Decisions that were evaluated: the critic calls."""
    best_candidate: Any
    """Place of the best one, from 0."""
    loss: Any
    """Training loss, in frames in which the agent learned."""
    decide_seconds: float
    """Wall time of `decide`: network, quantizer, critic and learning."""
    accuracy: Any
    """Held-out accuracy, in frames in which the agent learned."""
    probe_gain: Any = None
    """Of a frame with probes, by how much the best of them was better than the decision, relative to it."""
    saturated: Any = None
    """Likewise the share of the network's outputs that are saturated."""
    metrics: Mapping[str, Any] = MappingProxyType({})
    """What the environment's `frame_metrics` says after the step."""


class History(list[Frame]):
    """The frames of one run, ``History(simulate(world, agent, 1000))``: a list, and its figures as a whole."""

    def arrays(self) -> "Columns":
        """The figures by name, (frames,) each: those of `Frame`, then the world's metrics; nan where not known."""
        return columns_of(self)

    def to_frame(self) -> Any:
        """The figures as a pandas DataFrame, one row a frame, with the numbers of the frames as its index.

        Raises ImportError without pandas, naming the extra.
        """
        return data_frame(self.arrays())


FIXED: tuple[str, ...] = tuple(name for name in Frame._fields if name != "metrics")
"""The columns of every run, in their order; an environment's own metrics follow."""


def normalized(value: ArrayLike, optimum: ArrayLike, is_cost: bool = False) -> NDArray[np.float64]:
    """How near values (...) are to the best ones (...), 1 at the optimum: value / optimum.

    Of negated costs (`is_cost`) it is optimum / value, the least cost over the cost. 0 for a decision that is not
    feasible, worth -inf; nan where that divides by 0, or no decision is feasible.
    """
    above, below = np.broadcast_arrays(optimum, value) if is_cost else np.broadcast_arrays(value, optimum)
    rate = np.full(above.shape, np.nan)
    np.divide(above, below, out=rate, where=(below != 0) & np.isfinite(above) & np.isfinite(below))
    rate[(np.asarray(value) == -np.inf) & np.isfinite(optimum)] = 0.0
    return rate


def normalized_one(value: float, optimum: float, is_cost: bool) -> float | None:
    """The same of one frame, in which an operation on an array costs more; None for nan."""
    above, below = (optimum, value) if is_cost else (value, optimum)
    if value == -math.inf and math.isfinite(optimum):
        return 0.0
    return above / below if below != 0 and math.isfinite(above) and math.isfinite(below) else None


def exceeds(value: ArrayLike, optimum: ArrayLike) -> NDArray[np.bool_]:
    """Where values (...) are above what is said to be the best, by more than rounding; not where it is unknown."""
    best = np.asarray(optimum, dtype=np.float64)
    return np.asarray(np.asarray(value) > best + np.where(np.isfinite(best), ABOVE * abs(best), 0.0))


def columns_of(frames: Sequence[Frame]) -> Columns:
    """The figures of one run's frames, (frames,) each."""
    return {name: table[:, 0] for name, table in _tables(frames, 1).items()}


def columns_of_replicas(frames: Sequence[Frame], replicas: int, is_cost: bool) -> Columns:
    """The figures of R replicas' frames, (frames, R) each; what is on a device comes in one transfer a column.

    Their normalised rates are found here, so that no frame waits for a device.
    """
    tables = _tables(frames, replicas)
    tables["normalized_rate"] = normalized(tables["value"], tables["optimum"], is_cost)
    return tables


def data_frame(columns: Columns) -> Any:
    """Figures (frames,) as a pandas DataFrame with the index `frame`; of replicas, (frames, R), `frame, replica`.

    Raises ImportError without pandas, naming the extra.
    """
    try:
        import pandas
    except ImportError as error:
        raise ImportError("tables need pandas: pip install 'mec-offloading[notebook]'") from error
    table = pandas.DataFrame({name: column.ravel() for name, column in columns.items()})
    table["frame"] = table["frame"].astype(int)
    if columns["frame"].ndim == 1:
        return table.set_index("frame")
    table["replica"] = np.tile(np.arange(columns["frame"].shape[1]), len(columns["frame"]))
    return table.set_index(["frame", "replica"])


def joined(parts: Sequence[Frame], replicas: Sequence[int], is_cost: bool) -> Frame:
    """One frame of groups of replicas as one, with arrays (R,); what no group knows stays None."""
    tables = [columns_of_replicas([frame], count, is_cost) for frame, count in zip(parts, replicas, strict=True)]
    figures: dict[str, Any] = {name: np.concatenate([each[name][0] for each in tables]) for name in tables[0]}
    for name in FIXED:
        if name != "normalized_rate" and all(getattr(frame, name) is None for frame in parts):
            figures[name] = None
    figures["normalized_rate"] = None if figures["optimum"] is None else figures["normalized_rate"]
    fixed = {name: figures.pop(name) for name in FIXED}
    seconds = max(frame.decide_seconds for frame in parts)
    return Frame(**{**fixed, "frame": parts[0].frame, "decide_seconds": seconds}, metrics=figures)


def rates_of(columns: Columns) -> NDArray[np.float64]:
    """The normalised rate; the value, where no optimum is known."""
    return columns["value"] if np.isnan(columns["optimum"]).all() else columns["normalized_rate"]


def means_of(columns: Columns) -> Columns:
    """Means over the replicas, (frames,) each, and as `low` and `high` the 95% band of the mean of `rates_of`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of nothing is nan
        means = {name: np.asarray(np.nanmean(table, axis=-1)) for name, table in columns.items()}
    means["low"], means["high"] = confidence_band(rates_of(columns))
    return means


def confidence_band(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """95% confidence band (Student's t) of the mean over R replicas, low and high (...), of values (..., R).

    nan where one of them is not finite.

    Raises ImportError without SciPy, naming the extra.
    """
    try:
        from scipy.stats import t
    except ImportError as error:
        raise ImportError("confidence bands need SciPy: install the 'sim' extra") from error
    replicas = values.shape[-1]
    mean = values.mean(-1)
    if replicas == 1:
        return mean, mean
    with np.errstate(invalid="ignore"):
        half = t.ppf(0.975, replicas - 1) * values.std(-1, ddof=1) / np.sqrt(replicas)
        return mean - half, mean + half


def _tables(frames: Sequence[Frame], replicas: int) -> Columns:
    tables = {name: _table([getattr(frame, name) for frame in frames], replicas) for name in FIXED}
    names = frames[0].metrics if frames else ()
    return tables | {name: _table([frame.metrics[name] for frame in frames], replicas) for name in names}


def _table(column: Sequence[Any], replicas: int) -> NDArray[np.float64]:
    """Numbers, arrays (R,) and None, frame by frame, as (frames, R)."""
    table = np.full((len(column), replicas), np.nan)
    tensor = tensors()
    places = [place for place, figure in enumerate(column) if isinstance(figure, tensor)]
    if places:
        import torch

        table[places] = torch.stack([column[place] for place in places]).cpu().numpy()
    for place, figure in enumerate(column):
        if figure is not None and not isinstance(figure, tensor):
            table[place] = figure
    return table
