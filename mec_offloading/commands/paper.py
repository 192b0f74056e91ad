"""A paper's experiments, tables and figures from one file: what is missing of them is run, the rest stays.

python scripts/paper.py configs/paper.yaml --only readme
python scripts/paper.py paper.yaml --list

An experiment is one of these commands with its options, and may use the folders of others. A second run changes
nothing; one that was stopped goes on where it was.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from agent.run.folder import locked
from env import InputError

from .common import shipped
from .common.errors import explained
from .common.parallel import CORES
from .common.running import told_to_stop
from .common.settings import read_yaml
from .papers.archive import BEGUN, CHANGED, DONE, Archive, Running
from .papers.contents import Experiment, Paper, Result
from .papers.results import is_made, made

BETWEEN = 0.05
"""Seconds between two looks at what runs."""


def main() -> None:
    """Run what is missing in the order of dependencies, make the tables and figures, or list what there is."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("paper", help="YAML file such as configs/paper.yaml, or the name of one that ships")
    parser.add_argument(
        "--output", type=Path, default=Path("paper"), help="folder of everything; paper by default"
    )
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help="experiments, tables, figures or groups, with what they need"
    )
    parser.add_argument(
        "--list", action="store_true", help="what is done and how long it took, and what is missing"
    )
    parser.add_argument(
        "--again",
        nargs="*",
        metavar="NAME",
        help="experiments to run again, with all that use them; without names, those whose settings have changed",
    )
    parser.add_argument(
        "--cores", type=int, default=CORES, help="processors for experiments at once; all by default"
    )
    arguments = parser.parse_args()
    with explained():
        if arguments.cores < 1:
            raise InputError(f"cores must be 1 or more, got {arguments.cores}")
        paper = Paper(read_yaml(arguments.paper))
        experiments, results = paper.chosen(arguments.only)
        archive = Archive(arguments.output, paper)
        if arguments.list:
            print(listed(archive, experiments, results))
            return
        with locked(arguments.output, "output"):
            text = (shipped.find(arguments.paper) or Path(arguments.paper)).read_text(encoding="utf-8")
            archive.prepare(text)
            archive.replace(archive.begun_otherwise(experiments))
            archive.replace(to_replace(archive, experiments, arguments.again))
            with told_to_stop() as stopped:
                missing = [one for one in experiments if archive.state(one) != DONE]
                failed = run(archive, missing, arguments.cores, stopped)
            if stopped():
                print("stopped; the same command goes on")
                sys.exit(128 + stopped())
            failed |= make(archive, results)
        print(f"tables, figures and the records of {len(experiments)} experiments: {arguments.output}")
        if failed:
            raise InputError("; ".join(f"{name}: {said}" for name, said in failed.items()))


def to_replace(archive: Archive, experiments: Sequence[Experiment], again: Sequence[str] | None) -> set[str]:
    """The experiments that are to be run again.

    Raises InputError for those whose settings have changed where it is not said that they are to be.
    """
    changed = {one.name: archive.changes(one) for one in experiments if archive.state(one) == CHANGED}
    for name in again or ():
        if name not in archive.paper.experiments:
            known = ", ".join(archive.paper.experiments)
            raise InputError(f"again must name experiments, got {name!r}: known are {known}")
    replaced = archive.paper.with_users(changed if again == [] else again or ())
    left = [f"{name}: {texts}" for name, texts in changed.items() if name not in replaced]
    if left:
        raise InputError(
            f"output {archive.path} holds experiments of other settings: {' | '.join(left)}; "
            "--again runs them anew and keeps the old ones in earlier/, another --output makes a new archive"
        )
    return replaced


def run(archive: Archive, missing: Sequence[Experiment], cores: int, stopped: Callable[[], int]) -> dict[str, str]:
    """Run experiments, each after those that it uses, as many at once as there are processors for.

    One that takes all processors runs alone. Returns what those that failed said; what uses them is not run.
    """
    waiting, running, failed = list(missing), list[Running](), dict[str, str]()
    try:
        while (waiting or running) and not stopped():
            for one in [one for one in running if one.has_ended()]:
                running.remove(one)
                ended = archive.end(one)
                if isinstance(ended, str):
                    failed[one.experiment.name] = ended
                told = f"failed: {ended}" if isinstance(ended, str) else f"done in {ended:.1f} s"
                count = len(missing) - len(waiting) - len(running)
                print(f"[{count}/{len(missing)}] {one.experiment.name}: {told}", flush=True)
            lost = [one for one in waiting if set(one.uses) & failed.keys()]
            for one in lost:
                waiting.remove(one)
                failed[one.name] = f"not run, it uses {', '.join(sorted(set(one.uses) & failed.keys()))}"
            for one in startable(waiting, running, cores):
                waiting.remove(one)
                running.append(archive.start(one))
                goes_on = ", goes on" if running[-1].goes_on else ""
                print(f"{one.name}: {one.settings['run']}{goes_on}", flush=True)
            time.sleep(BETWEEN)
    finally:
        archive.stop(running)
    return failed


def startable(waiting: Sequence[Experiment], running: Sequence[Running], cores: int) -> list[Experiment]:
    """Those that can start now: nothing that they use is left to do, and there are processors for them."""
    names = {one.name for one in waiting} | {one.experiment.name for one in running}
    free = cores - sum(min(one.experiment.cores or cores, cores) for one in running)
    chosen = []
    for one in waiting:
        taken = min(one.cores or cores, cores)
        if taken <= free and not set(one.uses) & names:
            chosen.append(one)
            free -= taken
    return chosen


def make(archive: Archive, results: Iterable[Result]) -> dict[str, str]:
    """Make the tables and figures of what is done; what was wrong with others."""
    failed = {}
    for result in results:
        if archive.record(result.experiment) is None:
            continue
        try:
            written = made(result, archive)
        except InputError as error:
            failed[str(result)] = str(error)
            continue
        for path in written:
            print(path.relative_to(archive.path))
    return failed


def listed(archive: Archive, experiments: Sequence[Experiment], results: Sequence[Result]) -> str:
    """A line for each experiment, table and figure: whether it is done, how long it took, what it is."""
    lines = []
    for one in experiments:
        state, took = archive.state(one), ""
        record = archive.record(one.name)
        if state == DONE and record is not None:
            took = f"{record['seconds']:.1f} s, {record['processor_seconds']:.1f} s of processors"
            took += ", since it went on" if record["went_on"] else ""
        more = {CHANGED: archive.changes(one), BEGUN: "goes on, or begins again, with the next run"}
        lines.append((one.name, state, took, more.get(state, one.settings["run"])))
    for result in results:
        state = "made" if is_made(result, archive) else "missing"
        lines.append((str(result), state, "", f"from {result.experiment}/{result.file}"))
    widths = [max(len(line[place]) for line in lines) for place in range(3)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[3]])
        for line in lines
    )
