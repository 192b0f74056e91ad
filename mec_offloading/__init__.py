"""The commands of the project, and a second name for its packages: `mec_offloading.agent`, `mec_offloading.env`.

A file `env.py` or `agent.py` of one's own that Python finds first stands in the place of a package of that name.
Under the second name everything is reachable nevertheless. Where nothing stands in the way both names are the
same modules, so that classes, pickles and compiled code are shared; otherwise this project's are loaded under the
second.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

_ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("agent", "env")


def shadow(package: str) -> str | None:
    """The file that stands in the place of this project's package of that name; None where none does."""
    module = sys.modules.get(package)
    spec = find_spec(package) if module is None else module.__spec__
    origin = (spec.origin if spec is not None else None) or getattr(module, "__file__", None)
    if spec is not None and origin is None:  # a folder without __init__.py
        origin = next(iter(spec.submodule_search_locations or ()), None)
    ours = _ROOT / package / "__init__.py"
    if origin is not None and Path(origin).resolve() == ours:
        return None
    return origin or f"nothing named {package}"


class _Same(Loader):
    """Loads a module by finding it under its first name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module itself, which keeps its own specification."""
        module = import_module(self._name)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """It was when it was imported."""
        module.__spec__ = self._spec


class _Second(MetaPathFinder):
    """Finds `mec_offloading.agent...` and `mec_offloading.env...`."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What loads the module of that name; None for those of others."""
        project, _, name = fullname.partition(".")
        package = name.partition(".")[0]
        if project != __name__ or package not in PACKAGES:
            return None
        top = sys.modules.get(f"{project}.{package}")
        apart = shadow(package) is not None if top is None else top.__name__ != package
        if apart:
            return PathFinder.find_spec(fullname, [str(_ROOT)] if name == package else path)
        if find_spec(name) is None:
            return None
        return ModuleSpec(fullname, _Same(name))


sys.meta_path.insert(0, _Second())
