"""A gate for the processes of one machine: while one of them takes times, the others wait."""

import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.run.comparison import measure
from agent.run.contract import Agent, World
from agent.run.record import Columns

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

OFTEN = 0.002
"""Seconds of work after which a process lets those that wait pass."""
FRAMES, AT_MOST = 60, 0.2
"""Decisions are timed in so many frames, or in as many as end within so many seconds."""
COLD = 0.004
"""Seconds before them in which the process is alone too, for after a wait frames take longer."""


class Gate:
    """One process's place at the gate, used with `with`: inside it works beside others, or alone.

    Two locks of files, which the system lets go of when a process ends, however it does. Who works holds the room
    together with others. Who wants it alone takes the turn first, which nobody passes meanwhile, and waits for the
    room: for one frame of the others, or `OFTEN`.

    Args:
        name: the same for all that keep each other out, as from `opened`; None where nobody works beside.
    """

    def __init__(self, name: str | None) -> None:
        self.name = name
        self.waited = 0.0
        """Seconds in which others had the room alone."""
        self._alone_since: float | None = None
        self._timed = range(0)

    def __enter__(self) -> "Gate":
        if self.name is not None:
            self._turn, self._room = (path.open("a") for path in _files(self.name))
            self._come_in()
        return self

    def __exit__(self, *_: object) -> None:
        if self.name is not None:
            self._turn.close()
            self._room.close()

    def through(self, world: World) -> World:
        """The world, each of whose steps says that a frame is over."""
        step = world.step

        def stepped(decision: Any) -> Any:
            result = step(decision)
            self.frame()
            return result

        world.step = stepped
        return world

    def frame(self, *_: object) -> None:
        """A frame is over: others may take their turn, and times taken alone end in time."""
        if self.name is None:
            return
        now = time.perf_counter()
        if self._alone_since is not None:
            alone, frame = now - self._alone_since, self._timed.stop
            self._timed = range(frame if alone < COLD else self._timed.start, frame + 1)
            if len(self._timed) == FRAMES or alone > AT_MOST:
                self._leave()
        elif now > self._since + OFTEN:
            self._let_go()
            self._come_in()

    @contextmanager
    def alone(self) -> Iterator["Gate"]:
        """Keep the others out until so many frames are timed that it is enough."""
        self._timed = range(0)
        if self.name is not None:
            start = time.perf_counter()
            self._let_go()
            self._lock(self._turn)
            self._lock(self._room)
            self._alone_since = time.perf_counter()
            self.waited += self._alone_since - start
        try:
            yield self
        finally:
            if self._alone_since is not None:
                self._leave()

    @property
    def timed(self) -> range:
        """The frames since the last `alone` that had it, but the cold ones; the last one where all are cold."""
        return self._timed

    def _come_in(self) -> None:
        start = time.perf_counter()
        self._lock(self._turn, shared=True)
        self._let_go(self._turn)
        self._lock(self._room, shared=True)
        self._since = time.perf_counter()
        self.waited += self._since - start

    def _leave(self) -> None:
        """Work beside the others again."""
        self._alone_since = None
        self._let_go()
        self._let_go(self._turn)
        self._come_in()

    def _lock(self, file: Any, shared: bool = False) -> None:
        assert fcntl is not None
        fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)

    def _let_go(self, file: Any = None) -> None:
        assert fcntl is not None
        fcntl.flock(self._room if file is None else file, fcntl.LOCK_UN)


def timed_apart(world: World, agent: Agent, frames: int, best: NDArray[Any] | None, gate: Gate) -> Columns:
    """As `measure`; beside others at the gate, `decide_seconds` are nan but in the first frames, taken alone."""
    if gate.name is None:
        return measure(world, agent, frames, best)
    with gate.alone():
        measured = measure(world, agent, frames, best)
    beside = np.ones(frames, dtype=bool)
    beside[gate.timed] = False
    measured["decide_seconds"][beside] = np.nan
    return measured


@contextmanager
def opened(alone: bool = False) -> Iterator[str | None]:
    """The name of a new gate; None for a process that is alone, and where the system has no such locks."""
    if alone or fcntl is None:
        yield None
        return
    name = uuid.uuid4().hex
    try:
        yield name
    finally:
        for path in _files(name):
            path.unlink(missing_ok=True)


def _files(name: str) -> list[Path]:
    return [Path(tempfile.gettempdir()) / f"mec-offloading-{name}.{part}" for part in ("turn", "room")]
