"""Critics in machine code: need Numba, the extra `fast`. The agent, which needs no `env`, has its own."""

import logging
import os
import tempfile
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

LOCK = Path(tempfile.gettempdir()) / f"mec-offloading-{getattr(os, 'getuid', int)()}.lock"
"""One process at a time compiles: two would mix their files in Numba's cache, and all later ones crash."""


@cache
def machine_code(module: str) -> Any:
    """A module of this package; None without Numba, or without a folder where it may keep what it compiles."""
    try:
        from filelock import FileLock
        from numba import config
        from numba.core import event

        class Says(event.Listener):
            """Says so where something is compiled, which takes seconds, once."""

            said = False

            def on_start(self, event: Any) -> None:
                """Of something: the first of a module is told."""
                if not self.said:
                    logging.getLogger("env").warning("compiling env.%s to machine code, once", module)
                self.said = True

            def on_end(self, event: Any) -> None:
                """Nothing to say."""

        if config.DISABLE_JIT:  # type: ignore[attr-defined]
            return None
        with FileLock(LOCK), event.install_listener("numba:compile", Says()):
            return import_module(f".{module}", __package__)
    except ImportError:
        return None
    except RuntimeError as error:
        if "cannot cache" not in str(error):
            raise
        return None
