"""The callbacks of a run, from its settings."""

from typing import Any

from jsonargparse import ArgumentParser, Namespace

from agent import Callback, TensorBoard
from agent.run import early_stopping, schedules  # noqa: F401, whose callbacks a setting may name
from agent.run.callbacks import Hooks, Run
from agent.run.folder import RunFolder


def add_callbacks(parser: ArgumentParser) -> None:
    """The options of hooks in a run."""
    parser.add_argument(
        "--callbacks",
        type=list[Callback] | None,
        default=None,
        help="classes that inherit agent.Callback, as class_path and init_args, called in the run",
    )
    parser.add_argument(
        "--tensorboard",
        type=bool,
        nargs="?",
        const=True,
        default=False,
        help="write what TensorBoard shows into the output folder (extra 'track')",
    )


def make_callbacks(settings: Namespace) -> list[Callback]:
    """Those of the settings, made once; one for TensorBoard comes last."""
    alone = ArgumentParser(exit_on_error=False)
    alone.add_argument("--callback", type=Callback)
    made = [alone.instantiate(Namespace(callback=one)).callback for one in settings.callbacks or ()]
    return [*made, TensorBoard()] if settings.tensorboard else made


def without_callbacks(settings: Namespace) -> Namespace:
    """The settings of which worlds and agents are made, which would make the callbacks again each time."""
    rest = settings.clone()
    rest.callbacks = None
    return rest


def hooks_of(callbacks: list[Callback], made: Any, settings: Namespace) -> Hooks:
    """The callbacks of a run of what is `made`; its folder and its first frame are set later."""
    return Hooks(callbacks, Run(made.agents, made.environments, settings.frames))


def begin(hooks: Hooks, folder: RunFolder, configuration: dict[str, Any], done: int) -> None:
    """Say where the run is kept, what it is, and where it begins."""
    run = hooks.run
    run.folder, run.settings, run.first_frame, run.done = folder.path, configuration, done, done
