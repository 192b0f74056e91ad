"""Statistics of a comparison: seeds are its unit, paired, since all methods see the same frames.

A seed gives one number, a mean over its frames; frames of one seed depend on one another and are never counted as
observations. With a few seeds most intervals are too short: which one was chosen, and what the others gave, says
docs/statistics.md (`scripts/intervals.py`). SciPy does the arithmetic; it is part of the extras `data` and `sim`.
"""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..checks import InputError

RESAMPLES = 9999
"""Of the bootstrap, drawn from seed 0, where there are more than `ENUMERATED` seeds."""
ENUMERATED = 8
"""Seeds up to which all resamples are taken: 6,435 different ones with 8 seeds."""
FEW = 4
"""Seeds from which on the bootstrap is used; of fewer, too many resamples hold one seed only."""
TRIMMED = 0.25
"""The part of the seeds that the interquartile mean leaves out on either side."""
_CHUNK = 2**24
"""Numbers at once."""


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
        difference: the mean over the seeds of this method less the reference.
        improvement: the probability that this method is the better of the two in a seed (ties count half).
        p_value: of no difference, two-sided.
        adjusted_p_value: the same after Holm's correction over the methods.
        test: 'Wilcoxon', the signed rank test, where so many seeds can reach 1 - level with it after Holm's
            correction; 'bootstrap' with fewer, by which the interval was made.
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

    All resamples are taken up to 8 seeds, 9,999 drawn from a fixed seed beyond; with 2 or 3 seeds it is Student's
    interval, which is right for normal values.

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
    """The mean of the middle half of the seeds (Agarwal et al. 2021), with Tukey's and McLaughlin's interval (1963).

    Of values in (seeds,), a quarter is left out on either side, rounded down: none of three seeds, one of four.

    Raises InputError as `mean_interval`, and ImportError without SciPy.
    """
    of_seeds = _numbers("values", values)
    stats = _scipy()
    estimate = float(stats.trim_mean(of_seeds, TRIMMED))
    if len(of_seeds) == 1:
        return Interval(estimate, math.nan, math.nan)
    cut = (TRIMMED, TRIMMED)
    low, high = stats.mstats.trimmed_mean_ci(of_seeds, cut, (True, True), 1.0 - _level(level))
    return Interval(estimate, float(low), float(high))


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
    stats = _scipy()
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
    low, high, p_values = studentized(differences, _level(level))
    ranked = len(theirs) >= seeds_needed(len(numbers) + 1, level)
    if ranked:
        p_values = np.array([wilcoxon(difference) for difference in differences])
    adjusted = holm(p_values)
    return {
        name: Paired(
            difference=Interval(float(differences[place].mean()), float(low[place]), float(high[place])),
            improvement=probability_of_improvement(numbers[name], theirs, higher_is_better, level),
            p_value=float(p_values[place]),
            adjusted_p_value=float(adjusted[place]),
            test="Wilcoxon" if ranked else "bootstrap",
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


def wilcoxon(differences: NDArray[np.float64]) -> float:
    """The two-sided p-value of Wilcoxon's signed rank test (1945) of paired differences (seeds,).

    Differences of 0 are left out. Exact, by all signs where there are ties among at most 12 seeds.
    """
    differences = differences[differences != 0]
    if not len(differences):
        return 1.0
    stats = _scipy()
    tied = len(np.unique(abs(differences))) < len(differences)
    method = stats.PermutationMethod() if tied and len(differences) <= 12 else "auto"
    return float(stats.wilcoxon(differences, method=method).pvalue)


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """P-values (methods,) adjusted by Holm's step-down procedure (1979): the j-th least times the number left."""
    given = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(given, kind="stable")
    stepped = np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1))
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def studentized(
    values: NDArray[np.float64], level: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Of each row of values (M, seeds): low and high (M,) of the mean's interval, and the p-value of a mean of 0.

    A resample's mean, less the sample's, over its standard error is held against the sample's own: equal tails.
    nan from one seed; of values that are all the same, the interval has no width.
    """
    stats = _scipy()
    rows, seeds = values.shape
    mean = values.mean(-1)
    if seeds == 1:
        return np.full(rows, math.nan), np.full(rows, math.nan), np.ones(rows)
    same = values.max(-1) == values.min(-1)
    error = np.where(same, 0.0, values.std(-1, ddof=1) / math.sqrt(seeds))
    scaled = np.where(same, 1.0, error)  # so that a resample's own error is of the order of 1
    own = np.where(same, np.where(mean == 0, 0.0, np.copysign(np.inf, mean)), mean / scaled)
    tail = (1.0 - level) / 2
    if seeds < FEW:
        half = stats.t.ppf(1.0 - tail, seeds - 1) * error
        return mean - half, mean + half, np.where(same & (mean == 0), 1.0, 2.0 * stats.t.sf(abs(own), seeds - 1))
    counts, weights = _resamples(seeds)
    low, high, p_values = np.empty(rows), np.empty(rows), np.empty(rows)
    step = max(1, _CHUNK // counts.shape[1])
    for first in range(0, rows, step):
        part = slice(first, first + step)
        centred = (values[part] - mean[part, None]) / scaled[part, None]
        least, most, p_values[part] = _of_resamples(centred, own[part], counts, weights, tail)
        low[part], high[part] = mean[part] - most * error[part], mean[part] - least * error[part]
    low, high = np.where(same, mean, low), np.where(same, mean, high)
    return low, high, np.where(same, np.where(mean == 0, 1.0, 0.0), p_values)


def _of_resamples(
    centred: NDArray[np.float64],
    own: NDArray[np.float64],
    counts: NDArray[np.float64],
    weights: NDArray[np.float64],
    tail: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Both quantiles of the studentised means, (M,) each, and the p-value of the sample's own, (M,)."""
    seeds = centred.shape[1]
    means = centred @ counts / seeds
    spread = np.maximum((centred**2) @ counts / seeds - means**2, 0.0) / (seeds - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = means / np.sqrt(spread)
    single = spread < 1e-14  # one seed only, or seeds of the same value
    ratios[single] = np.where(abs(means[single]) < 1e-7, 0.0, np.copysign(np.inf, means[single]))
    above = ((ratios >= own[:, None]) * weights).sum(-1)
    below = ((ratios <= own[:, None]) * weights).sum(-1)
    order = np.argsort(ratios, axis=-1)
    ranked, reached = np.take_along_axis(ratios, order, -1), np.cumsum(weights[order], axis=-1)
    quantiles = [
        np.take_along_axis(ranked, np.argmax(reached >= share - 1e-12, axis=-1)[:, None], -1)[:, 0]
        for share in (tail, 1.0 - tail)
    ]
    return quantiles[0], quantiles[1], np.minimum(2.0 * np.minimum(above, below), 1.0)


@cache
def _resamples(seeds: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How often each resample has each seed, (seeds, B), and the resamples' probabilities, (B,)."""
    if seeds > ENUMERATED:
        rng = np.random.default_rng(0)
        counts = rng.multinomial(seeds, np.full(seeds, 1.0 / seeds), RESAMPLES).T
        return counts.astype(np.float64), np.full(RESAMPLES, 1.0 / RESAMPLES)
    bars = np.array(list(itertools.combinations(range(2 * seeds - 1), seeds - 1)))
    edges = np.column_stack([np.full(len(bars), -1), bars, np.full(len(bars), 2 * seeds - 1)])
    counts = np.diff(edges, axis=-1) - 1
    ways = [math.factorial(seeds) / math.prod(map(math.factorial, count)) for count in counts.tolist()]
    return counts.T.astype(np.float64), np.array(ways) / seeds**seeds


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


def _scipy() -> Any:
    try:
        from scipy import stats
    except ImportError as error:
        raise ImportError(
            "statistics need SciPy, of the extra 'data': pip install 'mec-offloading[data]'"
        ) from error
    return stats
