"""Agents of reinforcement learning as methods of a comparison, and settings found by trial."""

import csv
import sys
from pathlib import Path

import commands
import numpy as np
import pytest
import yaml

from agent.run.contract import world_of
from env import InputError, LyapunovMEC, MultiServerMEC, WirelessPoweredMEC
from mec_offloading.commands.common import rivals
from mec_offloading.commands.common.comparing import Comparison
from mec_offloading.commands.common.reporting import report
from mec_offloading.commands.common.rivals import Rival
from mec_offloading.commands.common.tuning import Tuning

ROOT = Path(__file__).resolve().parents[2]
SMALL = {
    "PPO": {"n_steps": 16, "batch_size": 16, "n_epochs": 1},
    "A2C": {},
    "DQN": {"learning_starts": 10},
    "SAC": {"learning_starts": 30, "train_freq": 8},
    "TD3": {"learning_starts": 30, "train_freq": 8},
}


def settings(**changed):
    return {
        "environment": "env.WirelessPoweredMEC",
        "env": {},
        "users": [4],
        "seeds": [0, 1],
        "warmup": 50,
        "frames": 20,
        "curves": True,
        "methods": {
            "DROO": {"agent": {}},
            "PPO": {"rival": {"algorithm": "PPO", "settings": SMALL["PPO"]}},
            "random": {"baseline": "env.baselines.random"},
        },
        **changed,
    }


@pytest.mark.parametrize("algorithm", SMALL)
@pytest.mark.parametrize("kind", [WirelessPoweredMEC, MultiServerMEC])
def test_a_rival_learns_in_the_first_frames_and_then_acts(algorithm, kind):
    """The world is at the frame after those of the learning, whatever a rollout's length, and seeds repeat."""
    decided = []
    for _ in range(2):
        world = world_of(kind(3))
        rates = []
        rival = Rival(world, {"algorithm": algorithm, "settings": SMALL[algorithm]}, seed=5)
        rival.learn(37, rates.append)
        assert world.environment.frame == 37
        assert rates == []  # no optimum was asked for
        same = kind(3)
        same.reset(seed=5)
        for _ in range(37):
            same.step([0, 0, 0])
        np.testing.assert_array_equal(world.environment.gains, same.gains)
        decision, value = rival.decide(world.observe(), world.evaluate)
        assert value == world.evaluate(decision[None])[0]
        decided.append(decision.tolist())
    assert decided[0] == decided[1]


def test_all_methods_see_the_same_frames_and_a_comparison_goes_on(tmp_path):
    comparison = Comparison(settings())
    comparison.run(comparison.prepare(tmp_path / "whole"), processes=1)
    report(comparison, tmp_path / "whole")
    head, *rows = csv.reader((tmp_path / "whole" / "table.csv").read_text().splitlines())
    table = {row[1]: dict(zip(head, row, strict=True)) for row in rows}
    assert table["PPO"]["training frames"] == table["PPO"]["training calls"] == "50"
    assert table["PPO"]["critic calls"] == "1.0"
    assert float(table["DROO"]["training calls"]) > 50
    assert table["random"]["training frames"] == table["random"]["training calls"] == "0"
    assert (tmp_path / "whole" / "curves.png").is_file()
    saved = np.load(tmp_path / "whole" / "frames" / "4-0-1.npz")
    assert saved["online_rate"].shape == (50,)
    assert (saved["online_rate"] <= 1 + 1e-9).all()
    part = comparison.prepare(tmp_path / "part")
    lines = (tmp_path / "whole" / "rows.csv").read_text().splitlines(keepends=True)
    (part / "rows.csv").write_text("".join(lines[:3]))
    for file in (tmp_path / "whole" / "frames").glob("*-0-[01].npz"):
        (part / "frames" / file.name).write_bytes(file.read_bytes())
    comparison.run(part, processes=1)
    again = list(csv.DictReader((part / "rows.csv").read_text().splitlines()))
    for row, other in zip(again, csv.DictReader(lines), strict=True):
        assert {**row, "milliseconds": 0} == {**other, "milliseconds": 0}


def test_in_a_world_of_queues_too():
    world = world_of(LyapunovMEC(3))
    rival = Rival(world, {"algorithm": "A2C", "env": {"with_optimum": True}}, seed=0)
    rates = []
    rival.learn(12, rates.append)
    assert len(rates) == 12


@pytest.mark.parametrize(
    ("rival", "message"),
    [
        ({"algorithm": "REINFORCE"}, "algorithm of PPO, A2C, DQN, SAC, TD3"),
        ({"algorithm": "PPO", "setting": {}}, "rival must hold"),
        ({"algorithm": "PPO", "settings": {"learning": 1}}, "settings must be those of PPO"),
        ({"algorithm": "PPO", "settings": [1]}, "settings must be a dict"),
        ({"algorithm": "PPO", "env": {"reward": "best"}}, "reward must be one of"),
        ({"algorithm": "PPO", "env": {"rewards": 1}}, "env must hold settings of OffloadingEnv"),
        ({"algorithm": "DQN"}, r"DQN must have at most 4096 decisions to choose from, 13 users have 2^13"),
    ],
)
def test_settings_that_are_not_right(rival, message):
    with pytest.raises(InputError) as error:
        Comparison(settings(users=[13], methods={"one": {"rival": rival}}))
    assert message in str(error.value)


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    with pytest.raises(ModuleNotFoundError, match=r"the extra 'rl'"):
        rivals.Rival(world_of(WirelessPoweredMEC(3)), {"algorithm": "PPO"}, 0)


TUNED = {
    "tuning": {"trials": 3, "seeds": [9], "warmup": 40, "frames": 10, "by": "normalized_rate"},
    "search": {"PPO": {"rival.settings.learning_rate": {"log": [1e-4, 1e-1]}}},
}


def test_tuning_goes_on_with_the_trials_that_it_would_have_had(tmp_path):
    whole = Tuning(settings(**TUNED)).run(tmp_path / "whole")
    fewer = {**TUNED, "tuning": {**TUNED["tuning"], "trials": 2}}
    Tuning(settings(**fewer)).run(tmp_path / "part")
    assert Tuning(settings(**TUNED)).run(tmp_path / "part") == whole
    assert whole["methods"]["DROO"] == {"agent": {}}
    assert "tuning" not in whole


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"tuning": {**TUNED["tuning"], "seeds": [0]}}, "seeds must be others than"),
        ({"tuning": {**TUNED["tuning"], "by": "-delay"}}, "by must be one of normalized_rate, value"),
        ({"tuning": {**TUNED["tuning"], "trials": 0}}, "trials must be 1 or more"),
        ({"tuning": {"trials": 3}}, "tuning must hold"),
        ({"search": {"SAC": {}}}, "search must name methods"),
        ({"search": {"PPO": {"x": {"log": [1]}}}}, "must have two ends"),
        ({"search": {"PPO": {"x": {"normal": [1, 2]}}}}, "must be one of choices"),
    ],
)
def test_searches_that_are_not_right(changed, message):
    with pytest.raises(InputError) as error:
        Tuning(settings(**{**TUNED, **changed}))
    assert message in str(error.value)


def test_the_command_tunes_and_compares(tmp_path):
    config = settings(**TUNED, seeds=[0]) | {"curves": False}
    (tmp_path / "rivals.yaml").write_text(yaml.safe_dump(config))
    command = [
        sys.executable,
        ROOT / "scripts" / "rivals.py",
        "--config",
        tmp_path / "rivals.yaml",
        "--trials",
        "1",
    ]
    result = commands.run([*command, "--output", tmp_path / "out", "--processes", "1"])
    assert result.returncode == 0, result.stderr
    assert "| 4 | PPO |" in result.stdout
    assert (tmp_path / "out" / "tuning" / "tuned.yaml").is_file()
