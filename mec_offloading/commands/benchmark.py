"""Time a frame and of that its parts, against its network alone, the published loop, and replicas of it.

python scripts/benchmark.py
python scripts/benchmark.py --parts network replicas --plots plots
python scripts/benchmark.py --quick

Ratios are medians over repetitions, within each of which the things compared take turns. One CPU thread, but for
replicas.
"""

import argparse
import json
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np

from env import InputError

from .common.errors import explained
from .common.machine import installed_version

PARTS = (
    "parts",
    "network",
    "textbook",
    "defaults",
    "growth",
    "capped",
    "channels",
    "replicas",
    "replica_table",
    "device",
    "dear",
    "optimum",
    "latency",
    "export",
)
"""The names of `benchmarks.measures.BENCHMARKS`, which is not loaded for the command line."""
QUICK = {
    "users": [10, 30],
    "growth_users": [10, 30],
    "textbook_users": [10],
    "textbook_frames": [2],
    "replicas": [1, 4],
    "device_replicas": 64,
    "table_frames": 2,
    "frames": 40,
    "optimum_frames": 5,
    "latency_frames": 20,
    "observations": 20,
    "dear_seeds": 1,
    "dear_warmup": 20,
    "dear_frames": 1,
    "repetitions": 2,
}


def parse() -> argparse.Namespace:
    """The command line; `--quick` changes the defaults of what is not given."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to run")
    users = [10, 30, 100, 300, 1000]
    parser.add_argument("--users", type=int, nargs="+", default=users, help="of replicas the first number")
    parser.add_argument("--growth_users", type=int, nargs="+", default=[10, 100, 1000, 10_000])
    parser.add_argument("--textbook_users", type=int, nargs="+", default=[10, 30, 100])
    parser.add_argument("--textbook_frames", type=int, nargs="+", default=[20, 5, 1], help="a repetition, each")
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 4, 16, 64, 256])
    parser.add_argument("--rows", nargs="+", metavar="ROW", help="of replica_table, all by default")
    parser.add_argument("--table_frames", type=int, default=20, help="of replicas in replica_table, a repetition")
    parser.add_argument("--device_replicas", type=int, default=4096, help="where there is a CUDA device")
    parser.add_argument("--frames", type=int, default=320, help="frames a repetition")
    parser.add_argument("--optimum_frames", type=int, default=300)
    parser.add_argument("--latency_frames", type=int, default=2000)
    parser.add_argument("--observations", type=int, default=100_000, help="of exported agents")
    parser.add_argument("--dear_seeds", type=int, default=10)
    parser.add_argument("--dear_warmup", type=int, default=1000, help="frames in which agents learn before")
    parser.add_argument("--dear_frames", type=int, default=10, help="of each seed")
    parser.add_argument("--repetitions", type=int, default=11)
    parser.add_argument("--backend", choices=["numpy", "torch"], default="numpy", help="on a device always torch")
    parser.add_argument("--quantizer", choices=["OP", "KNN", "OPN", "OP+KNN"], default="OP")
    parser.add_argument("--training_interval", type=int, default=10)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of replicas")
    parser.add_argument("--quick", action="store_true", help="a few frames of everything, to see it run")
    parser.add_argument("--json", type=Path, help="file for the results")
    parser.add_argument("--plots", type=Path, help="folder for the plots")
    if parser.parse_args().quick:
        parser.set_defaults(**QUICK)
    arguments = parser.parse_args()
    for name in (
        "users",
        "growth_users",
        "textbook_users",
        "textbook_frames",
        "replicas",
        "device_replicas",
        "frames",
    ):
        if np.min(getattr(arguments, name)) < 1:
            parser.error(f"{name} must be 1 or more, got {getattr(arguments, name)}")
    for name in (
        "table_frames",
        "optimum_frames",
        "latency_frames",
        "observations",
        "dear_seeds",
        "dear_warmup",
        "dear_frames",
        "repetitions",
        "threads",
    ):
        if getattr(arguments, name) < 1:
            parser.error(f"{name} must be 1 or more, got {getattr(arguments, name)}")
    if len(arguments.textbook_users) != len(arguments.textbook_frames):
        parser.error("textbook_frames must be as many numbers as textbook_users")
    return arguments


def main() -> None:
    """Print tables of medians, and write them as JSON and plots where asked."""
    arguments = parse()
    import torch

    from .benchmarks.measures import BENCHMARKS, TABLE, agent_settings, plot

    torch.set_num_threads(1)
    settings = agent_settings(arguments)
    print(f"K = N fixed, {settings}; {arguments.frames} frames a repetition")
    results: dict[str, Any] = {}
    with explained():
        if unknown := set(arguments.rows or ()) - TABLE.keys():
            raise InputError(f"rows must be some of {', '.join(TABLE)}, got {', '.join(sorted(unknown))}")
        for part in arguments.parts:
            results[part] = BENCHMARKS[part](arguments)
        if arguments.json:
            versions = {"python": platform.python_version()}
            versions |= {name: installed_version(name) for name in ("numpy", "torch", "numba")}
            content = {"settings": settings, "frames": arguments.frames, "repetitions": arguments.repetitions}
            content |= {"versions": versions, "processors": os.cpu_count(), **results}
            arguments.json.write_text(json.dumps(content, indent=2) + "\n")
        if arguments.plots:
            arguments.plots.mkdir(parents=True, exist_ok=True)
            for path in plot(results, arguments.plots):
                print(path)
