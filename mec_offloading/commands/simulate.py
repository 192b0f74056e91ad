"""Let an agent learn in an environment and save its curves.

python scripts/simulate.py --config configs/wpmec.yaml
python scripts/simulate.py --config configs/wpmec.yaml --env.num_users 6 --agent.training_interval 5
python scripts/simulate.py --config configs/wpmec_published.yaml --replicas 64
python scripts/simulate.py --environment my_module.MyWorld
python scripts/simulate.py --resume runs/wpmec-seed0-20260101-120000
"""

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from agent.checks import torch_device
from agent.run.callbacks import Hooks
from agent.run.folder import RunFolder, locked
from agent.run.loop import MOST_FRAMES
from agent.run.plots import plot_run, value_label
from env import InputError, check_environment

from .common import hooking, trust
from .common.errors import explained
from .common.help import in_parts
from .common.progress import tqdm
from .common.running import (
    Replicated,
    Single,
    check_same_run,
    config_text,
    identity_of,
    new_folder,
    of_this_version,
    progress_of,
    told_to_stop,
)
from .common.settings import (
    WORLD,
    add_agent,
    add_environment,
    load_environment,
    load_yaml,
    make_environment,
    read_yaml,
)
from .common.shipped import called

BLOCK = 100
"""Frames between two writes of metrics."""
CHECK_SECONDS = 0.5
"""After which a world of the user's is not tried any further."""


def main(arguments: list[str] | None = None) -> None:
    """Parse, run or go on with a run, plot; a setting that is refused is one line and exit status 2."""
    arguments = sys.argv[1:] if arguments is None else arguments
    with explained():
        settings, parser = parse(arguments)
        check(settings)
        run(settings, parser)


def parse(arguments: list[str]) -> tuple[Namespace, ArgumentParser]:
    """Settings from the configuration file and the command line, the latter last."""
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    early.add_argument("-h", "--help", action="store_true")
    early.add_argument("--config")
    early.add_argument("--environment")
    early.add_argument("--resume")
    known, rest = early.parse_known_args(arguments)
    if known.help:
        make_parser(None, []).parse_args(["--help"])
    trust.allow(trust.early(arguments))
    if known.resume is not None:
        # The folder's own configuration comes first, what the command line adds after it must agree.
        RunFolder(known.resume).read_config()
        known.config = str(Path(known.resume) / "config.yaml")
    configured = read_yaml(known.config) if known.config else {}
    if known.resume is not None:
        configured = of_this_version(configured)
    settings, parser = settings_of(configured, arguments, known.environment, rest)
    settings.config = known.config
    return settings, parser


def settings_of(
    configured: dict[str, Any],
    arguments: Sequence[str] = (),
    environment: str | None = None,
    rest: Sequence[str] = (),
) -> tuple[Namespace, ArgumentParser]:
    """Settings from the content of a configuration file and a command line, `rest` of which is not yet read."""
    world = load_environment(environment or configured.get("environment"))
    given = [*(configured.get("env") or {}), *re.findall(r"^--env\.(\w+)", "\n".join(rest), re.MULTILINE)]
    parser = make_parser(world, given)
    return parser.parse_args(list(arguments), namespace=parser.parse_object(configured)), parser


def make_parser(environment: type | None, given: list[str]) -> ArgumentParser:
    """The command line for a class of environments: its constructor's arguments are the options `--env.*`.

    For None what `--help` tells, which has neither these nor an agent's and so loads little.
    """
    parser = ArgumentParser(description=str(__doc__).splitlines()[0], exit_on_error=False, allow_abbrev=False)
    parser.add_argument("--config", type=str | None, default=None, help="YAML file of settings")
    parser.add_argument("--environment", type=str, default=WORLD, help="importable class of the environment")
    parser.add_argument(
        "--allow", type=str, action="append", help="module of yours whose classes the configuration may name"
    )
    parser.add_argument("--frames", type=int, default=10_000, help="time frames to simulate in all")
    parser.add_argument("--seed", type=int, default=0, help="of the environment and the agent")
    parser.add_argument(
        "--output", type=str | None, default=None, help="new folder; runs/NAME-SEED-TIME by default"
    )
    parser.add_argument("--resume", type=str | None, default=None, help="folder of a run to go on with")
    parser.add_argument("--checkpoint_every", type=int, default=1000, help="frames between checkpoints")
    parser.add_argument(
        "--metrics_every", type=int, default=1, help="n: metrics.csv has a row of every n-th frame only"
    )
    parser.add_argument("--check", type=bool, default=True, help="try a world of yours before the first frame")
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
    if environment is not None:
        add_environment(parser, environment, given, {"seed", "replicas", "device"})
    hooking.add_callbacks(parser)
    if environment is not None:
        add_agent(parser)
    in_parts(parser, "env", "agent")
    return parser


def check(settings: Namespace) -> None:
    """Raise InputError for a setting of the run that is out of range, naming it."""
    for name in ("frames", "checkpoint_every", "metrics_every", "threads", "replicas"):
        if settings[name] is not None and settings[name] < 1:
            raise InputError(f"{name} must be 1 or more, got {settings[name]}")
    if settings.frames > MOST_FRAMES:
        raise InputError(f"frames must be at most {MOST_FRAMES}, got {settings.frames}")
    if settings.seed < 0:
        raise InputError(f"seed must be 0 or more, got {settings.seed}")
    if settings.device is not None and settings.replicas is None:
        raise InputError(f"device must be left out without replicas, got {settings.device}")
    if settings.device is not None:
        torch_device("device", settings.device)
    if settings.resume is not None and settings.output is not None:
        raise InputError("output must not be given with resume, which goes on in its own folder")


def run(settings: Namespace, parser: ArgumentParser) -> None:
    """One run, from its first or its next frame to the last: metrics, checkpoints, summary and plots.

    Ctrl-C or SIGTERM ends it after the frame (of replicas, the block of frames) with all of these, and exit status
    130 or 143.
    """
    environment = load_environment(settings.environment)
    if settings.check and settings.resume is None and trust.is_users(environment.__module__):
        check_environment(make_environment(parser, settings, environment), seconds=CHECK_SECONDS)
    callbacks = hooking.make_callbacks(settings)
    made = (Single if settings.replicas is None else Replicated)(
        hooking.without_callbacks(settings), parser, environment
    )
    hooks = hooking.hooks_of(callbacks, made, settings)
    config = config_text(settings, parser)
    identity = identity_of(config)
    metrics = [*made.world.frame_metrics(), *hooks.metrics]
    if settings.resume is None:
        folder = new_folder(settings, metrics)
    else:
        folder = RunFolder(settings.resume, settings.replicas, settings.metrics_every)
        folder.record(metrics)
    with (
        locked(folder.path, "output" if settings.resume is None else "resume"),
        told_to_stop() as stopped,
    ):
        if settings.resume is None:
            done = begin(made, folder, config, identity, settings.environment, hooks)
        else:
            done = go_on(made, folder, config, identity, settings, parser, hooks)
        hooking.begin(hooks, folder, load_yaml(config), done)
        with hooks.running():
            done, speed = advance(made, folder, done, identity, settings, stopped, hooks)
            title = f"{environment.__name__}, {made.world.num_users} users"
            finish(made, folder, settings, title, done, speed, hooks)
    if stopped() and done < settings.frames and not hooks.run.stopped:
        allowed = "".join(f" --allow {module}" for module in trust.allowed())
        print(f"stopped after {done} frames; to go on: {called('simulate')} --resume {folder.path}{allowed}")
        sys.exit(128 + stopped())


def begin(
    made: Single | Replicated, folder: RunFolder, config: str, identity: str, name: str, hooks: Hooks
) -> int:
    """Make the folder of a new run, with a checkpoint before the first frame; how many frames are done: none."""
    folder.create(config)
    states = made.states()
    folder.save(0, *states, identity, hooks.state_dict())
    if None in states:
        print(f"note: {name} has no state_dict and load_state_dict: this run cannot be resumed", file=sys.stderr)
    return 0


def go_on(
    made: Single | Replicated,
    folder: RunFolder,
    config: str,
    identity: str,
    settings: Namespace,
    parser: ArgumentParser,
    hooks: Hooks,
) -> int:
    """Go on from the folder's checkpoint; how many frames are done."""
    saved = folder.read_config()
    before = parser.parse_object(of_this_version(load_yaml(saved)))
    check_same_run(config, config_text(before, parser), folder.path)
    state = folder.read_checkpoint(identity, identity_of(saved))
    done, digests = 0, None
    if state is not None:
        done, digests = state["frame"], state.get("tables")
        folder.totals |= state.get("totals", {})
        if settings.frames < done:
            raise InputError(
                f"frames must be at least the {done} that {folder.path} has done, got {settings.frames}"
            )
        made.load(state)
        if state["callbacks"] is not None:
            hooks.load_state_dict(state["callbacks"])
    folder.cut_metrics(done, digests)
    folder.write_config(config)
    return done


def advance(
    made: Single | Replicated,
    folder: RunFolder,
    done: int,
    identity: str,
    settings: Namespace,
    stopped: Callable[[], int],
    hooks: Hooks,
) -> tuple[int, float | None]:
    """All frames that are left, or as far as it is let; how many are then done, and frames a second."""
    with tqdm(total=settings.frames, initial=done, unit="frame", mininterval=0.5, smoothing=0) as progress:
        stop: int | str | None = hooks.run.stopped
        while done < settings.frames and not stop:
            to_checkpoint = settings.checkpoint_every - done % settings.checkpoint_every
            count = min(BLOCK, settings.frames - done, to_checkpoint)
            columns, error = made.advance(done, count, progress.update, stopped, hooks)
            if columns:
                done += len(columns["frame"])
                hooks.run.done = done
                kept = folder.append(columns)
                if len(kept["frame"]):
                    hooks.rows(kept)
            if error is not None:
                folder.flush()
                note = f"an error after {done} frames; --resume {folder.path} goes on from its checkpoint"
                print(f"note: {note}", file=sys.stderr)
                raise error
            stop = stopped() or hooks.run.stopped  # looked at once: a signal that comes later ends the next frame
            if done % settings.checkpoint_every == 0 or done == settings.frames or stop:
                hooks.checkpoint(folder.save(done, *made.states(), identity, hooks.state_dict()))
            else:
                folder.flush()
            progress.set_postfix(progress_of(columns))
    speed = progress.format_dict
    return done, (speed["n"] - speed["initial"]) / speed["elapsed"] if speed["elapsed"] else None


def finish(
    made: Single | Replicated,
    folder: RunFolder,
    settings: Namespace,
    title: str,
    done: int,
    speed: float | None,
    hooks: Hooks,
) -> None:
    """Summary and plots of the frames that are done."""
    replicas = {} if settings.replicas is None else {"replicas": settings.replicas}
    every = {} if settings.metrics_every == 1 else {"metrics_every": settings.metrics_every}
    labels = {name: name for name in (*made.world.frame_metrics(), *hooks.metrics)}
    labels |= {**made.world.metric_labels, **hooks.metric_labels}
    label = value_label(labels, normalized=False).replace("\n", " ")
    summary = folder.write_summary(
        made.world.run_figures(done) if settings.optimum else {},
        frames=done,
        **every,
        seed=settings.seed,
        num_users=made.world.num_users,
        **replicas,
        **({"stopped_early": hooks.run.stopped} if hooks.run.stopped else {}),
        unit=f"value: {label}",
        frames_per_second=speed,
    )
    plot_run(
        folder.read_metrics(),
        folder.path,
        each=folder.read_each(),
        labels=labels,
        limits=made.world.metric_limits,
        title=title,
    )
    for name, value in summary.items():
        print(f"{name}: {'not known' if value is None else value}")
    print(f"curves, metrics and checkpoint: {folder.path}")
