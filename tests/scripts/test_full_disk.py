"""A disk that is full in the middle of a run, and then is not."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import commands
import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
FRAMES = 2600
RUN = (
    *("--config", ROOT / "configs" / "wpmec.yaml", "--checkpoint_every", 100, "--optimum", "false"),
    *("--env.num_users", 3, "--agent.memory_size", 64, "--frames", FRAMES),
)


def command(*arguments):
    return [sys.executable, "-m", "mec_offloading", "simulate", *map(str, arguments)]


def simulate(*arguments):
    return commands.run(command(*arguments), env={**os.environ, "PYTHONPATH": str(ROOT)})


def rows(folder):
    with (folder / "metrics.csv").open() as file:
        return [
            {name: cell for name, cell in row.items() if name != "decide_seconds"} for row in csv.DictReader(file)
        ]


def is_one_error(stopped, folder, message):
    assert stopped.returncode == 2, stopped.stderr
    said = [line for line in stopped.stderr.splitlines() if line.startswith("error")]
    assert len(said) == 1
    assert message in said[0]
    assert "Traceback" not in stopped.stderr
    assert torch.load(folder / "checkpoint.pt", weights_only=True)["frame"] in range(100, FRAMES, 100)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("disk") / "whole"
    assert simulate(*RUN, "--output", folder).returncode == 0
    return rows(folder)


@pytest.mark.skipif(sys.platform == "win32", reason="limits of processes are of POSIX")
def test_a_file_that_may_not_grow_is_one_error_and_the_run_goes_on(tmp_path, whole):
    import resource

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

    options = {"env": {**os.environ, "PYTHONPATH": str(ROOT)}, "capture_output": True, "text": True}
    limits = command(*RUN, "--output", tmp_path / "run")
    stopped = subprocess.run(limits, preexec_fn=limited, check=False, **options)
    is_one_error(stopped, tmp_path / "run", "File too large")
    assert simulate("--resume", tmp_path / "run").returncode == 0
    assert rows(tmp_path / "run") == whole


def test_a_full_disk_is_one_error_and_the_run_goes_on(tmp_path, whole):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a file system of one's own needs root")
    try:
        stopped = simulate(*RUN, "--output", disk / "run")
        is_one_error(stopped, disk / "run", "No space left on device")
        subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
        assert simulate("--resume", disk / "run").returncode == 0
        assert rows(disk / "run") == whole
    finally:
        subprocess.run(["umount", str(disk)], check=True)
