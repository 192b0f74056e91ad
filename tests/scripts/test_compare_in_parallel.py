"""Comparisons over processes and on Ray: the same rows, and decisions timed while nothing runs beside."""

import csv
import multiprocessing
import os
import signal
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import yaml

from agent.run.comparison import BaselineAgent, measure, optima
from agent.run.contract import world_of
from env import WirelessPoweredMEC, baselines
from mec_offloading.commands import compare as command_line
from mec_offloading.commands.common import gate as gates
from mec_offloading.commands.common.comparing import Comparison
from mec_offloading.commands.common.gate import Gate, opened, timed_apart

ROOT = Path(__file__).resolve().parents[2]
needs_locks = pytest.mark.skipif(gates.fcntl is None, reason="no such file locks on this system")
MORTAL = """
import os, pathlib, signal
from env import baselines

def dies_once(environment, rng):
    flag = pathlib.Path(os.environ["FLAG"])
    if environment.frame == 12 and not flag.exists():  # which is timed
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return baselines.greedy(environment, rng)
"""


def settings(**changed):
    return {
        "environment": "env.WirelessPoweredMEC",
        "env": {},
        "users": [5],
        "seeds": [0, 1],
        "warmup": 10,
        "frames": 20,
        "methods": {
            "random": {"baseline": "env.baselines.random"},
            "learned": {"agent": {"backend": "numpy"}},
            "greedy": {"baseline": "env.baselines.greedy"},
        },
        **changed,
    }


def compare(folder, monkeypatch, *arguments):
    """Runs the command in this process; returns the comparison's folder."""
    monkeypatch.chdir(folder)
    command = ["compare.py", "--config", "small.yaml", "--output", "run", *map(str, arguments)]
    monkeypatch.setattr(sys, "argv", command)
    command_line.main()
    return folder / "run"


def timeless(path):
    with (path / "rows.csv").open() as file:
        return [{**row, "milliseconds": ""} for row in csv.DictReader(file)]


def in_process(function, *arguments):
    process = multiprocessing.get_context("fork").Process(target=function, args=arguments, daemon=True)
    process.start()
    return process


def step_until(name, many, events):
    """Steps through the gate until it is told to end; says at each how many there were."""
    inside, going = events
    with Gate(name) as passed:
        while going.is_set():
            passed.frame()
            many.value += 1
            inside.set()


def keep_alone(name, events):
    alone, _ = events
    with Gate(name) as passed, passed.alone():
        alone.set()
        signal.pause()


@needs_locks
def test_who_times_is_alone_and_the_others_go_on_after_it(monkeypatch):
    fork = multiprocessing.get_context("fork")
    inside, going, many = fork.Event(), fork.Event(), fork.Value("q", 0)
    going.set()
    with opened() as name:
        process = in_process(step_until, name, many, (inside, going))
        assert inside.wait(20)
        with Gate(name) as passed:
            for _ in range(3):
                with passed.alone():
                    before = many.value
                    inside.clear()
                    assert not inside.wait(0.05)
                    assert many.value == before
                assert inside.wait(20)
            monkeypatch.setattr(gates, "AT_MOST", 0)
            with passed.alone():  # for one frame then
                passed.frame()
                assert passed.timed == range(1)
                inside.clear()
                assert inside.wait(20)
            assert passed.waited > 0
        going.clear()
        process.join(20)
    assert not any(path.exists() for path in gates._files(name))


@needs_locks
def test_two_that_want_to_be_alone_take_turns_and_a_killed_one_leaves():
    fork = multiprocessing.get_context("fork")
    events, others = [(fork.Event(), fork.Event()) for _ in range(2)]
    with opened() as name:
        first = in_process(keep_alone, name, events)
        assert events[0].wait(20)
        second = in_process(keep_alone, name, others)
        assert not others[0].wait(0.1)
        first.kill()
        assert others[0].wait(20)
        second.kill()
        with Gate(name) as passed, passed.alone():
            pass
        for process in (first, second):
            process.join(20)


@needs_locks
@pytest.mark.parametrize("frames", [1, 3, 250])
def test_frames_timed_apart_are_the_first_of_the_measured_ones(frames, monkeypatch):
    monkeypatch.setattr(gates, "COLD", 0)
    world = world_of(WirelessPoweredMEC(4))
    best = optima(world, 0, 0, frames)
    world.reset(seed=0)
    whole = measure(world, BaselineAgent(baselines.greedy, world.environment), frames, best)
    world.reset(seed=0)
    with opened() as name, Gate(name) as passed:
        agent = BaselineAgent(baselines.greedy, world.environment)
        apart = timed_apart(passed.through(world), agent, frames, best, passed)
    assert apart.keys() == whole.keys()
    for key in ("value", "optimum", "normalized_rate", "candidates"):
        np.testing.assert_array_equal(apart[key], whole[key])
    timed = np.flatnonzero(~np.isnan(apart["decide_seconds"]))
    assert timed.tolist() == list(range(min(frames, 60)))


@needs_locks
def test_frames_after_a_wait_are_cold_and_of_cold_ones_the_last_is_timed(monkeypatch):
    monkeypatch.setattr(gates, "FRAMES", 3)
    now = iter(np.arange(100) * 0.001)
    monkeypatch.setattr(gates.time, "perf_counter", lambda: next(now))
    with opened() as name, Gate(name) as passed, passed.alone():
        for timed in (range(1), range(1, 2), range(2, 3), range(2, 4), range(2, 5), range(2, 5)):
            passed.frame()
            assert passed.timed == timed


def test_without_such_locks_times_are_taken_as_they_are_and_it_is_said(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(gates, "fcntl", None)
    methods = {"greedy": {"baseline": "env.baselines.greedy"}, "random": {"baseline": "env.baselines.random"}}
    comparison = Comparison(settings(seeds=[0], methods=methods))
    output = comparison.prepare(tmp_path / "run")
    comparison.run(output, processes=2)
    assert "decision times are taken beside other rows" in capsys.readouterr().err
    with np.load(output / "frames" / "5-0-0.npz") as saved:
        assert saved["timed"].tolist() == list(range(20))


def test_rows_are_the_same_on_ray_and_one_whose_process_is_killed_is_run_again(tmp_path):
    pytest.importorskip("ray")
    (tmp_path / "mortal.py").write_text(MORTAL)
    small = settings()
    small["methods"]["mortal"] = {"baseline": "env.baselines.greedy"}
    comparison = Comparison(deepcopy(small))
    alone = comparison.prepare(tmp_path / "alone")
    comparison.run(alone, processes=1)
    small["methods"]["mortal"] = {"baseline": "mortal.dies_once"}
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(small, sort_keys=False))
    command = [sys.executable, str(ROOT / "scripts" / "compare.py"), "--config", "small.yaml", "--allow", "mortal"]
    command += ["--output", "run", "--engine", "ray", "--processes", "2"]
    flag = tmp_path / "died"
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path, env={**os.environ, "FLAG": str(flag)}
    )
    assert result.returncode == 0, result.stderr
    assert flag.exists()
    assert len(timeless(alone)) == 8
    assert timeless(tmp_path / "run") == timeless(alone)


def test_an_address_that_is_none_is_one_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(settings()))
    with pytest.raises(SystemExit, match="2"):
        compare(tmp_path, monkeypatch, "--address", "127.0.0.1:1")
    assert (
        capsys.readouterr().err == "error: address must be given with the engine ray, got 127.0.0.1:1 with local\n"
    )
    pytest.importorskip("ray")
    with pytest.raises(SystemExit, match="2"):
        compare(tmp_path, monkeypatch, "--engine", "ray", "--address", "127.0.0.1:1")
    refused = capsys.readouterr().err
    assert refused.startswith("error: address must be of a Ray cluster that runs, got 127.0.0.1:1")
    assert len(refused.splitlines()) == 1


def test_without_ray_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    comparison = Comparison(settings())
    with pytest.raises(ModuleNotFoundError, match=r"of the extra 'sweep': pip install 'mec-offloading\[sweep\]'"):
        comparison.run(comparison.prepare(tmp_path / "run"), engine="ray")
    with pytest.raises(ValueError, match="engine must be one of local, ray, got 'slurm'"):
        comparison.run(tmp_path / "run", engine="slurm")
