"""Independent runs spread over processes."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from threading import Thread
from typing import Any

from tqdm import tqdm

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
"""Processors that this process may use."""
_IDLE = 300
"""Seconds after which a process that has nothing to do ends; until then the next runs find it started."""
_ALONE = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
"""Of each process: what it multiplies takes one processor."""


def spread(
    function: Callable[..., Any],
    jobs: Sequence[tuple[Any, ...]],
    name: str | None = None,
    processes: int = CORES,
    start: Callable[..., Any] | None = None,
    *with_: Any,
) -> list[Any]:
    """``function(*job)`` of each job in the jobs' order, over so many processes, beside a bar that says how many.

    Jobs begin in their order, so the longest should come first where they differ. With one process it is this
    one, which has started; each other process calls ``start(*with_)`` first. An error is raised as it was.
    """
    with tqdm(total=len(jobs), desc=name, unit="run", file=sys.stderr) as progress:
        results = []
        for result in each(function, jobs, processes, start, *with_):
            results.append(result)
            progress.update()
        return results


def each(
    function: Callable[..., Any],
    jobs: Sequence[tuple[Any, ...]],
    processes: int = CORES,
    start: Callable[..., Any] | None = None,
    *with_: Any,
) -> Iterator[Any]:
    """The results that `spread` lists, in the jobs' order, each as soon as it and those before it are there.

    Whatever ends this early, an error or Ctrl-C, ends the processes.
    """
    if min(processes, len(jobs)) < 2:
        yield from (function(*job) for job in jobs)
        return
    from loky import get_reusable_executor  # which takes functions that are made in functions

    pool = get_reusable_executor(
        min(processes, len(jobs)), timeout=_IDLE, initializer=_begin, initargs=(os.getpid(), start, with_), env=_ALONE
    )
    try:
        for waiting in [pool.submit(function, *job) for job in jobs]:
            yield waiting.result()
    except BaseException:
        pool.shutdown(kill_workers=True)
        raise


def _begin(parent: int, start: Callable[..., Any] | None, with_: tuple[Any, ...]) -> None:
    """What a process does first: nobody would wait for its runs once its parent is gone."""
    Thread(target=_end_with, args=(parent,), daemon=True).start()
    if start is not None:
        start(*with_)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
