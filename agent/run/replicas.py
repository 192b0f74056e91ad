"""Many runs at once: groups of replicas, each in a thread of its own, their figures gathered block by block."""

import itertools
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent.offloading import OffloadingAgent
from agent.run.loop import Environment, normalized

LEAST_IN_THREAD = 16
"""Replicas from which a thread of their own pays; of fewer, threads wait for each other longer than they work."""


class Block(NamedTuple):
    """Figures of consecutive frames, each (frames, R) where nothing else is said; nan where not known."""

    value: NDArray[np.float64]
    """Of the decision carried out."""
    optimum: NDArray[np.float64]
    """The best value of any decision."""
    normalized_rate: NDArray[np.float64]
    """Of value and optimum, as of a `Frame`."""
    candidates: NDArray[np.float64]
    """Decisions that were evaluated for a replica."""
    best_candidate: NDArray[np.float64]
    """Place of the best one, from 0."""
    loss: NDArray[np.float64]
    """Of the replica's last learning step, in frames in which one of its group learned."""
    accuracy: NDArray[np.float64]
    """Held-out accuracy, likewise."""
    metrics: Mapping[str, NDArray[np.float64]]
    """What the environment's `frame_metrics` says after each step."""
    seconds: NDArray[np.float64]
    """Wall time of a frame, (frames,): the block's over its frames."""


class MeanFrame(NamedTuple):
    """A `Frame` of many replicas: means over them, and how far the rate's mean may be off."""

    frame: int
    value: float
    optimum: float | None
    normalized_rate: float | None
    candidates: float
    best_candidate: float | None
    loss: float | None
    decide_seconds: float
    """Wall time of the whole frame, of all replicas."""
    accuracy: float | None
    low: float
    """95% confidence band of the mean normalised rate (mean value, where no optimum is known), Student's t."""
    high: float
    metrics: Mapping[str, float] = MappingProxyType({})
    """Of the environment's `frame_metrics`."""


class Group(NamedTuple):
    """Replicas that run side by side as one: an environment and an agent with the same number of replicas."""

    environment: Environment
    agent: OffloadingAgent


def split(replicas: int, threads: int) -> list[range]:
    """Places of R replicas in groups of nearly one size, one for each of at most `threads` threads."""
    groups = max(1, min(threads, replicas // LEAST_IN_THREAD))
    ends = np.linspace(0, replicas, groups + 1).astype(int).tolist()
    return [range(*pair) for pair in itertools.pairwise(ends)]


def advance(groups: Sequence[Group], frames: int, optimum: bool = True) -> Block:
    """Let every group decide `frames` frames, each in a thread; returns what happened.

    On a device, what is recorded stays there until the block's end. With `optimum`, each frame's is found where
    the environment has `frame_optimum`.
    """
    start = time.perf_counter()
    if len(groups) == 1:
        parts = [_advance(groups[0], frames, optimum)]
    else:
        with ThreadPoolExecutor(len(groups)) as threads:
            parts = list(threads.map(lambda group: _advance(group, frames, optimum), groups))
    figures, metrics = zip(*parts, strict=True)
    columns: list[Any] = [np.concatenate(column, axis=1) for column in zip(*figures, strict=True)]
    joined = {name: np.concatenate([part[name] for part in metrics], axis=1) for name in metrics[0]}
    columns += [joined, np.full(frames, (time.perf_counter() - start) / frames)]
    return Block(*columns)


def _advance(
    group: Group, frames: int, optimum: bool
) -> tuple[list[NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
    environment, agent = group
    frame_optimum: Callable[[], Any] | None = getattr(environment, "frame_optimum", None) if optimum else None
    frame_metrics: Callable[[], Mapping[str, Any]] = getattr(environment, "frame_metrics", dict)
    kept: list[list[Any]] = [[] for _ in range(6)]
    metrics: dict[str, list[Any]] = {name: [] for name in frame_metrics()}
    for _ in range(frames):
        best = None if frame_optimum is None else frame_optimum()
        candidates = agent.num_candidates
        steps = agent.learning_steps
        decision, value = agent.decide(environment.observe(), environment.evaluate)
        environment.step(decision)
        learned = agent.learning_steps > steps
        figures = (
            value,
            best,
            candidates,
            agent.best_candidate,
            agent.loss if learned else None,
            agent.accuracy if learned else None,
        )
        for column, figure in zip(kept, figures, strict=True):
            column.append(figure)
        for name, figure in frame_metrics().items():
            metrics[name].append(figure)
    replicas = agent.replicas or 1
    columns = [_table(column, replicas) for column in kept]
    rate = normalized(columns[0], columns[1], getattr(environment, "value_is_cost", False))
    columns.insert(Block._fields.index("normalized_rate"), rate)
    return columns, {name: _table(column, replicas) for name, column in metrics.items()}


def _table(column: list[Any], replicas: int) -> NDArray[np.float64]:
    """Numbers, arrays (R,) and None, frame by frame, as (frames, R); tensors in one transfer from their device."""
    table = np.full((len(column), replicas), np.nan)
    tensors = [place for place, figure in enumerate(column) if hasattr(figure, "cpu")]
    if tensors:
        import torch

        table[tensors] = torch.stack([column[place] for place in tensors]).cpu().numpy()
    for place, figure in enumerate(column):
        if figure is not None and not hasattr(figure, "cpu"):
            table[place] = figure
    return table


def rates(block: Block) -> NDArray[np.float64]:
    """Each replica's normalised rate, (frames, R); its value where no optimum is known."""
    return block.value if np.isnan(block.optimum).all() else block.normalized_rate


def mean_frames(first_frame: int, block: Block) -> list[MeanFrame]:
    """The block's frames, numbered from `first_frame`, as means over the replicas."""
    low, high = confidence_band(rates(block))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of nothing is nan
        figures = {name: getattr(block, name) for name in Block._fields if name not in ("metrics", "seconds")}
        means = {name: np.nanmean(column, axis=-1) for name, column in figures.items()}
    metrics = {name: column.mean(-1).tolist() for name, column in block.metrics.items()}
    means["decide_seconds"] = block.seconds
    rows = []
    for place in range(len(low)):
        row = {name: None if np.isnan(column[place]) else float(column[place]) for name, column in means.items()}
        band = {"low": float(low[place]), "high": float(high[place])}
        more = {name: column[place] for name, column in metrics.items()}
        rows.append(MeanFrame(frame=first_frame + place, **row, **band, metrics=more))  # type: ignore[arg-type]
    return rows


def confidence_band(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """95% confidence band (Student's t) of the mean over R replicas, low and high (...), of values (..., R).

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
    half = t.ppf(0.975, replicas - 1) * values.std(-1, ddof=1) / np.sqrt(replicas)
    return mean - half, mean + half
