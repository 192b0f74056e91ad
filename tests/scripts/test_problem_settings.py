"""Agents in small problems, as a user runs them; and what the defaults reach there."""

import sys
from pathlib import Path

import commands
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]

WORLDS = """
import numpy as np
from env.problems import AtMost

class Mine(AtMost):
    def __init__(self, seed=0):
        super().__init__(6, 2, seed=seed)

def best(world, rng):
    decisions = world.decisions.all()
    values = world.evaluate(decisions)
    return decisions[values.argmax()], float(values.max())
"""


def problems(tmp_path, *arguments, status=0, **settings):
    config = {"seeds": [0, 1], "frames": 100, **settings}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    (tmp_path / "mine.py").write_text(WORLDS)
    command = [sys.executable, ROOT / "scripts" / "problems.py", "--config", "config.yaml", *arguments]
    result = commands.run(command, cwd=tmp_path)
    assert result.returncode == status, result.stderr
    return result


def cells(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line]


def test_a_table_of_methods_in_problems_of_ones_own(tmp_path):
    methods = {
        "defaults": {"agent": {"backend": "numpy"}},
        "best": {"baseline": "mine.best"},
        "random": {"baseline": "env.baselines.best_of_random"},
    }
    result = problems(
        tmp_path, "--problems", "mine.Mine", "--allow", "mine", "--output", "table.md", methods=methods
    )
    assert (tmp_path / "table.md").read_text().strip() == result.stdout.strip()
    head, _, row, mean, worst, calls = cells(result.stdout)
    assert head == ["mine.Mine", *methods]
    assert row[0] == "`Mine`, N = 6"
    figures = [float(cell.split(" ± ")[0]) for cell in row[1:]]
    assert figures[1] == 1
    assert 0.9 < figures[0] <= 1
    assert figures[2] < 0.7
    assert mean[1:] == worst[1:] == [f"{figure:.4f}" for figure in figures]
    of_defaults, *others = (float(cell) for cell in calls[1:])
    assert 20 < of_defaults < 32.4  # none is valued twice, and around the best are few that are new
    assert others == [64, 6]


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        ([], {}, "config config.yaml must hold methods, seeds and frames"),
        ([], {"methods": {"x": {"agent": {"lerning_rate": 1}}}}, "lerning_rate"),
        (["--problems", "os.getcwd"], {"methods": {"x": {"agent": {}}}}, "environment must be allowed: os.getcwd"),
    ],
)
def test_bad_settings_are_one_line(tmp_path, arguments, settings, message):
    stderr = problems(tmp_path, *arguments, status=2, **settings).stderr
    assert message in stderr
    assert "Traceback" not in stderr
