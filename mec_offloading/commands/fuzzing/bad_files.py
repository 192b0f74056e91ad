"""Folders of runs and comparisons in which a file is torn: commands go on, or say in one line what is wrong."""

import io
import re
import shutil
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import yaml

from .. import compare, simulate, summarize
from .tally import Tally

SMALL = ("--env.num_users", "3", "--optimum", "false", "--agent.memory_size", "8")
SUFFIXES = ".yaml", ".csv", ".json", ".pt", ".npz"
"""Of the files that are torn."""
OTHERS = b"- 1\n", b"{}\n", b"potato\n", b"a,b\n1,2\n", b"[" * 5000, b"\x00\xff" * 9, "\u03b1: \u4e2d\n".encode()
"""What a file may hold that is none of ours."""


@cache
def _there() -> TemporaryDirectory[str]:
    """A run and a comparison."""
    folder = TemporaryDirectory()
    methods = {"random": {"baseline": "env.baselines.random"}, "idle": {"baseline": "env.baselines.all_local"}}
    content = {"environment": "env.WirelessPoweredMEC", "env": {}, "users": [3], "seeds": [0]}
    content |= {"warmup": 0, "frames": 5, "methods": methods}
    config = Path(folder.name) / "compare.yaml"
    config.write_text(yaml.safe_dump(content), encoding="utf-8")
    ended = called(simulate.main, "--frames", "5", *SMALL, "--output", f"{folder.name}/run")
    ended += called(
        compare.main, "--config", str(config), "--output", f"{folder.name}/compare", "--processes", "1"
    )
    if ended:
        raise AssertionError(ended)
    return folder


def called(main: Callable[[], None], *arguments: str) -> str:
    """What is wrong with how a command ended, '' for nothing: an error is one line and exit status 2."""
    given, said = sys.argv, io.StringIO()
    sys.argv = ["", *arguments]
    try:
        with redirect_stderr(said), redirect_stdout(io.StringIO()):
            main()
    except SystemExit as ended:
        errors = re.findall(r"^error: .*$", said.getvalue(), re.MULTILINE)
        if ended.code == 2 and len(errors) == 1 and said.getvalue().rstrip().endswith(errors[0]):
            return ""
        return f"exit status {ended.code}: {said.getvalue()[-200:]}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:200]!r}"
    finally:
        sys.argv = given
    return ""


def tear(path: Path, rng: np.random.Generator) -> str:
    """Damage a file; what was done."""
    data, how = path.read_bytes(), int(rng.integers(6))
    place = int(rng.integers(len(data))) if data else 0
    if how == 0:
        path.write_bytes(data[:place])
        return f"cut off at {place}"
    if how == 1:
        path.write_bytes(data[:place] + b"\x00" * 8 + data[place + 8 :])
        return f"null bytes at {place}"
    if how == 2:
        other = OTHERS[int(rng.integers(len(OTHERS)))]
        path.write_bytes(other)
        return f"{other[:20]!r} in its place"
    path.unlink()
    if how == 3:
        path.mkdir()
        return "a folder in its place"
    if how == 4:
        path.symlink_to(path.name)
        return "a link to itself in its place"
    return "it was removed"


def bad_files(rng: np.random.Generator, tally: Tally) -> None:
    """One torn file, and the commands that read it."""
    there = Path(_there().name)
    with TemporaryDirectory() as folder:
        kind = ("run", "compare")[int(rng.integers(2))]
        copy = Path(folder) / kind
        shutil.copytree(there / kind, copy)
        files = sorted(path for path in copy.rglob("*") if path.suffix in SUFFIXES)
        torn = files[int(rng.integers(len(files)))]
        done = f"{torn.relative_to(folder)}, {tear(torn, rng)}"
        if kind == "run":
            commands = {"summarize": called(summarize.main, str(copy))}
            commands["simulate --resume"] = called(simulate.main, "--resume", str(copy), "--frames", "6")
        else:
            again = "--config", str(there / "compare.yaml"), "--output", str(copy), "--processes", "1"
            commands = {"compare": called(compare.main, *again)}
    for command, wrong in commands.items():
        tally.inputs["bad files"] += 1
        if wrong:
            tally.find("undocumented exceptions", command, f"{wrong}, given {done}")
