"""Let an agent learn in an environment and save its curves.

python scripts/simulate.py --config configs/wpmec.yaml
python scripts/simulate.py --config configs/wpmec.yaml --env.num_users 6 --agent.training_interval 5
python scripts/simulate.py --resume runs/wpmec-20260101-120000
"""

import argparse
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from commandline import USER_ERRORS, WORLD, add_agent, fail, load_environment, read_yaml

import yaml
from jsonargparse import ArgumentParser, Namespace
from tqdm import tqdm

from agent import OffloadingAgent
from agent.plots import plot_run
from agent.run_folder import RunFolder
from agent.simulation import simulate

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
            folder = RunFolder(settings.output or default_output(settings))
        elif settings.output is None:
            folder = RunFolder(settings.resume)
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
    parser.add_class_arguments(environment, "env", skip={"seed"}, fail_untyped=False)
    add_agent(parser)
    return parser


def run(settings: Namespace, parser: ArgumentParser, folder: RunFolder) -> None:
    """One run, from its first or its next frame to the last: metrics, checkpoints, summary and plots."""
    for name in ("frames", "checkpoint_every"):
        if settings[name] < 1:
            raise ValueError(f"{name} must be 1 or more, got {settings[name]}")
    if settings.seed < 0:
        raise ValueError(f"seed must be 0 or more, got {settings.seed}")
    made = parser.instantiate(settings)
    environment = made.env
    environment.reset(seed=settings.seed)
    num_users, num_features = environment.observe().shape
    agent = OffloadingAgent(num_users, num_features, seed=settings.seed, **vars(made.agent))

    done = 0
    config = config_text(settings, parser)
    identity = yaml.safe_dump(
        {name: value for name, value in flat(yaml.safe_load(config)).items() if name not in FREE}
    )
    if settings.resume is None:
        folder.create(config)
        folder.save(0, agent.state_dict(), environment_state(environment), identity)
    else:
        check_same_run(config, folder)
        state = folder.read_checkpoint(identity)
        if state is not None:
            done = state["frame"]
            if settings.frames < done:
                raise ValueError(
                    f"frames must be at least the {done} that {folder.path} has done, got {settings.frames}"
                )
            agent.load_state_dict(state["agent"])
            environment.load_state_dict(state["environment"])
        folder.cut_metrics(done)
        folder.write_config(config)

    optimum = None if settings.optimum else lambda: None
    history = simulate(environment, agent, settings.frames - done, first_frame=done, optimum=optimum)
    rates: list[float] = []
    with tqdm(history, total=settings.frames, initial=done, unit="frame", mininterval=0.5) as progress:
        for frame in progress:
            folder.append(frame)
            rates.append(frame.value if frame.normalized_rate is None else frame.normalized_rate)
            done = frame.frame + 1
            if done % settings.checkpoint_every == 0 or done == settings.frames:
                folder.save(done, agent.state_dict(), environment_state(environment), identity)
            elif done % BLOCK == 0:
                folder.flush()
            if done % BLOCK == 0:
                loss = "-" if agent.loss is None else f"{agent.loss:.3g}"
                progress.set_postfix(rate=f"{sum(rates) / len(rates):.6g}", K=frame.candidates, loss=loss)
                rates.clear()
    summary = folder.write_summary(seed=settings.seed, num_users=num_users)
    plot_run(folder.read_metrics(), folder.path)
    for name, value in summary.items():
        print(f"{name}: {'not known' if value is None else value}")
    print(f"curves, metrics and checkpoint: {folder.path}")


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
