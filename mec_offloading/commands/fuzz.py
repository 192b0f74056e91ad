"""Search for wrong answers: random inputs over the stated ranges against slow references, and bad ones.

python scripts/fuzz.py --minutes 10 --seed 0
NUMBA_DISABLE_JIT=1 python scripts/fuzz.py --minutes 10   # the same in NumPy
"""

import argparse
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from itertools import count
from typing import Any

import numpy as np

from env import InputError

from .common.errors import explained
from .common.shipped import called
from .fuzzing.quantizers import QUANTIZERS
from .fuzzing.solvers import SOLVERS
from .fuzzing.tally import Tally


def loaded_later(name: str) -> Callable[..., None]:
    """The check of that name, in a module of its name, which loads all that it asks."""

    def check(*given: Any) -> None:
        getattr(import_module(f".fuzzing.{name}", __package__), name)(*given)

    return check


CHECKS = {
    **SOLVERS,
    **QUANTIZERS,
    **{name: loaded_later(name) for name in ("bad_inputs", "bad_files", "bad_settings")},
}


def main() -> None:
    """Batch after batch of each check until the time is over; exit status 1 where anything was found."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--checks", nargs="+", choices=CHECKS, default=list(CHECKS), metavar="CHECK", help=", ".join(CHECKS)
    )
    parser.add_argument("--first", type=int, default=0, help="number of the first batch")
    parser.add_argument("--batches", type=int, help="of each check, however long they take")
    arguments = parser.parse_args()
    tally = Tally(called("fuzz"), arguments.seed)
    with explained(), suppress(KeyboardInterrupt):  # which reports too
        if not arguments.minutes > 0 or arguments.seed < 0 or arguments.first < 0:
            raise InputError("minutes must be positive, seed and first 0 or more")
        end = time.monotonic() + 60 * arguments.minutes
        for done in count() if arguments.batches is None else range(arguments.batches):
            for name in arguments.checks:
                batch = arguments.first + done
                rng = np.random.default_rng([arguments.seed, list(CHECKS).index(name), batch])
                tally.run(name, batch, CHECKS[name], rng)
            if arguments.batches is None and time.monotonic() > end:
                break
    print(tally.report())
    sys.exit(1 if tally.found.total() else 0)
