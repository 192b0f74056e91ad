"""Ways to play a configuration, and how what they decide is compared."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mec_offloading.commands.bits import Played, difference, line, play

ROOT = Path(__file__).resolve().parents[2]


def bits(*arguments, status=0):
    command = [sys.executable, "-m", "mec_offloading", "bits", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert ended.returncode == status, ended.stdout + ended.stderr
    return ended


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_a_replica_in_a_group_in_threads_decides_as_the_single_run(backend):
    options = ("--seed", "0", "--agent.backend", backend)
    many, one = play("wpmec", (*options, "--replicas", "32", "--threads", "2"), 120), play("wpmec", options, 120)
    assert many.decisions.shape == (120, 32, 10)
    found = difference(one, Played(many.decisions[:, :1], many.values[:, :1]))
    assert (found.frames, found.other) == (120, 0)
    assert found.before < 1e-11


def test_without_machine_code_the_decisions_are_the_same():
    ended = bits("--frames", 150, "--only", "wpmec_30", "lydroo_best")
    of_30, of_queues = ended.stdout.splitlines()
    assert of_30.startswith("wpmec_30, numpy: 0 of 150 decisions differ, values before by at most ")
    same = "0 of 150 decisions differ, values before by at most 0.0e+00, means by 0.0e+00"
    assert of_queues == f"lydroo_best, numpy: {same}"


def test_where_decisions_part_their_worth_says_whether_it_is_a_tie():
    decisions, values = np.zeros((3, 1, 2), np.int8), np.ones((3, 1))
    other, worth = decisions.copy(), values.copy()
    other[1:, 0, 1] = 1
    worth[0], worth[2] = 1 + 1e-9, 0.5
    tie = difference(Played(decisions, values), Played(other, worth))
    assert (tie.frames, tie.other, tie.first, tie.there) == (3, 2, 1, 0.0)
    assert tie.before == pytest.approx(1e-9)
    assert "2 of 3 decisions differ" in line([tie])
    assert "from frame 1 on, a tie" in line([tie])
    worth[1] = 0.75
    assert "from frame 1 on, worth 2.5e-01 apart" in line(
        [difference(Played(decisions, values), Played(other, worth))]
    )


def test_an_unknown_way_is_named():
    assert (
        bits("--ways", "4x1", "fast", status=2).stderr == "error: ways must be numpy, omp, or as 16x2, got fast\n"
    )
