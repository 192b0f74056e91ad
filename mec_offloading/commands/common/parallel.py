"""Independent runs spread over processes."""

import atexit
import multiprocessing
import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from threading import Thread
from typing import Any

from mec_offloading import fate

from .errors import in_users_code
from .progress import tqdm

CORES = fate.CORES
"""Processors that this process may use."""
_START = "forkserver"
"""How processes start, where the system has it: forked from one that has imported what they need."""
_PRELOADED = f"{__package__}.preloaded"


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
    """The results that `spread` lists, in the jobs' order, each as soon as it and those before it are there."""
    with Pool(min(processes, len(jobs)), start, *with_) as pool:
        for waiting in [pool.submit(function, *job) for job in jobs]:
            yield waiting()


def ahead() -> None:
    """Start what the processes of a `Pool` are forked from: it imports what they need while this process goes on.

    They start in no time then. Where the system cannot fork (Windows), each imports that for itself.
    """
    if _START not in multiprocessing.get_all_start_methods():
        return
    from multiprocessing import forkserver

    end = forkserver._forkserver._stop  # type: ignore[attr-defined]  # and wait for it: its seconds are this process's
    atexit.unregister(end)
    atexit.register(end)
    before = {name: os.environ.get(name) for name in fate.ALONE}
    os.environ.update(fate.ALONE)
    try:
        forkserver.set_forkserver_preload([_PRELOADED])
        forkserver.ensure_running()
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


class Pool:
    """So many processes that take jobs in the order in which they are submitted; one is this one.

    Used with `with`: whatever ends that early, an error or Ctrl-C, ends the processes.
    """

    def __init__(self, processes: int, start: Callable[..., Any] | None = None, *with_: Any) -> None:
        self.processes = max(processes, 1)
        self._executor: Any = None
        if processes > 1:
            from loky import ProcessPoolExecutor  # which takes functions that are made in functions

            forks = _START in multiprocessing.get_all_start_methods()
            how = {"context": multiprocessing.get_context(_START)} if forks else {"env": fate.ALONE}
            ahead()
            self._executor = ProcessPoolExecutor(processes, initializer=_begin, initargs=(start, with_), **how)

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._executor is not None:
            self._executor.shutdown(kill_workers=kind is not None)

    @property
    def alone(self) -> bool:
        """Whether it is this process, in which a job runs when its result is asked for."""
        return self._executor is None

    def submit(self, function: Callable[..., Any], *job: Any) -> Callable[[], Any]:
        """What waits for ``function(*job)`` and returns it, or raises its error."""
        if self._executor is None:
            return lambda: function(*job)
        result: Callable[[], Any] = self._executor.submit(_run, function, job).result
        return result


class RayPool:
    """A `Pool` of Ray's processes, on this machine or on a cluster; a job whose process is lost runs again.

    Args:
        address: of a cluster, as `ray start` says it; None for processes of this machine.
        processes: at once on this machine; a cluster has what its nodes say.
        start, with_: ``start(*with_)`` is called first in each process.

    Raises:
        ModuleNotFoundError: without Ray, naming the extra.
        InputError: where no cluster answers.
    """

    alone = False

    def __init__(
        self, address: str | None, processes: int, start: Callable[..., Any] | None = None, *with_: Any
    ) -> None:
        from .cluster import connected

        self._connection = connected(address, processes)
        self._begin = start, with_

    def __enter__(self) -> "RayPool":
        from .cluster import processors

        self._ray = self._connection.__enter__()
        self.processes = processors(self._ray)
        self._remote = self._ray.remote(_run_there)
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.__exit__(None, None, None)

    def submit(self, function: Callable[..., Any], *job: Any) -> Callable[[], Any]:
        """What waits for ``function(*job)`` and returns it, or raises its error."""
        waiting = self._remote.remote(self._begin, function, job)

        def ended() -> Any:
            try:
                return self._ray.get(waiting)
            except self._ray.exceptions.RayTaskError as error:
                raise error.cause from error

        return ended


_begun: list[Any] = []
"""What this process of Ray's has begun with."""


def _run_there(begin: tuple[Any, tuple[Any, ...]], function: Callable[..., Any], job: tuple[Any, ...]) -> Any:
    start, with_ = begin
    if start is not None and begin not in _begun:
        start(*with_)
        _begun.append(begin)
    return _run(function, job)


def _run(function: Callable[..., Any], job: tuple[Any, ...]) -> Any:
    """In a process: an error is sent as it is, or what can be sent of it."""
    try:
        return function(*job)
    except Exception as error:
        error.__dict__["in_users_code"] = in_users_code(error)
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            other = RuntimeError(f"{type(error).__name__}: {error}")
            other.__dict__["in_users_code"] = in_users_code(error)
            raise other from error
        raise


def _begin(start: Callable[..., Any] | None, with_: tuple[Any, ...]) -> None:
    """What a process does first: Ctrl-C is its parent's to answer, and nobody waits for it once that is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    if start is not None:
        start(*with_)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
