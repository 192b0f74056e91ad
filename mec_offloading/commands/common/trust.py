"""Whose code a configuration may name: this project's, and that of modules which the command line allows.

A class path in a YAML file is a program to run. So it takes `--environment my_module.World` or `--allow my_module`
to have one of `my_module` imported; anything else is refused by name before it is.
"""

import importlib
import itertools
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from jsonargparse import set_parsing_settings

from env import InputError

OURS = ("agent", "env")
_kinds: dict[str, list[str]] = {}
"""The import paths of this project's classes that settings may name, by package."""
_users: set[str] = set()


def _of_env() -> tuple[type, ...]:
    """What of `env` a setting can be: random processes and their parts."""
    import env

    return env.Mobility, env.PathLoss, env.Process, env.Scenario, env.Weights


def _of_agent() -> tuple[type, ...]:
    """What of `agent`: networks, quantizers and callbacks."""
    from torch import nn

    import agent
    from agent.decisions.quantizer import CLASSES

    return nn.Module, *CLASSES, agent.MostProbable, agent.Callback


_KINDS = {"env": _of_env, "agent": _of_agent}


def allow_kinds_of(name: str) -> None:
    """Let configurations name the classes of this project's package that settings take, public and as defined."""
    if name in _kinds:
        return
    package, kinds, paths = importlib.import_module(name), _KINDS[name](), list[str]()
    for public in package.__all__:
        found = getattr(package, public)
        if isinstance(found, type) and issubclass(found, kinds):
            both = f"{name}.{public}", f"{found.__module__}.{found.__qualname__}"
            paths += [*both, *(f"mec_offloading.{path}" for path in both)]
    _kinds[name] = paths
    allow(())


def allow_all(paths: Iterable[str]) -> None:
    """As `allow`, with this project's classes: for a process that makes what another one has checked."""
    allow(paths)
    for name in _KINDS:
        allow_kinds_of(name)


def allow(paths: Iterable[str]) -> None:
    """Let configurations name what is in the modules of these paths; the working directory is searched too."""
    for path in paths:
        if not re.fullmatch(r"\w+(\.\w+)*", path):
            raise InputError(f"allow must be the name of a module, got {path!r}")
        _users.add(path.removeprefix("mec_offloading.").split(".")[0])
    _users.difference_update(OURS)
    if _users and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    set_parsing_settings(
        import_path_denylist=["*"],
        import_path_allowlist=[*itertools.chain(*_kinds.values()), *_users],
        instantiate_subclass_spec_in_any=False,
    )


def allowed() -> list[str]:
    """The modules of the user's that the command line allowed."""
    return sorted(_users)


def is_users(module: str) -> bool:
    """Whether a module is one that the user allowed."""
    return module.split(".")[0] in _users


def refusal(path: str) -> str:
    """What is said of a path that is not allowed."""
    root = path.split(".")[0]
    if root in OURS:
        return f"{path} is nothing that a setting takes"
    return f"{path} is not one of this project's, and {root} is not allowed: add --allow {root} to trust its code"


def load(path: str, needed: str, ours: str = "env") -> Any:
    """The object at an import path, of this project's in `ours`.

    Raises InputError, naming `needed`, for one that is not there or not allowed.
    """
    path = re.sub(r"^mec_offloading\.(?=(agent|env)\.)", "", str(path))
    module, _, name = path.rpartition(".")
    root = module.split(".")[0]
    if not re.fullmatch(r"\w+(\.\w+)*", module):
        raise InputError(f"{needed} must be an import path such as my_module.MyClass, got {path!r}")
    if root not in _users and module != ours and not module.startswith(f"{ours}."):
        raise InputError(f"{needed} must be allowed: {refusal(path)}")
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if not module.startswith(str(error.name)):  # a module that it imports in turn
            raise
        raise InputError(f"{needed} must be an import path, got {path}: {error}") from error
    except AttributeError as error:
        if hasattr(sys.modules.get(module), "__file__"):
            hidden = Path(f"{root}.py")
            rename = f"; {hidden.resolve()} bears this project's name, rename it" if hidden.is_file() else ""
            raise InputError(f"{needed} must be an import path, got {path}: {error}{rename}") from error
        raise


def load_baseline(path: str, needed: str) -> Any:
    """The baseline at an import path, one of `env.baselines` or of a problem's own, such as `env.age.baselines`.

    Raises InputError as `load`.
    """
    module = str(path).rpartition(".")[0]
    return load(path, needed, module if re.fullmatch(r"env\.\w+\.baselines", module) else "env.baselines")


def early(arguments: Sequence[str]) -> list[str]:
    """The modules that a command line allows: of `--allow`, and of `--environment`."""
    allowed = []
    for place, argument in enumerate(arguments):
        name, given, value = argument.partition("=")
        if name in ("--allow", "--environment"):
            allowed += [value] if given else list(arguments[place + 1 : place + 2])
    return allowed


allow(())  # whoever reads settings trusts nothing else from here on
