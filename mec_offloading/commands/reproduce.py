"""The figures of the DROO and LyDROO papers' numerical sections, each as a PNG with the numbers as CSV.

python scripts/reproduce.py rate
python scripts/reproduce.py all --quick
"""

import argparse
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.run import loop
from agent.run.comparison import optima
from agent.run.contract import World, world_of
from agent.run.folder import RunFolder
from agent.run.plots import plot_points, save
from agent.run.record import columns_of_replicas
from env import InputError, WirelessPoweredMEC

from .common.comparing import Comparison
from .common.errors import explained
from .common.figures import WINDOW, Figure, Scale, save_curves, write_csv
from .common.lydroo_figures import LYDROO_FIGURES
from .common.parallel import CORES, spread
from .common.reporting import report
from .common.settings import Maker, read_yaml
from .common.shipped import CONFIGS

Event = Callable[[WirelessPoweredMEC], None]
Schedule = dict[float, Event]
"""What happens to the environment, by the share of the frames that have passed."""
_OPTIMA: dict[Scale, dict[int, NDArray[np.float64]]] = {}
"""Of frames in which nothing happens."""


def scheduled(scale: Scale, schedule: Schedule, **seeds: Any) -> World:
    """Ten users of one seed, or of replicas, to whom something happens at given frames."""
    world = world_of(WirelessPoweredMEC(10, observation="gain", **seeds))
    events, step = {round(share * scale.frames): event for share, event in schedule.items()}, world.step

    def stepped(decision: Any) -> None:
        step(decision)
        if world.environment.frame in events:
            events[world.environment.frame](world.environment)

    world.step = stepped  # type: ignore[method-assign]
    return world


def published(**changes: Any) -> dict[str, Any]:
    """The published agent settings with changes."""
    return {**read_yaml(CONFIGS / "wpmec_published.yaml")["agent"], **changes}


def play(
    scale: Scale, seeds: Sequence[int], settings: dict[str, Any], best: NDArray[np.float64], schedule: Schedule
) -> NDArray[np.float64]:
    """Runs of 10 users side by side, each as it is alone, against the optima (seeds, frames).

    Returns normalised rates and candidates, (2, seeds, frames).
    """
    world = scheduled(scale, schedule, seed=seeds, replicas=len(seeds))
    agent = Maker(None, {}, settings).agent(world, seeds, replicas=len(seeds))
    known = iter(best.T)
    frames = list(loop.play(world, agent, scale.frames, optimum=lambda: next(known)))
    columns = columns_of_replicas(frames, len(seeds), world.value_is_cost)
    return np.ascontiguousarray([columns["normalized_rate"].T, columns["candidates"].T])


def optima_of(scale: Scale, schedule: Schedule) -> dict[int, NDArray[np.float64]]:
    """The optimum of each frame, (frames,), by seed; where nothing happens, it is the same in all figures."""
    if schedule or scale not in _OPTIMA:
        found = spread(best_of, [(scale, seed, schedule) for seed in scale.seeds], "optima")
        best = dict(zip(scale.seeds, found, strict=True))
        if schedule:
            return best
        _OPTIMA[scale] = best
    return _OPTIMA[scale]


def best_of(scale: Scale, seed: int, schedule: Schedule) -> NDArray[np.float64]:
    """The optimum of each frame of one seed, (frames,)."""
    return optima(scheduled(scale, schedule), seed, 0, scale.frames)


def sweep(
    name: str, scale: Scale, variants: dict[str, dict[str, Any]], schedule: Schedule | None = None
) -> dict[str, NDArray[np.float64]]:
    """Normalised rate and candidates of each variant of the agent's settings, (2, seeds, frames)."""
    schedule = schedule or {}
    best = optima_of(scale, schedule)
    groups = np.array_split(scale.seeds, min(len(scale.seeds), -(-CORES // len(variants))))
    jobs = [
        (scale, seeds.tolist(), settings, np.stack([best[seed] for seed in seeds.tolist()]), schedule)
        for settings in variants.values()
        for seeds in groups
    ]
    played = iter(spread(play, jobs, name))
    return {label: np.concatenate([next(played) for _ in groups], axis=1) for label in variants}


RATE = {"Normalized computation rate": 0}


def rate(scale: Scale) -> None:
    """Normalised rate over the frames."""
    save_curves("rate", scale, sweep("rate", scale, {"published settings": published()}), RATE)


def swept(name: str, setting: str, values: list[Any]) -> Figure:
    """A figure with one curve for each value of one setting of the agent."""

    def figure(scale: Scale) -> None:
        variants = {f"{setting} = {value:g}": published(**{setting: value}) for value in values}
        save_curves(name, scale, sweep(name, scale, variants), RATE)

    return figure


def quantizers(scale: Scale) -> None:
    """OP against KNN for growing fixed K: normalised rate over the last fifth of the frames."""
    sizes = [1, 2, 3, 5, 7, 10]
    variants = {
        f"{kind} {k}": published(quantizer=kind, num_candidates=k, adaptive_interval=None)
        for kind in ("OP", "KNN")
        for k in sizes
    }
    results = sweep("quantizers", scale, variants)
    points = {
        kind: np.array([results[f"{kind} {k}"][0][:, -scale.frames // 5 :].mean(1) for k in sizes])
        for kind in ("OP", "KNN")
    }
    labels = ("K (fixed)", "Normalized computation rate")
    save(plot_points(sizes, points, labels), scale.output / "quantizers.png")
    head = ["K", *(f"{kind} {statistic}" for kind in points for statistic in ("mean", "deviation over seeds"))]
    rows = [
        [k, *(value for kind in points for value in (points[kind][row].mean(), points[kind][row].std()))]
        for row, k in enumerate(sizes)
    ]
    write_csv(scale.output / "quantizers.csv", head, rows)


def adaptive_k(scale: Scale) -> None:
    """Adaptive K for several update intervals: normalised rate and K over the frames."""
    variants = {f"interval {interval}": published(adaptive_interval=interval) for interval in (1, 8, 32, 128, 512)}
    variants["K = N fixed"] = published(adaptive_interval=None)
    save_curves("adaptive_k", scale, sweep("adaptive_k", scale, variants), {**RATE, "Candidates K": 1})


def weights(scale: Scale) -> None:
    """All weights change from 1 to 1.5 and back at 60% and 80% of the frames."""
    odd = np.where(np.arange(10) % 2, 1.5, 1.0)
    schedule: Schedule = {0.6: lambda env: env.set_weights(2.5 - odd), 0.8: lambda env: env.set_weights(odd)}
    save_curves("weights", scale, sweep("weights", scale, {"published settings": published()}, schedule), RATE)


def on_off(scale: Scale) -> None:
    """Four users leave one after another from 60% of the frames, return from 80%, and two leave again at 95%.

    In the published experiment these are the users farthest away; the second curve has the nearest ones instead.
    """
    gone = {0.6: 1, 0.65: 2, 0.7: 3, 0.75: 4, 0.8: 3, 0.85: 2, 0.9: 0, 0.95: 2}

    def only(off: list[int]) -> Event:
        return lambda env: env.set_active([user not in off for user in range(10)])

    results = {}
    for label, order in {"farthest users": [9, 8, 7, 6], "nearest users": [0, 1, 2, 3]}.items():
        schedule: Schedule = {share: only(order[:count]) for share, count in gone.items()}
        results |= sweep("on_off", scale, {label: published()}, schedule)
    save_curves("on_off", scale, results, RATE)


def table(scale: Scale) -> None:
    """Rate and decision time of DROO, CD, LR, all local and all offload at 10, 20 and 30 users."""
    methods: dict[str, Any] = {"DROO (published)": {"agent": published()}}
    for name in ("coordinate_descent", "linear_relaxation", "all_local", "all_offload"):
        methods[name.replace("_", " ")] = {"baseline": f"env.baselines.{name}"}
    settings = {
        "environment": "env.WirelessPoweredMEC",
        "env": {"observation": "gain"},
        "users": [10, 20, 30],
        "seeds": list(scale.seeds),
        "warmup": 4 * scale.frames // 5,
        "frames": scale.frames // 5,
        "methods": methods,
    }
    comparison = Comparison(settings)
    output = comparison.prepare(scale.output / "table")
    comparison.run(output)
    report(comparison, output)


FIGURES: dict[str, Figure] = {
    "rate": rate,
    "memory": swept("memory", "memory_size", [128, 512, 1024, 4096]),
    "batch": swept("batch", "batch_size", [16, 64, 128, 512]),
    "interval": swept("interval", "training_interval", [1, 5, 10, 50, 200]),
    "learning_rate": swept("learning_rate", "learning_rate", [0.1, 0.01, 0.001, 0.0001]),
    "quantizers": quantizers,
    "adaptive_k": adaptive_k,
    "weights": weights,
    "on_off": on_off,
    "table": table,
    **LYDROO_FIGURES,
}


def main() -> None:
    """Make one figure, or all."""
    parser = argparse.ArgumentParser(
        description=str(__doc__).splitlines()[0],
        epilog="; ".join(f"{name}: {make.__doc__}" for name, make in FIGURES.items()),
    )
    parser.add_argument("figure", choices=[*FIGURES, "all"])
    parser.add_argument("--quick", action="store_true", help="1,000 frames and 2 seeds: each within a minute")
    parser.add_argument("--frames", type=int, help="frames of each run, 10,000 by default")
    parser.add_argument("--seeds", type=int, nargs="+", help="0 to 4 by default")
    parser.add_argument("--output", type=Path, help="folder; runs/reproduce-TIME by default")
    arguments = parser.parse_args()
    frames = arguments.frames or (1000 if arguments.quick else 10_000)
    seeds = tuple(arguments.seeds or (range(2) if arguments.quick else range(5)))
    with explained():
        if frames < 2 * WINDOW:
            raise InputError(f"frames must be {2 * WINDOW} or more, got {frames}")
        if min(seeds) < 0:
            raise InputError(f"seeds must be 0 or more, got {list(seeds)}")
        output = arguments.output or RunFolder.new("runs", f"reproduce-{datetime.now():%Y%m%d-%H%M%S}").path
        scale = Scale(frames, seeds, output)
        scale.output.mkdir(parents=True, exist_ok=True)
        for name in FIGURES if arguments.figure == "all" else [arguments.figure]:
            FIGURES[name](scale)
        print(f"figures and their numbers: {scale.output}")
