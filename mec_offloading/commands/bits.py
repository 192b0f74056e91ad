"""Play configurations in several ways, and compare every decision and value with those of the plain way.

python scripts/bits.py --frames 10000
python scripts/bits.py --frames 2000 --ways 4x1 16x1 32x2 --agent.backend torch --only wpmec lydroo_best
"""

import argparse
import os
import re
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from agent.run.callbacks import Hooks, Run
from env import InputError

from .common.errors import explained
from .common.running import Replicated, Single
from .common.settings import load_environment, read_yaml, shipped_runs
from .simulate import BLOCK, settings_of

ENVIRONMENT = {"numpy": {"NUMBA_DISABLE_JIT": "1"}, "omp": {"OMP_NUM_THREADS": "2"}}
"""Ways that are another environment of the process: without Numba, with two threads of the linear algebra."""
TIE = 1e-12
"""Decisions whose values are nearer than this, relative to them, are of equal worth to rounding."""
SEEDS = 4
"""Seeds of which replicas are compared, each with the single run of its seed."""


class Played(NamedTuple):
    """What a run decided, (frames, R, N), and what that was worth, (frames, R)."""

    decisions: NDArray[np.int8]
    values: NDArray[np.float64]


class Difference(NamedTuple):
    """How one run differs from another, frame by frame."""

    frames: int
    other: int
    """Frames with another decision."""
    first: int | None
    """The first of them; from there on the two have learned from different decisions."""
    there: float
    """The relative difference of the values in that frame, 0 without one."""
    before: float
    """The worst relative difference of the values in the frames before it."""
    mean: float
    """The relative difference of the mean values."""


def main() -> None:
    """Print a line for each configuration and way; exit status 1 where a decision differs in any."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0], allow_abbrev=False)
    parser.add_argument("--frames", type=int, default=10_000, help="of each run, at most")
    parser.add_argument("--seconds", type=float, default=np.inf, help="of each run, at most")
    parser.add_argument(
        "--ways",
        nargs="+",
        default=["numpy"],
        help="numpy: without Numba; omp: OMP_NUM_THREADS=2; RxT: R replicas, T threads, against single runs",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="some of the configurations")
    arguments, more = parser.parse_known_args()
    with explained():
        names = arguments.only or shipped_runs()
        unknown = [way for way in arguments.ways if way not in ENVIRONMENT and not re.fullmatch(r"\d+x\d+", way)]
        if unknown:
            raise InputError(f"ways must be numpy, omp, or as 16x2, got {', '.join(unknown)}")
        for name in names:
            settings_of(read_yaml(name), more)
    differing = 0
    for name in names:
        played = dict.fromkeys(seeds_of(arguments.ways, arguments.seed))
        for way in arguments.ways:
            for seed in seeds_of([way], arguments.seed):
                if played[seed] is None:
                    played[seed] = in_process(
                        {}, name, ["--seed", str(seed), *more], arguments.frames, arguments.seconds
                    )
            each = compared(name, way, played, arguments, more)
            differing += any(one.other for one in each)
            print(f"{name}, {way}: {line(each)}", flush=True)
    sys.exit(1 if differing else 0)


def seeds_of(ways: Sequence[str], seed: int) -> list[int]:
    """The seeds of the single runs that these ways are held against."""
    most = max((min(SEEDS, int(way.split("x")[0])) for way in ways if way not in ENVIRONMENT), default=1)
    return list(range(seed, seed + most))


def compared(
    name: str, way: str, single: dict[int, Any], arguments: argparse.Namespace, more: Sequence[str]
) -> list[Difference]:
    """How each run of a way differs from the plain one of its seed."""
    options = ["--seed", str(arguments.seed), *more]
    if way not in ENVIRONMENT:
        replicas, threads = way.split("x")
        options += ["--replicas", replicas, "--threads", threads]
    played = in_process(ENVIRONMENT.get(way, {}), name, options, arguments.frames, arguments.seconds)
    return [
        difference(single[seed], Played(played.decisions[:, [place]], played.values[:, [place]]))
        for place, seed in enumerate(seeds_of([way], arguments.seed))
    ]


def in_process(environment: dict[str, str], *of: Any) -> Played:
    """`play`, in a process of its own that starts with these variables."""
    with patch.dict(os.environ, environment), ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(play, *of).result()


def play(name: str, options: Sequence[str], frames: int, seconds: float = np.inf) -> Played:
    """Play a configuration as `simulate` does, without optima; its decisions and values."""
    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    settings, parser = settings_of(read_yaml(name), [*options, "--optimum", "false"])
    made = (Single if settings.replicas is None else Replicated)(
        settings, parser, load_environment(settings.environment)
    )
    records = [recorded(agent) for agent in made.agents]
    hooks = Hooks((), Run(made.agents, made.environments, frames))
    end = time.monotonic() + seconds
    done = 0
    while done < frames and time.monotonic() < end:
        count = min(BLOCK, frames - done)
        _, error = made.advance(done, count, lambda _: None, lambda: 0, hooks)
        if error is not None:
            raise error
        done += count
    parts = zip(*(zip(*record, strict=True) for record in records), strict=True)
    decisions, values = ([np.stack(part) for part in kind] for kind in parts)
    if settings.replicas is None:
        return Played(decisions[0][:, None], values[0][:, None])
    return Played(np.concatenate(decisions, axis=1), np.concatenate(values, axis=1))


def recorded(agent: Any) -> list[tuple[NDArray[np.int8], NDArray[np.float64]]]:
    """What the agent decides from now on, a list that grows."""
    from torch import as_tensor

    record, decide = [], agent.decide

    def decided(*of: Any) -> Any:
        decision, value = decide(*of)
        record.append((as_tensor(decision).cpu().numpy().astype(np.int8), np.array(value, dtype=float)))
        return decision, value

    agent.decide = decided
    return record


def difference(one: Played, other: Played) -> Difference:
    """How the second of two runs differs from the first, in the frames that both have."""
    frames = min(len(one.values), len(other.values))
    a, b = one.values[:frames], other.values[:frames]
    differ = (one.decisions[:frames] != other.decisions[:frames]).any((1, 2))
    first = int(differ.argmax()) if differ.any() else None
    with np.errstate(invalid="ignore"):
        relative = np.where(a == b, 0.0, abs(a - b) / np.maximum(np.maximum(abs(a), abs(b)), 1e-300))
    before = float(relative[:first].max(initial=0))
    mean = abs(a.mean() - b.mean()) / abs(a.mean()) if a.mean() != b.mean() else 0.0
    there = 0.0 if first is None else float(relative[first].max())
    return Difference(frames, int(differ.sum()), first, there, before, float(mean))


def line(each: Sequence[Difference]) -> str:
    """A line on the differences of runs."""
    text = f"{sum(one.other for one in each)} of {sum(one.frames for one in each)} decisions differ"
    text += f", values before by at most {max(one.before for one in each):.1e}"
    text += f", means by {max(one.mean for one in each):.1e}"
    for one in each:
        if one.first is not None:
            worth = "a tie" if one.there <= TIE else f"worth {one.there:.1e} apart"
            text += f"; from frame {one.first} on, {worth}"
    return text
