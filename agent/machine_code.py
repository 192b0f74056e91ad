"""What a frame does for one observation, in machine code: needs Numba, the extra `fast`.

The arrays of a frame are so small that calling an operation on them costs more than what it computes. Each module
of machine code does what a few lines of NumPy do elsewhere, which its tests hold it against.
"""

import logging
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from threading import get_ident
from typing import Any

_HERE = sha256(os.fsencode(Path(__file__).parent)).hexdigest()[:12]
LOCK = Path(tempfile.gettempdir()) / f"mec-offloading-{getattr(os, 'getuid', int)()}-{_HERE}.lock"
"""One process at a time compiles, while none loads: two would mix their files in Numba's cache, and all later ones
crash. Any number load at once."""


class _MustCompile(Exception):  # noqa: N818
    """A module is not in Numba's cache as it stands."""


USUAL = (
    "compiled_search",
    "compiled_standardization",
    "decisions.compiled_quantizer",
    "decisions.compiled_sigmoid",
    "learners.compiled_passes",
)
"""What an agent by default uses."""
INNER: dict[str, Any] = {
    "cache": True,
    "error_model": "numpy",
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
"""How what only machine code calls is compiled."""
_state = {"allowed": True}


def machine_code(module: str) -> Any:
    """A module of this package; None without Numba, or without a folder where it may keep what it compiles."""
    return _load(module) if _state["allowed"] else None


def compile_ahead(modules: Iterable[str] = USUAL) -> None:
    """Load what will be used, so that what must be compiled is so before an agent's first frame."""
    for module in modules:
        machine_code(module)


@contextmanager
def without_machine_code() -> Iterator[None]:
    """Within, agents do in NumPy what they would do in machine code, so that one can be held against the other."""
    before, _state["allowed"] = _state["allowed"], False
    try:
        yield
    finally:
        _state["allowed"] = before


@cache
def _load(module: str) -> Any:
    try:
        from filelock import ReadWriteLock
        from numba import config
        from numba.core import event

        class Refuses(event.Listener):
            """Lets nothing be compiled by this thread; others are not its business."""

            thread = get_ident()

            def on_start(self, event: Any) -> None:
                """Of a compilation: it does not come to it."""
                if get_ident() == self.thread:
                    raise _MustCompile

            def on_end(self, event: Any) -> None:
                """Nothing to say."""

        class Says(Refuses):
            """Says so where something is compiled, which takes seconds, once."""

            said = False

            def on_start(self, event: Any) -> None:
                """Of something: the first of a module is told."""
                if not self.said and get_ident() == self.thread:
                    logging.getLogger("agent").warning("compiling agent.%s to machine code, once", module)
                    self.said = True

        if config.DISABLE_JIT:  # type: ignore[attr-defined]
            return None
        with closing(ReadWriteLock(LOCK, is_singleton=False)) as lock:  # which threads, too, wait for
            try:
                with lock.read_lock(), event.install_listener("numba:compile", Refuses()):
                    return import_module(f".{module}", __package__)
            except _MustCompile:
                with lock.write_lock(), event.install_listener("numba:compile", Says()):
                    return import_module(f".{module}", __package__)
    except ImportError:
        return None
    except RuntimeError as error:
        if "cannot cache" not in str(error):
            raise
        return None
