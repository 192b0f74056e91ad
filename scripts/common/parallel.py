"""Independent runs spread over processes."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from tqdm import tqdm

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
"""Processors that this process may use."""


def spread(
    function: Callable[..., Any],
    jobs: Sequence[tuple[Any, ...]],
    name: str | None = None,
    processes: int = CORES,
    start: Callable[..., Any] | None = None,
    *with_: Any,
) -> list[Any]:
    """``function(*job)`` of each job in the jobs' order, over so many processes, beside a bar that says how many.

    With one process it is this one, which has started; each other process calls ``start(*with_)`` first. An
    error is raised as it was.
    """
    with tqdm(total=len(jobs), desc=name, unit="run", file=sys.stderr) as progress:
        results = []
        if min(processes, len(jobs)) < 2:
            for job in jobs:
                results.append(function(*job))
                progress.update()
            return results
        from loky import ProcessPoolExecutor  # which takes functions that are made in functions

        with ProcessPoolExecutor(min(processes, len(jobs)), initializer=start, initargs=with_) as pool:
            waiting = [pool.submit(function, *job) for job in jobs]
            for one in waiting:
                results.append(one.result())
                progress.update()
        return results
