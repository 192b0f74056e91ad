"""Tables and figures of a paper: what experiments wrote, those of wall times apart from those that repeat."""

import json
from collections.abc import Sequence
from pathlib import Path

from env import InputError

from ..common.errors import reading
from .apart import without_times
from .archive import Archive, put
from .contents import Result

SUFFIXES = {"tables": (".md", ".tex", ".csv", ".txt"), "figures": (".pdf", ".png", ".svg", ".csv")}
"""What a table or a figure may be, each as far as the experiment wrote it."""
TIMES, RECORDS = "times", "records"
"""The folders of what differs between two runs: wall times, and the records of tables and figures."""


def made(result: Result, archive: Archive) -> list[Path]:
    """Copy a table or figure from its experiment, without columns of wall times; the whole of such into `times`.

    Beside it goes a record with those of all experiments that it comes from. Files that are there already stay as
    they are. Returns those that were written.

    Raises InputError where the experiment wrote no such file.
    """
    folder = archive.folder(result.experiment)
    found = [
        path for suffix in SUFFIXES[result.kind] if (path := Path(f"{folder / result.file}{suffix}")).is_file()
    ]
    if not found:
        suffixes = ", ".join(SUFFIXES[result.kind])
        raise InputError(
            f"{result}: from must name a file of {result.experiment} without its suffix ({suffixes}), "
            f"got {result.file!r}; there are {_names(folder)}"
        )
    wanted = {}
    for path in found:
        whole = path.read_bytes()
        with reading(path):
            repeats = whole if result.kind == "figures" else without_times(whole.decode(), path.suffix).encode()
        name = f"{result.name}{path.suffix}"
        if not result.times:
            wanted[archive.path / result.kind / name] = repeats
        if result.times or repeats != whole:
            wanted[archive.path / TIMES / result.kind / name] = whole
    needed = archive.paper.with_used([result.experiment])
    record = {
        "from": f"experiments/{result.experiment}/{result.file}",
        "experiments": {name: archive.record(name) for name in archive.paper.experiments if name in needed},
    }
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    wanted[archive.path / RECORDS / result.kind / f"{result.name}.json"] = text.encode()
    for kind in (Path(result.kind), Path(TIMES, result.kind)):  # forms that it had before
        for suffix in SUFFIXES[result.kind]:
            if (path := archive.path / kind / f"{result.name}{suffix}") not in wanted:
                path.unlink(missing_ok=True)
    return [path for path, content in wanted.items() if put(path, content)]


def is_made(result: Result, archive: Archive) -> bool:
    """Whether there is a record of it."""
    return (archive.path / RECORDS / result.kind / f"{result.name}.json").is_file()


def _names(folder: Path) -> str:
    """The files that can be tables or figures."""
    suffixes: Sequence[str] = [suffix for kind in SUFFIXES.values() for suffix in kind]
    files = (path for path in sorted(folder.rglob("*")) if path.suffix in suffixes)
    return ", ".join(str(path.relative_to(folder)) for path in files) or "none"
