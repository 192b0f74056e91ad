"""Let an agent learn in an environment and save its curves.

python scripts/simulate.py --config configs/wpmec.yaml
python scripts/simulate.py --config configs/wpmec.yaml --env.num_users 6 --agent.training_interval 5
python scripts/simulate.py --config configs/wpmec_published.yaml --replicas 64
python scripts/simulate.py --resume runs/wpmec-20260101-120000
"""

import argparse
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from commandline import USER_ERRORS, WORLD, add_agent, agent_arguments, fail, load_environment, read_yaml

import yaml
from jsonargparse import ArgumentParser, Namespace
from tqdm import tqdm

from agent import OffloadingAgent
from agent.run.folder import RunFolder
from agent.run.loop import Frame, simulate
from agent.run.plots import plot_run
from agent.run.replicas import Group, MeanFrame, advance, mean_frames, rates, split
from agent.run.side_by_side import SideBySide

BLOCK = 100
"""Frames between two writes of metrics."""
FREE = {"frames", "checkpoint_every"}
"""Settings that may change when a run goes on."""


def main(arguments: list[str] | None = None) -> None:
    """Parse, run or go on with a run, plot; every error of the user's is one line and exit status 2."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        settings, parser = parse(arguments)
        if settings.resume is None:
            folder = RunFolder(settings.output or default_output(settings), settings.replicas)
        elif settings.output is None:
            folder = RunFolder(settings.resume, settings.replicas)
        else:
            raise ValueError("output must not be given with resume, which goes on in its own folder")
        run(settings, parser, folder)
    except USER_ERRORS as error:
        fail(error)


def parse(arguments: list[str]) -> tuple[Namespace, ArgumentParser]:
    """Settings from the configuration file and the command line, the latter last."""
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    early.add_argument("--config")
    early.add_argument("--environment")
    early.add_argument("--resume")
    known = early.parse_known_args(arguments)[0]
    if known.resume is not None:
        # The folder's own configuration comes first, what the command line adds after it must agree.
        RunFolder(known.resume).read_config()
        known.config = str(Path(known.resume) / "config.yaml")
        arguments = ["--config", known.config, *arguments]
    configured = read_yaml(known.config) if known.config else {}
    for name in ("env", "agent"):
        if not isinstance(configured.get(name, {}), dict):
            raise ValueError(f"{name} must hold settings, got {configured[name]!r}")
    parser = make_parser(load_environment(known.environment or configured.get("environment")))
    return parser.parse_args(arguments), parser


def make_parser(environment: type) -> ArgumentParser:
    """The command line for a class of environments: its constructor's arguments are the options `--env.*`."""
    parser = ArgumentParser(description=str(__doc__).splitlines()[0], exit_on_error=False, allow_abbrev=False)
    parser.add_argument("--config", action="config", help="YAML file of settings")
    parser.add_argument(
        "--environment",
        type=str,
        default=WORLD,
        help="importable class of the environment",
    )
    parser.add_argument("--frames", type=int, default=10_000, help="time frames to simulate in all")
    parser.add_argument("--seed", type=int, default=0, help="of the environment and the agent")
    parser.add_argument("--output", type=str | None, default=None, help="new folder; runs/NAME-TIME by default")
    parser.add_argument("--resume", type=str | None, default=None, help="folder of a run to go on with")
    parser.add_argument("--checkpoint_every", type=int, default=1000, help="frames between checkpoints")
    parser.add_argument("--optimum", type=bool, default=True, help="find each frame's optimum where possible")
    parser.add_argument(
        "--replicas",
        type=int | None,
        default=None,
        help="runs at once, of seeds from `seed` on; their mean is plotted",
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of replicas, on a CPU")
    parser.add_argument(
        "--device",
        type=str | None,
        default=None,
        help="of replicas with the torch backend: cpu, cuda; default NumPy",
    )
    own = {"seed", "replicas", "device"} & inspect.signature(environment).parameters.keys()
    parser.add_class_arguments(environment, "env", skip=own, fail_untyped=False, instantiate=False)
    add_agent(parser)
    return parser


def run(settings: Namespace, parser: ArgumentParser, folder: RunFolder) -> None:
    """One run, from its first or its next frame to the last: metrics, checkpoints, summary and plots."""
    for name in ("frames", "checkpoint_every", "threads"):
        if settings[name] < 1:
            raise ValueError(f"{name} must be 1 or more, got {settings[name]}")
    if settings.seed < 0:
        raise ValueError(f"seed must be 0 or more, got {settings.seed}")
    if settings.replicas is not None and settings.replicas < 1:
        raise ValueError(f"replicas must be 1 or more, got {settings.replicas}")
    if settings.device is not None and settings.replicas is None:
        raise ValueError(f"device must be left out without replicas, got {settings.device}")
    made = Replicated(settings, parser) if settings.replicas is not None else Single(settings, parser)

    folder.record(made.metrics)
    done = 0
    config = config_text(settings, parser)
    identity = yaml.safe_dump(
        {name: value for name, value in flat(yaml.safe_load(config)).items() if name not in FREE}
    )
    if settings.resume is None:
        folder.create(config)
        folder.save(0, *made.states(), identity)
    else:
        check_same_run(config, folder)
        state = folder.read_checkpoint(identity)
        if state is not None:
            done = state["frame"]
            if settings.frames < done:
                raise ValueError(
                    f"frames must be at least the {done} that {folder.path} has done, got {settings.frames}"
                )
            made.load(state["agent"], state["environment"])
        folder.cut_metrics(done)
        folder.write_config(config)

    with tqdm(total=settings.frames, initial=done, unit="frame", mininterval=0.5) as progress:
        while done < settings.frames:
            count = min(
                BLOCK, settings.frames - done, settings.checkpoint_every - done % settings.checkpoint_every
            )
            rows = made.advance(done, count, folder, progress.update)
            done += count
            if done % settings.checkpoint_every == 0 or done == settings.frames:
                folder.save(done, *made.states(), identity)
            else:
                folder.flush()
            shown = [row.value if row.normalized_rate is None else row.normalized_rate for row in rows]
            losses = [row.loss for row in rows if row.loss is not None]
            loss = f"{losses[-1]:.3g}" if losses else "-"
            rate = f"{sum(shown) / len(shown):.6g}"
            progress.set_postfix(rate=rate, K=f"{rows[-1].candidates:.3g}", loss=loss)
    replicas = {} if settings.replicas is None else {"replicas": settings.replicas}
    summary = folder.write_summary(seed=settings.seed, num_users=made.num_users, **replicas)
    labels = {name: name for name in made.metrics} | made.metric_labels
    plot_run(folder.read_metrics(), folder.path, each=folder.read_each(), labels=labels, limits=made.metric_limits)
    for name, value in summary.items():
        print(f"{name}: {'not known' if value is None else value}")
    print(f"curves, metrics and checkpoint: {folder.path}")


class Run:
    """What is asked of the environment of a run, whether it is one or many."""

    metrics: list[str]
    """Names of what its `frame_metrics` says."""
    metric_labels: dict[str, str]
    metric_limits: dict[str, float]

    def ask(self, environment: Any) -> None:
        """Note the names, labels and limits of the environment's own metrics."""
        self.metrics = list(environment.frame_metrics()) if hasattr(environment, "frame_metrics") else []
        self.metric_labels = getattr(environment, "metric_labels", {})
        self.metric_limits = getattr(environment, "metric_limits", {})


class Single(Run):
    """One environment and one agent."""

    def __init__(self, settings: Namespace, parser: ArgumentParser) -> None:
        made = parser.instantiate(settings)
        self._environment = load_environment(settings.environment)(**vars(made.env))
        self._environment.reset(seed=settings.seed)
        self.num_users, num_features = self._environment.observe().shape
        arguments = agent_arguments(made.agent, settings.agent)
        self._agent = OffloadingAgent(self.num_users, num_features, seed=settings.seed, **arguments)
        self._optimum = None if settings.optimum else lambda: None
        self.ask(self._environment)

    def advance(self, done: int, count: int, folder: RunFolder, tick: Callable[[], Any]) -> list[Frame]:
        """The next `count` frames, also appended to `folder`; calls `tick` after each."""
        rows = []
        for row in simulate(self._environment, self._agent, count, first_frame=done, optimum=self._optimum):
            rows.append(row)
            folder.append(row)
            tick()
        return rows

    def states(self) -> tuple[Any, Any]:
        """What a checkpoint keeps of the agent and of the environment."""
        return self._agent.state_dict(), environment_state(self._environment)

    def load(self, agent: Any, environment: Any) -> None:
        """Go on from what `states` returned."""
        self._agent.load_state_dict(agent)
        self._environment.load_state_dict(environment)


class Replicated(Run):
    """Replicas in groups, one a thread; on a device, in one group."""

    def __init__(self, settings: Namespace, parser: ArgumentParser) -> None:
        self._groups = []
        threads = settings.threads if settings.device is None else 1
        for places in split(settings.replicas, threads):
            seeds = [settings.seed + place for place in places]
            environment = self._environment(settings, parser, seeds)
            _, self.num_users, num_features = environment.observe().shape
            own = of_replicas(settings, places)
            agent = OffloadingAgent(
                self.num_users,
                num_features,
                seed=seeds,
                replicas=len(seeds),
                device=settings.device,
                **agent_arguments(parser.instantiate(own).agent, own.agent),
            )
            self._groups.append(Group(environment, agent))
        self._optimum = settings.optimum
        self.ask(self._groups[0].environment)

    def _environment(self, settings: Namespace, parser: ArgumentParser, seeds: list[int]) -> Any:
        kind = load_environment(settings.environment)
        places = [seed - settings.seed for seed in seeds]
        if "replicas" in inspect.signature(kind).parameters:
            made = parser.instantiate(of_replicas(settings, places))
            return kind(**vars(made.env), seed=seeds, replicas=len(seeds), device=settings.device)
        if settings.device is not None:
            raise ValueError(f"device must be left out for {settings.environment}, which knows no replicas")
        side_by_side = SideBySide([kind(**vars(parser.instantiate(settings).env)) for _ in seeds])
        side_by_side.reset(seed=seeds)
        return side_by_side

    def advance(self, done: int, count: int, folder: RunFolder, tick: Callable[[int], Any]) -> list[MeanFrame]:
        """The next `count` frames, means over the replicas, also appended; calls `tick` with their number."""
        block = advance(self._groups, count, self._optimum)
        rows = mean_frames(done, block)
        for row in rows:
            folder.append(row)
        folder.append_each(rates(block))
        tick(count)
        return rows

    def states(self) -> tuple[Any, Any]:
        """What a checkpoint keeps of the agents and of the environments."""
        environments = [environment_state(group.environment) for group in self._groups]
        agents = [group.agent.state_dict() for group in self._groups]
        return {"groups": agents}, None if None in environments else {"groups": environments}

    def load(self, agent: Any, environment: Any) -> None:
        """Go on from what `states` returned."""
        for group, saved in zip(self._groups, agent["groups"], strict=True):
            group.agent.load_state_dict(saved)
        for group, saved in zip(self._groups, environment["groups"], strict=True):
            group.environment.load_state_dict(saved)


def of_replicas(settings: Namespace, places: Sequence[int]) -> Namespace:
    """The settings of the replicas at `places`, where a setting is a list of one value for each."""
    part = settings.clone()
    for name in ("env.channel", "agent.learning_rate", "agent.training_interval"):
        value = part.get(name)
        if isinstance(value, list):
            if len(value) != settings.replicas:
                raise ValueError(
                    f"{name} must be one value, or {settings.replicas}, one a replica, got {len(value)}"
                )
            part[name] = [value[place] for place in places]
    return part


def config_text(settings: Namespace, parser: ArgumentParser) -> str:
    """The settings as YAML that `--config` takes, without those that only say where the run is kept."""
    kept = settings.clone()
    for name in ("config", "output", "resume"):
        kept.pop(name, None)
    text: str = parser.dump(kept, skip_unset=False, skip_validation=True)
    return text


def check_same_run(config: str, folder: RunFolder) -> None:
    """Raise ValueError, naming the settings, unless the command line agrees with the folder's configuration."""
    saved, now = flat(yaml.safe_load(folder.read_config())), flat(yaml.safe_load(config))
    differing = sorted(name for name in saved.keys() | now.keys() if saved.get(name) != now.get(name))
    differing = [name for name in differing if name not in FREE]
    if differing:
        pairs = ", ".join(f"{name} was {saved.get(name)}, is {now.get(name)}" for name in differing)
        raise ValueError(f"resume must keep the configuration of {folder.path}: {pairs}")


def flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as {'env.num_users': 10, ...}."""
    leaves: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            leaves |= flat(value, f"{prefix}{name}.")
        else:
            leaves[prefix + name] = value
    return leaves


def environment_state(environment: Any) -> dict[str, Any] | None:
    """Its state, or None for an environment that cannot say it (such a run cannot be resumed)."""
    return environment.state_dict() if hasattr(environment, "state_dict") else None


def default_output(settings: Namespace) -> str:
    """runs/CONFIGURATION-TIME."""
    name = Path(str(settings.config[0])).stem if settings.config else "run"
    return f"runs/{name}-{datetime.now():%Y%m%d-%H%M%S}"


if __name__ == "__main__":
    main()
