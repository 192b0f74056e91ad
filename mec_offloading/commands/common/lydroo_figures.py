"""The figures of the LyDROO paper's numerical section: queues and energy over time, stability, the effect of V."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent.run import loop
from agent.run.comparison import BaselineAgent
from agent.run.contract import Agent, world_of
from agent.run.plots import plot_points, save
from env import ExponentialArrivals, LyapunovMEC, MyopicMEC, baselines

from .figures import Figure, Scale, save_curves, write_csv
from .parallel import spread
from .settings import Maker, read_yaml
from .shipped import CONFIGS

RATES = (2.5, 2.7, 3.0, 3.2)
"""Mbit a frame that arrive at each user on average."""
FIGURES = {
    "data_queue": "Data queue (Mbit)",
    "energy": "Energy a frame (J)",
    "rate": "Data processed (Mbit a frame)",
}
"""The environment's metrics that are kept, in this order."""
_PLAYED: dict[tuple[str, str, Scale], NDArray[np.float64]] = {}
"""The figures of runs that several of the papers' figures show, by method and variant."""


class Method(NamedTuple):
    """How to play one of the methods."""

    make: Callable[..., tuple[Any, Any]]
    """A world and an agent from a seed, or as replicas from several, and the world's settings."""
    side_by_side: bool = True
    """Whether it takes several seeds, each of which is then as it is alone."""


def learned(name: str) -> Method:
    """The agent and the observation of configs/NAME.yaml."""

    def make(seeds: Sequence[int], settings: dict[str, Any]) -> tuple[Any, Any]:
        config, count = read_yaml(CONFIGS / f"{name}.yaml"), len(seeds)
        maker = Maker(config["environment"], config["env"], config["agent"])
        observation = config["env"]["observation"]
        world = LyapunovMEC(10, observation=observation, seed=seeds, replicas=count, **settings)
        return world, maker.agent(world, seeds, replicas=count)

    return Method(make)


def descended(seeds: Sequence[int], settings: dict[str, Any]) -> tuple[Any, Agent]:
    """Coordinate descent."""
    world = LyapunovMEC(10, seed=seeds, replicas=len(seeds), **settings)
    return world, BaselineAgent(baselines.coordinate_descent_of_each, world, seeds)


def myopic(seed: int, settings: dict[str, Any]) -> tuple[Any, Agent]:
    """Coordinate descent where only this frame counts."""
    world = MyopicMEC(10, seed=seed, **settings)
    return world, BaselineAgent(baselines.coordinate_descent, world, seed)


METHODS: dict[str, Method] = {
    "LyDROO, published": learned("lydroo"),
    "LyDROO, best known": learned("lydroo_best"),
    "Lyapunov, coordinate descent": Method(descended),
    "myopic, coordinate descent": Method(myopic, side_by_side=False),
}


def sweep(
    name: str, scale: Scale, variants: dict[str, dict[str, Any]], methods: dict[str, Method] = METHODS
) -> dict[tuple[str, str], NDArray[np.float64]]:
    """The figures (metrics, seeds, frames) of each (method, variant of the world's settings)."""
    wanted = [(method, label) for method in methods for label in variants]
    missing = [one for one in wanted if (*one, scale) not in _PLAYED]
    groups = {method: [scale.seeds] if methods[method].side_by_side else scale.seeds for method in methods}
    jobs = [
        (methods[method].make, seeds, variants[label], scale.frames)
        for method, label in missing
        for seeds in groups[method]
    ]
    played = iter(spread(play, jobs, name))
    for method, label in missing:
        _PLAYED[method, label, scale] = np.concatenate([next(played) for _ in groups[method]], axis=1)
    return {(method, label): _PLAYED[method, label, scale] for method, label in wanted}


def play(
    make: Callable[..., tuple[Any, Agent]], seed: int | Sequence[int], settings: dict[str, Any], frames: int
) -> NDArray[np.float64]:
    """The figures (metrics, seeds, frames) of one run, or of several side by side."""
    world, agent = make(seed, settings)
    history = loop.play(world_of(world), agent, frames, optimum=lambda: None)
    figures = np.array([[frame.metrics[metric] for metric in FIGURES] for frame in history])
    return figures.reshape(frames, len(FIGURES), -1).transpose(1, 2, 0)


def arriving(rates: tuple[float, ...]) -> dict[str, dict[str, Any]]:
    """Variants of the world by the mean of its arrivals."""
    return {f"{rate:g} Mbit": {"arrivals": ExponentialArrivals(rate)} for rate in rates}


def queues(scale: Scale) -> None:
    """LyDROO: data queue and energy over the frames for growing arrivals, of all methods."""
    panels = {FIGURES[metric]: place for place, metric in enumerate(("data_queue", "energy"))}
    results = sweep("queues", scale, arriving(RATES))
    for rate, label in zip(RATES, arriving(RATES), strict=True):
        curves = {method: results[method, label] for method in METHODS}
        save_curves(f"queues_{rate:g}", scale, curves, panels)


def points(
    name: str, scale: Scale, values: tuple[float, ...], variants: dict[str, dict[str, Any]], setting: str,
    methods: dict[str, Method] = METHODS,
) -> None:  # fmt: skip
    """NAME_METRIC.png of each metric over a setting, and NAME.csv: means over the last fifth of the frames."""
    results = sweep(name, scale, variants, methods)
    last = {key: runs[:, :, -scale.frames // 5 :].mean(-1) for key, runs in results.items()}
    columns: dict[str, NDArray[np.float64]] = {setting: np.array(values)}
    for place, (metric, label) in enumerate(FIGURES.items()):
        curves = {method: np.array([last[method, variant][place] for variant in variants]) for method in methods}
        save(plot_points(values, curves, (setting, label)), scale.output / f"{name}_{metric}.png")
        for method, seeds in curves.items():
            columns[f"{label}, {method}, mean"] = seeds.mean(1)
            columns[f"{label}, {method}, deviation over seeds"] = seeds.std(1)
    write_csv(scale.output / f"{name}.csv", list(columns), np.array(list(columns.values())).T)


def stability(scale: Scale) -> None:
    """LyDROO: the stability region, queues, energy and data processed at the end for growing arrivals."""
    rates = (2.0, 2.5, 2.7, 3.0, 3.2, 3.5)
    points("stability", scale, rates, arriving(rates), "Arrivals (Mbit a frame)")


def effect_of_v(scale: Scale) -> None:
    """LyDROO: queues, energy and data processed for growing V, the weight of the rate against the queues."""
    values = (1.0, 10.0, 20.0, 50.0, 100.0, 200.0)
    variants = {f"V = {value:g}": {"rate_weight": value} for value in values}
    methods = {name: make for name, make in METHODS.items() if "myopic" not in name}
    points("effect_of_v", scale, values, variants, "V", methods)


LYDROO_FIGURES: dict[str, Figure] = {"queues": queues, "stability": stability, "effect_of_v": effect_of_v}
