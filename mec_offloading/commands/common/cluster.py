"""A connection to Ray: to processes of this machine, or to a cluster that has been started."""

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from env import InputError
from mec_offloading import fate

_ROOT = str(Path(__file__).resolve().parents[3])
"""Where this package is imported from, which a worker must know too."""
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
}
_PATIENCE = 5
"""Seconds in which a cluster must answer."""


def installed() -> bool:
    """Whether Ray can be imported."""
    return find_spec("ray") is not None


def needed() -> Any:
    """The module `ray`, told to keep quiet; raises ModuleNotFoundError that names the extra."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the engine ray needs ray, of the extra 'sweep': pip install 'mec-offloading[sweep]', "
            "or take --engine local",
            name=error.name,
        ) from error
    return ray


@contextmanager
def connected(address: str | None = None, processes: int | None = None) -> Iterator[Any]:
    """The module `ray`, connected; what was started here is ended after it.

    Args:
        address: of a cluster, as `ray start` says it; None for one of this machine alone.
        processes: how many tasks of one CPU run at once on this machine, all its processors by default; a cluster
            has what its nodes say.

    Tasks find this package where the driver has it, or as it is installed on their node; they compute in one
    thread.

    Raises:
        ModuleNotFoundError: without Ray, naming the extra.
        InputError: where no cluster answers.
    """
    ray = needed()
    paths = [_ROOT, *(path for path in [os.environ.get("PYTHONPATH")] if path)]
    environ = {"PYTHONPATH": os.pathsep.join(paths), **fate.ALONE}
    options: dict[str, Any] = {"logging_level": "CRITICAL", "log_to_driver": False}
    if address is None:
        # Named, for RAY_ADDRESS in the environment would lead elsewhere.
        options |= {"address": "local", "num_cpus": processes or fate.CORES, "include_dashboard": False}
    else:
        options |= {"address": _answering(address), "runtime_env": {"env_vars": environ}}
    try:
        with _environ(environ):  # which processes of this machine inherit
            ray.init(**options)
    except (ConnectionError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        raise InputError(f"address must be of a Ray cluster that runs, got {address}: {error}") from error
    try:
        yield ray
    finally:
        ray.shutdown()


@contextmanager
def _environ(changed: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in changed}
    os.environ |= changed
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _answering(address: str) -> str:
    """The address, where something listens there: Ray itself would wait for minutes."""
    host = re.fullmatch(r"(?:ray://)?\[?(.+?)\]?:(\d+)", address)
    if host is None:
        if address == "auto":
            return address
        raise InputError(f"address must be HOST:PORT, or auto for a cluster of this machine, got {address}")
    try:
        socket.create_connection((host[1], int(host[2])), _PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"address must be of a Ray cluster that runs, got {address}: {error}") from error
    return address


def nodes(ray: Any) -> dict[str, str]:
    """The addresses of the cluster's living nodes by their ids."""
    return {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}


def processors(ray: Any) -> int:
    """How many tasks of one CPU run at once, on all nodes that are there now."""
    return int(ray.cluster_resources().get("CPU", 0))
