"""One trial of a sweep: a `simulate` command in a process of its own, begun or gone on with."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.run.folder import CHECKPOINT, CONFIG, LOCK, METRICS, SUMMARY
from mec_offloading.fate import PARENT

from .parallel import ALONE

CONFIGS, TRIALS, LOGS = "configs", "trials", "logs"
"""What a sweep's folder holds: a configuration for each setting, a run folder and a log for each trial."""
_ROOT = str(Path(__file__).resolve().parents[3])
_PATIENCE = 30
"""Seconds that a trial waits for a process of an earlier driver to let go of its folder."""
STOPPED = 143
"""Exit status of a trial that was asked to end, as of a run that SIGTERM ends."""


@dataclass(frozen=True)
class Trial:
    """A run of some settings, of one seed or of as many replicas as there are seeds."""

    sweep: Path
    """The folder of the sweep, absolute."""
    name: str
    label: str
    """Of the settings, which seeds share."""
    values: dict[str, Any]
    """The settings that the sweep varies, by their paths."""
    seed: int
    replicas: int | None
    frames: int
    cpus: int = 1
    gpus: int = 0
    allow: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Of the run."""
        return self.sweep / TRIALS / self.name

    @property
    def log(self) -> Path:
        """What the commands printed; each begins with a line that names its time and machine."""
        return self.sweep / LOGS / f"{self.name}.log"

    @property
    def _stop(self) -> Path:
        return self.sweep / LOGS / f"{self.name}.stop"

    @property
    def weight(self) -> int:
        """Frames of all its runs."""
        return self.frames * (self.replicas or 1)

    def arguments(self) -> list[str]:
        """Of the command `simulate`: a new run, or the one that the folder holds from its checkpoint on."""
        allow = [word for module in self.allow for word in ("--allow", module)]
        if (self.folder / CONFIG).is_file():
            return ["--resume", str(self.folder), "--frames", str(self.frames), *allow]
        replicas = [] if self.replicas is None else ["--replicas", str(self.replicas)]
        config = str(self.sweep / CONFIGS / f"{self.label}.yaml")
        return ["--config", config, "--seed", str(self.seed), *replicas, "--output", str(self.folder), *allow]

    def summary(self) -> dict[str, Any]:
        """The figures of the run as far as it came; empty before its first end."""
        try:
            found = json.loads((self.folder / SUMMARY).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return found if isinstance(found, dict) else {}

    def finished(self) -> bool:
        """Whether all its frames are done, or a callback has ended it."""
        summary = self.summary()
        return summary.get("frames", -1) >= self.frames or "stopped_early" in summary

    def done(self) -> int:
        """Frames in the table of the run, of all its replicas together."""
        try:
            with (self.folder / METRICS).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
                rows = file.read().split(b"\n")[:-1]
        except FileNotFoundError:
            return 0
        frame = rows[-1].partition(b",")[0] if rows else b""
        return (int(frame) + 1) * (self.replicas or 1) if frame.isdigit() else 0

    def mark(self) -> Any:
        """What differs once the run has written another checkpoint."""
        try:
            found = (self.folder / CHECKPOINT).stat()
        except FileNotFoundError:
            return None
        return found.st_mtime_ns, found.st_size

    def told_to_stop(self) -> bool:
        """Whether `stop` was called, on any machine."""
        return self._stop.exists()

    def stop(self) -> None:
        """Let the trial end with a checkpoint, wherever it runs."""
        self._stop.touch()

    def let_run(self) -> None:
        """Take back that it should stop."""
        self._stop.unlink(missing_ok=True)

    def reason(self) -> str:
        """The last line of its log."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").split("\n")
        except FileNotFoundError:
            return "it has no log"
        return next((line for line in reversed(lines) if line.strip()), "").rpartition("\r")[2].strip()


def attempt(trial: Trial, node: str, folder: str) -> int | None:
    """Begin or go on with a trial in a process of its own; its exit status, -N where the signal N ended it.

    The process ends with this one, and with SIGTERM when the trial is told to stop. `folder` is where it runs, if
    there is such a folder here. None where this machine does not see the sweep's folder.
    """
    if not (trial.sweep / CONFIGS).is_dir():
        return None
    _wait_for(trial.folder / LOCK)
    command = [sys.executable, "-m", "mec_offloading", "simulate", *trial.arguments()]
    searched = os.pathsep.join([_ROOT, *filter(None, [os.environ.get("PYTHONPATH")])])
    environ = {**os.environ, **ALONE, PARENT: str(os.getpid()), "PYTHONPATH": searched}
    with trial.log.open("a", encoding="utf-8") as log:
        if trial.told_to_stop():
            return STOPPED
        log.write(f"{datetime.now():%Y-%m-%d %H:%M:%S} {node}: {' '.join(command[1:])}\n")
        log.flush()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for the sweep, which tells its trials
            env=environ,
            cwd=folder if Path(folder).is_dir() else None,
        )
        try:
            told = False
            while process.poll() is None:
                if not told and trial.told_to_stop():
                    process.terminate()
                    told = True
                time.sleep(0.1)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    return process.returncode


def _wait_for(lock: Path) -> None:
    """Wait until the process that holds a lock has ended, or the run itself has to refuse."""
    from filelock import FileLock, Timeout

    if not lock.exists():
        return
    try:
        with FileLock(lock, timeout=_PATIENCE):
            pass
    except (Timeout, NotImplementedError):
        return
