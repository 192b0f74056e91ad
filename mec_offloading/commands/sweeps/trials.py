"""One trial of a sweep: a `simulate` command in a process of its own, begun or gone on with."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.run.folder import CHECKPOINT, CONFIG, LOCK, METRICS, SUMMARY

from ..common.errors import reading
from .attempt import Order

CONFIGS, TRIALS, LOGS = "configs", "trials", "logs"
"""What a sweep's folder holds: a configuration for each setting, a run folder and a log for each trial."""


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

    def order(self) -> Order:
        """How it is begun, or gone on with from its checkpoint, on any machine."""
        allow = tuple(word for module in self.allow for word in ("--allow", module))
        replicas = () if self.replicas is None else ("--replicas", str(self.replicas))
        config = str(self.sweep / CONFIGS / f"{self.label}.yaml")
        return Order(
            needs=self.sweep / CONFIGS,
            begun=self.folder / CONFIG,
            lock=self.folder / LOCK,
            log=self.log,
            stop=self._stop,
            begin=("--config", config, "--seed", str(self.seed), *replicas, "--output", str(self.folder), *allow),
            go_on=("--resume", str(self.folder), "--frames", str(self.frames), *allow),
            folder=os.getcwd(),
        )

    def summary(self) -> dict[str, Any]:
        """The figures of the run as far as it came; empty before its first end."""
        try:
            with reading(self.folder / SUMMARY):
                found = json.loads((self.folder / SUMMARY).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return found if isinstance(found, dict) else {}

    def finished(self) -> bool:
        """Whether all its frames are done, or a callback has ended it."""
        summary = self.summary()
        frames = summary.get("frames")
        return (isinstance(frames, int) and frames >= self.frames) or "stopped_early" in summary

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
