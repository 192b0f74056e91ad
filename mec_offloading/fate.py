"""A process that shares the fate of the one that started it, and keeps to one processor."""

import os
import time
from threading import Thread

PARENT = "MEC_OFFLOADING_PARENT"
"""In the environment of a command: the process with which it ends."""

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
"""Processors that this process may use."""

ALONE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""In the environment of a process beside others: what it multiplies takes one processor."""


def share(parent: int) -> None:
    """End this process, within half a second, once it is no longer the child of `parent`."""
    Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
