"""How often 95% intervals cover, and how often a method is called different from itself, with a few seeds.

python scripts/intervals.py
python scripts/intervals.py --runs runs/published --window 300-1000   # of a run with many replicas, besides
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from agent.run.folder import RunFolder
from agent.run.statistics import FEW, seeds_needed, studentized, wilcoxon
from env import InputError

from .common.errors import explained
from .common.settings import load_yaml
from .summarize import window_of

Values = NDArray[np.float64]
Ends = tuple[Values, Values]
LEVEL = 0.95
TAIL = (1.0 - LEVEL) / 2
RESAMPLES = 1999
"""Of the intervals that are tried beside the one that is used."""
SHAPES: dict[str, tuple[Callable[[np.random.Generator, tuple[int, int]], Values], float]] = {
    "normal": (lambda rng, shape: rng.normal(size=shape), 0.0),
    "uniform": (lambda rng, shape: rng.uniform(-1.0, 1.0, shape), 0.0),
    "Laplace": (lambda rng, shape: rng.laplace(size=shape), 0.0),
    "exponential": (lambda rng, shape: rng.exponential(size=shape), 1.0),
}
"""Distributions of a seed's mean, and their mean."""


def main() -> None:
    """Print two tables: what intervals cover, and how often a method differs from itself."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[5, 10], help="numbers of seeds of a comparison")
    parser.add_argument("--comparisons", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn")
    parser.add_argument(
        "--runs", type=Path, nargs="*", default=[], help="runs of many replicas to draw seeds from"
    )
    parser.add_argument("--window", default="0-300", help="their frames, from (included) to (left out)")
    arguments = parser.parse_args()
    with explained():
        if arguments.comparisons < 1 or min(arguments.seeds) < 2:
            raise InputError(
                f"comparisons must be 1 or more and seeds 2 or more, got {arguments.comparisons}, {arguments.seeds}"
            )
        window = window_of(arguments.window)
        shapes = SHAPES | {path.name: drawn_from(path, *window) for path in arguments.runs}
        covers, differs = tables(shapes, arguments.seeds, arguments.comparisons, arguments.seed)
        print(f"{LEVEL:.0%} intervals of a mean that cover it, %\n\n{covers}")
        print(f"\na method called different from itself at {1 - LEVEL:.0%}, %\n\n{differs}")


def drawn_from(path: Path, first: int, last: int) -> tuple[Callable[..., Values], float]:
    """What draws, with replacement, from the replicas' mean rates in a window of a run; and their mean."""
    replicas = load_yaml(RunFolder(path).read_config()).get("replicas")
    each = RunFolder(path, replicas).read_each()
    if each is None or last > len(each):
        raise InputError(f"runs must have replicas and {last} frames, got {path}")
    means = each[first:last].mean(0)
    return lambda rng, shape: rng.choice(means, shape), float(means.mean())


def tables(
    shapes: dict[str, tuple[Callable[..., Values], float]], seeds: list[int], comparisons: int, seed: int
) -> tuple[str, str]:
    """Both tables as Markdown."""
    names = list(INTERVALS)
    covers = [f"| seeds | values | {' | '.join(names)} |", "| --- " * (2 + len(names)) + "|"]
    differs = ["| seeds | values | bootstrap | Student's t | Wilcoxon | what is used |", "| --- " * 6 + "|"]
    for number in seeds:
        for name, (draw, mean) in shapes.items():
            rng = np.random.default_rng(seed)
            shape = comparisons, number
            values = draw(rng, shape) - mean
            ends = [interval(values) for interval in INTERVALS.values()]
            covered = [f"{np.mean((low <= 0) & (high >= 0)):.1%}"[:-1] for low, high in ends]
            covers.append(f"| {number} | {name} | {' | '.join(covered)} |")
            differences = draw(rng, shape) - draw(rng, shape)
            *_, bootstrap = studentized(differences, LEVEL)
            ranked = np.array([wilcoxon(difference) for difference in differences])
            used = ranked if number >= seeds_needed(2, LEVEL) else bootstrap
            found = (bootstrap, stats.ttest_1samp(differences, 0.0, axis=-1).pvalue, ranked, used)
            shares = [f"{np.mean(p_values < 1.0 - LEVEL):.1%}"[:-1] for p_values in found]
            differs.append(f"| {number} | {name} | {' | '.join(shares)} |")
            print(f"{number} seeds, {name}", file=sys.stderr)
    return "\n".join(covers), "\n".join(differs)


def _studentized(values: Values) -> Ends:
    low, high, _ = studentized(values, LEVEL)
    return low, high


def _student(values: Values) -> Ends:
    half = stats.t.ppf(1.0 - TAIL, values.shape[1] - 1) * stats.sem(values, axis=-1)
    return values.mean(-1) - half, values.mean(-1) + half


def _bootstrap(method: str, level: Callable[[int], float] = lambda seeds: LEVEL) -> Callable[[Values], Ends]:
    def ends(values: Values) -> Ends:
        given = {"confidence_level": level(values.shape[1]), "n_resamples": RESAMPLES, "batch": 50}
        with np.errstate(all="ignore"):
            found = stats.bootstrap(
                (values,), np.mean, axis=-1, method=method, rng=np.random.default_rng(0), **given
            )
        return found.confidence_interval.low, found.confidence_interval.high

    return ends


def _expanded(seeds: int) -> float:
    """The level at which the percentile interval is as wide as Student's for normal values (Hesterberg 2015)."""
    return float(1.0 - 2.0 * stats.norm.cdf(-np.sqrt(seeds / (seeds - 1)) * stats.t.ppf(1.0 - TAIL, seeds - 1)))


INTERVALS: dict[str, Callable[[Values], Ends]] = {
    f"studentised (used from {FEW} seeds)": _studentized,
    "Student's t": _student,
    "percentile": _bootstrap("percentile"),
    "expanded percentile": _bootstrap("percentile", _expanded),
    "BCa": _bootstrap("BCa"),
}
"""The interval that is used, and what was tried beside it."""
