"""Sweeps, run as a user runs them and killed while they run: all is done, once, and as it is alone."""

import contextlib
import csv
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import commands
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TRIALS = int(os.environ.get("SWEEP_TRIALS", "4"))
"""Of each test that kills something; 24 for the figures in docs/sweeps.md."""
WORLD = """
import time
import numpy as np
from env import Environment

class Slow(Environment):
    def __init__(self, bonus=0.0, *, seed=0):
        self.num_users, self.bonus = 3, bonus
        super().__init__(seed)

    def begin_frame(self):
        time.sleep(0.002)  # so that there is a middle to be killed in
        self.price = self.rng.normal(size=3)

    def observe(self):
        return self.price[:, None]

    def evaluate(self, decisions):
        return decisions @ self.price + self.bonus
"""


def sweep(folder, *arguments):
    command = [sys.executable, "-W", "error", str(ROOT / "scripts" / "sweep.py"), *map(str, arguments)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    environ.pop("COVERAGE_PROCESS_START", None)
    return subprocess.Popen(
        command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def processes_of(sweep_folder):
    """{pid: its parent} of the processes that run trials in a folder."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):  # which has ended since
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if b"simulate" in words and any(word.startswith(bytes(sweep_folder)) for word in words):
                found[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    return found


def until(happens, driver, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := happens():
            return found
        assert driver.poll() is None, driver.communicate()
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def rows(folder):
    with (folder / "metrics.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "decide_seconds"} for row in csv.DictReader(file)]


def finished(sweep_folder):
    return {path.parent.name: path.stat().st_mtime_ns for path in sweep_folder.glob("trials/*/summary.json")}


def starts(sweep_folder):
    """How often the command of each trial was started."""
    logs = (sweep_folder / "logs").glob("*.log")
    return {log.stem: len(re.findall(r"-m mec_offloading simulate", log.read_text())) for log in logs}


def begun_and_unfinished(sweep_folder):
    """Processes of trials that have a checkpoint after the first frame, and more frames to go."""
    running = {}
    for pid, parent in processes_of(sweep_folder).items():
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        folder = next(Path(word) for word in words if word.startswith(f"{sweep_folder}/trials/"))
        table = folder / "metrics.csv"
        if table.is_file() and 150 < table.read_text().count("\n") < 500:
            running[pid] = parent
    return running


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are found in /proc")
@pytest.mark.parametrize("engine", ["local", "ray"])
def test_killed_half_way_all_is_done_once_and_as_it_is_alone(tmp_path, engine):
    if engine == "ray":
        pytest.importorskip("ray")
    (tmp_path / "my_world.py").write_text(WORLD)
    bonuses = [float(place) for place in range(TRIALS // 2)]
    content = {
        "settings": {"environment": "my_world.Slow", "frames": 600, "checkpoint_every": 100, "check": False},
        "over": {"env.bonus": bonuses},
        "seeds": [0, 1],
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    output = tmp_path / "out"
    options = ("--engine", engine, "--processes", 2, "--allow", "my_world")
    driver = sweep(tmp_path, "--config", "mine.yaml", "--output", output, *options)
    pid, parent = until(lambda: begun_and_unfinished(output), driver).popitem()
    os.kill(parent if engine == "ray" else pid, signal.SIGKILL)  # a worker of Ray, or the process of a trial
    until(lambda: finished(output), driver)
    before = finished(output)
    until(lambda: begun_and_unfinished(output), driver)
    driver.kill()
    driver.communicate()
    begun = time.monotonic()
    while processes_of(output):  # which end with the driver, or with Ray, that does
        assert time.monotonic() - begun < 60
        time.sleep(0.1)
    before |= finished(output)
    counts = starts(output)
    driver = sweep(tmp_path, "--resume", output, *options)
    out, err = driver.communicate(timeout=60 + 30 * TRIALS)
    assert driver.returncode == 0, err
    after = finished(output)
    assert len(after) == TRIALS
    assert {name: after[name] for name in before} == before
    assert {name: starts(output)[name] for name in before} == {name: counts[name] for name in before}
    assert sum(starts(output).values()) > TRIALS  # some were gone on with
    assert "finished" in out
    table = list(csv.DictReader((output / "trials.csv").read_text().splitlines()))
    assert [(row["env.bonus"], row["seed"], row["status"], row["frames"]) for row in table] == [
        (str(bonus), seed, "finished", "600") for bonus in bonuses for seed in "01"
    ]
    alone = "\n".join(
        f"main(['--config', {str(output / 'configs' / row['trial'].rpartition('_')[0])!r} + '.yaml', '--allow', "
        f"'my_world', '--seed', '{row['seed']}', '--output', 'alone/{row['trial']}'])"
        for row in table
    )
    (tmp_path / "alone.py").write_text(f"from mec_offloading.commands.simulate import main\n{alone}")
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = commands.run([sys.executable, tmp_path / "alone.py"], cwd=tmp_path, env=environ)
    assert result.returncode == 0, result.stderr
    for row in table:
        assert rows(output / "trials" / row["trial"]) == rows(tmp_path / "alone" / row["trial"])
