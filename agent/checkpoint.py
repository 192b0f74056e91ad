"""Checkpoint files: plain values and arrays, written whole or not at all, read without executing code."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch


def write(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write nested dicts and lists of numbers, strings, arrays and tensors.

    The file is made beside `path`, flushed to disk and put in its place in one step, so that an interruption
    leaves the old one intact.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    with temporary.open("wb") as file:
        torch.save(_to_tensors(content), file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read(path: str | Path) -> dict[str, Any]:
    """Read what `write` wrote; arrays come back as tensors.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it is damaged, truncated, or holds anything but plain values and tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no such checkpoint: {path}")
    try:
        content = torch.load(path, weights_only=True)
    except Exception as error:  # a damaged zip, a truncated pickle and forbidden content each raise their own
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path} is not a readable checkpoint: {reason}") from error
    if not isinstance(content, dict) or "agent" not in content:
        raise ValueError(f"{path} is not a checkpoint of this project: it holds no agent")
    return content


def _to_tensors(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    if isinstance(value, Mapping):
        return {key: _to_tensors(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_to_tensors(entry) for entry in value]
    return value
