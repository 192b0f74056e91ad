"""Intervals of the mean of a few numbers, many samples at once; how often each covers says docs/statistics.md."""

import itertools
import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEW = 5
"""Numbers from which on the bootstrap is used; of four, 1.6% of the resamples hold one only, nearly a tail."""
RESAMPLES = 9999
"""That are drawn, from seed 0, where all would be more."""
ENUMERATED = 8
"""Numbers up to which all resamples are taken: 6,435 different ones of 8 numbers."""
SUBSETS = 13
"""Numbers up to which all subsets are taken: 8,191 of 13 numbers."""
BEYOND = 3
"""Subsets' means beyond either end that `flipped` asks for, so that its own level is near the one wanted."""
_CHUNK = 2**20
"""Numbers at once."""

Values = NDArray[np.float64]
Ends = tuple[Values, Values]


def student(values: Values, level: float) -> tuple[Values, Values, Values]:
    """Student's intervals of the means of rows (M, n): low, high (M,), and the p-value (M,) of a mean of 0.

    nan, and p-values of 1, from rows of one number; of a row of equal numbers, an interval without width.
    """
    rows, number = values.shape
    if number == 1:
        return np.full(rows, math.nan), np.full(rows, math.nan), np.ones(rows)
    mean, error, own = _scaled(values)
    stats = scipy_stats()
    half = stats.t.ppf((1.0 + level) / 2, number - 1) * error
    return mean - half, mean + half, 2.0 * stats.t.sf(abs(own), number - 1)


def studentized(values: Values, level: float) -> tuple[Values, Values, Values]:
    """The studentised bootstrap (Efron and Tibshirani 1993, ch. 12.5) of rows (M, n); returns what `student` does.

    A resample's mean, less the sample's, over its own standard error is held against the sample's: equal tails.
    It is Student's interval of fewer than 5 numbers, and where so many of a row are equal that an end would be
    infinite.
    """
    low, high, p_values = student(values, level)
    if values.shape[1] < FEW:
        return low, high, p_values
    mean, error, own = _scaled(values)
    counts, weights = _resamples(values.shape[1])
    step = max(1, _CHUNK // counts.shape[1])
    for first in range(0, len(values), step):
        part = np.arange(first, min(first + step, len(values)))
        part = part[error[part] > 0]
        if not len(part):
            continue
        centred = (values[part] - mean[part, None]) / error[part, None]
        least, most, found = _of_resamples(centred, own[part], counts, weights, (1.0 - level) / 2)
        finite = np.isfinite(least) & np.isfinite(most)
        part, least, most = part[finite], least[finite], most[finite]
        low[part], high[part] = mean[part] - most * error[part], mean[part] - least * error[part]
        p_values[part] = found[finite]
    return low, high, p_values


def flips(number: int, level: float) -> int:
    """How many means of subsets `flipped` leaves out at either end; it is of use from `BEYOND` on."""
    subsets = min(2**number, RESAMPLES + 1) if number <= SUBSETS else RESAMPLES + 1
    return math.floor((1.0 - level) / 2 * subsets + 1e-9)


def flipped(values: Values, level: float) -> Ends:
    """What Fisher's sign flips cannot tell from the mean (Hartigan 1969), of rows (M, n): low and high (M,).

    The 2^n - 1 means of the subsets of a sample part the line in 2^n pieces, each of which holds the centre with
    the same probability, whatever the distribution, as long as it is continuous and symmetric (his theorem of
    typical values). So it is between the k-th least and the k-th largest with the probability 1 - 2 k / 2^n. k,
    which is `flips`, must be 1 or more. Of more than 13 numbers 9,999 subsets are drawn, which is as exact.
    """
    beyond = flips(values.shape[1], level)
    subsets = _subsets(values.shape[1])
    low, high = np.empty(len(values)), np.empty(len(values))
    step = max(1, _CHUNK // subsets.shape[1])
    for first in range(0, len(values), step):
        part = slice(first, first + step)
        ends = (beyond - 1, subsets.shape[1] - beyond)
        means = np.partition(values[part] @ subsets, ends, axis=-1)
        low[part], high[part] = means[:, ends[0]], means[:, ends[1]]
    same = values.max(-1) == values.min(-1)
    return np.where(same, values[:, 0], low), np.where(same, values[:, 0], high)


def paired(differences: Values, level: float) -> Ends:
    """Low and high (M,) of paired differences (M, n): `flipped` where it has the level, else `studentized`."""
    if flips(differences.shape[1], level) >= BEYOND:
        return flipped(differences, level)
    low, high, _ = studentized(differences, level)
    return low, high


def trimmed(values: Values, level: float, part: float = 0.25) -> Ends:
    """Tukey's and McLaughlin's interval (1963) of the mean without a part at either end, of rows (M, n).

    Student's, with the standard error of the values of which those left out are put to the nearest that is not.
    The number left out is rounded down, and where it is none this is `student`. Returns low and high, (M,).
    """
    number = values.shape[1]
    cut = math.floor(part * number)
    ranked = np.sort(values, axis=-1)
    left = number - 2 * cut
    if left < 2:
        return np.full(len(values), math.nan), np.full(len(values), math.nan)
    middle = ranked[:, cut : number - cut].mean(-1)
    winsorized = np.clip(ranked, ranked[:, cut, None], ranked[:, number - cut - 1, None])
    error = winsorized.std(-1, ddof=1) * math.sqrt(number) / left
    half = scipy_stats().t.ppf((1.0 + level) / 2, left - 1) * error
    return middle - half, middle + half


def _scaled(values: Values) -> tuple[Values, Values, Values]:
    """Means, standard errors, 0 where all numbers are equal, and their ratio, there 0 or infinite; (M,) each."""
    same = values.max(-1) == values.min(-1)
    mean = np.where(same, values[:, 0], values.mean(-1))
    error = np.where(same, 0.0, values.std(-1, ddof=1) / math.sqrt(values.shape[1]))
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.where(mean == 0, 0.0, mean / error)
    return mean, error, own


def _of_resamples(
    centred: Values, own: Values, counts: Values, weights: Values | None, tail: float
) -> tuple[Values, Values, Values]:
    """Both quantiles of the studentised means, (M,) each, and the p-value of the sample's own, (M,)."""
    number = centred.shape[1]
    means = centred @ counts / number
    spread = (centred**2) @ counts / number - means**2
    single = spread < 1e-13  # the same number only
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = means / np.sqrt(spread / (number - 1))
    ratios[single] = np.where(abs(means[single]) < 1e-7, 0.0, np.copysign(np.inf, means[single]))
    shares = (tail, 1.0 - tail)
    if weights is None:
        places = [math.ceil(share * ratios.shape[1] - 1e-9) - 1 for share in shares]
        ranked = np.partition(ratios, places, axis=-1)
        quantiles = [ranked[:, place] for place in places]
        below, above = (ratios <= own[:, None]).mean(-1), (ratios >= own[:, None]).mean(-1)
    else:
        order = np.argsort(ratios, axis=-1)
        ranked, reached = np.take_along_axis(ratios, order, -1), np.cumsum(weights[order], axis=-1)
        first = [np.argmax(reached >= share - 1e-12, axis=-1)[:, None] for share in shares]
        quantiles = [np.take_along_axis(ranked, places, -1)[:, 0] for places in first]
        below, above = (ratios <= own[:, None]) @ weights, (ratios >= own[:, None]) @ weights
    return quantiles[0], quantiles[1], np.minimum(2.0 * np.minimum(below, above), 1.0)


@cache
def _resamples(number: int) -> tuple[Values, Values | None]:
    """How often each resample has each number, (n, B), and its probability, (B,); None where all are the same."""
    if number > ENUMERATED:
        counts = np.random.default_rng(0).multinomial(number, np.full(number, 1.0 / number), RESAMPLES).T
        return counts.astype(np.float64), None
    bars = np.array(list(itertools.combinations(range(2 * number - 1), number - 1)))
    edges = np.column_stack([np.full(len(bars), -1), bars, np.full(len(bars), 2 * number - 1)])
    counts = np.diff(edges, axis=-1) - 1
    ways = [math.factorial(number) / math.prod(map(math.factorial, count)) for count in counts.tolist()]
    return counts.T.astype(np.float64), np.array(ways) / number**number


@cache
def _subsets(number: int) -> Values:
    """The weights of each subset's mean, (n, B): all that are not empty, or so many drawn."""
    if number > SUBSETS:
        chosen = np.random.default_rng(0).random((RESAMPLES + 1, number)) < 0.5
        chosen = chosen[chosen.any(-1)][:RESAMPLES]
    else:
        chosen = np.array(list(itertools.product((False, True), repeat=number)))[1:]
    return (chosen / chosen.sum(-1, keepdims=True)).T


def scipy_stats() -> Any:
    """`scipy.stats`, or an ImportError that names the extra."""
    try:
        from scipy import stats
    except ImportError as error:
        raise ImportError(
            "statistics need SciPy, of the extra 'data': pip install 'mec-offloading[data]'"
        ) from error
    return stats
