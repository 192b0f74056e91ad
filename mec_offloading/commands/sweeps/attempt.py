"""One process of a trial, watched; imports little, for it is what a worker loads."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mec_offloading import fate

_ROOT = str(Path(__file__).resolve().parents[3])
_PATIENCE = 30
"""Seconds that a trial waits for a process of an earlier worker to let go of its folder."""
STOPPED = 143
"""Exit status of a trial that was asked to end, as of a run that SIGTERM ends."""


@dataclass(frozen=True)
class Order:
    """What a worker must know; all paths are absolute."""

    needs: Path
    """What a machine sees that sees the folder of the sweep."""
    begun: Path
    """What there is once the run has begun."""
    lock: Path
    """Of the run's folder."""
    log: Path
    stop: Path
    """What there is once the trial should end."""
    begin: tuple[str, ...]
    go_on: tuple[str, ...]
    """The arguments of `simulate`."""
    folder: str
    """Where it runs, if there is such a folder."""


def attempt(order: Order, node: str) -> int | None:
    """Begin or go on with a trial in a process of its own; its exit status, -N where the signal N ended it.

    The process ends with this one, and with SIGTERM when the trial is told to stop. None where this machine does
    not see the sweep's folder.
    """
    if not order.needs.exists():
        return None
    _wait_for(order.lock)
    arguments = order.go_on if order.begun.is_file() else order.begin
    command = [sys.executable, "-m", "mec_offloading", "simulate", *arguments]
    searched = os.pathsep.join([_ROOT, *filter(None, [os.environ.get("PYTHONPATH")])])
    environ = {**os.environ, **fate.ALONE, fate.PARENT: str(os.getpid()), "PYTHONPATH": searched}
    if order.stop.exists():
        return STOPPED
    with order.log.open("a", encoding="utf-8") as log:
        log.write(f"{datetime.now():%Y-%m-%d %H:%M:%S} {node}: {' '.join(command[1:])}\n")
        log.flush()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for the sweep, which tells its trials
            env=environ,
            cwd=order.folder if Path(order.folder).is_dir() else None,
        )
    try:
        told = False
        while process.poll() is None:
            if not told and order.stop.exists():
                process.terminate()
                told = True
            time.sleep(0.1)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return process.returncode


def attempt_on_node(order: Order) -> tuple[int | None, str]:
    """The same in a worker of Ray, and the address of its node."""
    import ray

    node = str(ray.util.get_node_ip_address())
    return attempt(order, node), node


def sees(path: Path) -> bool:
    """Whether something is there."""
    return path.exists()


def _wait_for(lock: Path) -> None:
    """Wait until the process that holds a lock has ended; what holds it longer, the run itself refuses."""
    from filelock import FileLock, Timeout

    if not lock.exists():
        return
    try:
        with FileLock(lock, timeout=_PATIENCE):
            pass
    except (Timeout, NotImplementedError):
        return
