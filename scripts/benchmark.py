"""Time a frame and of that its parts: network, quantizer, critic, learning; and time and gap of the optimum.

python scripts/benchmark.py --backend torch
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from commandline import USER_ERRORS, fail

import numpy as np
import torch

from agent import OffloadingAgent
from env import WirelessPoweredMEC

PARTS = ("network", "quantizer", "critic", "learning")


class Stopwatch:
    """Adds up the wall time spent in the calls that it wraps."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def wrap(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, its time counted under `part`."""

        def timed(*arguments: Any, **keywords: Any) -> Any:
            start = time.perf_counter()
            result = function(*arguments, **keywords)
            self.seconds[part] += time.perf_counter() - start
            return result

        return timed


class TimedQuantizer:
    """A quantizer under a stopwatch."""

    def __init__(self, quantizer: Any, watch: Stopwatch) -> None:
        self.max_candidates = quantizer.max_candidates
        self._call = watch.wrap("quantizer", quantizer)

    def __call__(self, *arguments: Any) -> Any:
        return self._call(*arguments)


def play(agent: OffloadingAgent, env: WirelessPoweredMEC, frames: int) -> float:
    """Seconds for `frames` whole online frames: observe, decide, step."""
    start = time.perf_counter()
    for _ in range(frames):
        decision, _ = agent.decide(env.observe(), env.evaluate)
        env.step(decision)
    return time.perf_counter() - start


def measure(num_users: int, frames: int, agent_settings: dict[str, Any]) -> dict[str, float]:
    """Microseconds a frame: the whole, and its parts, after as many frames of warm-up."""
    env = WirelessPoweredMEC(num_users)
    agent = OffloadingAgent(num_users, **agent_settings)
    play(agent, env, frames)
    whole = play(agent, env, frames)

    watch = Stopwatch()
    agent.relax = watch.wrap("network", agent.relax)  # type: ignore[method-assign]
    agent.quantizer = TimedQuantizer(agent.quantizer, watch)
    agent.learn = watch.wrap("learning", agent.learn)  # type: ignore[method-assign]
    env.evaluate = watch.wrap("critic", env.evaluate)  # type: ignore[method-assign]
    play(agent, env, frames)
    return {"frame": whole / frames * 1e6, **{part: watch.seconds[part] / frames * 1e6 for part in PARTS}}


def measure_optimum(num_users: int, frames: int, random_weights: bool) -> dict[str, float]:
    """Milliseconds a frame of the certified optimum, frame by frame (median) and in one batch, and its gaps."""
    rng = np.random.default_rng(0)
    weights = rng.uniform(0.2, 5, num_users).tolist() if random_weights else None
    env = WirelessPoweredMEC(num_users, weights=weights)
    gains = np.empty((frames, num_users))
    for row in gains:
        row[:] = env.gains
        env.step(np.zeros(num_users))
    start = time.perf_counter()
    best = env.optimum(gains)
    batch = time.perf_counter() - start
    single, allocation = np.empty(frames), np.empty(frames)
    for frame in range(frames):
        start = time.perf_counter()
        env.optimum(gains[frame])
        single[frame] = time.perf_counter() - start
        start = time.perf_counter()
        env.allocate(gains[frame], best.decision[frame])
        allocation[frame] = time.perf_counter() - start
    gap = best.upper_bound / best.rate - 1
    return {
        "single": 1e3 * float(np.median(single)),
        "batch": 1e3 * batch / frames,
        "allocation": 1e3 * float(np.median(allocation)),
        "closed": float(np.mean(gap <= 1e-6)),
        "gap": float(gap.max()),
    }


def benchmark_optimum(frames: int) -> list[dict[str, Any]]:
    """Print and return the figures of the optimum for 10 to 1,000 users, published and random weights."""
    print(f"\nthe certified optimum of {frames} frames: milliseconds a frame, and relative gap")
    print(f"{'users':>6} {'weights':>10} {'single':>8} {'batch':>8} {'allocate':>9} {'gap<=1e-6':>10} {'gap':>9}")
    rows: list[dict[str, Any]] = []
    for random_weights in (False, True):
        for num_users in (10, 30, 100, 300, 1000):
            row = measure_optimum(num_users, frames, random_weights)
            rows.append({"users": num_users, "random_weights": random_weights, **row})
            kind = "random" if random_weights else "published"
            print(
                f"{num_users:>6} {kind:>10} {row['single']:>8.3f} {row['batch']:>8.3f} {row['allocation']:>9.3f} "
                f"{row['closed']:>10.1%} {row['gap']:>9.1e}"
            )
    at = {row["users"]: row for row in rows if not row["random_weights"]}
    ratio = at[30]["single"] / (30 * at[30]["allocation"])
    print(f"30 users, one frame over 30 single allocations: {ratio:.2f}")
    print(f"one frame of 1,000 users over one of 30: {at[1000]['single'] / at[30]['single']:.2f}")
    return rows


def main() -> None:
    """Print a table of medians, and write them as JSON where asked."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--users", type=int, nargs="+", default=[10, 30, 100])
    parser.add_argument("--frames", type=int, default=300, help="frames a repetition")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--backend", choices=["numpy", "torch"], default="numpy")
    parser.add_argument("--quantizer", choices=["OP", "KNN", "OPN", "OP+KNN"], default="OP")
    parser.add_argument("--training_interval", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1, help="of torch; NumPy's: OPENBLAS_NUM_THREADS")
    parser.add_argument("--json", type=Path, help="file for the results")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    settings = {
        "backend": arguments.backend,
        "quantizer": arguments.quantizer,
        "adaptive_interval": None,
        "training_interval": arguments.training_interval,
    }
    results = []
    print(f"microseconds a frame, K = N fixed, {settings}, median of {arguments.repetitions}")
    print(f"{'users':>6} {'frame':>9} " + " ".join(f"{part:>9}" for part in PARTS) + f" {'rest':>9}")
    try:
        for num_users in arguments.users:
            runs = [measure(num_users, arguments.frames, settings) for _ in range(arguments.repetitions)]
            row = {name: float(np.median([run[name] for run in runs])) for name in ("frame", *PARTS)}
            rest = row["frame"] - sum(row[part] for part in PARTS)
            results.append({"users": num_users, **row, "rest": rest})
            print(f"{num_users:>6} " + " ".join(f"{value:>9.1f}" for value in [*row.values(), rest]))
    except USER_ERRORS as error:
        fail(error)
    optimum = benchmark_optimum(arguments.frames)
    if arguments.json:
        content = {"settings": settings, "frames": results, "optimum": optimum}
        arguments.json.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
