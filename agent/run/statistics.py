"""Statistics of a comparison: seeds are its unit, paired, since all methods see the same frames.

A seed gives one number, a mean over its frames; frames of one seed depend on one another and are never counted as
observations. With a few seeds most intervals are too short: which one was chosen, and what the others gave, says
docs/statistics.md (`scripts/intervals.py`). SciPy does the arithmetic; it is part of the extras `data` and `sim`.
"""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..checks import InputError
from .intervals import FEW, paired, scipy_stats, studentized, trimmed

TRIMMED = 0.25
"""The part of the seeds that the interquartile mean leaves out on either side."""
SIGNS = 12
"""Seeds up to which Wilcoxon's test goes through all signs: 4,096 of 12 seeds."""


@dataclass(frozen=True)
class Interval:
    """A figure and the interval that covers the true one with the level's probability; nan from a single seed."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Paired:
    """A method beside the reference, of the same seeds.

    Attributes:
        difference: the mean over the seeds of this method less the reference; its interval is Hartigan's (1969),
            which inverts Fisher's test by sign flips, from 7 seeds on (at 95%), and with fewer `mean_interval`'s.
        improvement: the probability that this method is the better of the two in a seed (ties count half).
        p_value: of no difference, two-sided.
        adjusted_p_value: the same after Holm's correction over the methods.
        test: 'Wilcoxon', the signed rank test, where so many seeds can reach 1 - level with it after Holm's
            correction; 'bootstrap' with fewer, 'Student' with fewer than 5.
        different: whether the adjusted p-value is below 1 - level.
    """

    difference: Interval
    improvement: Interval
    p_value: float
    adjusted_p_value: float
    test: str
    different: bool


def mean_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """The mean over seeds, and its interval by the studentised bootstrap (Efron and Tibshirani 1993, ch. 12.5).

    All resamples are taken up to 8 seeds, 9,999 drawn from a fixed seed beyond; with 2 to 4 seeds it is Student's
    interval, which is right for normal values. From one seed low and high are nan.

    Args:
        values: a number for each seed, (seeds,).
        level: the probability with which the interval covers.

    Raises:
        InputError: for values that are not numbers (seeds,), or a level outside 0 to 1.
        ImportError: without SciPy, naming the extra.
    """
    of_seeds = _numbers("values", values)
    low, high, _ = studentized(of_seeds[None], _level(level))
    return Interval(float(of_seeds.mean()), float(low[0]), float(high[0]))


def interquartile_mean(values: ArrayLike, level: float = 0.95) -> Interval:
    """The mean of the middle half of the seeds (Agarwal et al. 2021), of values (seeds,).

    A quarter is left out on either side, rounded down: none of three seeds, one of four. The interval is Tukey's
    and McLaughlin's (1963).

    Raises InputError as `mean_interval`, and ImportError without SciPy.
    """
    of_seeds = _numbers("values", values)
    low, high = trimmed(of_seeds[None], _level(level), TRIMMED)
    return Interval(float(scipy_stats().trim_mean(of_seeds, TRIMMED)), float(low[0]), float(high[0]))


def probability_of_improvement(
    ours: ArrayLike, theirs: ArrayLike, higher_is_better: bool = True, level: float = 0.95
) -> Interval:
    """The probability that `ours` is better than `theirs` in a seed (Agarwal et al. 2021; here paired by seed).

    The share of the seeds in which it is, ties counting half; its interval is Clopper's and Pearson's (1934), with
    ties against it in the lower bound and for it in the upper one. Values are (seeds,), of the same seeds.

    Raises InputError as `mean_interval`, and for unequal numbers of seeds, and ImportError without SciPy.
    """
    first, second = _numbers("ours", ours), _numbers("theirs", theirs)
    if len(first) != len(second):
        raise InputError(f"theirs must be of the {len(first)} seeds of ours, got {len(second)} values")
    stats = scipy_stats()
    gains = (first - second) * (1 if higher_is_better else -1)
    seeds, wins, ties = len(gains), int((gains > 0).sum()), int((gains == 0).sum())
    least, most = (
        stats.binomtest(count, seeds).proportion_ci(_level(level), method="exact") for count in (wins, wins + ties)
    )
    return Interval((wins + ties / 2) / seeds, float(least.low), float(most.high))


def compare_with(
    reference: str, by_method: Mapping[str, ArrayLike], higher_is_better: bool = True, level: float = 0.95
) -> dict[str, Paired]:
    """Every other method beside the reference, paired by seeds.

    Args:
        reference: the name of the method that the others are held against.
        by_method: of each method a number for each seed, (seeds,), in the same order of seeds.
        higher_is_better: whether large numbers are good.
        level: of the intervals; 1 - level is what the adjusted p-values are held against.

    Returns:
        by the names of the other methods, in their order.

    Raises:
        InputError: as `mean_interval`, and for unequal numbers of seeds or a reference that is not there.
        ImportError: without SciPy, naming the extra.
    """
    if reference not in by_method:
        raise InputError(f"reference must be one of {', '.join(by_method)}, got {reference!r}")
    numbers = {name: _numbers(f"by_method[{name!r}]", values) for name, values in by_method.items()}
    theirs = numbers.pop(reference)
    for name, ours in numbers.items():
        if len(ours) != len(theirs):
            raise InputError(
                f"by_method[{name!r}] must be of the {len(theirs)} seeds of {reference!r}, got {len(ours)} values"
            )
    if not numbers:
        return {}
    differences = np.array([ours - theirs for ours in numbers.values()])
    low, high = paired(differences, _level(level))
    ranked = len(theirs) >= seeds_needed(len(numbers) + 1, level)
    p_values = wilcoxon(differences) if ranked else studentized(differences, level)[2]
    adjusted = holm(p_values)
    return {
        name: Paired(
            difference=Interval(float(differences[place].mean()), float(low[place]), float(high[place])),
            improvement=probability_of_improvement(numbers[name], theirs, higher_is_better, level),
            p_value=float(p_values[place]),
            adjusted_p_value=float(adjusted[place]),
            test="Wilcoxon" if ranked else "Student" if len(theirs) < FEW else "bootstrap",
            different=bool(adjusted[place] < 1.0 - level),
        )
        for place, name in enumerate(numbers)
    }


def seeds_needed(methods: int = 2, level: float = 0.95) -> int:
    """Seeds with which Wilcoxon's test of so many methods can reach 1 - level after Holm's correction.

    Its least two-sided p-value of n seeds is 2 / 2^n; `methods` counts the reference.
    """
    return math.floor(math.log2(2 * max(methods - 1, 1) / (1.0 - _level(level))) + 1e-9) + 1


def warning_of(seeds: int, methods: int = 2, level: float = 0.95) -> str | None:
    """What so many seeds cannot carry in a comparison of so many methods; None where they carry it."""
    needed = seeds_needed(methods, level)
    if seeds >= needed:
        return None
    if seeds < 2:
        return "one seed: what differs between methods may be chance, and there is no interval"
    tested = f"of {methods} methods with Holm's correction" if methods > 2 else "of two methods"
    text = f"{seeds} seeds: Wilcoxon's test {tested} needs {needed} to reach {1.0 - level:.2g}"
    made = "Student's, right for normal values only" if seeds < FEW else "the bootstrap's, which assume more"
    return f"{text}; p-values are {made}"


def wilcoxon(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """Two-sided p-values (M,) of Wilcoxon's signed rank test (1945) of rows of paired differences (M, seeds).

    Differences of 0 are left out, equal ones share their rank. Exact, by all signs of up to 12 seeds; of
    more, SciPy's, exact without ties up to 50.
    """
    stats = scipy_stats()
    seeds = differences.shape[1]
    if seeds > SIGNS:
        kept = [row[row != 0] for row in differences]
        found = [wilcoxon(row[None])[0] if len(row) <= SIGNS else stats.wilcoxon(row).pvalue for row in kept]
        return np.array(found, dtype=np.float64)
    if not seeds:
        return np.ones(len(differences))
    ranks = stats.rankdata(abs(differences), axis=-1) - (differences == 0).sum(-1, keepdims=True)
    ranks[differences == 0] = 0.0
    signs = np.array(list(itertools.product((0.0, 1.0), repeat=seeds))).T
    sums, own = ranks @ signs, (ranks * (differences > 0)).sum(-1, keepdims=True)
    return np.minimum(2.0 * np.minimum((sums >= own).mean(-1), (sums <= own).mean(-1)), 1.0)


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """P-values (methods,) adjusted by Holm's step-down procedure (1979): the j-th least times the number left."""
    given = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(given, kind="stable")
    stepped = np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1))
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def _numbers(name: str, values: ArrayLike) -> NDArray[np.float64]:
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        numbers = np.empty(0)
    if numbers.ndim != 1 or not numbers.size or not np.isfinite(numbers).all():
        raise InputError(f"{name} must be finite numbers (seeds,), got {values!r}")
    return numbers


def _level(level: float) -> float:
    if isinstance(level, bool) or not isinstance(level, int | float) or not 0.0 < level < 1.0:
        raise InputError(f"level must be a number between 0 and 1, got {level!r}")
    return float(level)
