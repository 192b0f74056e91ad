"""How often 95% intervals cover, and how often a method is called different from itself, with a few seeds.

python scripts/intervals.py
python scripts/intervals.py --runs runs/published --windows 0-300,300-1000   # of a run with many replicas, besides
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.run.folder import RunFolder
from agent.run.intervals import flipped, flips, paired, student, studentized, trimmed
from agent.run.statistics import seeds_needed, wilcoxon
from env import InputError

from .common.errors import explained, reading
from .common.settings import load_yaml
from .summarize import window_of

Values = NDArray[np.float64]
Ends = tuple[Values, Values]
Draw = Callable[[np.random.Generator, tuple[int, int]], Values]
LEVEL = 0.95
TAIL = (1.0 - LEVEL) / 2
RESAMPLES = 1999
"""Of the bootstraps that are tried beside what is used."""
SHAPES: dict[str, Draw] = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "uniform": lambda rng, shape: rng.uniform(-1.0, 1.0, shape),
    "Laplace": lambda rng, shape: rng.laplace(size=shape),
    "Student, 3 degrees": lambda rng, shape: rng.standard_t(3, shape),
    "exponential": lambda rng, shape: rng.exponential(size=shape),
    "log-normal": lambda rng, shape: rng.lognormal(size=shape),
}
"""Distributions of a seed's figure."""
MEANS = {
    "normal": 0.0,
    "uniform": 0.0,
    "Laplace": 0.0,
    "Student, 3 degrees": 0.0,
    "exponential": 1.0,
    "log-normal": np.exp(0.5),
}
"""And what their means are."""
CENTRE_OF = 10**6
"""Draws that say what a distribution's interquartile mean is."""


def main() -> None:
    """Print two tables: what intervals cover, and how often a method differs from itself."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[5, 10], help="numbers of seeds of a comparison")
    parser.add_argument("--comparisons", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn")
    parser.add_argument(
        "--runs", type=Path, nargs="*", default=[], help="runs of many replicas to draw seeds from"
    )
    parser.add_argument("--windows", default="0-300", help="their frames, from (included) to (left out)")
    arguments = parser.parse_args()
    with explained():
        if arguments.comparisons < 1 or min(arguments.seeds) < 2:
            given = f"{arguments.comparisons}, {arguments.seeds}"
            raise InputError(f"comparisons must be 1 or more and seeds 2 or more, got {given}")
        shapes, means = dict(SHAPES), dict(MEANS)
        for path in arguments.runs:
            for window in arguments.windows.split(","):
                figures, name = figures_of(path, *window_of(window)), f"{path.name} {window}"
                shapes[name], means[name] = drawn_from(figures), float(figures.mean())
        print(tables(shapes, means, arguments.seeds, arguments.comparisons, arguments.seed))


def figures_of(path: Path, first: int, last: int) -> Values:
    """Each replica's mean rate in a window of a run, (R,)."""
    with reading(path):
        replicas = load_yaml(RunFolder(path).read_config()).get("replicas")
        each = RunFolder(path, replicas).read_each()
    if each is None or last > len(each):
        raise InputError(f"runs must have replicas and {last} frames, got {path}")
    return each[first:last].mean(0)


def drawn_from(figures: Values) -> Draw:
    """What draws with replacement from figures (R,)."""
    return lambda rng, shape: rng.choice(figures, shape)


def tables(shapes: dict[str, Draw], means: dict[str, float], seeds: list[int], comparisons: int, seed: int) -> str:
    """All tables as Markdown."""
    from scipy import stats

    covers, widths, differs = [], [], []
    for number in seeds:
        for name, draw in shapes.items():
            rng = np.random.default_rng(seed)
            values, others = (draw(rng, (comparisons, number)) for _ in range(2))
            inner = stats.trim_mean(draw(rng, (CENTRE_OF, 1)), 0.25)[0]
            for of, centred in (("mean", values - means[name]), ("difference", values - others)):
                ends = list(intervals(centred))
                used = ends[1] if of == "mean" else paired(centred, LEVEL)
                middle = trimmed(centred, LEVEL), inner - means[name] if of == "mean" else 0.0
                cells = [covering(pair, 0.0) for pair in (used, *ends)] + [covering(*middle)]
                covers.append([str(number), name, of, *cells])
                widths.append([str(number), name, of, *(wide(pair, ends[0]) for pair in (used, *ends))])
            differs.append([str(number), name, *alarms(centred, ends[:3])])
            print(f"{number} seeds, {name}", file=sys.stderr)
    names = ["used", "Student's t", "studentised", "sign flips", "percentile", "expanded percentile", "BCa"]
    tests = ["used", "Wilcoxon", "Student's t", "studentised", "sign flips"]
    return "\n\n".join(
        [
            f"{LEVEL:.0%} intervals that cover, %",
            markdown(["seeds", "values", "of their", *names, "interquartile mean"], covers),
            "their widths in those of Student's: median, and 99th percentile",
            markdown(["seeds", "values", "of their", *names], widths),
            f"a method called different from itself at {1 - LEVEL:.0%}, %",
            markdown(["seeds", "values", *tests], differs),
        ]
    )


def intervals(values: Values) -> Iterator[Ends | None]:
    """Student's, the studentised bootstrap's, that of sign flips (None of few seeds), and what else was tried."""
    yield student(values, LEVEL)[:2]
    yield studentized(values, LEVEL)[:2]
    yield flipped(values, LEVEL) if flips(values.shape[1], LEVEL) else None
    yield from bootstraps(values)


def bootstraps(values: Values) -> tuple[Ends, Ends, Ends]:
    """The percentile interval, the expanded one (Hesterberg 2015) and BCa (Efron 1987) of the means of (M, seeds).

    The expanded one's level is that at which it is as wide as Student's for normal values.
    """
    from scipy import stats

    number = values.shape[1]
    rng = np.random.default_rng(0)
    counts = rng.multinomial(number, np.full(number, 1.0 / number), RESAMPLES).T / number
    means = np.sort(values @ counts, axis=-1)
    mean = values.mean(-1, keepdims=True)
    left = values - mean
    with np.errstate(divide="ignore", invalid="ignore"):
        skew = (left**3).sum(-1) / (6.0 * (left**2).sum(-1) ** 1.5)
        below = ((means < mean).mean(-1) + (means <= mean).mean(-1)) / 2
        bias = stats.norm.ppf(below)
        shares = []
        for normal in stats.norm.ppf([TAIL, 1.0 - TAIL]):
            moved = bias + normal
            shares.append(np.nan_to_num(stats.norm.cdf(bias + moved / (1.0 - skew * moved)), nan=0.5))
    wider = stats.norm.cdf(-np.sqrt(number / (number - 1)) * stats.t.ppf(1.0 - TAIL, number - 1))
    fixed = [[np.full(len(values), share) for share in (tail, 1.0 - tail)] for tail in (TAIL, wider)]

    def at(share: Values) -> Values:
        places = np.clip(np.ceil(share * RESAMPLES).astype(int) - 1, 0, RESAMPLES - 1)
        return np.take_along_axis(means, places[:, None], -1)[:, 0]

    percentile, expanded, corrected = ((at(low), at(high)) for low, high in (*fixed, shares))
    return percentile, expanded, corrected


def alarms(differences: Values, ends: list[Ends | None]) -> Iterator[str]:
    """How often a method's differences (M, seeds) from itself are called different.

    By what is used, by Wilcoxon's test, and by each kind of interval where it leaves out 0.
    """
    ranked = wilcoxon(differences)
    enough = differences.shape[1] >= seeds_needed(2, LEVEL)
    yield percent((ranked if enough else studentized(differences, LEVEL)[2]) < 1.0 - LEVEL)
    yield percent(ranked < 1.0 - LEVEL)
    for pair in ends:
        yield "-" if pair is None else percent((pair[0] > 0) | (pair[1] < 0))


def covering(ends: Ends | None, centre: float) -> str:
    """The share of intervals that hold the centre."""
    return "-" if ends is None else percent((ends[0] <= centre) & (ends[1] >= centre))


def wide(ends: Ends | None, others: Ends | None) -> str:
    """How wide intervals are beside others."""
    if ends is None or others is None:
        return "-"
    with np.errstate(invalid="ignore"):
        ratios = np.nan_to_num((ends[1] - ends[0]) / (others[1] - others[0]), nan=1.0)
    return f"{np.median(ratios):.2f}, {np.quantile(ratios, 0.99):.1f}"


def percent(found: NDArray[np.bool_]) -> str:
    """The share that is true."""
    return f"{100 * found.mean():.1f}"


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A table."""
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])
