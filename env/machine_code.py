"""Critics in machine code: need Numba, the extra `fast`. The agent, which needs no `env`, has its own."""

import logging
import os
import tempfile
from contextlib import closing
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


@cache
def machine_code(module: str) -> Any:
    """A module of this package; None without Numba, or without a folder where it may keep what it compiles."""
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
                    logging.getLogger("env").warning("compiling env.%s to machine code, once", module)
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
