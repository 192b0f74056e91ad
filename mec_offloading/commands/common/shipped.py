"""The configurations that ship, in a wheel inside this package, in a checkout in `configs/`."""

import sys
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[2]
CONFIGS = next(folder for folder in (_PACKAGE / "configs", _PACKAGE.parent / "configs") if folder.is_dir())

CHECKOUT = CONFIGS.parent if CONFIGS.parent != _PACKAGE else None
"""The folder of the project, where this is not a wheel."""


def find(config: str | Path) -> Path | None:
    """The file at a path, or else the one that ships by that name, with or without `.yaml`; None without one.

    Of `configs/NAME.yaml` and `configs/tried/NAME.yaml`, as the docs write, the shipped one is found from every
    folder too.
    """
    path = Path(config)
    if path.is_file():
        return path
    parents = path.parent.parts
    shipped = CONFIGS.joinpath(*parents[1:], f"{path.name.removesuffix('.yaml')}.yaml")
    by_name = not path.is_absolute() and parents[:1] in ((), ("configs",)) and ".." not in parents
    return shipped if by_name and shipped.is_file() else None


def names() -> list[str]:
    """The names of those that ship."""
    return sorted(path.stem for path in CONFIGS.glob("*.yaml"))


def called(command: str) -> str:
    """How the user calls that command: as the one that runs."""
    name, _, runs = sys.argv[0].partition(" ")
    return f"{name} {command}" if runs else f"python scripts/{command}.py"
