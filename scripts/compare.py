"""Methods side by side on the same frames, against the certified optimum.

python scripts/compare.py --config configs/compare.yaml
python scripts/compare.py --config configs/compare.yaml --users 10 --seeds 0 1 --frames 200 --output runs/mine

Where decisions matter later (queues), every method is held against the best decision in the state that its own
earlier ones have led to.
"""

import argparse
import csv
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from commandline import USER_ERRORS, fail, load, load_environment, make_agent, read_yaml

import numpy as np
import yaml
from tqdm import tqdm

from agent.run.comparison import (
    BaselineAgent,
    Measured,
    OptimumViolatedError,
    current_optima,
    measure,
    optima,
    optimum_of,
    skip,
)
from agent.run.loop import Agent
from agent.run.plots import plot_boxes

SETTINGS = {
    "environment": str,
    "env": dict,
    "users": list,
    "seeds": list,
    "warmup": int,
    "frames": int,
    "methods": dict,
}
INSTANCE = ("gains", "weights", "data_queue", "energy_queue", "sizes")
"""What is saved of a frame whose optimum was exceeded, where the environment has it."""
COLUMNS = ("users", "seed", "method", "normalized_rate", "percentile_5", "minimum", "critic_calls", "milliseconds")


METRIC = "metric:"
"""Before the names of an environment's own metrics, in the files of the frames."""


def main() -> None:
    """Measure what is not yet in the output folder; a row appears, there and here, as soon as it is known."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--config", required=True, help="YAML file such as configs/compare.yaml")
    parser.add_argument("--users", type=int, nargs="+", help="numbers of users")
    parser.add_argument("--seeds", type=int, nargs="+")
    parser.add_argument("--warmup", type=int, help="frames in which agents learn before the measured ones")
    parser.add_argument("--frames", type=int, help="measured frames of each seed")
    parser.add_argument(
        "--output", type=Path, help="folder; one with a part of the same comparison is gone on with"
    )
    arguments = parser.parse_args()
    try:
        settings = check(read_yaml(arguments.config), arguments)
        output = arguments.output or Path("runs") / f"compare-{datetime.now():%Y%m%d-%H%M%S}"
        prepare(output, settings)
        compare(settings, output)
        report(settings, output)
    except USER_ERRORS as error:
        fail(error)
    except OptimumViolatedError as error:
        sys.exit(f"error: {error}; the instance is saved in {output / 'violation.npz'}")


def check(settings: dict[str, Any], arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings with the command line's on top; raises ValueError naming the one that is not right."""
    for name in ("users", "seeds", "warmup", "frames"):
        if getattr(arguments, name) is not None:
            settings[name] = getattr(arguments, name)
    unknown = sorted(settings.keys() - SETTINGS.keys())
    if unknown:
        raise ValueError(f"config must hold only {', '.join(SETTINGS)}, got {', '.join(unknown)}")
    settings.setdefault("users", None)
    for name, kind in SETTINGS.items():
        if name == "users" and settings["users"] is None:
            continue
        if not isinstance(settings.get(name), kind):
            raise ValueError(f"{name} must be a {kind.__name__}, got {settings.get(name)!r}")
    for name, least in {"users": 1, "seeds": 0}.items():
        if name == "users" and settings["users"] is None:
            continue
        if not settings[name] or not all(isinstance(n, int) and n >= least for n in settings[name]):
            raise ValueError(f"{name} must be integers from {least}, got {settings[name]}")
    if settings["warmup"] < 0 or settings["frames"] < 1:
        raise ValueError(
            f"warmup must be 0 or more and frames 1 or more, got {settings['warmup']} and {settings['frames']}"
        )
    for name, method in settings["methods"].items():
        if not isinstance(method, dict) or (method.keys() - {"environment"}) not in ({"agent"}, {"baseline"}):
            raise ValueError(
                f"methods: {name} must be one of 'agent: settings' and 'baseline: path', got {method}"
            )
        worlds = make_worlds(settings, method)
        for world in worlds.values():
            optimum_of(world)
        if "baseline" in method:
            load(str(method["baseline"]), f"methods: {name}: baseline")
        else:
            make_agent(method["agent"], min(worlds), 1, 0)  # where the limits of K are narrowest
    return settings


def make_worlds(settings: dict[str, Any], method: dict[str, Any] | None = None) -> dict[int, Any]:
    """By their number of users, the environments to compare in: the method's own where it names one.

    Raises ValueError when the class or its settings are not right.
    """
    path = (method or {}).get("environment", settings["environment"])
    kind = load_environment(path)
    sizes = [{}] if settings["users"] is None else [{"num_users": users} for users in settings["users"]]
    try:
        worlds = [kind(**size, **settings["env"]) for size in sizes]
    except TypeError as error:
        raise ValueError(f"env must hold arguments of {path}, with users its num_users: {error}") from error
    return {world.num_users: world for world in worlds}


def prepare(output: Path, settings: dict[str, Any]) -> None:
    """Make the folder, or make sure that it holds this comparison; raises ValueError for another one."""
    config = output / "config.yaml"
    if config.is_file():
        if yaml.safe_load(config.read_text(encoding="utf-8")) != settings:
            raise ValueError(f"output {output} holds another comparison: see {config}")
        return
    if output.exists() and any(output.iterdir()):
        raise ValueError(f"output must be a new or empty folder, got {output}")
    (output / "frames").mkdir(parents=True)
    with (output / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerow(COLUMNS)
    config.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")


def compare(settings: dict[str, Any], output: Path) -> None:
    """Run every method for every number of users and seed that `rows.csv` does not hold yet."""
    with (output / "rows.csv").open(newline="", encoding="utf-8") as file:
        done = {(int(row["users"]), int(row["seed"]), row["method"]) for row in csv.DictReader(file)}
    todo = [
        (users, seed, [name for name in settings["methods"] if (users, seed, name) not in done])
        for users in make_worlds(settings)
        for seed in settings["seeds"]
    ]
    with tqdm(total=sum(len(names) for _, _, names in todo), unit="method") as progress:
        for users, seed, names in todo:
            if not names:
                continue
            progress.set_postfix_str(f"{users} users, seed {seed}: the optimum")
            best: dict[str, np.ndarray] = {}
            for name in names:
                environment = make_worlds(settings, settings["methods"][name])[users]
                kind = type(environment).__name__
                if kind not in best and not getattr(environment, "decisions_matter_later", False):
                    best[kind] = optima(environment, seed, settings["warmup"], settings["frames"])
                progress.set_postfix_str(f"{users} users, seed {seed}: {name}")
                try:
                    row = run(environment, settings, name, seed, best.get(kind), output)
                except OptimumViolatedError as error:
                    instance = {key: getattr(environment, key) for key in INSTANCE if hasattr(environment, key)}
                    np.savez(
                        output / "violation.npz",
                        decision=error.decision, value=error.value, optimum=error.optimum, method=name, **instance,
                    )  # fmt: skip
                    raise
                with (output / "rows.csv").open("a", newline="", encoding="utf-8") as file:
                    csv.writer(file, lineterminator="\n").writerow(row)
                progress.write(f"{users:>5} users  seed {seed}  {name:<26} {row[3]:.6f}  {row[7]:.3f} ms")
                progress.update()


def run(
    environment: Any, settings: dict[str, Any], name: str, seed: int, best: np.ndarray | None, output: Path
) -> tuple[Any, ...]:
    """One row: a method on the frames of one seed, whose optima are `best` where decisions do not matter later.

    Its frames are saved before the row is.
    """
    method = settings["methods"][name]
    environment.reset(seed=seed)
    num_users, num_features = environment.observe().shape
    agent: Agent
    if "agent" in method:
        agent = make_agent(method["agent"], num_users, num_features, seed)
    else:
        agent = BaselineAgent(load(method["baseline"], "baseline"), environment, seed)
    if "agent" in method or best is None:
        for _ in range(settings["warmup"]):
            environment.step(agent.decide(environment.observe(), environment.evaluate)[0])
    else:
        skip(environment, settings["warmup"])
    measured = measure(
        environment, agent, current_optima(environment, settings["frames"]) if best is None else best
    )
    figures = measured._asdict() | {METRIC + key: column for key, column in measured.metrics.items()}
    figures.pop("metrics")
    np.savez(frames_file(output, num_users, seed, settings, name), **figures)
    rate = measured.normalized_rate
    return (
        num_users, seed, name, rate.mean(), np.percentile(rate, 5), rate.min(),
        measured.evaluations.mean(), 1e3 * np.median(measured.seconds),
    )  # fmt: skip


def frames_file(output: Path, users: int, seed: int, settings: dict[str, Any], name: str) -> Path:
    """Where a method's frames are kept; by its place in the configuration, as its name may hold anything."""
    return output / "frames" / f"{users}-{seed}-{list(settings['methods']).index(name)}.npz"


def report(settings: dict[str, Any], output: Path) -> None:
    """`table.md`, `table.csv` and `boxes.png` over all seeds."""
    head: tuple[str, ...] = (
        "users",
        "method",
        "normalized rate",
        "± over seeds",
        "5th percentile",
        "minimum",
        "critic calls",
        "ms",
    )
    rows: list[tuple[str, ...]] = []
    boxes: dict[int, dict[str, np.ndarray]] = {}
    metrics: list[str] = []
    for users in make_worlds(settings):
        for name in settings["methods"]:
            parts = []
            for seed in settings["seeds"]:
                with np.load(frames_file(output, users, seed, settings, name)) as saved:
                    own = {key.removeprefix(METRIC): saved[key] for key in saved if key.startswith(METRIC)}
                    parts.append(Measured(*(saved[field] for field in Measured._fields[:-1]), own))
            rate = np.concatenate([part.normalized_rate for part in parts])
            means = [part.normalized_rate.mean() for part in parts]
            calls = np.mean([part.evaluations.mean() for part in parts])
            seconds = np.median(np.concatenate([part.seconds for part in parts]))
            spread = f"{np.std(means, ddof=1):.6f}" if len(means) > 1 else ""
            least = (f"{np.percentile(rate, 5):.6f}", f"{rate.min():.6f}")
            cost = (f"{calls:.1f}", f"{1e3 * seconds:.3f}")
            metrics = list(parts[0].metrics)
            more = (f"{np.mean([part.metrics[key] for part in parts]):.4g}" for key in metrics)
            rows.append((str(users), name, f"{rate.mean():.6f}", spread, *least, *cost, *more))
            boxes.setdefault(users, {})[name] = rate
    head += tuple(key.replace("_", " ") for key in metrics)
    lines = [head, ("---",) * len(head), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
    (output / "table.md").write_text(table, encoding="utf-8")
    with (output / "table.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *rows])
    plot_boxes(boxes, output / "boxes.png")
    print(table + f"table, box plot and frames: {output}")


if __name__ == "__main__":
    main()
