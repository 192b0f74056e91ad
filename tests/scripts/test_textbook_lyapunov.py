"""The textbook loop that the LyDROO allocation is timed against solves the same problem."""

import sys
from pathlib import Path

import commands
import numpy as np

from env import LyapunovMEC
from mec_offloading.commands.textbook_lyapunov import textbook_allocate

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def test_the_textbook_loop_agrees_and_is_never_better():
    env = LyapunovMEC(6, seed=1)
    rng = np.random.default_rng(0)
    for _ in range(25):
        decisions = rng.integers(2, size=(3, 6))
        values = env.evaluate(decisions)
        state = env.data_queue, env.energy_queue, env.weights
        textbook = [textbook_allocate(env.gains, decision, *state) for decision in decisions]
        np.testing.assert_allclose(textbook, values, rtol=1e-3)
        assert (textbook <= values * (1 + 1e-6)).all()
        env.step(decisions[0])


def test_the_command_prints_how_many_times_faster_a_frame_is():
    command = [sys.executable, str(SCRIPTS / "textbook_lyapunov.py"), "--frames", "3", "--users", "4"]
    result = commands.run(command)
    assert result.returncode == 0, result.stderr
    assert "4 users, 10 candidates, 3 frames" in result.stdout
    assert "evaluate and step" in result.stdout
