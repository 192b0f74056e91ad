"""Agents, with their defaults and with other settings, in small problems of many kinds, against the optimum.

python scripts/problems.py --config configs/problems.yaml
python scripts/problems.py --config configs/problems.yaml --seeds 0 1 --frames 1000 --problems tuned

A figure is the sum of the values of the last fifth of the frames over that of the optima (of costs, the other way
round), the mean over seeds; a decision that is not feasible counts 0. `tuned` are the problems that the defaults
were chosen on, `reported` those that no choice has seen.
"""

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from agent.run.comparison import BaselineAgent, optima, skip
from agent.run.loop import play
from env import InputError, problems

from .common import trust
from .common.errors import explained
from .common.parallel import CORES, spread
from .common.settings import Maker, read_yaml

HALVES = {
    half: [f"env.problems.{problem.__name__}" for problem in group]
    for half, group in (("tuned", problems.TUNED), ("reported", problems.REPORTED))
}


class Result(NamedTuple):
    """Of one method in one problem with one seed."""

    problem: str
    seed: int
    rates: list[float]
    """Of each method."""
    calls: list[float]
    """Critic calls a frame, likewise."""


def measure(problem: str, seed: int, methods: dict[str, Any], frames: int) -> Result:
    """Every method on the same frames."""
    import torch

    torch.set_num_threads(1)
    last = max(frames // 5, 1)
    best = optima(Maker(problem, {}).world(), seed, frames - last, last).sum()
    rates, calls = [], []
    for method in methods.values():
        maker = Maker(problem, {}, method.get("agent"))
        world = maker.world()
        world.reset(seed=seed)
        if "baseline" in method:
            baseline = trust.load_baseline(method["baseline"], "methods")
            skip(world, frames - last)
            history = list(play(world, BaselineAgent(baseline, world.environment, seed), last, optimum=_unasked))
        else:
            history = list(play(world, maker.agent(world, seed), frames, optimum=_unasked))[-last:]
        values = np.array([frame.value for frame in history])
        total = values[np.isfinite(values)].sum()
        rates.append(float(best / total if world.value_is_cost else total / best))
        calls.append(float(np.mean([frame.candidates for frame in history])))
    return Result(problem, seed, rates, calls)


def _unasked() -> None:
    return None


def table(results: list[Result], names: list[str], methods: list[str]) -> list[list[str]]:
    """Rows of text: a problem each, then mean, worst and critic calls."""
    means, rows = [], []
    for name in names:
        of_seeds = np.array([result.rates for result in results if result.problem == name])
        means.append(of_seeds.mean(0))
        spread = of_seeds.std(0, ddof=1) if len(of_seeds) > 1 else np.zeros(len(methods))
        cells = [f"{mean:.4f} ± {std:.4f}" for mean, std in zip(means[-1], spread, strict=True)]
        rows.append([f"`{name.rsplit('.', 1)[-1]}`, N = {Maker(name, {}).world().num_users}", *cells])
    rows.append(["mean", *(f"{mean:.4f}" for mean in np.mean(means, 0))])
    rows.append(["worst", *(f"{worst:.4f}" for worst in np.min(means, 0))])
    calls = np.mean([result.calls for result in results if result.problem in names], 0)
    rows.append(["critic calls a frame", *(f"{count:.1f}" for count in calls)])
    return rows


def main() -> None:
    """Print, and where asked write, a Markdown table for each half of the problems."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--config", required=True, help="YAML file such as configs/problems.yaml")
    parser.add_argument("--allow", action="append", default=[], help="module of yours with baselines or problems")
    parser.add_argument("--seeds", type=int, nargs="+", help="in place of the configuration's")
    parser.add_argument("--frames", type=int, help="likewise; the last fifth is measured")
    parser.add_argument(
        "--problems", nargs="+", default=["tuned", "reported"], help="halves, or import paths of environments"
    )
    parser.add_argument("--processes", type=int, default=CORES)
    parser.add_argument("--output", type=Path, help="file for the tables")
    arguments = parser.parse_args()
    with explained():
        trust.allow(arguments.allow)
        settings = read_yaml(arguments.config)
        methods, seeds = settings.get("methods"), arguments.seeds or settings.get("seeds")
        frames = arguments.frames or settings.get("frames")
        if not isinstance(methods, dict) or not methods or not seeds or not isinstance(frames, int) or frames < 1:
            raise InputError(f"config {arguments.config} must hold methods, seeds and frames, got {settings}")
        halves = {name: HALVES.get(name, [name]) for name in arguments.problems}
        names = [name for half in halves.values() for name in half]
        for name in names:
            for method in methods.values():
                maker = Maker(name, {}, method.get("agent"))
                maker.agent(maker.world(), 0)
        jobs = [(name, seed, methods, frames) for name in names for seed in seeds]
        results = spread(measure, jobs, None, arguments.processes, trust.allow_all, arguments.allow)
        text = ""
        for half, group in halves.items():
            head = [half, *methods]
            lines = [head, ["---"] * len(head), *table(results, group, list(methods))]
            text += "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n\n"
        print(text.rstrip())
        if arguments.output:
            arguments.output.write_text(text, encoding="utf-8")
