"""What stored decisions and their stored values are worth beside the certified optimum of their frames."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .arrays import FloatArray, InputError

ROUNDING = 1e-9
"""Relative difference that rounding explains."""
OF_ITS_DECISION = 1e-6
"""Relative difference up to which a stored value is taken for that of its stored decision."""


class LabelReport(NamedTuple):
    """Labels held against certified optima; a part is None where the recording does not store it."""

    frames: int
    """How many were looked at."""
    optimal: int | None
    """Stored decisions that are worth the optimum."""
    rate: float | None
    """Their mean normalised rate: worth over optimum, of costs optimum over cost."""
    worst_rate: float | None
    worst_row: int | None
    """Of the recording, from 0."""
    wrong_values: int | None
    """Stored values that are not those of their stored decisions; without decisions, not the optimum."""
    too_high: int | None
    """Stored values that no decision has."""
    unproved: int
    """Frames whose optimum was not certified: what is said of them holds for the best decision found."""

    def __str__(self) -> str:
        parts = []
        if self.optimal is not None:
            parts.append(f"{self.optimal} of {self.frames} stored decisions are optimal")
            if self.optimal < self.frames:
                parts.append(f"normalised rate {self.rate:.6f} on average")
                parts.append(f"{self.worst_rate:.6f} at worst, in row {self.worst_row}")
        if self.wrong_values is not None:
            owner = "the optimum" if self.optimal is None else "that of its decision"
            parts.append(f"{self.wrong_values} of {self.frames} stored values are not {owner}")
            parts.append(f"{self.too_high} are above any decision's")
        if self.unproved:
            parts.append(f"{self.unproved} optima are not certified")
        return "; ".join(parts)


def rows_of(rows: Any, count: int) -> NDArray[np.int64]:
    """Places in a recording of so many rows, all of them for None; raises InputError for what is none."""
    if rows is None:
        return np.arange(count)
    array = np.asarray(rows)
    if (
        array.ndim != 1
        or not array.size
        or array.dtype.kind not in "iu"
        or array.min() < 0
        or array.max() >= count
    ):
        raise InputError(f"rows must be whole numbers from 0 to {count - 1}, one or more, got {rows!r}")
    return array.astype(np.int64)


def compare_labels(
    rows: NDArray[np.int64],
    optimum: FloatArray,
    bound: FloatArray,
    values: FloatArray | None,
    stored: FloatArray | None,
) -> LabelReport:
    """The report on some rows of a recording; values are larger the better, so of costs negated.

    Args:
        rows: (F,), places in the recording, from 0.
        optimum: (F,), values of the best decisions found. bound: (F,), which no decision exceeds.
        values: (F,), of the stored decisions; None where there are none.
        stored: (F,), stored beside them; None likewise.
    """
    size = np.abs(optimum)
    optimal = rate = worst_rate = worst_row = wrong = too_high = None
    if values is not None:
        rates = np.where(optimum > 0, values / optimum, optimum / values)
        worst = int(rates.argmin())
        optimal = int((values >= optimum - ROUNDING * size).sum())
        rate, worst_rate, worst_row = float(rates.mean()), float(rates[worst]), int(rows[worst])
    if stored is not None:
        owner = optimum if values is None else values
        wrong = int((np.abs(stored - owner) > OF_ITS_DECISION * np.abs(owner)).sum())
        too_high = int((stored > bound + OF_ITS_DECISION * size).sum())
    unproved = int((bound > optimum + 2 * ROUNDING * size).sum())
    return LabelReport(len(rows), optimal, rate, worst_rate, worst_row, wrong, too_high, unproved)


def figures(report: LabelReport | None) -> dict[str, Any]:
    """A report as entries of a run's summary; nothing of none."""
    if report is None:
        return {}
    return {
        "labels": str(report),
        "labelled_frames": report.frames,
        "optimal_labels": report.optimal,
        "label_rate": report.rate,
        "worst_label_rate": report.worst_rate,
    }
