"""Many runs at once: groups of replicas, each in a thread of its own, their figures gathered block by block."""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, NamedTuple

import numpy as np

from .contract import world_of
from .loop import play
from .record import Columns, Frame, columns_of_replicas, joined

LEAST_IN_THREAD = 16
"""Replicas from which a thread of their own pays; of fewer, threads wait for each other longer than they work."""


class Group(NamedTuple):
    """Replicas that run side by side as one: an environment and an agent with the same number of replicas."""

    environment: Any
    agent: Any
    replicas: int = 1


def split(replicas: int, threads: int) -> list[range]:
    """Places of R replicas in groups of nearly one size, one for each of at most `threads` threads."""
    groups = max(1, min(threads, replicas // LEAST_IN_THREAD))
    ends = np.linspace(0, replicas, groups + 1).astype(int).tolist()
    return [range(*pair) for pair in itertools.pairwise(ends)]


def advance(groups: Sequence[Group], frames: int, optimum: bool = True, first_frame: int = 0) -> Columns:
    """Let every group decide `frames` frames, each in a thread; returns the figures, (frames, R) each.

    On a device, what is recorded stays there until the block's end. With `optimum`, each frame's is found where
    the environment knows it. The time of a frame is the block's over its frames.
    """
    start = time.perf_counter()
    if len(groups) == 1:
        parts = [_advance(groups[0], frames, optimum, first_frame)]
    else:
        with ThreadPoolExecutor(len(groups)) as threads:
            parts = list(threads.map(lambda group: _advance(group, frames, optimum, first_frame), groups))
    columns = {name: np.concatenate([part[name] for part in parts], axis=1) for name in parts[0]}
    columns["decide_seconds"][:] = (time.perf_counter() - start) / frames
    return columns


def in_step(groups: Sequence[Group], frames: int, optimum: bool = True, first_frame: int = 0) -> Iterator[Frame]:
    """As `advance`, frame by frame: every group decides one, then the figures of all, (R,) each, are yielded.

    Figures on a device come to the host in each frame.
    """
    worlds = [world_of(group.environment) for group in groups]
    known = None if optimum else _not_asked
    played = [
        play(world, group.agent, frames, first_frame=first_frame, optimum=known)
        for world, group in zip(worlds, groups, strict=True)
    ]
    replicas, is_cost = [group.replicas for group in groups], worlds[0].value_is_cost
    with ExitStack() as stack:
        each: Callable[..., Any] = map
        if len(groups) > 1:
            each = stack.enter_context(ThreadPoolExecutor(len(groups))).map
        for _ in range(frames):
            frame = joined(list(each(next, played)), replicas, is_cost)
            if frame.optimum is not None:
                worlds[0].suspect_excess(frame.frame, frame.value[None], frame.optimum[None])
            yield frame


def _advance(group: Group, frames: int, optimum: bool, first_frame: int) -> Columns:
    world = world_of(group.environment)
    known = None if optimum else _not_asked
    history = list(play(world, group.agent, frames, first_frame=first_frame, optimum=known))
    columns = columns_of_replicas(history, group.replicas, world.value_is_cost)
    world.suspect_excess(first_frame, columns["value"], columns["optimum"])
    return columns


def _not_asked() -> None:
    return None
