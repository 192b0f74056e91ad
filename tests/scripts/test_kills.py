"""Runs killed at random moments: a few of the hundred of `scripts/kills.py`."""

import os
import sys
from pathlib import Path

import commands
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(os.name != "posix", reason="kills what it forks")
def test_killed_runs_have_the_rows_of_uninterrupted_ones(tmp_path):
    command = [sys.executable, "-m", "mec_offloading", "kills", "--kills", "3", "--frames", "40"]
    command += ["--only", "wpmec", "--output", str(tmp_path / "kills")]
    ended = commands.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "3 kills, 0 runs with rows lost or others" in ended.stdout


@pytest.mark.skipif(os.name != "posix", reason="kills what it forks")
def test_a_lost_row_is_noticed(tmp_path):
    from mec_offloading.commands.kills import rows_of

    for name, text in (("whole", "frame,decide_seconds\n0,1\n1,1\n"), ("run", "frame,decide_seconds\n0,2\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.csv").write_text(text)
    assert rows_of(tmp_path / "whole") == [("0",), ("1",)] != rows_of(tmp_path / "run") == [("0",)]
