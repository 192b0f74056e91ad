"""What a result was made with: the versions of this project and its libraries, and the machine."""

import importlib.metadata
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

from agent.version import VERSION

from .parallel import CORES
from .shipped import CHECKOUT

LIBRARIES = (
    *("numpy", "torch", "numba", "scipy", "matplotlib", "loky", "gymnasium", "stable-baselines3", "optuna"),
    *("ray", "onnxruntime"),
)


def installed_version(name: str) -> str | None:
    """The version of a library, None where it is not there."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions() -> dict[str, str]:
    """Of this project (in a checkout its commit too), of Python, and of the libraries that are there."""
    known = {"mec-offloading": VERSION, "commit": commit(), "python": platform.python_version()}
    known |= {name: installed_version(name) for name in LIBRARIES}
    return {name: version for name, version in known.items() if version is not None}


def commit() -> str | None:
    """The commit of a checkout, with `-dirty` where files differ from it; None where there is none to ask."""
    if CHECKOUT is None or not (CHECKOUT / ".git").exists():
        return None
    command = ["git", "--no-optional-locks", "describe", "--always", "--dirty", "--abbrev=40", "--exclude", "*"]
    try:
        told = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return told.stdout.strip()


def machine() -> dict[str, Any]:
    """The processor's name, how many of them may be used, and the CUDA device where there is one."""
    import torch

    here: dict[str, Any] = {"cpu": _processor(), "cores": CORES, "system": platform.system()}
    if torch.cuda.is_available():
        here["gpu"] = torch.cuda.get_device_name()
    return here


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()
