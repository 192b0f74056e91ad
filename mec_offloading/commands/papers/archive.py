"""The folder of a paper: experiments that are done, those that are not yet, and what is kept of earlier ones.

`experiments/NAME` holds what is done, with its `record.json`; `unfinished/NAME` what was begun, with its settings
beside it; `earlier/NAME-1` and so on what was replaced. A folder moves in one step, so that nothing half-written
counts as done.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent import checkpoint
from env import InputError
from mec_offloading import fate

from ..common.errors import reading
from ..common.machine import machine, versions
from .contents import HERE, Experiment, Paper, differing
from .seeds import seeds_of

RECORD = "record.json"
PRINTED = "printed.txt"
GOES_ON = {"simulate": "config.yaml", "compare": "config.yaml", "rivals": "tuning", "sweep": "sweep.yaml"}
"""Commands that go on with what they began, and the file without which they have not begun."""
DONE, CHANGED, BEGUN, MISSING = "done", "changed", "begun", "missing"
PATIENCE = 120
"""Seconds that a command which is told to stop has until it is killed."""


@dataclass
class Running:
    """An experiment whose command runs."""

    experiment: Experiment
    process: "subprocess.Popen[bytes]"
    began: float
    goes_on: bool
    processor_seconds: float = 0.0
    """Of the command and the processes that it started, once it has ended."""

    def has_ended(self) -> bool:
        """Whether the command has ended; what it took of processors is known from the first time that it has."""
        before = os.times()
        if self.process.poll() is None:
            return False
        after = os.times()  # which grows when a process that has ended is asked
        self.processor_seconds += after.children_user - before.children_user
        self.processor_seconds += after.children_system - before.children_system
        return True


class Archive:
    """What is done of a paper, and what it takes to run the rest.

    Args:
        path: its folder, made by `prepare`.
        paper: what it is to hold.
    """

    def __init__(self, path: Path, paper: Paper) -> None:
        self.path, self.paper = path, paper
        self._kinds = {kind: path / kind for kind in ("experiments", "unfinished", "earlier")}
        self._here = {"versions": versions(), "machine": machine()}

    def prepare(self, text: str) -> None:
        """Make the folder, with the paper's file in it.

        Raises InputError for a folder of something else.
        """
        if not any(kind.is_dir() for kind in self._kinds.values()) and (
            not self.path.is_dir() or {held.name for held in self.path.iterdir()} - {".lock", "paper.yaml"}
        ):
            raise InputError(f"output must be a new folder or one of this command, {self.path} holds other files")
        self._kinds["experiments"].mkdir(parents=True, exist_ok=True)
        put(self.path / "paper.yaml", text.encode())

    def folder(self, name: str) -> Path:
        """Where an experiment is once it is done."""
        return self._kinds["experiments"] / name

    def record(self, name: str) -> dict[str, Any] | None:
        """What is recorded of an experiment that is done."""
        return _read(self.folder(name) / RECORD, "settings", "seconds", "processor_seconds", "went_on")

    def state(self, experiment: Experiment) -> str:
        """Whether it is done, was done or begun with other settings, is begun, or missing."""
        settings = self._settings(experiment.name)
        if settings is None:
            return MISSING
        if settings != experiment.settings:
            return CHANGED
        return DONE if self.record(experiment.name) else BEGUN

    def begun_otherwise(self, experiments: Iterable[Experiment]) -> list[str]:
        """The names of those that were begun with other settings, and not done."""
        return [one.name for one in experiments if self.state(one) == CHANGED and self.record(one.name) is None]

    def changes(self, experiment: Experiment) -> str:
        """What differs in the settings of one that is changed."""
        before, now = self._settings(experiment.name) or experiment.settings, experiment.settings
        texts = differing({"run": before["run"], **before["files"]}, {"run": now["run"], **now["files"]})
        used = [name for name, digest in before["uses"].items() if now["uses"].get(name, digest) != digest]
        return "; ".join([*texts, *(f"it uses {name}" for name in used)])

    def replace(self, names: Iterable[str]) -> None:
        """Move what there is of experiments into `earlier`."""
        for name in names:
            for kind in ("experiments", "unfinished"):
                if (self._kinds[kind] / name).is_dir():
                    self._put_away(self._kinds[kind] / name)
            self._clear(name)

    def start(self, experiment: Experiment) -> Running:
        """Start an experiment's command, or go on with it."""
        if self.folder(experiment.name).is_dir():  # without a record
            self._put_away(self.folder(experiment.name))
        folder = self._kinds["unfinished"] / experiment.name
        goes_on = self._can_go_on(experiment, folder)
        if not goes_on:
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        put(self._beside(experiment.name, ".json"), _json(experiment.settings))
        folders = {name: str(self.folder(name)) for name in experiment.uses} | {HERE: str(folder)}
        options = experiment.filled(folders)
        if goes_on and experiment.command == "simulate":
            options[-2] = "--resume"
        environ = {**os.environ, fate.PARENT: str(os.getpid())}
        if experiment.cores == 1:
            environ |= fate.ALONE
        command = [sys.executable, "-m", "mec_offloading", experiment.command, *options]
        with (
            self._beside(experiment.name, ".out").open("wb") as out,
            self._beside(experiment.name, ".err").open("wb") as err,
        ):
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environ, start_new_session=True
            )
        return Running(experiment, process, time.perf_counter(), goes_on)

    def end(self, running: Running) -> float | str:
        """Keep what a command that has ended wrote: the seconds that it took, or what it said of its failure."""
        name, seconds = running.experiment.name, time.perf_counter() - running.began
        if running.process.returncode:
            lines = self._beside(name, ".err").read_text(encoding="utf-8", errors="replace").split("\n")
            said = [line.strip() for line in lines if line.strip()]
            errors = [line for line in said if line.startswith("error: ")]
            return (errors or said or [f"exit status {running.process.returncode}"])[-1].removeprefix("error: ")
        folder, done = self._kinds["unfinished"] / name, self.folder(name)
        printed = self._beside(name, ".out").read_text(encoding="utf-8", errors="replace")
        printed = printed.replace(str(folder), f"experiments/{name}").replace(f"{self.path}{os.sep}", "")
        if printed.strip():
            put(folder / PRINTED, printed.encode())
        if running.experiment.command == "sweep":
            shutil.rmtree(folder / "logs", ignore_errors=True)  # which name machines
        put(folder / RECORD, _json(self._recorded(running, folder, seconds)))
        folder.rename(done)
        self._clear(name)
        return seconds

    def stop(self, running: Iterable[Running]) -> None:
        """Ask commands to stop, as `simulate` does with a checkpoint, and kill those that do not."""
        running = list(running)
        for one in running:
            one.process.terminate()
        until = time.perf_counter() + PATIENCE
        for one in running:
            while one.process.poll() is None and time.perf_counter() < until:
                time.sleep(0.05)
            one.process.kill()
            one.process.wait()

    def _put_away(self, folder: Path) -> None:
        """Move a folder to where earlier ones are, if it holds anything."""
        if not any(folder.iterdir()):
            folder.rmdir()
            return
        self._kinds["earlier"].mkdir(exist_ok=True)
        count = 1
        while (new := self._kinds["earlier"] / f"{folder.name}-{count}").exists():
            count += 1
        folder.rename(new)

    def _recorded(self, running: Running, folder: Path, seconds: float) -> dict[str, Any]:
        experiment = running.experiment
        options = experiment.filled(
            {name: f"experiments/{name}" for name in experiment.uses} | {HERE: f"experiments/{experiment.name}"}
        )
        of_used = [record for name in experiment.uses if (record := self.record(name)) is not None]
        return {
            "command": shlex.join(["mec-offloading", experiment.command, *options]),
            "seconds": round(seconds, 3),
            "processor_seconds": round(running.processor_seconds, 3),
            "went_on": running.goes_on,
            "seeds": seeds_of(experiment, folder, [record["seeds"] for record in of_used]),
            **self._here,
            "settings": experiment.settings,
        }

    def _settings(self, name: str) -> Mapping[str, Any] | None:
        """Those with which an experiment was done or begun."""
        if (record := self.record(name)) is not None:
            return record["settings"]
        return _read(self._beside(name, ".json"), "run", "files", "uses")

    def _can_go_on(self, experiment: Experiment, folder: Path) -> bool:
        """Whether a command goes on with a folder that it began."""
        begun = GOES_ON.get(experiment.command)
        if begun is None or not (folder / begun).exists():
            return False
        saved = folder / "checkpoint.pt"
        if experiment.command == "simulate" and saved.is_file():
            return checkpoint.read(saved)["environment"] is not None
        return True

    def _beside(self, name: str, suffix: str) -> Path:
        return self._kinds["unfinished"] / f"{name}{suffix}"

    def _clear(self, name: str) -> None:
        """Remove what stood beside an experiment while it was not done."""
        for suffix in (".json", ".out", ".err"):
            self._beside(name, suffix).unlink(missing_ok=True)
        if self._kinds["unfinished"].is_dir() and not any(self._kinds["unfinished"].iterdir()):
            self._kinds["unfinished"].rmdir()


def put(path: Path, content: bytes) -> bool:
    """Write a file whole, unless it holds that already; whether it was written."""
    if path.is_file() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    checkpoint.write_whole(path, content)
    return True


def _read(path: Path, *entries: str) -> dict[str, Any] | None:
    """What `_json` wrote, with these entries; None where there is no file."""
    if not path.is_file():
        return None
    with reading(path):
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for entry in entries:
            found[entry]
        return found


def _json(content: Any) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
