"""Checkpoint files: plain values and arrays, written whole or not at all, read without executing code.

A checkpoint is what `torch.save` writes, with its SHA-256 as the archive's comment: a file in which a bit has
changed is refused.
"""

import hashlib
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .arrays import tensors
from .checks import InputError, file_path
from .version import VERSION

_DIGEST = b"sha256:"


def write(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write nested dicts and lists of numbers, strings, arrays and tensors, and this project's version.

    An interruption leaves the old file intact.
    """
    import torch

    saved = io.BytesIO()
    torch.save(_to_tensors({"version": VERSION, "digest": True, **content}), saved)
    archive = bytearray(saved.getvalue())
    archive[-2:] = (len(_DIGEST) + 64).to_bytes(2, "little")  # the comment's length, which ends a zip archive
    write_whole(path, archive, _DIGEST + hashlib.sha256(archive).hexdigest().encode())


def write_whole(path: str | Path, *parts: bytes | bytearray) -> None:
    """Write a file of these parts, one after another.

    It is made beside `path`, flushed to disk and put in its place in one step, so that an interruption leaves the
    old one intact.
    """
    path = file_path("path", path)
    if path.is_dir():
        raise InputError(f"path must be that of a file, {path} is a folder")
    temporary = file_path("path", path.with_name(path.name + ".part"))
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary.open("wb") as file:
        file.writelines(parts)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read(path: str | Path) -> dict[str, Any]:
    """Read what `write` wrote; arrays come back as tensors.

    Raises:
        FileNotFoundError: when there is no such file.
        InputError: when it is damaged, truncated, or holds anything but plain values and tensors.
    """
    path = file_path("path", path)
    if not path.is_file():
        raise FileNotFoundError(f"no such checkpoint: {path}")
    data = path.read_bytes()
    archive, comment = data[: -len(_DIGEST) - 64], data[-len(_DIGEST) - 64 :]
    has_digest = comment.startswith(_DIGEST)
    if has_digest and comment[len(_DIGEST) :] != hashlib.sha256(archive).hexdigest().encode():
        raise InputError(f"{path} is damaged: it is not what was written, by its SHA-256")
    import torch

    try:
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged zip, a truncated pickle and forbidden content each raise their own
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path} is not a readable checkpoint: {reason}") from error
    if not isinstance(content, dict) or "agent" not in content:
        raise InputError(f"{path} is not a checkpoint of this project: it holds no agent")
    if content.get("digest") and not has_digest:  # which earlier versions did not write
        raise InputError(f"{path} is damaged: its SHA-256 is missing")
    return content


def version_of(content: Mapping[str, Any]) -> str:
    """Which version wrote what `read` returned, for messages."""
    return f"it was written by version {content.get('version', '0.1')}, this is {VERSION}"


def to_arrays(value: Any) -> Any:
    """What `read` returned, or a part of it, with tensors as the arrays that were written."""
    if isinstance(value, tensors()):
        return value.numpy()
    if isinstance(value, Mapping):
        return {key: to_arrays(entry) for key, entry in value.items()}
    return [to_arrays(entry) for entry in value] if isinstance(value, list) else value


def _to_tensors(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        import torch

        try:
            return torch.from_numpy(value)
        except TypeError as error:
            raise InputError(f"arrays of a state must hold numbers, got one of {value.dtype}") from error
    if isinstance(value, np.generic):
        return value.item()
    for kind in (bool, int, float, str):  # such as an IntEnum, which a checkpoint cannot name
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, Mapping):
        return {_to_tensors(key): _to_tensors(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_to_tensors(entry) for entry in value]
    return value
