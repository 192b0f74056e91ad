"""Where the trials of a sweep run: processes of this machine, or Ray."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, Protocol

from env import InputError

from ..common import cluster
from ..common.parallel import CORES
from .attempt import attempt, attempt_on_node, sees
from .trials import CONFIGS, Trial

ENGINES = ("ray", "local")


class Engine(Protocol):
    """Runs trials, each in a process that ends with this one."""

    def processors(self) -> int:
        """How many trials of one processor run at once."""

    def start(self, trial: Trial) -> None:
        """Run a trial as soon as there is room."""

    def ended(self) -> list[tuple[Trial, int | None]]:
        """The trials that have ended since it was last asked: exit status, None where its worker was lost."""


class Local:
    """Processes of this machine."""

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._ended: SimpleQueue[tuple[Trial, int | None]] = SimpleQueue()

    def processors(self) -> int:
        """As many as were asked for."""
        return self._processes

    def start(self, trial: Trial) -> None:
        """At once; a thread waits for its end."""
        Thread(target=self._wait, args=(trial,), daemon=True).start()

    def ended(self) -> list[tuple[Trial, int | None]]:
        """Those whose processes have ended."""
        return [self._ended.get() for _ in range(self._ended.qsize())]

    def _wait(self, trial: Trial) -> None:
        status: int | None = None
        try:
            status = attempt(trial.order(), socket.gethostname())
        finally:
            self._ended.put((trial, status))


class OnRay:
    """Tasks of Ray, one a trial; a trial whose worker or node is lost is told as such, to be started anew."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._attempt = ray.remote(max_retries=0)(attempt_on_node)  # the sweep itself bounds its retries
        self._running: dict[Any, Trial] = {}

    def processors(self) -> int:
        """Those of all nodes that are there now."""
        return cluster.processors(self._ray)

    def start(self, trial: Trial) -> None:
        """On the node that Ray chooses."""
        task = self._attempt.options(num_cpus=trial.cpus, num_gpus=trial.gpus)
        self._running[task.remote(trial.order())] = trial

    def ended(self) -> list[tuple[Trial, int | None]]:
        """Those whose tasks have ended."""
        if not self._running:
            return []
        over, _ = self._ray.wait(list(self._running), num_returns=len(self._running), timeout=0)
        return [(self._running[task], self._status(task, self._running.pop(task).sweep)) for task in over]

    def check(self, sweep: Path) -> None:
        """Raise InputError unless every node sees the folder of the sweep."""
        strategy = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        for node, address in cluster.nodes(self._ray).items():
            on_node = self._ray.remote(num_cpus=0, max_retries=0)(sees).options(
                scheduling_strategy=strategy(node, soft=False)
            )
            try:
                seen = self._ray.get(on_node.remote(sweep / CONFIGS), timeout=120)
            except self._ray.exceptions.RayError as error:
                first = str(error).strip().split("\n")[-1]
                raise InputError(f"address: node {address} of the cluster cannot run a trial: {first}") from error
            if not seen:
                raise _unseen(address, sweep)

    def _status(self, task: Any, sweep: Path) -> int | None:
        try:
            status, node = self._ray.get(task)
        except self._ray.exceptions.RayTaskError:
            raise
        except self._ray.exceptions.RayError:  # of the worker, its node, or what it takes to start one
            return None
        if status is None:
            raise _unseen(node, sweep)
        return int(status)


@contextmanager
def engine_of(name: str, address: str | None, processes: int | None, sweep: Path) -> Iterator[Engine]:
    """The engine of that name, ready.

    Raises:
        ModuleNotFoundError: for Ray where it is not installed, naming the extra.
        InputError: where no cluster answers at the address, or a node of it does not see the sweep's folder.
    """
    if name == "local":
        yield Local(processes or CORES)
        return
    with cluster.connected(address, processes) as ray:
        engine = OnRay(ray)
        if address is not None:
            engine.check(sweep)
        yield engine


def _unseen(node: str, sweep: Path) -> InputError:
    return InputError(f"output must be on a disk that all nodes of the cluster see, node {node} sees no {sweep}")
