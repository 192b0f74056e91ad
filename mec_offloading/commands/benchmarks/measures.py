"""Tables of medians, one a function, each printed as it is measured."""

import argparse
import functools
import itertools
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agent import Convolutional, PairNetwork, SetNetwork
from env import (
    AgeMEC,
    AlternatingWeights,
    LyapunovMEC,
    MultiServerMEC,
    MultiTaskMEC,
    PartialMEC,
    RandomPresence,
    WirelessPoweredMEC,
)

from ..common import deployed
from ..common.dear import METHODS, race
from ..common.players import (
    DropIn,
    Frames,
    FramesWithoutNumba,
    Links,
    NetworkAlone,
    PublishedFrames,
    Replicas,
    TimedFrames,
)
from ..common.textbook import HIDDEN, MEMORY_SIZE, Textbook

PARTS = ("network", "quantizer", "critic", "learning")
RIVALS = ("coordinate descent", "32 candidates", "pair network, 32 candidates")
"""Against which frames with a critic that takes long are held."""
Row = dict[str, Any]


def benchmark_parts(arguments: argparse.Namespace) -> list[Row]:
    """Where the time of a frame goes, microseconds; the stopwatch's own time is in the rest."""
    print(f"\nthe parts of a frame, microseconds, median of {arguments.repetitions}")
    print(f"{'users':>6} {'frame':>9} " + " ".join(f"{part:>9}" for part in PARTS) + f" {'rest':>9}")
    rows = []
    for num_users in arguments.users:
        whole, timed = (kind(num_users, agent_settings(arguments)) for kind in (Frames, TimedFrames))
        whole.play(arguments.frames)
        timed.play(arguments.frames)
        runs = []
        for _ in range(arguments.repetitions):
            timed.watch.seconds.clear()
            whole_seconds = whole.play(arguments.frames)
            watched = timed.play(arguments.frames)
            in_parts = [timed.watch.seconds[part] for part in PARTS]
            runs.append([whole_seconds, *in_parts, watched - sum(in_parts)])
        medians = (1e6 * np.median(runs, axis=0) / arguments.frames).tolist()
        row = dict(zip(("frame", *PARTS, "rest"), medians, strict=True))
        rows.append({"users": num_users, **row})
        print(f"{num_users:>6} " + " ".join(f"{value:>9.1f}" for value in row.values()))
    return rows


def benchmark_network(arguments: argparse.Namespace) -> Row:
    """Whole frames over the network alone, and how they grow with the number of users."""
    print(f"\na frame over its network alone in plain torch, microseconds, median of {arguments.repetitions}")
    print(f"{'':>37} {'without Numba':>19}")
    print(f"{'users':>6} {'frame':>9} {'network':>9} {'ratio':>9} {'frame':>9} {'ratio':>9}")
    settings = agent_settings(arguments)
    players: list[Any] = []
    for num_users in arguments.users:
        players += Frames(num_users, settings), FramesWithoutNumba(num_users, settings)
        players.append(NetworkAlone(num_users, arguments.training_interval))
    times = take_turns(players, arguments.frames, arguments.repetitions)
    frame, without_numba, network = times[:, ::3], times[:, 1::3], times[:, 2::3]
    rows = []
    for place, num_users in enumerate(arguments.users):
        row = {
            "frame": 1e6 * float(np.median(frame[:, place])),
            "network": 1e6 * float(np.median(network[:, place])),
            "ratio": float(np.median(frame[:, place] / network[:, place])),
            "frame_without_numba": 1e6 * float(np.median(without_numba[:, place])),
            "ratio_without_numba": float(np.median(without_numba[:, place] / network[:, place])),
        }
        rows.append({"users": num_users, **row})
        print(
            f"{num_users:>6} {row['frame']:>9.1f} {row['network']:>9.1f} {row['ratio']:>9.3f} "
            f"{row['frame_without_numba']:>9.1f} {row['ratio_without_numba']:>9.3f}"
        )
    growth = float(np.median(frame[:, -1] / frame[:, 0]))
    print(f"a frame of {arguments.users[-1]} users over one of {arguments.users[0]}: {growth:.2f}")
    return {"rows": rows, "growth": growth}


def benchmark_textbook(arguments: argparse.Namespace) -> list[Row]:
    """The textbook loop over whole frames, and over the same loop with `agent.compat` and `env.compat`."""
    print(f"\nthe textbook loop over a frame and the drop-in, microseconds, median of {arguments.repetitions}")
    heads = ("ratio", "drop-in", "ratio", "defaults", "ratio")
    print(f"{'users':>6} {'frame':>9} {'textbook':>11} " + " ".join(f"{head:>9}" for head in heads))
    rows = []
    for num_users, textbook_frames in zip(arguments.textbook_users, arguments.textbook_frames, strict=True):
        whole, defaults = Frames(num_users, agent_settings(arguments)), Frames(num_users, {})
        published = [
            PublishedFrames(num_users, loop(num_users, training_interval=arguments.training_interval))
            for loop in (Textbook, DropIn)
        ]
        defaults.play(arguments.frames)
        for frames in published:
            frames.learn_from(whole, arguments.frames)
            frames.play(1)
        textbook, drop_in = published
        times = []
        for _ in range(arguments.repetitions):
            fast = whole.play(arguments.frames) / arguments.frames
            in_between = drop_in.play(arguments.frames) / arguments.frames
            default = defaults.play(arguments.frames) / arguments.frames
            times.append((fast, in_between, default, textbook.play(textbook_frames) / textbook_frames))
        frame, compat, default, slow = np.array(times).T
        row = {
            "frame": 1e6 * float(np.median(frame)),
            "textbook": 1e6 * float(np.median(slow)),
            "ratio": float(np.median(slow / frame)),
            "drop_in": 1e6 * float(np.median(compat)),
            "ratio_drop_in": float(np.median(slow / compat)),
            "defaults": 1e6 * float(np.median(default)),
            "ratio_defaults": float(np.median(slow / default)),
        }
        rows.append({"users": num_users, **row})
        print(
            f"{num_users:>6} {row['frame']:>9.1f} {row['textbook']:>11.1f} {row['ratio']:>9.0f} "
            f"{row['drop_in']:>9.1f} {row['ratio_drop_in']:>9.0f} "
            f"{row['defaults']:>9.1f} {row['ratio_defaults']:>9.0f}"
        )
    return rows


def benchmark_defaults(arguments: argparse.Namespace) -> list[Row]:
    """Frames of an agent that nothing was said to over the network alone; without Numba, with a user's modules."""
    print(f"\na frame of the defaults over its network alone, microseconds, median of {arguments.repetitions}")
    names = ("defaults", "without Numba", "own module", "with LayerNorm", "published")
    print(f"{'users':>6} {'network':>9} " + " ".join(f"{name:>19}" for name in names))
    rows = []
    for num_users in arguments.users:
        published = {**agent_settings(arguments), "backend": "auto"}
        players = [
            NetworkAlone(num_users, arguments.training_interval),
            Frames(num_users, {}),
            FramesWithoutNumba(num_users, {}),
            Frames(num_users, {"network": own_module}),
            Frames(num_users, {"network": normalized_module}),
            Frames(num_users, published),
        ]
        times = take_turns(players, arguments.frames, arguments.repetitions)
        row: Row = {"users": num_users, "network": 1e6 * float(np.median(times[:, 0]))}
        for name, frame in zip(names, times.T[1:], strict=True):
            row[name] = 1e6 * float(np.median(frame))
            row[f"{name}, ratio"] = float(np.median(frame / times[:, 0]))
        rows.append(row)
        print(f"{num_users:>6} {row['network']:>9.1f} ", end="")
        print(" ".join(f"{row[name]:>10.1f} {row[name + ', ratio']:>8.3f}" for name in names))
    return rows


def own_module(num_users: int, num_features: int) -> torch.nn.Module:
    """A network of the published size as a user would write it: its passes are written out."""
    widths = [num_users * num_features, *HIDDEN, num_users]
    layers: list[torch.nn.Module] = [torch.nn.Flatten(-2)]
    for inputs, outputs in itertools.pairwise(widths):
        layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def normalized_module(num_users: int, num_features: int) -> torch.nn.Module:
    """The same with its first layer normalised: torch trains it."""
    flatten, first, *others = own_module(num_users, num_features).children()
    return torch.nn.Sequential(flatten, first, torch.nn.LayerNorm(HIDDEN[0]), *others)


GROWTH = {"num_features": 3, "network": SetNetwork, "quantizer": "OP", "num_candidates": 10, "local_search": 0}
"""One network for any number of users, and ten candidates of however many."""


def benchmark_growth(arguments: argparse.Namespace) -> list[Row]:
    """How time and memory of a frame, with 64 pairs remembered, grow with the number of users, K being fixed."""
    print(f"\nthe set network, K = 10: milliseconds a frame, median of {arguments.repetitions}, and peak memory")
    print(f"{'users':>6} {'frame':>9} {'over N':>9} {'MB':>9}")
    counts = arguments.growth_users
    players = [Frames(count, GROWTH, observation="user") for count in counts]
    frames = [max(20, min(arguments.frames, 20_000 // count)) for count in counts]
    for player, many in zip(players, frames, strict=True):
        player.play(many)
    times = [
        [player.play(many) / many for player, many in zip(players, frames, strict=True)]
        for _ in range(arguments.repetitions)
    ]
    rows = []
    for count, seconds in zip(counts, np.median(times, axis=0), strict=True):
        row = {"users": count, "frame": 1e3 * float(seconds), "megabytes": apart(_peak_of_growth, count) / 1e6}
        rows.append(row)
        print(f"{count:>6} {row['frame']:>9.3f} {row['frame'] / count:>9.6f} {row['megabytes']:>9.0f}")
    return rows


def _peak_of_growth(num_users: int) -> int:
    torch.set_num_threads(1)
    Frames(num_users, {**GROWTH, "memory_size": 64}, observation="user").play(64)
    return _peak_so_far()


def benchmark_capped(arguments: argparse.Namespace) -> list[Row]:
    """Frames of an agent with the defaults, and optima, where CPUs have a cap, over those where they have none."""
    print(f"\nframes with a cap on the CPUs, microseconds, median of {arguments.repetitions}")
    print(f"{'':>37} {'without Numba':>29}")
    print(f"{'users':>6} " + f"{'no cap':>9} {'3 MHz':>9} {'ratio':>9} " * 2)
    rows = []
    for num_users in arguments.users:
        players = [
            kind(num_users, {}, cpu_frequency=cap) for kind in (Frames, FramesWithoutNumba) for cap in (None, 3e6)
        ]
        times = 1e6 * take_turns(players, arguments.frames, arguments.repetitions)
        row = {}
        for first, name in ((0, ""), (2, "_without_numba")):
            row["frame" + name], row["capped" + name] = np.median(times[:, first : first + 2], axis=0).tolist()
            row["ratio" + name] = float(np.median(times[:, first + 1] / times[:, first]))
        rows.append({"users": num_users, **row})
        print(f"{num_users:>6} " + " ".join(f"{value:>9.2f}" for value in row.values()))
    frames = arguments.optimum_frames
    print(f"\nthe certified optimum of {frames} frames with a cap: milliseconds a frame, and relative gap")
    print(f"{'users':>6} {'cap':>6} {'single':>8} {'batch':>8} {'gap':>9}")
    for row in rows:
        for name, cap in (("none", None), ("3 MHz", 3e6), ("1 MHz", 1e6)):
            found = measure_optimum(row["users"], frames, False, cpu_frequency=cap)
            row["optimum, " + name] = found
            times = f"{found['single']:>8.3f} {found['batch']:>8.3f}"
            print(f"{row['users']:>6} {name:>6} {times} {found['gap']:>9.1e}")
    return rows


def benchmark_dear(arguments: argparse.Namespace) -> list[Row]:
    """Frames with a critic that takes milliseconds: agents that spare calls, against descent and 32 candidates.

    A frame is the mean over a seed's frames, learning included; ratios of these means are medians over seeds.
    """
    seeds, frames = arguments.dear_seeds, arguments.dear_frames
    scale = f"{seeds} seeds, {frames} frames each"
    print(f"\nframes of 10 users and 3 servers with SciPy's critic, milliseconds, {scale}")
    seconds, calls, rates = race(seeds, arguments.dear_warmup, frames)
    means = seconds.mean(1)
    rivals = "  ".join(f"{name} /" for name in RIVALS)
    print(f"{'':>28} {'frame':>8} {'calls':>6} {'rate':>9} {'+-':>9}  {rivals}")
    rows = []
    for place, method in enumerate(METHODS):
        each = rates[..., place].mean(1)
        row: Row = {
            "method": method,
            "frame": 1e3 * float(np.median(means[:, place])),
            "calls": float(calls[..., place].mean()),
            "rate": float(each.mean()),
            "deviation": float(each.std(ddof=min(1, seeds - 1))),
        }
        for rival in RIVALS:
            row[rival] = float(np.median(means[:, list(METHODS).index(rival)] / means[:, place]))
        rows.append(row)
        ratios = "  ".join(f"{row[name]:>{len(name) + 2}.2f}" for name in RIVALS)
        print(
            f"{method:>28} {row['frame']:>8.1f} {row['calls']:>6.1f} {row['rate']:>9.6f} {row['deviation']:>9.6f}"
            f"  {ratios}"
        )
    return rows


def benchmark_channels(arguments: argparse.Namespace) -> list[Row]:
    """Millions of link gains a second: users that walk in a UMi street canyon, with shadowing and fading."""
    print(f"\nlink gains a second, millions, median of {arguments.repetitions}")
    names = list(Links.KINDS)
    print(f"{'users':>6} " + " ".join(f"{name:>24}" for name in names))
    rows = []
    for num_users in arguments.users:
        players = [Links(name, num_users) for name in names]
        times = take_turns(players, max(arguments.frames, Links.BLOCK), arguments.repetitions)
        rates = [1e-6 * float(num_users / seconds) for seconds in np.median(times, axis=0)]
        rows.append({"users": num_users, **dict(zip(names, rates, strict=True))})
        print(f"{num_users:>6} " + " ".join(f"{rate:>24.2f}" for rate in rates))
    return rows


def take_turns(players: Sequence[Any], frames: int, repetitions: int) -> np.ndarray:
    """Seconds a frame, (repetitions, players), after a warm-up of as many frames."""
    for player in players:
        player.play(frames)
    return np.array([[player.play(frames) / frames for player in players] for _ in range(repetitions)])


def benchmark_replicas(arguments: argparse.Namespace) -> Row:
    """Run-frames a second and memory of one run and of many at once."""
    num_users, threads, settings = arguments.users[0], arguments.threads, agent_settings(arguments)
    print(f"\nreplicas, {num_users} users, {threads} threads, median of {arguments.repetitions}")
    print(f"{'runs':>6} {'run-frames/s':>13} {'over one':>9} {'MB a run':>9}")
    counts = sorted({1, *arguments.replicas})
    memory = [apart(_peak_of_replicas, count, num_users, threads, settings) for count in counts]
    players = [Replicas(count, threads, settings, num_users=num_users) for count in counts]
    speeds = counts / take_turns(players, arguments.frames, arguments.repetitions)
    rows = []
    for place, count in enumerate(counts):
        row = {
            "run_frames_per_second": float(np.median(speeds[:, place])),
            "over_one": float(np.median(speeds[:, place] / speeds[:, 0])),
            "megabytes_a_run": None if count == 1 else (memory[place] - memory[0]) / count / 1e6,
        }
        rows.append({"replicas": count, **row})
        extra = "" if count == 1 else f"{row['megabytes_a_run']:>9.2f}"
        print(f"{count:>6} {row['run_frames_per_second']:>13.0f} {row['over_one']:>9.2f} {extra}")
    return {"users": num_users, "threads": threads, "rows": rows}


PUBLISHED = {"published": True}
USER = {"observation": "user"}
SET = {"network": SetNetwork}
PAIRS = {"network": PairNetwork}
SHARED = functools.partial(SetNetwork, masked=False, slopes=[])
TABLE: dict[str, tuple[type, dict[str, Any], dict[str, Any]]] = {
    "wireless powered": (WirelessPoweredMEC, {}, {}),
    "wireless powered, published": (WirelessPoweredMEC, {}, {**PUBLISHED, "quantizer": "OP"}),
    "a cap on the CPUs": (WirelessPoweredMEC, {"cpu_frequency": 3e6}, {}),
    "users on and off": (WirelessPoweredMEC, {"presence": RandomPresence(500, 250), **USER}, {}),
    "weights that change": (WirelessPoweredMEC, {"weight_schedule": AlternatingWeights(1000, 1000), **USER}, {}),
    "LyDROO": (LyapunovMEC, {}, {}),
    "LyDROO, published": (LyapunovMEC, {"observation": "gain"}, {**PUBLISHED, "quantizer": "OPN"}),
    "DDLO": (MultiTaskMEC, {}, {}),
    "DDLO, published": (MultiTaskMEC, {"observation_scale": 200.0}, {**PUBLISHED, "quantizer": "OP"}),
    "several servers": (MultiServerMEC, {}, {}),
    "servers with places": (MultiServerMEC, {"capacities": 3}, {}),
    "tasks that are split": (PartialMEC, {}, {}),
    "age of information": (AgeMEC, {}, {}),
    "OP": (WirelessPoweredMEC, {}, {"quantizer": "OP"}),
    "KNN": (WirelessPoweredMEC, {}, {"quantizer": "KNN"}),
    "OPN": (WirelessPoweredMEC, {}, {"quantizer": "OPN"}),
    "MP": (WirelessPoweredMEC, {}, {"quantizer": "MP"}),
    "OP, no local search": (WirelessPoweredMEC, {}, {"quantizer": "OP", "local_search": 0}),
    "KNN, published": (WirelessPoweredMEC, {}, {**PUBLISHED, "quantizer": "KNN"}),
    "OPN, published": (WirelessPoweredMEC, {}, {**PUBLISHED, "quantizer": "OPN"}),
    "OP+KNN, published": (WirelessPoweredMEC, {}, {**PUBLISHED, "quantizer": "OP+KNN"}),
    "MP, published": (WirelessPoweredMEC, {}, {**PUBLISHED, "quantizer": "MP"}),
    "set network": (WirelessPoweredMEC, USER, SET),
    "set network, age": (AgeMEC, {}, {"network": SHARED}),
    "convolutional": (WirelessPoweredMEC, {}, {"network": Convolutional}),
    "pair network": (MultiServerMEC, {}, PAIRS),
    "the torch backend": (WirelessPoweredMEC, {}, {"backend": "torch"}),
}
"""World, its settings and the agent's; of all else the defaults."""


def benchmark_replica_table(arguments: argparse.Namespace) -> list[Row]:
    """Run-frames a second of one run and of the most replicas, worlds included, of all that ships."""
    count, threads = max(arguments.replicas), arguments.threads
    print(f"\n{count} replicas on {threads} threads, 10 users unless a world has others, run-frames a second")
    print(f"{'':>28} {'one run':>9} {'together':>9} {'ratio':>6}")
    rows = []
    for name, (world, of_world, settings) in TABLE.items():
        if arguments.rows and name not in arguments.rows:
            continue
        players = [Replicas(many, threads, settings, world, **of_world) for many in (1, count)]
        frames = [arguments.frames, max(2, arguments.table_frames)]
        for player, many in zip(players, frames, strict=True):
            player.play(many)
        speeds = [
            [player.replicas * many / player.play(many) for player, many in zip(players, frames, strict=True)]
            for _ in range(3)
        ]
        one, together = np.median(speeds, axis=0).tolist()
        ratio = float(np.median([many / alone for alone, many in speeds]))
        rows.append({"name": name, "one": one, "together": together, "ratio": ratio})
        print(f"{name:>28} {one:>9.0f} {together:>9.0f} {ratio:>6.2f}", flush=True)
    return rows


def apart(function: Callable[..., int], *arguments: Any) -> int:
    """What a function returns in a process of its own, which has used no memory before."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh) as pool:
        return pool.submit(function, *arguments).result()


def _peak_of_replicas(replicas: int, num_users: int, threads: int, settings: dict[str, Any]) -> int:
    """That of filling the replay memories of R replicas."""
    torch.set_num_threads(1)
    Replicas(replicas, threads, settings, num_users=num_users).play(MEMORY_SIZE)
    return _peak_so_far()


def _peak_so_far() -> int:
    """Memory, bytes, that this process has used at most."""
    status = Path("/proc/self/status")
    if status.exists():  # what is asked below has, on Linux, the parent's peak in it
        lines = (line.split() for line in status.read_text().splitlines())
        return 1024 * next(int(words[1]) for words in lines if words[0] == "VmHWM:")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def benchmark_device(arguments: argparse.Namespace) -> Row | None:
    """Run-frames a second of many replicas on a CUDA device, and how busy it is; None where there is none."""
    count, num_users = arguments.device_replicas, arguments.users[0]
    if not torch.cuda.is_available():
        print(f"\n{count} replicas on a device: skipped, there is no CUDA device")
        return None
    name = torch.cuda.get_device_name()
    player = Replicas(
        count, 1, {**agent_settings(arguments), "backend": "torch"}, device="cuda", num_users=num_users
    )
    seconds = float(np.median(take_turns([player], arguments.frames, arguments.repetitions)))
    row = {"run_frames_per_second": count / seconds, "busy": kernel_seconds(player) / seconds}
    print(f"\n{count} replicas, {num_users} users, on one {name}, median of {arguments.repetitions}")
    print(f"{row['run_frames_per_second']:.0f} run-frames/s, {row['busy']:.0%} of the time inside kernels")
    return {"replicas": count, "users": num_users, "device": name, **row}


def kernel_seconds(player: Replicas, frames: int = 50) -> float:
    """Seconds a frame that the device spends in kernels, by torch's profiler, which slows the host only."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        player.play(frames)
        torch.cuda.synchronize()
    on_device = (event for event in profiler.events() if event.device_type == torch.autograd.DeviceType.CUDA)
    kernels = [event for event in on_device if not event.name.startswith(("Memcpy", "Memset"))]
    return sum(event.time_range.elapsed_us() for event in kernels) / 1e6 / frames


def measure_optimum(num_users: int, frames: int, random_weights: bool, **world: Any) -> dict[str, float]:
    """Milliseconds a frame of the certified optimum, frame by frame (median) and in one batch, and its gaps."""
    rng = np.random.default_rng(0)
    weights = rng.uniform(0.2, 5, num_users).tolist() if random_weights else None
    env = WirelessPoweredMEC(num_users, weights=weights, **world)
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


def benchmark_optimum(arguments: argparse.Namespace) -> list[Row]:
    """Print and return the figures of the optimum for 10 to 1,000 users, published and random weights."""
    frames = arguments.optimum_frames
    print(f"\nthe certified optimum of {frames} frames: milliseconds a frame, and relative gap")
    print(f"{'users':>6} {'weights':>10} {'single':>8} {'batch':>8} {'allocate':>9} {'gap<=1e-6':>10} {'gap':>9}")
    rows: list[Row] = []
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


def benchmark_latency(arguments: argparse.Namespace) -> list[Row] | None:
    """Microseconds of an exported agent's candidates, and of decisions with the exact critic, on one thread."""
    frames = arguments.latency_frames
    if (package := deployed.missing()) is not None:
        print(f"\nlatency of exported agents: skipped, there is no {package} (install the 'deploy' extra)")
        return None
    print(f"\nan exported agent, microseconds in {frames} frames on one thread, median and 99th percentile")
    names = ("model", "decode", "model, decision", "decode, decision")
    print(f"{'users':>6} {'network':>15} {'K':>3} " + " ".join(f"{name:>17}" for name in names))
    rows = []
    for network in (None, SetNetwork):
        for num_users in (10, 30, 100):
            candidates, taken = deployed.latencies(num_users, network, frames)
            kind = "FullyConnected" if network is None else network.__name__
            row: Row = {"users": num_users, "network": kind, "candidates": candidates}
            for name in names:
                row[name] = float(np.median(taken[name]))
                row[f"{name}, 99th percentile"] = float(np.percentile(taken[name], 99))
            rows.append(row)
            figures = " ".join(f"{row[name]:>8.0f} {row[f'{name}, 99th percentile']:>8.0f}" for name in names)
            print(f"{num_users:>6} {kind:>15} {candidates:>3} {figures}", flush=True)
    return rows


def benchmark_export(arguments: argparse.Namespace) -> list[Row] | None:
    """Of how many observations an exported agent's candidates are not the agent's, N from 1 to 100."""
    count = arguments.observations
    if (package := deployed.missing()) is not None:
        print(f"\ncandidates of exported agents: skipped, there is no {package} (install the 'deploy' extra)")
        return None
    print(f"\n{count} observations, N from 1 to 100: candidates of ONNX Runtime that are not the agent's")
    heads = f"{'observations':>13} {'differ':>7} {'by the quantizer':>17} {'relaxed, off by':>16}"
    print(f"{'':>22} {heads} {'where they differ':>18}")
    rows = []
    for name, one in deployed.compare_all(count, min(100, count)).items():
        rows.append({"name": name, **vars(one)})
        counts = f"{one.observations:>13} {one.different:>7} {one.by_quantizer:>17}"
        print(f"{name:>22} {counts} {one.off:>16.1e} {one.margin:>18.1e}")
    totals = [sum(row[key] for row in rows) for key in ("observations", "different", "by_quantizer")]
    print(f"{'all':>22} {totals[0]:>13} {totals[1]:>7} {totals[2]:>17}")
    return rows


def plot(results: dict[str, Any], folder: Path) -> list[Path]:
    """Save time a frame over users, and run-frames a second over replicas, of the parts that ran."""
    from matplotlib.figure import Figure

    paths = []
    curves: dict[str, dict[int, float]] = {}
    for row in results.get("parts", []):
        for part in ("frame", *PARTS, "rest"):
            curves.setdefault(part, {})[row["users"]] = row[part]
    for row in results.get("network", {"rows": []})["rows"]:
        curves.setdefault("frame", {}).setdefault(row["users"], row["frame"])
        curves.setdefault("frame, without Numba", {})[row["users"]] = row["frame_without_numba"]
        curves.setdefault("network alone, plain torch", {})[row["users"]] = row["network"]
    for row in results.get("textbook", []):
        curves.setdefault("frame of the textbook loop", {})[row["users"]] = row["textbook"]
        curves.setdefault("frame of the drop-in", {})[row["users"]] = row["drop_in"]
    if curves:
        figure = Figure(figsize=(8, 5), layout="constrained")
        axes = figure.subplots()
        for label, points in curves.items():
            width = 2 if label == "frame" else 1
            axes.plot(list(points), list(points.values()), marker="o", linewidth=width, label=label)
        axes.set(xscale="log", yscale="log", xlabel="Users N (K = N candidates)", ylabel="Time a frame (µs)")
        users = sorted({count for points in curves.values() for count in points})
        axes.set_xticks(users, [str(count) for count in users], minor=False)
        axes.grid(alpha=0.3, which="both")
        axes.legend()
        paths.append(folder / "time_of_a_frame.png")
        figure.savefig(paths[-1], dpi=120)
    if "growth" in results:
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        axes = figure.subplots()
        users = [row["users"] for row in results["growth"]]
        axes.plot(users, [row["frame"] for row in results["growth"]], marker="o", label="time a frame (ms)")
        axes.plot(users, [row["megabytes"] for row in results["growth"]], marker="s", label="peak memory (MB)")
        axes.plot(users, [users[0] / 1e4 * count for count in users], ":", color="gray", label="linear in N")
        axes.set(xscale="log", yscale="log", xlabel="Users N (set network, K = 10)")
        axes.set_xticks(users, [str(count) for count in users], minor=False)
        axes.grid(alpha=0.3, which="both")
        axes.legend()
        paths.append(folder / "growth.png")
        figure.savefig(paths[-1], dpi=120)
    if "replicas" in results:
        many = results["replicas"]
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        axes = figure.subplots()
        counts = [row["replicas"] for row in many["rows"]]
        label = f"{many['users']} users, {many['threads']} CPU threads"
        axes.plot(counts, [row["run_frames_per_second"] for row in many["rows"]], marker="o", label=label)
        device = results.get("device")
        if device:
            axes.plot(device["replicas"], device["run_frames_per_second"], "s", label=device["device"])
        axes.set(xscale="log", yscale="log", xlabel="Replicas R", ylabel="Frames of all runs (1/s)")
        axes.set_xticks(counts, [str(count) for count in counts], minor=False)
        axes.grid(alpha=0.3, which="both")
        axes.legend()
        paths.append(folder / "replicas.png")
        figure.savefig(paths[-1], dpi=120)
    return paths


def agent_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """The published agent with K = N fixed, and what the command line says."""
    return {
        "backend": arguments.backend,
        "quantizer": arguments.quantizer,
        "training_interval": arguments.training_interval,
        "adaptive_interval": None,
        "betas": (0.09, 0.999),
        "weight_decay": 1e-4,
        "published": True,
    }


BENCHMARKS: dict[str, Callable[[argparse.Namespace], Any]] = {
    "parts": benchmark_parts,
    "network": benchmark_network,
    "textbook": benchmark_textbook,
    "defaults": benchmark_defaults,
    "growth": benchmark_growth,
    "capped": benchmark_capped,
    "channels": benchmark_channels,
    "replicas": benchmark_replicas,
    "replica_table": benchmark_replica_table,
    "device": benchmark_device,
    "dear": benchmark_dear,
    "optimum": benchmark_optimum,
    "latency": benchmark_latency,
    "export": benchmark_export,
}
