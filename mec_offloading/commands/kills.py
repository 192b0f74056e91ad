"""Kill runs at random moments, go on with each, and compare its rows with those of an uninterrupted one (POSIX).

python scripts/kills.py --kills 100 --seed 0 --output runs/kills
"""

import argparse
import csv
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

import numpy as np

from env import InputError

from .common import shipped
from .common.errors import explained
from .common.settings import shipped_runs

TIMES = {"decide_seconds", "milliseconds"}
"""Columns that say how long something took, which no two runs have in common."""
Command = Callable[[Path], tuple[str, list[str]]]
"""From the folder of a run, the name of the module and the arguments that begin it or go on with it."""


def main() -> None:
    """Print a line for each configuration and command; exit status 1 where rows are lost or others."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--kills", type=int, default=100, help="in all, at least")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--frames", type=int, default=120, help="of each run")
    parser.add_argument("--output", type=Path, required=True, help="a new folder")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="some of what is killed")
    arguments = parser.parse_args()
    with explained():
        if arguments.kills < 1 or arguments.frames < 10:
            raise InputError(f"kills must be 1 or more, frames 10, got {arguments.kills}, {arguments.frames}")
        if arguments.output.exists():
            raise InputError(f"output must not exist yet, {arguments.output} does")
        commands = commands_of(arguments.frames)
        unknown = set(arguments.only or ()) - set(commands)
        if unknown:
            raise InputError(f"only must name some of {', '.join(commands)}, got {', '.join(unknown)}")
    import torch

    import agent.offloading  # noqa: F401, what the processes of runs find loaded

    torch.set_num_threads(1)
    names = arguments.only or list(commands)
    rng = np.random.default_rng(arguments.seed)
    each = -(-arguments.kills // len(names))
    total, differing = 0, 0
    for name in names:
        kills, runs, wrong = killed(commands[name], arguments.output / name, each, rng)
        total, differing = total + kills, differing + wrong
        print(f"{name}: {kills} kills, {runs} runs, {wrong} with rows lost or others", flush=True)
    print(f"{total} kills, {differing} runs with rows lost or others")
    sys.exit(1 if differing else 0)


def commands_of(frames: int) -> dict[str, Command]:
    """Every shipped configuration of a run, a comparison, and a data set."""
    commands = {name: simulation(name, frames) for name in shipped_runs()}
    for name in ("compare", "compare_lydroo"):
        comparison = shipped.find(name)
        if comparison is not None:
            commands[name] = compared(comparison)
    commands["dataset"] = lambda folder: (
        "make_dataset",
        ["--output", str(folder / "data.npz"), "--rows", "300", "--env.num_users", "8"],
    )
    return commands


def simulation(config: str, frames: int) -> Command:
    """A run of a configuration, checkpoints every tenth of it."""

    def command(folder: Path) -> tuple[str, list[str]]:
        every = ["--frames", str(frames), "--checkpoint_every", str(max(1, frames // 10))]
        if (folder / "config.yaml").exists():
            return "simulate", ["--resume", str(folder), *every]
        return "simulate", ["--config", config, "--output", str(folder), "--threads", "1", *every]

    return command


def compared(config: Path) -> Command:
    """A short comparison, which is gone on with by itself."""
    few = ["--users", "10", "--seeds", "0", "--warmup", "20", "--frames", "10", "--processes", "1"]
    return lambda folder: ("compare", ["--config", str(config), "--output", str(folder), *few])


def killed(command: Command, folder: Path, kills: int, rng: np.random.Generator) -> tuple[int, int, int]:
    """Kill runs so many times; the kills, the runs they were of, and how many of these differ in the end."""
    whole = folder / "whole"
    begun = time.monotonic()
    status = finished(command, whole)
    seconds = time.monotonic() - begun
    if status:
        print(f"{folder.name}: the uninterrupted run ended with status {status}", flush=True)
        return 0, 1, 1
    done = runs = wrong = 0
    while done < kills:
        run = folder / f"run-{runs}"
        in_this_run = 0
        while in_this_run < 5 and done < kills:
            if not killed_at(command, run, rng.uniform(0, 0.8 * seconds)):
                break
            in_this_run, done = in_this_run + 1, done + 1
        status = finished(command, run)
        runs += 1
        if status or rows_of(run) != rows_of(whole):
            wrong += 1
            print(f"{run}: status {status}, rows {'differ' if status == 0 else 'are lost'}", flush=True)
        else:
            shutil.rmtree(run)
    return done, runs, wrong


def child(command: Command, folder: Path) -> int:
    """A process of a run, which need not load anything; its number."""
    module, arguments = command(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    loaded = import_module(f".{module}", __package__)
    sys.stdout.flush()
    if process := os.fork():
        return process
    status = 1
    try:
        os.setpgid(0, 0)
        for number in (1, 2):
            os.dup2(os.open(folder.parent / "said", os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
        sys.argv = [f"scripts/{module}.py", *arguments]
        loaded.main()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stdout.flush()
        os._exit(status)


def finished(command: Command, folder: Path) -> int:
    """The exit status of a run that is let go on."""
    if (folder / "data.npz").exists():  # a data set is whole, or not there
        return 0
    return os.waitstatus_to_exitcode(os.waitpid(child(command, folder), 0)[1])


def killed_at(command: Command, folder: Path, seconds: float) -> bool:
    """Kill a run after some time; whether it was still going."""
    process = child(command, folder)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if os.waitpid(process, os.WNOHANG) != (0, 0):
            return False
        time.sleep(0.005)
    os.kill(process, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(process, 0)[1])


def rows_of(folder: Path) -> list[Sequence[str]]:
    """All rows of a run's tables without times, or the arrays of a data set."""
    if (folder / "data.npz").exists():
        with np.load(folder / "data.npz") as saved:
            return [(name, saved[name].tobytes().hex()) for name in sorted(saved)]
    rows: list[Sequence[str]] = []
    for name in ("metrics.csv", "replicas.csv", "rows.csv"):
        if (folder / name).exists():
            with (folder / name).open(newline="", encoding="utf-8") as file:
                rows += [
                    tuple(row[column] for column in row if not _is_time(column)) for row in csv.DictReader(file)
                ]
    return rows


def _is_time(column: str) -> bool:
    return column in TIMES or column.endswith(("_ms", "_seconds")) or column in ("ms", "seconds", "decide_ms")
