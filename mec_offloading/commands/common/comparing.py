"""A comparison: methods x numbers of users x seeds, each measured once, gone on with where it was stopped."""

import argparse
import csv
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from agent.run.comparison import BaselineAgent, OptimumViolatedError, optima, skip
from agent.run.contract import Agent, World
from agent.run.folder import RunFolder
from agent.run.loop import play
from agent.run.record import Columns, columns_of, normalized
from agent.run.style import STYLES
from env import InputError

from . import trust
from .errors import reading
from .gate import Gate, opened, timed_apart
from .parallel import CORES, Pool, RayPool
from .progress import tqdm
from .rivals import Rival
from .settings import Maker, dump_yaml, load_yaml, takes

SETTINGS = {
    "environment": str,
    "env": dict,
    "users": list,
    "seeds": list,
    "warmup": int,
    "frames": int,
    "methods": dict,
    "curves": bool,
}
ENGINES = ("local", "ray")
OPTIONAL = {"users": None, "curves": False}
"""Settings that may be left out, and what then holds."""
ONLINE = "online_rate"
"""The normalised rates of the frames in which a method learned."""
INSTANCE = ("gains", "weights", "data_queue", "energy_queue", "sizes")
"""What is saved of a frame whose optimum was exceeded, where the environment has it."""
COLUMNS = (
    *("users", "seed", "method", "normalized_rate", "percentile_5", "minimum", "critic_calls", "milliseconds"),
    "value",
)
KEPT = {
    "normalized_rate": "normalized_rate",
    "value": "value",
    "evaluations": "candidates",
    "seconds": "decide_seconds",
}
"""What the files of the frames hold, and the columns of the record that it is."""
METRIC = "metric:"
"""Before the names of an environment's own metrics, in those files."""
TIMED = "timed"
"""Which of the measured frames their `seconds` are of."""


def add_running(parser: argparse.ArgumentParser) -> None:
    """The options that say how and where a comparison runs, and how its figures look."""
    parser.add_argument(
        "--allow", action="append", default=[], help="module of yours whose classes the configuration may name"
    )
    parser.add_argument(
        "--processes", type=int, default=CORES, help="at once on this machine; all processors by default"
    )
    parser.add_argument("--engine", choices=ENGINES, default="local", help="processes of this machine, or Ray's")
    parser.add_argument("--address", help="of a Ray cluster, such as 10.0.0.1:6379, with --engine ray")
    parser.add_argument(
        "--style",
        choices=STYLES,
        default="screen",
        help="of figures; print writes PDF and PNG for a paper's column",
    )


class Comparison:
    """A comparison, checked before its first frame.

    Args:
        settings: as in configs/compare.yaml.

    Raises:
        ArgumentError, InputError: for settings that are not right, naming them.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = _checked(settings)
        self.sizes: list[int | None] = settings["users"] or [None]
        self._methods: dict[str, Maker] = {}
        self._baselines: dict[str, Any] = {}
        self._matter_later: dict[str, bool] = {}
        self._known = True  # whether all methods can be held against an optimum
        left_out = ["num_users"] if settings["users"] else []
        asked = set[str]()  # the kinds of worlds whose first optima, which take time, were searched
        for name, method in settings["methods"].items():
            path = method.get("environment", settings["environment"])
            maker = Maker(path, {**settings["env"], **method.get("env", {})}, method.get("agent"), left_out)
            self._methods[name] = maker
            if settings["users"] and not takes(maker.environment, "num_users"):
                raise InputError(f"users must be null for {path}, which takes no num_users")
            worlds = [self.world(name, size) for size in self.sizes]
            if (kind := self._kind(name)) not in asked:
                asked.add(kind)
                self._known &= all(world.frame_optimum() is not None for world in worlds)
            if settings["curves"] and not self._known:
                raise InputError(f"curves must be false in {path}, which does not know its optimum")
            self._matter_later[name] = worlds[0].decisions_matter_later
            if "rival" in method:
                for world in worlds:
                    Rival(world, method["rival"], 0)
            elif "baseline" in method:
                self._baselines[name] = self._baseline(name, str(method["baseline"]), worlds[0])
            else:  # where the limits of K are narrowest
                maker.agent(min(worlds, key=lambda world: world.num_users), 0)
        first = next(iter(self._methods))
        self.users = [self.world(first, size).num_users for size in self.sizes]

    @staticmethod
    def _baseline(name: str, path: str, world: World) -> Any:
        """A baseline, tried once on a world; raises InputError where it cannot decide there."""
        needed = f"methods: {name}: baseline"
        baseline = trust.load_baseline(path, needed)
        if not callable(baseline) or isinstance(baseline, type):
            raise InputError(f"{needed} must be a function of an environment and a random generator, got {path}")
        BaselineAgent(baseline, world.environment).decide(world.observe(), world.evaluate)
        return baseline

    def prepare(self, output: Path | None) -> Path:
        """Make the folder, or make sure that it holds this comparison; by default one of its own under runs/.

        Raises InputError for a folder that holds something else.
        """
        if output is None:
            output = RunFolder.new("runs", f"compare-{datetime.now():%Y%m%d-%H%M%S}").path
        config = output / "config.yaml"
        if config.is_file():
            with reading(config):
                saved = OPTIONAL | load_yaml(config.read_text(encoding="utf-8"))
            if saved != self.settings:
                raise InputError(f"output {output} holds another comparison: see {config}")
            return output
        if output.exists() and (not output.is_dir() or any(output.iterdir())):
            raise InputError(f"output must be a new or empty folder, got {output}")
        (output / "frames").mkdir(parents=True)
        with (output / "rows.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerow(COLUMNS)
        config.write_text(dump_yaml(self.settings), encoding="utf-8")
        return output

    def run(
        self,
        output: Path,
        processes: int = CORES,
        allowed: Sequence[str] = (),
        engine: str = "local",
        address: str | None = None,
    ) -> None:
        """Run every method for every number of users and seed that `rows.csv` does not hold yet.

        Over so many processes, which may load the modules `allowed`: of this machine, or with the `engine` "ray"
        those of Ray, here or at the `address` of a cluster. A row is written once those before it are; what was
        not when a run ended is run again. While a process times decisions, the others of its machine wait.

        Raises:
            InputError: for an engine that is none, or an address where no cluster answers.
            ModuleNotFoundError: for Ray where it is not installed, naming the extra.
        """
        if engine not in ENGINES:
            raise InputError(f"engine must be one of {', '.join(ENGINES)}, got {engine!r}")
        if address is not None and engine != "ray":
            raise InputError(f"address must be given with the engine ray, got {address} with {engine}")
        done = self._done(output / "rows.csv")
        todo = [
            (size, users, seed, [name for name in self._methods if (users, seed, name) not in done])
            for size, users in zip(self.sizes, self.users, strict=True)
            for seed in self.settings["seeds"]
        ]
        total = sum(len(names) for *_, names in todo)
        if not total:
            return
        begin, processes = (trust.allow_all, list(allowed)), min(processes, total)
        with (
            RayPool(address, processes, *begin) if engine == "ray" else Pool(processes, *begin) as pool,
            opened(pool.alone) as gate,
            tqdm(total=total, unit="method") as progress,
        ):
            if gate is None and not pool.alone:
                print("decision times are taken beside other rows: no file locks on this system", file=sys.stderr)
            ahead = 1 + 2 * pool.processes // len(self._methods)  # parts of which something waits for a process
            running: list[list[tuple[str, Callable[[], Any]]]] = []
            searched: list[dict[str, Callable[[], Any]]] = []
            for place, (size, users, seed, names) in enumerate(todo):
                searched += [self._search(pool, gate, *part) for part in todo[len(searched) : place + 1 + ahead]]
                best = {}
                for kind, found in searched[place].items():
                    progress.set_postfix_str(f"{users} users, seed {seed}: the optimum")
                    try:
                        best[kind] = found()
                    except Exception:
                        self._write_rows(running, output, progress)  # those before it
                        raise
                waiting = {
                    name: pool.submit(self._row, name, size, seed, best.get(self._kind(name)), gate)
                    for name in sorted(names, key=self._baselines.__contains__)  # the longest first
                }
                running.append([(f"{users} users, seed {seed}: {name}", waiting[name]) for name in names])
                left = 0 if pool.alone else ahead
                self._write_rows(running[: len(running) - left], output, progress)
                running = running[len(running) - left :]
            self._write_rows(running, output, progress)

    def _done(self, path: Path) -> set[tuple[int, int, str]]:
        """Users, seed and method of the rows that are written; raises InputError where they are torn."""
        with reading(path):
            with path.open(newline="", encoding="utf-8") as file:
                text = file.read()
            head, *rows = csv.reader(StringIO(text, newline=""))
            wrong = [row for row in rows if len(row) != len(COLUMNS) or row[2] not in self._methods]
            if tuple(head) != COLUMNS or wrong or not text.endswith("\n"):
                raise ValueError(f"no whole row of a method: {(wrong or [rows[-1] if rows else head])[0]}")
            return {(int(users), int(seed), method) for users, seed, method, *_ in rows}

    def _search(
        self, pool: Pool | RayPool, gate: str | None, size: int | None, users: int, seed: int, names: Sequence[str]
    ) -> dict[str, Callable[[], Any]]:
        """What waits for the optima of the frames of one seed, by the kinds of worlds that have them."""
        kinds = {self._kind(name): name for name in reversed(names) if not self._matter_later[name]}
        if not self._known:
            return {}
        return {kind: pool.submit(self.optima, name, size, seed, gate) for kind, name in kinds.items()}

    def _kind(self, name: str) -> str:
        """The same for methods in the same worlds."""
        return f"{self._methods[name].environment} {self.settings['methods'][name].get('env')}"

    def optima(self, name: str, size: int | None, seed: int, gate: str | None = None) -> np.ndarray | None:
        """The optima of a method's frames, (frames,); None where none is known or decisions matter later."""
        if self._matter_later[name] or not self._known:
            return None
        with Gate(gate) as passed:
            world = passed.through(self.world(name, size))
            return optima(world, seed, self.settings["warmup"], self.settings["frames"])

    def _write_rows(
        self, running: Sequence[Sequence[tuple[str, Callable[[], Any]]]], output: Path, progress: "tqdm[Any]"
    ) -> None:
        """Write, and show, the rows of what runs, each as soon as it has ended; its frames before it."""
        for text, ended in (one for part in running for one in part):
            progress.set_postfix_str(text)
            try:
                row, figures = ended()
            except OptimumViolatedError as error:
                np.savez(output / "violation.npz", **vars(error)["instance"])
                raise
            users, seed, name = row[:3]
            np.savez(self._file(output, users, seed, name), **figures)
            with (output / "rows.csv").open("a", newline="", encoding="utf-8") as file:
                csv.writer(file, lineterminator="\n").writerow(row)
            figure = f"{row[3]:.6f}" if self._known else f"{row[8]:.6g}"
            progress.write(f"{users:>5} users  seed {seed}  {name:<26} {figure}  {row[7]:.3f} ms")
            progress.update()

    @property
    def known(self) -> bool:
        """Whether all methods can be held against an optimum."""
        return self._known

    def matters_later(self, name: str) -> bool:
        """Whether a method's decisions act on later frames."""
        return self._matter_later[name]

    def world(self, method: str, size: int | None) -> World:
        """A method's world with so many users, or as many as it has."""
        return self._methods[method].world(**({} if size is None else {"num_users": size}))

    def _row(
        self, name: str, size: int | None, seed: int, best: np.ndarray | None, gate: str | None
    ) -> tuple[tuple[Any, ...], dict[str, np.ndarray]]:
        """One row, a method on the frames of one seed, and the figures of its frames.

        `best` holds their optima, where decisions do not matter later.
        """
        world = self.world(name, size)
        try:
            with Gate(gate) as passed:
                measured, training = self.played(passed.through(world), name, seed, best, passed)
        except OptimumViolatedError as error:
            there = vars(world.environment).keys() | set(dir(type(world.environment)))
            instance = {key: getattr(world.environment, key) for key in INSTANCE if key in there}
            figures = {"decision": error.decision, "value": error.value, "optimum": error.optimum}
            error.__dict__["instance"] = {"method": name, **figures, **instance}
            raise
        rate, timed = measured["normalized_rate"], np.flatnonzero(~np.isnan(measured["decide_seconds"]))
        figures = {key: measured[column] for key, column in KEPT.items()} | training
        figures |= {"seconds": figures["seconds"][timed], TIMED: timed}
        figures |= {METRIC + key: measured[key] for key in world.frame_metrics()}
        row = (
            world.num_users, seed, name, rate.mean(), np.percentile(rate, 5), rate.min(),
            measured["candidates"].mean(), 1e3 * np.median(figures["seconds"]), measured["value"].mean(),
        )  # fmt: skip
        return row, figures

    def played(
        self, world: World, name: str, seed: int, best: np.ndarray | None, gate: Gate | None = None
    ) -> tuple[Columns, dict[str, np.ndarray]]:
        """The measured frames of a method in a world, and what its learning before them took and gave.

        In a world of a `gate`, decisions are timed in a part of the frames, with the others out; `decide_seconds`
        of the other frames are nan, and the seconds of learning are without waiting.
        """
        gate = Gate(None) if gate is None else gate
        warmup, curves = self.settings["warmup"], self.settings["curves"]
        world.reset(seed=seed)
        method, calls, seconds, online = self.settings["methods"][name], 0, 0.0, np.empty(0)
        agent: Agent
        if "rival" in method:
            more = {"env": {**method["rival"].get("env", {}), "with_optimum": True}} if curves else {}
            rates: list[float | None] = []
            agent = rival = Rival(world, {**method["rival"], **more}, seed)
            start = time.perf_counter() - gate.waited
            rival.learn(warmup, rates.append, gate.frame)
            seconds, calls = time.perf_counter() - gate.waited - start, warmup
            online = np.array(rates, dtype=np.float64)
        elif (baseline := self._baselines.get(name)) is None:
            agent = self._methods[name].agent(world, seed)
        else:
            agent = BaselineAgent(baseline, world.environment, seed)
        if "agent" in method or ("baseline" in method and best is None):
            optimum = None if curves and self._known else _nothing
            start = time.perf_counter() - gate.waited
            learned = columns_of(list(play(world, agent, warmup, optimum=optimum)))
            seconds, calls = time.perf_counter() - gate.waited - start, int(learned["candidates"].sum())
            online = normalized(learned["value"], learned["optimum"], world.value_is_cost)
        elif "baseline" in method:
            skip(world, warmup)
        training = {
            "training_frames": np.array(0 if "baseline" in method else warmup),
            "training_calls": np.array(0 if "baseline" in method else calls),
            "training_seconds": np.array(0.0 if "baseline" in method else seconds),
        }
        if curves and "baseline" not in method:
            training[ONLINE] = online
        return timed_apart(world, agent, self.settings["frames"], best, gate), training

    def read(self, output: Path, users: int, seed: int, name: str) -> dict[str, np.ndarray]:
        """The saved figures of a method's frames of one seed, by the names that they were saved with."""
        path = self._file(output, users, seed, name)
        with reading(path), path.open("rb") as file, np.load(file) as saved:
            found = {key: saved[key] for key in saved}
            for key in (*KEPT, *found.keys() & {TIMED}):  # which earlier versions did not save
                if len(found[key]) > self.settings["frames"]:
                    raise ValueError(f"{key} of {len(found[key])} frames")
            return found

    def _file(self, output: Path, users: int, seed: int, name: str) -> Path:
        """Where a method's frames are kept; by its place in the configuration, as its name may hold anything."""
        return output / "frames" / f"{users}-{seed}-{list(self._methods).index(name)}.npz"


def _nothing() -> None:
    """No optimum is asked for."""


def _checked(settings: dict[str, Any]) -> dict[str, Any]:
    unknown = sorted(settings.keys() - SETTINGS.keys())
    if unknown:
        raise InputError(f"config must hold only {', '.join(SETTINGS)}, got {', '.join(map(str, unknown))}")
    for name, default in OPTIONAL.items():
        settings.setdefault(name, default)
    for name, kind in SETTINGS.items():
        if name == "users" and settings["users"] is None:
            continue
        if not isinstance(settings.get(name), kind) or isinstance(settings[name], bool) != (kind is bool):
            raise InputError(f"{name} must be a {kind.__name__}, got {settings.get(name)!r}")
    for name, least in {"users": 1, "seeds": 0}.items():
        if name == "users" and settings["users"] is None:
            continue
        if not settings[name] or not all(type(number) is int and number >= least for number in settings[name]):
            raise InputError(f"{name} must be integers from {least}, got {settings[name]}")
    if settings["warmup"] < 0 or settings["frames"] < 1:
        raise InputError(
            f"warmup must be 0 or more and frames 1 or more, got {settings['warmup']} and {settings['frames']}"
        )
    if not settings["methods"]:
        raise InputError("methods must hold one method or more, got none")
    settings["methods"] = {str(name): method for name, method in settings["methods"].items()}
    for name, method in settings["methods"].items():
        kinds = {"agent"}, {"baseline"}, {"rival"}
        if not isinstance(method, dict) or method.keys() - {"environment", "env"} not in kinds:
            raise InputError(
                f"methods: {name} must be one of 'agent: settings', 'baseline: path' and 'rival: settings', "
                f"got {method}"
            )
        if not isinstance(method.get("env", {}), dict):
            raise InputError(f"methods: {name}: env must be a dict, got {method['env']!r}")
    return settings
