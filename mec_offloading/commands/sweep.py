"""Many runs of one experiment: a grid, samples or a search over settings, on all processors or a cluster.

python scripts/sweep.py --config configs/sweep.yaml
python scripts/sweep.py --config configs/sweep.yaml --engine local --processes 2
python scripts/sweep.py --config configs/sweep.yaml --address 10.0.0.1:6379
python scripts/sweep.py --resume runs/sweep

The same command again goes on where it was stopped; finished trials are never run again.
"""

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.run.folder import locked
from agent.run.tables import Cell, Column, Table
from env import InputError

from .common import cluster, trust
from .common.errors import explained
from .common.parallel import CORES
from .common.reporting import interval
from .common.running import told_to_stop
from .common.settings import dump_yaml, read_yaml
from .common.shipped import called
from .sweeps.driving import Driver, Listed, Source
from .sweeps.engines import ENGINES, engine_of
from .sweeps.plan import Plan, prepare
from .sweeps.search import Search
from .sweeps.trials import Trial

CONFIG, TABLE = "sweep.yaml", "trials.csv"
REPLICAS = 10
"""Seeds from which on replicas take less time than runs beside each other (docs/sweeps.md)."""


def main() -> None:
    """Check every setting, run what is not finished, and write a table of all trials."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--config", help="YAML file such as configs/sweep.yaml, or the name of one that ships")
    parser.add_argument("--resume", type=Path, help="folder of a sweep to go on with")
    parser.add_argument(
        "--output", type=Path, help="folder; one with a part of the sweep is gone on with; runs/NAME by default"
    )
    parser.add_argument(
        "--allow", action="append", default=[], help="module of yours whose classes the configuration may name"
    )
    parser.add_argument("--engine", choices=ENGINES, help="ray by default where it is installed, else local")
    parser.add_argument("--address", help="HOST:PORT of a Ray cluster; this machine alone by default")
    parser.add_argument(
        "--processes", type=int, help="trials at once on this machine; as many as processors by default"
    )
    arguments = parser.parse_args()
    with explained():
        check(arguments)
        trust.allow(arguments.allow)
        content = read_yaml(arguments.config or arguments.resume / CONFIG)
        output = arguments.output or arguments.resume or Path("runs") / Path(arguments.config).stem
        plan = Plan(content, arguments.allow)
        with locked(output, "output"):
            sys.exit(run(plan, output, arguments))


def check(arguments: argparse.Namespace) -> None:
    """Raise InputError for arguments that do not go together."""
    if (arguments.config is None) == (arguments.resume is None):
        raise InputError("config, or resume with the folder of a sweep, must be given, one of them")
    if arguments.resume is not None:
        if arguments.output is not None:
            raise InputError("output must not be given with resume, which goes on in its own folder")
        if not (arguments.resume / CONFIG).is_file():
            raise InputError(f"resume must be the folder of a sweep, {arguments.resume} holds no {CONFIG}")
    if arguments.processes is not None and arguments.processes < 1:
        raise InputError(f"processes must be 1 or more, got {arguments.processes}")
    if arguments.address is not None:
        if arguments.engine == "local" or arguments.processes is not None:
            raise InputError("address must be given without engine local and processes: a cluster has its own")
        arguments.engine = "ray"
    if arguments.engine is None:
        arguments.engine = "ray" if cluster.installed() else "local"
        if arguments.engine == "local":
            note = "ray is not installed (extra 'sweep'): trials are processes of this machine"
            print(f"note: {note}", file=sys.stderr)


def run(plan: Plan, output: Path, arguments: argparse.Namespace) -> int:
    """All trials that are left; the exit status: 0, 1 where some failed, as of the signal where it was stopped."""
    points = plan.points()
    settle(plan, output, len(points), arguments.processes or CORES)
    trials = [trial for values in points for trial in plan.trials(values, output, make=True)]
    prepare(output)
    (output / CONFIG).write_text(dump_yaml(plan.content | {"replicas": plan.replicas}), encoding="utf-8")
    source: Source
    if plan.search is None:
        for values in points:
            plan.write(values, output)
        source = Listed(trials)
    else:
        source = Search(plan, output)
    failed: dict[str, str] = {}
    signal = 0
    if source.left():
        with engine_of(arguments.engine, arguments.address, arguments.processes, output.absolute()) as engine:
            driver = Driver(engine, source, failed)
            with told_to_stop() as stopped:
                driver.run(stopped, lambda: write_table(output, source, failed))
                signal = stopped()
    write_table(output, source, failed)
    report(source)
    print(f"trials: {output / TABLE}")
    if signal:
        allow = "".join(f" --allow {module}" for module in arguments.allow)
        address = "" if arguments.address is None else f" --address {arguments.address}"
        print(f"stopped; to go on: {called('sweep')} --resume {output}{address}{allow}")
        return 128 + signal
    if failed:
        print(f"error: {len(failed)} of {len(source.trials)} trials failed", file=sys.stderr)
    return 1 if failed else 0


def settle(plan: Plan, output: Path, points: int, processors: int) -> None:
    """Whether seeds run as replicas: as the folder says, else on a device, or where there are many of both."""
    before = read_yaml(output / CONFIG).get("replicas") if (output / CONFIG).is_file() else None
    count = len(plan.seeds)
    follow = max(plan.seeds) - min(plan.seeds) == count - 1
    if plan.search is not None:
        points = int(plan.search["trials"])
    pays = plan.settings_of({}).get("device") is not None or (count >= REPLICAS and points >= processors)
    plan.settle(before if isinstance(before, bool) else follow and pays)


def write_table(output: Path, source: Source, failed: dict[str, str]) -> None:
    """One row a trial: its settings, its seed, how it ended, and its summary."""
    rows = [row_of(trial, source, failed) for trial in source.trials]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    part = output / f"{TABLE}.part"
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    part.replace(output / TABLE)


def row_of(trial: Trial, source: Source, failed: dict[str, str]) -> dict[str, Any]:
    """A trial in the table."""
    status = "finished" if trial.finished() else "unfinished"
    if trial.name in failed:
        status = "failed"
    elif source.pruned(trial):
        status = "pruned"
    summary = trial.summary()
    figures = {name: value for name, value in summary.items() if name not in ("seed", "replicas", "version")}
    figures = {name: value for name, value in figures.items() if not isinstance(value, (list, dict))}
    replicas = {} if trial.replicas is None else {"replicas": trial.replicas}
    return {"trial": trial.name, "status": status, **trial.values, "seed": trial.seed, **replicas, **figures}


def report(source: Source) -> None:
    """Print a Markdown table, a row a point: the mean rate, or value, over its seeds, with its 95% interval."""
    points: dict[str, list[Trial]] = {}
    for trial in source.trials:
        points.setdefault(trial.label, []).append(trial)
    rows: list[dict[Column, Cell]] = []
    for trials in points.values():
        done = [trial for trial in trials if trial.finished()]
        row: dict[Column, Cell] = {Column(path): str(value) for path, value in trials[0].values.items()}
        row[Column("finished")] = f"{len(done)} of {len(trials)}"
        name, of_seeds = figures_of([trial.summary() for trial in done])
        rows.append(row | ({Column(name.replace("_", " "), form=".6f"): interval(of_seeds)} if of_seeds else {}))
    if rows:
        print(Table.of(rows).markdown(), end="")
    if isinstance(source, Search) and (best := source.best()) is not None:
        print(f"best: {best[0]}, {best[1]:.6g}")


def figures_of(summaries: Sequence[dict[str, Any]]) -> tuple[str, list[float]]:
    """The name of the figure that all know, and what it is of each seed; none where they know none."""
    for name in ("normalized_rate", "value"):
        each = [figure for summary in summaries for figure in summary.get("rate_of_each") or [summary.get(name)]]
        if each and None not in each:
            return name, each
    return "", []
