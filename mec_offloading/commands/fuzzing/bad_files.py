"""Folders of runs, comparisons, sweeps and papers in which a file is torn.

Commands go on, or say in one line what is wrong.
"""

import io
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml

from .. import compare, paper, simulate, summarize, sweep
from .tally import Tally

SMALL = ("--env.num_users", "3", "--optimum", "false", "--agent.memory_size", "8")
SUFFIXES = ".yaml", ".csv", ".json", ".pt", ".npz"
"""Of the files that are torn."""
OTHERS = b"- 1\n", b"{}\n", b"potato\n", b"a,b\n1,2\n", b"[" * 5000, b"\x00\xff" * 9, "\u03b1: \u4e2d\n".encode()
"""What a file may hold that is none of ours."""
CONFIGURATIONS: dict[str, Any] = {
    "compare": {
        "environment": "env.WirelessPoweredMEC", "env": {}, "users": [3], "seeds": [0], "warmup": 0, "frames": 5,
        "methods": {
            "random": {"baseline": "env.baselines.random"}, "idle": {"baseline": "env.baselines.all_local"},
        },
    },
    "sweep": {
        "config": "wpmec", "replicas": False, "over": {"agent.learning_rate": [0.01]},
        "settings": {"frames": 60, "env.num_users": 3, "optimum": False, "agent.memory_size": 64},
    },
    "paper": {
        "experiments": {
            "run": "simulate --config wpmec --frames 120 --env.num_users 3",
            "rates": "summarize {run} --windows 0-100",
        },
        "tables": {"rates": {"from": "rates/table", "group": "main"}},
        "figures": {"curves": {"from": "rates/curves", "group": "main"}},
    },
}  # fmt: skip
"""The smallest of each kind of folder but a run's."""
Commands = dict[str, tuple[Callable[[], None], Sequence[str]]]


@cache
def _there() -> TemporaryDirectory[str]:
    """Where what is torn is made, once of each kind."""
    return TemporaryDirectory()


def commands_of(kind: str, folder: Path) -> Commands:
    """What reads a folder of a kind again; all but a run's makes it, too."""
    if kind == "run":
        again = "--resume", str(folder), "--frames", "6"
        return {"summarize": (summarize.main, (str(folder),)), "simulate --resume": (simulate.main, again)}
    config = Path(_there().name) / f"{kind}.yaml"
    given = str(config), "--output", str(folder)
    if kind == "paper":
        return {"paper": (paper.main, (*given, "--cores", "1"))}
    of_kind = {"compare": compare.main, "sweep": sweep.main}[kind]
    return {kind: (of_kind, ("--config", *given, "--engine", "local", "--processes", "1"))}


@cache
def made(kind: str) -> Path:
    """A folder of a kind, whole."""
    folder = Path(_there().name) / kind
    if kind == "run":
        wrong = called(simulate.main, "--frames", "5", *SMALL, "--output", str(folder))
    else:
        config = yaml.safe_dump(CONFIGURATIONS[kind])
        folder.with_suffix(".yaml").write_text(config, encoding="utf-8")
        main, arguments = commands_of(kind, folder)[kind]
        wrong = called(main, *arguments)
    if wrong:
        raise AssertionError(wrong)
    return folder


def called(main: Callable[[], None], *arguments: str) -> str:
    """What is wrong with how a command ended, '' for nothing: an error is one line and exit status 2."""
    given, said = sys.argv, io.StringIO()
    sys.argv = ["", *arguments]
    try:
        with redirect_stderr(said), redirect_stdout(io.StringIO()):
            main()
    except SystemExit as ended:
        if not ended.code:
            return ""
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
    kinds = "run", *CONFIGURATIONS
    kind = kinds[int(rng.integers(len(kinds)))]
    with TemporaryDirectory() as folder:
        copy = Path(folder) / kind
        shutil.copytree(made(kind), copy)
        files = sorted(path for path in copy.rglob("*") if path.suffix in SUFFIXES)
        torn = files[int(rng.integers(len(files)))]
        done = f"{torn.relative_to(folder)}, {tear(torn, rng)}"
        commands = {name: called(main, *arguments) for name, (main, arguments) in commands_of(kind, copy).items()}
    for command, wrong in commands.items():
        tally.inputs["bad files"] += 1
        if wrong:
            tally.find("undocumented exceptions", command, f"{wrong}, given {done}")
