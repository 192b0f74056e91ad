"""What the scripts share: finding classes and functions by import path, settings of agents, errors on one line."""

import importlib
import re
import sys
from pathlib import Path
from typing import Any, NoReturn

import threads  # noqa: F401

import yaml
from torch import nn

from agent import OffloadingAgent

try:
    from jsonargparse import ArgumentError, ArgumentParser, Namespace
except ImportError as missing:
    sys.exit(f"the scripts need {missing.name}: install the 'sim' extra, pip install -e '.[sim]'")

USER_ERRORS = (ArgumentError, ValueError, OSError, ImportError, FloatingPointError)
"""What a user can mend; anything else is ours, and keeps its traceback."""
WORLD = "env.WirelessPoweredMEC"


def load(path: str, needed: str) -> Any:
    """The object at an import path; the working directory is searched too. Raises ValueError, naming `needed`."""
    module, _, name = path.rpartition(".")
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        return getattr(importlib.import_module(module), name)
    except Exception as error:  # importing runs the module, which may raise anything
        raise ValueError(f"{needed} must be an import path, got {path}: {error!r}") from error


def load_environment(path: str | None) -> type:
    """The class at an import path; raises ValueError when it lacks what simulations ask of an environment."""
    found = load(str(path or WORLD), "environment")
    missing = [need for need in ("reset", "observe", "evaluate", "step") if not hasattr(found, need)]
    if not isinstance(found, type) or missing:
        raise ValueError(f"environment must be a class with reset, observe, evaluate and step, got {path}")
    return found


def read_yaml(config: str | Path) -> dict[str, Any]:
    """The settings in a YAML file; raises ValueError when there are none."""
    path = Path(config)
    if not path.is_file():
        raise ValueError(f"config must be a YAML file, there is none at {config}")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"config {config} is not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"config {config} must hold settings, got {type(content).__name__}")
    return content


def add_agent(parser: ArgumentParser) -> None:
    """The agent's settings as `--agent.*`; users, features, seed, replicas and device are not among them."""
    skip = {"num_users", "num_features", "seed", "replicas", "device"}
    parser.add_class_arguments(OffloadingAgent, "agent", skip=skip, instantiate=False)


def agent_arguments(made: Namespace, settings: Namespace) -> dict[str, Any]:
    """The constructor's arguments of agents, from their settings and what the parser made of these.

    A configured network is made anew for every agent, so that its first weights come from that agent's seed.
    """
    arguments = vars(made)
    if isinstance(arguments.get("network"), nn.Module):
        alone = ArgumentParser(exit_on_error=False)
        alone.add_argument("--network", type=nn.Module)
        configured = Namespace(network=settings.network)
        arguments["network"] = lambda num_users, num_features: alone.instantiate(configured).network
    return arguments


def make_agent(settings: dict[str, Any], num_users: int, num_features: int, seed: int) -> OffloadingAgent:
    """An agent from settings as in a configuration file; raises ArgumentError or ValueError for bad ones."""
    parser = ArgumentParser(exit_on_error=False, allow_abbrev=False)
    add_agent(parser)
    parsed = parser.parse_object({"agent": settings})
    arguments = agent_arguments(parser.instantiate(parsed).agent, parsed.agent)
    return OffloadingAgent(num_users, num_features, seed=seed, **arguments)


def fail(error: Exception) -> NoReturn:
    """Print an error on one line, without the parser's list of types tried, and exit with status 2."""
    text = re.sub(r"\s+", " ", str(error)).strip()
    text = re.sub(r"Does not validate against any of the Union subtypes Subtypes: .*? Errors: - ", "", text)
    text = re.sub(r"Given value type: .*? Given value:", "got", text)
    text = re.sub(r" - Expected a? ?<class 'NoneType'>", "", text)
    print(f"error: {text}", file=sys.stderr)
    sys.exit(2)
