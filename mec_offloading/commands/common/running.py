"""What a run is made of: its worlds and agents, one or many, its folder, and the configuration that it keeps."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from jsonargparse import ArgumentParser, Namespace

from agent import checkpoint
from agent.run.callbacks import Hooks
from agent.run.contract import World, world_of
from agent.run.folder import RunFolder
from agent.run.loop import simulate
from agent.run.record import Columns, Frame, columns_of, columns_of_replicas, rates_of
from agent.run.replicas import Group, advance, in_step, split
from agent.run.side_by_side import SideBySide
from env import InputError

from .errors import in_users_code
from .settings import knows_replicas, load_yaml, make_agent_for, make_environment, takes

FREE = {"frames", "checkpoint_every", "check", "tensorboard"}
"""Settings that may change when a run goes on."""


Advanced = tuple[Columns, BaseException | None]
"""The figures of some frames, without a column where there are none, and the error that ended them."""


def gathered(
    frames: Iterator[Frame], tick: Callable[[int], Any], stopped: Callable[[], int]
) -> tuple[list[Frame], BaseException | None]:
    """The frames until they end, or are `stopped`, or an error, and the error: those before it are not lost."""
    done: list[Frame] = []
    try:
        for frame in frames:
            done.append(frame)
            tick(1)
            if stopped():
                break
    except BaseException as error:
        return done, error
    return done, None


class Single:
    """One world and one agent."""

    def __init__(self, settings: Namespace, parser: ArgumentParser, environment: type) -> None:
        self.world = world_of(make_environment(parser, settings, environment))
        self.world.reset(seed=settings.seed)
        self._agent = make_agent_for(self.world, parser, settings, settings.seed)
        self.agents, self.environments = [self._agent], [self.world.environment]
        self._optimum = None if settings.optimum else _not_asked

    def advance(
        self, done: int, count: int, tick: Callable[[int], Any], stopped: Callable[[], int], hooks: Hooks
    ) -> Advanced:
        """The figures of the next `count` frames, or of fewer when stopped; calls `tick` after each."""
        played = simulate(self.world, self._agent, count, first_frame=done, optimum=self._optimum)
        frames, error = gathered(hooks.follow(played) if hooks.each_frame else played, tick, stopped)
        return columns_of(frames) if frames else {}, error

    def states(self) -> tuple[Any, Any]:
        """What a checkpoint keeps of the agent and of the environment."""
        return self._agent.state_dict(), self.world.state_dict()

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        with read_by_version(state):
            self._agent.go_on(state["agent"])
            self.world.go_on(state["environment"])


class Replicated:
    """Replicas in groups, one a thread; on a device, in one group."""

    def __init__(self, settings: Namespace, parser: ArgumentParser, environment: type) -> None:
        self._groups = []
        threads = settings.threads if settings.device is None else 1
        for places in split(settings.replicas, threads):
            own = of_replicas(settings, places)
            seeds = [settings.seed + place for place in places]
            world = world_of(worlds_of(own, parser, environment, seeds))
            more = {"replicas": len(seeds), "device": settings.device}
            agent = make_agent_for(world, parser, own, seeds, **more)
            self._groups.append(Group(world, agent, len(seeds)))
        self.world: World = self._groups[0].environment
        self.agents = [group.agent for group in self._groups]
        self.environments = [group.environment.environment for group in self._groups]
        self._replicas, self._optimum = settings.replicas, settings.optimum

    def advance(
        self, done: int, count: int, tick: Callable[[int], Any], stopped: Callable[[], int], hooks: Hooks
    ) -> Advanced:
        """The figures of the next `count` frames, of each replica, all of them; calls `tick` with their number.

        Where callbacks are called in each frame, frame by frame, as `Single.advance`.
        """
        if not hooks.each_frame:
            columns = advance(self._groups, count, self._optimum, done)
            tick(count)
            return columns, None
        played = in_step(self._groups, count, self._optimum, done)
        frames, error = gathered(hooks.follow(played), tick, stopped)
        return columns_of_replicas(frames, self._replicas, self.world.value_is_cost) if frames else {}, error

    def states(self) -> tuple[Any, Any]:
        """What a checkpoint keeps of the agents and of the environments."""
        worlds = [group.environment.state_dict() for group in self._groups]
        agents = [group.agent.state_dict() for group in self._groups]
        return {"groups": agents}, None if None in worlds else {"groups": worlds}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        with read_by_version(state):
            for group, saved in zip(self._groups, state["agent"]["groups"], strict=True):
                group.agent.go_on(saved)
            for group, saved in zip(self._groups, state["environment"]["groups"], strict=True):
                group.environment.go_on(saved)


def worlds_of(settings: Namespace, parser: ArgumentParser, environment: type, seeds: Sequence[int]) -> Any:
    """The worlds of replicas as one: of a class that knows replicas itself, else side by side."""
    if settings.device is not None and not takes(environment, "device"):
        raise InputError(f"device must be left out for {settings.environment}, which computes on CPUs only")
    if knows_replicas(environment):
        on = {} if settings.device is None else {"device": settings.device}
        return make_environment(parser, settings, environment, seed=list(seeds), replicas=len(seeds), **on)
    side_by_side = SideBySide([make_environment(parser, settings, environment) for _ in seeds])
    side_by_side.reset(seed=seeds)
    return side_by_side


def of_replicas(settings: Namespace, places: Sequence[int]) -> Namespace:
    """The settings of the replicas at `places`, where a setting is a list of one value for each."""
    part = settings.clone()
    for name in ("env.channel", "agent.learning_rate", "agent.training_interval"):
        value = part.get(name)
        if isinstance(value, list):
            if len(value) != settings.replicas:
                raise InputError(
                    f"{name} must be one value, or {settings.replicas}, one a replica, got {len(value)}"
                )
            part[name] = [value[place] for place in places]
    return part


@contextmanager
def read_by_version(state: dict[str, Any]) -> Iterator[None]:
    """A state that lacks what this version needs is explained by the version that wrote it."""
    try:
        yield
    except (KeyError, TypeError) as error:
        if in_users_code(error):
            raise
        raise InputError(f"the checkpoint cannot be read, {checkpoint.version_of(state)}: {error!r}") from error


def progress_of(columns: Columns) -> dict[str, str]:
    """What the progress bar says after some frames."""
    losses = columns["loss"][~np.isnan(columns["loss"])]
    return {
        "rate": f"{np.nanmean(rates_of(columns)):.6g}",
        "K": f"{columns['candidates'][-1].mean():.3g}",
        "loss": f"{losses[-1]:.3g}" if losses.size else "-",
    }


def new_folder(settings: Namespace, metrics: Sequence[str]) -> RunFolder:
    """The folder of a new run; where none was named, runs/NAME-seedSEED-TIME, or the next free name."""
    if settings.output is not None:
        folder = RunFolder(settings.output, settings.replicas, settings.metrics_every)
        folder.record(metrics)
        return folder
    name = Path(settings.config).stem if settings.config else "run"
    name = f"{name}-seed{settings.seed}-{datetime.now():%Y%m%d-%H%M%S}"
    RunFolder(name, settings.replicas).record(metrics)  # may refuse them, before there is a folder
    folder = RunFolder.new("runs", name, settings.replicas, settings.metrics_every)
    folder.record(metrics)
    return folder


def config_text(settings: Namespace, parser: ArgumentParser) -> str:
    """The settings as YAML that `--config` takes, without those that only say where the run is kept, and whose
    code the command line allowed."""
    kept = settings.clone()
    for name in ("config", "allow", "output", "resume"):
        kept.pop(name, None)
    text: str = parser.dump(kept, skip_unset=False, skip_validation=True)
    return text


def of_this_version(config: dict[str, Any]) -> dict[str, Any]:
    """A run's configuration; of one that an earlier version began, with what it did without naming it."""
    from agent.configured import WITHOUT_NAMING

    agent = config.get("agent") or {}
    return {**config, "agent": {**WITHOUT_NAMING, **agent}}


def identity_of(config: str) -> str:
    """What must not differ when a run goes on: the configuration without what may change."""
    return yaml.safe_dump({name: value for name, value in _flat(load_yaml(config)).items() if name not in FREE})


def check_same_run(config: str, of_folder: str, path: Path) -> None:
    """Raise InputError, naming the settings, unless the command line agrees with the folder's configuration."""
    saved, now = _flat(load_yaml(of_folder)), _flat(load_yaml(config))
    differing = sorted(name for name in saved.keys() | now.keys() if saved.get(name) != now.get(name))
    differing = [name for name in differing if name not in FREE]
    if differing:
        pairs = ", ".join(f"{name} was {saved.get(name)}, is {now.get(name)}" for name in differing)
        raise InputError(f"resume must keep the configuration of {path}: {pairs}")


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as {'env.num_users': 10, ...}."""
    leaves: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            leaves |= _flat(value, f"{prefix}{name}.")
        else:
            leaves[f"{prefix}{name}"] = value
    return leaves


@contextmanager
def told_to_stop() -> Iterator[Callable[[], int]]:
    """The number of the signal that asked to stop (Ctrl-C, SIGTERM), 0 without one; a second one stops at once."""
    received = 0

    def receive(number: int, frame: Any) -> None:
        nonlocal received
        if received:
            raise KeyboardInterrupt
        received = number

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # as of a job in the background
            signal.signal(number, receive)
    try:
        yield lambda: received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _not_asked() -> None:
    return None
