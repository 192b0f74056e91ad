"""The archive of a paper: what is missing is run and nothing else, whatever happened before."""

import argparse
import importlib
import json
import os
import platform
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import jsonargparse
import pytest
import yaml

from agent import InputError as OfAgent
from agent.run.folder import RunFolder, locked
from env import InputError
from mec_offloading.__main__ import COMMANDS
from mec_offloading.commands import paper as command
from mec_offloading.commands.papers.apart import without_times
from mec_offloading.commands.papers.archive import CHANGED, DONE, MISSING, RECORD, Archive, Running
from mec_offloading.commands.papers.contents import Experiment, Paper
from mec_offloading.commands.papers.results import made

ROOT = Path(__file__).resolve().parents[2]
FRAMES = 6000
LEARNED = "simulate --config mine.yaml --agent.num_candidates 4 --checkpoint_every 100"
TINY = {
    "experiments": {"curves": "summarize {learned} --windows 0-100,100-300", "learned": LEARNED},
    "tables": {"rates": {"from": "curves/table", "group": "one"}},
    "figures": {"curves": "curves/curves"},
}


@pytest.fixture
def write(tmp_path, monkeypatch):
    """`write(frames, paper)`: the files of a paper, in a folder where commands then run."""
    monkeypatch.chdir(tmp_path)

    def files(frames=FRAMES, content=TINY):
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"frames": frames, "env": {"num_users": 3}}))
        (tmp_path / "paper.yaml").write_text(yaml.safe_dump(content, sort_keys=False))

    return files


@pytest.fixture
def run(monkeypatch, capfd):
    """`run(...)`: the command in this process; what it printed, or its one line of an error."""

    def call(*arguments, status=None):
        monkeypatch.setattr(sys, "argv", ["mec-offloading paper", "paper.yaml", *arguments])
        capfd.readouterr()
        if status is None:
            command.main()
            return capfd.readouterr().out
        with pytest.raises(SystemExit) as ended:
            command.main()
        told = capfd.readouterr()
        assert ended.value.code == status, told
        assert told.err.count("\n") == 1
        return told.err

    return call


def contents(folder):
    """Every file with its bytes and the time of its last change."""
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def results(folder):
    """Tables and figures with their bytes."""
    files = [path for kind in ("tables", "figures") for path in (folder / kind).iterdir()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_what_is_missing_is_run_once_and_a_change_is_noticed(write, run, tmp_path):
    write(300, with_windows("0-400"))
    folder = tmp_path / "paper"
    assert run("--list").count("missing") == 4
    assert not folder.exists()
    told = run(status=2)
    assert "curves: windows must lie within the 300 frames" in told
    assert not (folder / "tables").exists()
    write(frames=300)  # what has failed was not done with other settings
    told = run()
    assert "learned" not in told.replace("{learned}", "")
    assert "curves: done" in told
    table = (folder / "tables" / "rates.md").read_text()
    assert table.startswith("| runs | seeds | frames 0 to 100 |")
    assert (folder / "figures" / "curves.png").read_bytes().startswith(b"\x89PNG")

    record = json.loads((folder / "records" / "tables" / "rates.json").read_text())
    learned, curves = (record["experiments"][name] for name in ("learned", "curves"))
    assert learned["command"] == f"mec-offloading {LEARNED} --output experiments/learned"
    assert learned["seeds"] == curves["seeds"] == [0]
    assert learned["versions"]["python"] == platform.python_version()
    assert {"numpy", "torch", "mec-offloading"} < learned["versions"].keys()
    assert learned["machine"]["cores"] >= 1
    assert learned["seconds"] > 0
    assert 0.1 < learned["processor_seconds"] < 1000
    texts = [path.read_text() for path in folder.rglob("*") if path.suffix in (".json", ".txt", ".yaml", ".csv")]
    assert not [text for text in texts if str(tmp_path) in text or platform.node() in text]

    before = contents(folder)
    assert "learned" not in run()
    assert run("--list").count("done") == 2
    assert contents(folder) == before

    with locked(folder, "output"):
        assert "no other process" in run(status=2)
    write(frames=200)  # of a file that the experiment names
    message = run(status=2)
    assert "learned: mine.yaml: frames was 300, is 200" in message
    assert "curves: it uses learned" in message
    assert "--again" in message
    assert contents(folder) == before
    assert run("--list").count("changed") == 2

    write(300, with_windows("100-200"))
    assert "was 'summarize {learned} --windows 0-100,100-300', is" in run(status=2)
    assert "learned" not in run("--again").replace("{learned}", "")
    assert (folder / "tables" / "rates.md").read_text() != table
    assert (folder / "earlier" / "curves-1" / RECORD).is_file()


def with_windows(windows):
    """The paper with other windows in its table."""
    return {**TINY, "experiments": {**TINY["experiments"], "curves": f"summarize {{learned}} --windows {windows}"}}


def test_a_killed_run_goes_on_to_the_same_tables_and_figures(write, run, tmp_path):
    write()
    run("--output", "whole")
    killed = [sys.executable, "-m", "mec_offloading", "paper", "paper.yaml", "--output", "part"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    rows = tmp_path / "part" / "unfinished" / "learned" / "metrics.csv"
    with subprocess.Popen(killed, env=environ, stdout=subprocess.DEVNULL) as process:
        while not rows.is_file() or rows.read_bytes().count(b"\n") < 200:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    while True:  # until what it started sees that it is alone, and ends
        try:
            with locked(rows.parent, "output"):
                break
        except OfAgent:
            time.sleep(0.05)
    assert run("--output", "part", "--list").count("begun") == 1
    assert "goes on" in run("--output", "part")
    record = json.loads((tmp_path / "part" / "experiments" / "learned" / RECORD).read_text())
    assert record["went_on"]
    assert len(RunFolder(tmp_path / "part" / "experiments" / "learned").read_metrics()["frame"]) == FRAMES
    assert results(tmp_path / "part") == results(tmp_path / "whole")
    assert not (tmp_path / "part" / "unfinished").exists()


def test_a_signal_stops_with_a_checkpoint(write, tmp_path, monkeypatch, capfd):
    write(frames=100_000)
    monkeypatch.setattr(sys, "argv", ["mec-offloading paper", "paper.yaml"])
    rows = tmp_path / "paper" / "unfinished" / "learned" / "metrics.csv"

    def stop():
        while not rows.is_file() or rows.read_bytes().count(b"\n") < 200:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    Thread(target=stop, daemon=True).start()
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 128 + signal.SIGTERM
    assert capfd.readouterr().out.endswith("stopped; the same command goes on\n")
    assert (rows.parent / "summary.json").is_file()  # of the frames that are done


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"experiment": {}}, "a paper must hold experiments, tables, figures only, got experiment"),
        ({}, "experiments must hold one or more"),
        ({"experiments": {"a": "simulated"}}, "a: run must begin with one of simulate, sweep, compare"),
        ({"experiments": {"a": "simulate --output x"}}, "a: run must leave out --output: the archive"),
        (
            {"experiments": {"a": "simulate --config no.yaml"}},
            "a: config must be a YAML file, there is none at no",
        ),
        ({"experiments": {"a": "simulate '"}}, "a: run must be a command line"),
        ({"experiments": {"a": {"run": "simulate", "core": 1}}}, "a must hold run and perhaps cores, got"),
        ({"experiments": {"a": {"run": "simulate", "cores": 0}}}, "a: cores must be 1 or more, got 0"),
        ({"experiments": {"here": "simulate"}}, "a name must be letters, digits, _ and -"),
        ({"experiments": {"a": "summarize {b}"}}, "a: {b} must be one of known are a"),
        (
            {"experiments": {"a": "summarize {b}", "b": "summarize {c}", "c": "summarize {a}"}},
            "experiments must not use each other in a circle: ",
        ),
        (
            {"experiments": {"a": "simulate"}, "tables": {"t": "b/table"}},
            "t: from must be EXPERIMENT/FILE, got 'b/t",
        ),
        (
            {"experiments": {"a": "simulate"}, "figures": {"f": {"from": "a/rate", "times": 1}}},
            "times true or false",
        ),
    ],
)
def test_what_is_wrong_is_one_line(write, run, content, message):
    write(content=content)
    assert message in run(status=2)


def test_names_and_folders_that_are_not_there(write, run, tmp_path):
    write()
    assert "only must name experiments, tables, figures or groups, got 'rate'" in run("--only", "rate", status=2)
    assert "again must name experiments, got 'rates'" in run("--again", "rates", status=2)
    assert "cores must be 1 or more, got 0" in run("--cores", "0", status=2)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("text")
    assert "output must be a new folder" in run("--output", "notes", status=2)


def done(archive, name, **files):
    """An experiment that is done, as if it had been run."""
    folder = archive.folder(name)
    folder.mkdir(parents=True)
    for file, text in files.items():
        (folder / file.replace("_", ".")).write_text(text)
    record = {"seconds": 1.0, "processor_seconds": 1.0, "went_on": False}
    record["settings"] = archive.paper.experiments[name].settings
    (folder / RECORD).write_text(json.dumps(record))


def test_tables_and_columns_of_times_stand_apart(tmp_path):
    content = {
        "experiments": {"a": "intervals", "b": "summarize {a}"},
        "tables": {"both": "a/table", "speed": {"from": "a/printed", "times": True}},
        "figures": {"none": "b/curves"},
    }
    archive = Archive(tmp_path / "paper", Paper(content))
    both, speed, none = archive.paper.results
    markdown = "| a | ms |\n| --- | --- |\n| 1 | 2 |\n"
    done(archive, "a", table_md=markdown, table_csv="a,training s\n1,2\n", printed_txt="3 microseconds\n")
    done(archive, "b", other_png="")
    assert len(made(both, archive)) == 5
    assert (archive.path / "tables" / "both.md").read_text() == "| a |\n| --- |\n| 1 |\n"
    assert (archive.path / "tables" / "both.csv").read_text() == "a\n1\n"
    assert (archive.path / "times" / "tables" / "both.md").read_text() == markdown
    assert made(both, archive) == []
    (archive.folder("a") / "table.csv").unlink()
    assert made(both, archive) == []
    assert sorted(path.name for path in archive.path.glob("t*/**/both.*")) == ["both.md", "both.md"]
    assert [path.name for path in made(speed, archive)] == ["speed.txt", "speed.json"]
    assert not (archive.path / "tables" / "speed.txt").exists()
    with pytest.raises(
        InputError, match=r"figures: none: from must name a file of b .* got 'curves'; there are other"
    ):
        made(none, archive)
    assert json.loads((archive.path / "records" / "tables" / "both.json").read_text())["experiments"].keys() == {
        "a"
    }


@pytest.mark.parametrize(
    ("suffix", "text", "without"),
    [
        (".csv", "users,ms,calls\n10,0.1,3\n", "users,calls\n10,3\n"),
        (".csv", "users,calls\n10,3\n", "users,calls\n10,3\n"),
        (".md", "text\n\n| a | time (ms) |\n| --- | --- |\n| x | 1 |\n\n| b |\n| --- |\n| forms |\n", None),
        (
            ".tex",
            "\\begin{tabular}{@{}lS[table-format=1.2]r@{}}\n\\toprule\nMethod & {ms} & calls \\\\\n"
            "\\midrule\na \\& b & 0.1 & 3 \\\\\n\\bottomrule\n\\end{tabular}\n",
            "\\begin{tabular}{@{}lr@{}}\n\\toprule\nMethod & calls \\\\\n"
            "\\midrule\na \\& b & 3 \\\\\n\\bottomrule\n\\end{tabular}\n",
        ),
        (".tex", "\\begin{tabular}{lr}\nMethod & calls \\\\\n\\end{tabular}\n", None),
        (
            ".tex",
            "\\begin{tabular}{lr@{}lr@{}l}\nmethod & \\multicolumn{2}{c}{\\shortstack{time\\\\(ms)}} & "
            "\\multicolumn{2}{c}{calls} \\\\\n"
            "\\multicolumn{5}{l}{\\textit{10 users}} \\\\\na & 0 & .1 & 3 & .0 \\\\\n",
            "\\begin{tabular}{lr@{}l}\nmethod & \\multicolumn{2}{c}{calls} \\\\\n"
            "\\multicolumn{3}{l}{\\textit{10 users}} \\\\\na & 3 & .0 \\\\\n",
        ),
        (".txt", "ms,s\n", "ms,s\n"),
    ],
)
def test_columns_of_times_are_left_out(suffix, text, without):
    if without is None:
        without = text.replace(" time (ms) |", "").replace(" --- | ---", " ---").replace(" x | 1 ", " x ")
    assert without_times(text, suffix) == without


def experiment(name, cores, *uses):
    return Experiment(name, "simulate", (), cores, uses, {})


def test_one_that_takes_all_processors_runs_alone():
    one, other, after, whole = (experiment(*of) for of in (("a", 1), ("b", 1), ("c", 1, "a"), ("d", None)))

    def names(waiting, running, cores):
        started = [Running(of, None, 0.0, False) for of in running]
        return [of.name for of in command.startable(waiting, started, cores)]

    assert names([one, other, after, whole], [], 2) == ["a", "b"]
    assert names([after, whole], [other, one], 4) == []
    assert names([after, whole], [other], 2) == ["c"]
    assert names([whole], [other], 4) == []
    assert names([whole, after], [], 4) == ["d"]
    assert names([one, other], [], 1) == ["a"]


def test_settings_of_what_is_used_count_and_the_way_of_running_does_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gains.npz").write_bytes(b"1")
    (tmp_path / "my_worlds.py").write_text("")
    run = "simulate --env.channel gains.npz --environment my_worlds.World"

    def states(**more):
        content = {"experiments": {"a": {"run": run, **more}, "b": "summarize {a}", "c": "intervals"}}
        archive = Archive(tmp_path / "paper", Paper(content))
        if not archive.path.exists():
            for name in ("a", "b"):
                done(archive, name)
        return [archive.state(one) for one in archive.paper.experiments.values()]

    order = [MISSING, DONE, DONE]
    assert sorted(states()) == sorted(order)
    assert sorted(states(cores=3)) == sorted(order)
    for file in ("gains.npz", "my_worlds.py"):
        kept = (tmp_path / file).read_bytes()
        (tmp_path / file).write_bytes(b"2")
        assert states().count(CHANGED) == 2
        (tmp_path / file).write_bytes(kept)
    assert sorted(states()) == sorted(order)


class Parsed(BaseException):
    """A command line has been read."""


@pytest.fixture(scope="module")
def project():
    """The project's own paper."""
    return Paper(yaml.safe_load((ROOT / "configs" / "paper.yaml").read_text()))


def test_each_command_of_the_projects_paper_parses(project, monkeypatch):
    for kind in (argparse.ArgumentParser, jsonargparse.ArgumentParser):

        def read(self, args=None, namespace=None, inner=kind.parse_args, **more):
            inner(self, args, namespace, **more)
            raise Parsed

        monkeypatch.setattr(kind, "parse_args", read)
    for one in project.experiments.values():
        folders = {name: name for name in (*one.uses, "here")}
        monkeypatch.setattr(sys, "argv", [one.command, *one.filled(folders)])
        module = importlib.import_module(f"mec_offloading.commands.{COMMANDS[one.command][0]}")
        with pytest.raises(Parsed):
            module.main()


def test_all_of_the_readme_is_in_the_projects_paper(project):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    experiments, made_of_them = project.chosen(["readme"])
    pictures = re.findall(r"!\[.*?\]\(docs/(\w+)\.png\)", text)
    assert {result.name for result in made_of_them if result.kind == "figures"} == set(pictures)
    part = text[text.index("## Results") : text.index("## Many runs")]
    named = set(re.findall(r"configs/(\w+)\.yaml", part)) - {"paper"} | set(re.findall(r"`(\w+)\.yaml`", part))
    assert named == {Path(file).stem for one in experiments for file in one.settings["files"]}
    (chosen,) = re.findall(
        r"^python scripts/paper\.py configs/paper\.yaml --only ([\w ]+?) +#", part, re.MULTILINE
    )
    assert set(chosen.split()) <= {result.name for result in made_of_them}
    tables = [result.name for result in made_of_them if result.kind == "tables"]
    assert tables == ["rayleigh", "rivals"]
    assert len(re.findall(r"^\| --- ", part, re.MULTILINE)) == len(tables)  # the second holds columns of its table
