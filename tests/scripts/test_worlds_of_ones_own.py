"""Code of a user's own on the command line: every constructor, errors that show where they are, and trust."""

import csv
import json
import os
import sys
from pathlib import Path

import commands
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]

WORLDS = """
import numpy as np
from dataclasses import dataclass
from env import Categorical, Channel, Environment, InputError

open("imported", "w").close()

class Bare:
    num_users = 3
    def reset(self, seed=None):
        self.rng = np.random.default_rng(seed)
        self.step(None)
    def observe(self):
        return self.price
    def evaluate(self, decisions):
        return 10 + decisions @ self.price[:, 0]
    def step(self, decision):
        self.price = self.rng.normal(size=(self.num_users, 1))

class OnlySelf(Bare):
    def __init__(self):
        self.reset()

class Defaults(Bare):
    def __init__(self, num_users=4, cap=2):
        self.num_users = num_users
        self.reset()

class Keywords(Bare):
    def __init__(self, *, num_users: int = 4):
        self.num_users = num_users
        self.reset()

class Free(Bare):
    def __init__(self, **settings):
        self.num_users = settings.get("num_users") or 5
        self.reset()

@dataclass
class Data(Bare):
    num_users: int = 6

class Inheriting(Environment):
    def __init__(self):
        self.num_users = 3
        self.decisions = Categorical(3, 3)
        super().__init__()
    def begin_frame(self):
        self.price = self.rng.normal(size=(3, 2))
    def observe(self):
        return self.price
    def evaluate(self, decisions):
        decisions = self.decisions.check("decisions", decisions)
        return 20 + sum((decisions == s + 1) @ self.price[:, s] for s in range(2))
    def frame_optimum(self):
        return self.best_of_all(27)

class PositionalOnly(Bare):
    def __init__(self, num_users=4, /):
        self.num_users = num_users
        self.reset()

class Still(Channel):
    def sample(self, rng):
        return 1e-6 * np.arange(1, self._size + 1)

class Flips:
    def __init__(self, width=3):
        self.width = width
    def max_candidates(self, n):
        return 2**n
    def __call__(self, x, count, generator):
        candidates = np.tile((x > 0.5).astype(int), (count, 1))
        for row in range(1, count):
            candidates[row, row % min(self.width, len(x))] ^= 1
        return candidates

class NoLimit:
    def __call__(self, x, count, generator):
        return np.zeros((count, len(x)))

class Ageing(Bare):
    metric_labels = {"value": "Mean age (frames)"}
    feasible_only = True
    def evaluate(self, decisions):
        return np.where(self.price[0, 0] < 3, super().evaluate(decisions), -np.inf)

class HalfState(Bare):
    def state_dict(self):
        return {"price": self.price}

class Suspicious(Bare):
    def frame_optimun(self):
        return 1.0

class LowOptimum(Bare):
    def frame_optimum(self):
        return 0.5 * float(self.evaluate(np.ones((1, self.num_users)))[0])

class WrongShape(Bare):
    def evaluate(self, decisions):
        return decisions @ self.price[:2, 0]

class RaisesOurs(Bare):
    def observe(self):
        raise InputError("mine")

class RaisesIO(Bare):
    def step(self, decision):
        super().step(decision)
        if decision is not None:
            open("no such folder/file")

class FailsToBeMade(Bare):
    def __init__(self, num_users=3):
        raise ValueError("half-made")
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "world.py").write_text(WORLDS)
    return tmp_path


def run(name, *arguments, status=0, cwd=None, pictures=False, **environment):
    command = [sys.executable, str(ROOT / "scripts" / name), *map(str, arguments)]
    more = {**os.environ, **environment}
    result = commands.run(command, cwd=cwd, env=more, pictures=pictures)
    assert result.returncode == status, result.stderr
    return result


def rows(folder):
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    "world", ["Bare", "OnlySelf", "Defaults", "Keywords", "Free", "Data", "PositionalOnly", "Inheriting"]
)
def test_every_constructor_goes(folder, world):
    run("simulate.py", "--environment", f"world.{world}", "--frames", 12, "--output", "run", cwd=folder)
    assert len(rows(folder / "run")) == 12
    config = yaml.safe_load((folder / "run" / "config.yaml").read_text())
    assert config["environment"] == f"world.{world}"
    options = ("--environment", f"world.{world}", "--replicas", 2, "--frames", 12, "--output", "replicas")
    run("simulate.py", *options, cwd=folder)
    assert json.loads((folder / "replicas" / "summary.json").read_text())["replicas"] == 2


@pytest.mark.parametrize("world", ["Defaults", "Keywords", "Free", "Data"])
def test_constructors_arguments_are_options(folder, world):
    options = ("--environment", f"world.{world}", "--env.num_users", 7, "--frames", 12)
    run("simulate.py", *options, "--output", "run", cwd=folder)
    assert json.loads((folder / "run" / "summary.json").read_text())["num_users"] == 7
    assert yaml.safe_load((folder / "run" / "config.yaml").read_text())["env"]["num_users"] == 7
    run("simulate.py", "--config", "run/config.yaml", "--allow", "world", "--output", "again", cwd=folder)
    assert [row["value"] for row in rows(folder / "again")] == [row["value"] for row in rows(folder / "run")]


def test_a_world_that_inherits_is_resumed(folder):
    options = ("--environment", "world.Inheriting", "--agent.backend", "numpy")
    run("simulate.py", *options, "--frames", 40, "--output", "whole", cwd=folder)
    run("simulate.py", *options, "--frames", 25, "--output", "part", cwd=folder)
    run("simulate.py", "--resume", "part", "--frames", 40, "--allow", "world", cwd=folder)
    values = [[row["value"] for row in rows(folder / name)] for name in ("whole", "part")]
    assert values[0] == values[1]
    assert 0 < json.loads((folder / "part" / "summary.json").read_text())["normalized_rate"] <= 1


@pytest.mark.parametrize(
    ("world", "last", "where"),
    [
        ("WrongShape", "ValueError: matmul", "in evaluate"),
        ("RaisesOurs", "env.arrays.InputError: mine", "in observe"),
        ("RaisesIO", "FileNotFoundError", "in step"),
        ("FailsToBeMade", "ValueError: half-made", "in __init__"),
    ],
)
@pytest.mark.parametrize("more", [(), ("--replicas", "2")])
def test_an_error_in_a_users_code_shows_where_it_is(folder, world, last, where, more):
    options = ("--environment", f"world.{world}", "--frames", 12, "--output", "run", *more)
    stderr = run("simulate.py", *options, status=1, cwd=folder).stderr
    assert "Traceback" in stderr
    assert 'world.py"' in stderr
    assert where in stderr
    assert stderr.splitlines()[-1].startswith(last)


HOSTILE = {
    "function of ours": "agent: {network: {class_path: agent.checkpoint.write, init_args: {path: x, content: 1}}}",
    "network": "agent: {network: {class_path: os.system, init_args: {command: touch pwned}}}",
    "short network": "agent: {network: subprocess.Popen}",
    "quantizer": "agent: {quantizer: {class_path: subprocess.Popen, init_args: {args: [touch, pwned]}}}",
    "channel": "env: {channel: {class_path: world.Bare}}",
    "nested": "env: {channel: {class_path: env.Rayleigh, init_args: {path_loss: {class_path: world.Bare}}}}",
    "environment": "environment: world.Bare",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_strangers_configuration_runs_nothing(folder, case):
    (folder / "theirs.yaml").write_text(HOSTILE[case])
    named = next(word for word in ("os", "subprocess", "world", "agent") if f" {word}." in HOSTILE[case])
    result = run("simulate.py", "--config", "theirs.yaml", "--frames", 5, status=2, cwd=folder)
    refused = (
        "is nothing that a setting takes" if named == "agent" else f"{named} is not allowed: add --allow {named}"
    )
    assert refused in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert sorted(path.name for path in folder.iterdir()) == ["theirs.yaml", "world.py"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("agent: {network: agent.OffloadingAgent}", "agent.OffloadingAgent is nothing that a setting takes"),
        ("agent: {network: {class_path: env.Rayleigh}}", "subclass of"),
        ("env: {channel: env.ConstantArrivals}", "env.ConstantArrivals"),
        ("env: {presence: {class_path: agent.SetNetwork}}", "presence"),
        ("environment: env.baselines.exhaustive", "environment must be a class with reset"),
        ("environment: env.os.system", "environment must be"),
    ],
)
def test_a_class_of_another_kind_is_refused(folder, text, message):
    (folder / "theirs.yaml").write_text(text)
    result = run("simulate.py", "--config", "theirs.yaml", "--frames", 5, status=2, cwd=folder)
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_the_folder_of_a_run_is_not_trusted_either(folder):
    run("simulate.py", "--environment", "world.Bare", "--frames", 5, "--output", "run", cwd=folder)
    (folder / "imported").unlink()
    assert "add --allow world" in run("simulate.py", "--resume", "run", status=2, cwd=folder).stderr
    config = folder / "run" / "config.yaml"
    text = config.read_text().replace(
        "network: null", "network: {class_path: os.system, init_args: {command: ls}}"
    )
    config.write_text(text.replace("world.Bare", "env.WirelessPoweredMEC"))
    assert "add --allow os" in run("simulate.py", "--resume", "run", status=2, cwd=folder).stderr
    assert not (folder / "imported").exists()


def test_what_is_allowed_is_imported(folder):
    (folder / "mine.yaml").write_text("environment: world.Bare")
    run("simulate.py", "--config", "mine.yaml", "--allow", "world", "--frames", 5, "--output", "run", cwd=folder)
    assert (folder / "imported").exists()
    result = run("simulate.py", "--config", "mine.yaml", "--allow", "a b", status=2, cwd=folder)
    assert "allow must be the name of a module, got 'a b'" in result.stderr


def test_yaml_is_read_as_it_looks(folder):
    (folder / "café.yaml").write_text(
        "# µ — whatever the locale\n"
        "env: {num_users: 10, noise_power: 1e-10, presence: {class_path: env.PresenceSchedule, init_args: "
        "{off: {2: [9]}}}}\n",
        encoding="utf-8",
    )
    options = ("--config", "café.yaml", "--frames", 12, "--output", "run")
    run("simulate.py", *options, cwd=folder, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", LANG="C")
    config = yaml.safe_load((folder / "run" / "config.yaml").read_text(encoding="utf-8"))
    assert {int(frame): users for frame, users in config["env"]["presence"]["init_args"]["off"].items()} == {
        2: [9]
    }
    assert config["env"]["noise_power"] == 1e-10
    run("simulate.py", "--resume", "run", "--frames", 14, cwd=folder)
    given = "{class_path: env.PresenceSchedule, init_args: {off: {3: [1]}}}"
    run("simulate.py", "--env.presence", given, "--frames", 5, "--output", "other", cwd=folder)


def test_words_that_look_like_booleans_are_words():
    from mec_offloading.commands.common.settings import load_yaml

    text = (
        "{off: 1, on: 2, no: 3, yes: 4, y: 5, n: 6, Off: 7, NO: 8, true: 9, x: [yes, no], e: 1e-10, d: 2026-01-02}"
    )
    content = load_yaml(text)
    assert list(content)[:8] == ["off", "on", "no", "yes", "y", "n", "Off", "NO"]
    assert content[True] == 9
    assert content["x"] == [True, False]
    assert content["e"] == 1e-10
    assert content["d"] == "2026-01-02"


SEVERAL = """
import multiprocessing
from mec_offloading.commands.simulate import main

if __name__ == "__main__":
    options = ["--frames", "5", "--agent.backend", "numpy", "--seed"]
    started = [multiprocessing.Process(target=main, args=([*options, seed],)) for seed in "0001"]
    for process in started:
        process.start()
    for process in started:
        process.join()
    assert [process.exitcode for process in started] == [0, 0, 0, 0]
"""


def test_runs_that_were_not_named_never_collide(folder):
    (folder / "several.py").write_text(SEVERAL)
    result = commands.run([sys.executable, folder / "several.py"], cwd=folder)
    assert result.returncode == 0, result.stderr
    made = sorted(path.name for path in (folder / "runs").iterdir())
    assert len(made) == 4
    assert sum(name.startswith("run-seed0-") for name in made) == 3
    assert sum(name.startswith("run-seed1-") for name in made) == 1


def test_half_a_state_is_told_of_replicas_too(folder):
    for more in ((), ("--replicas", 2)):
        output = f"run{len(more)}"
        options = ("--environment", "world.HalfState", "--frames", 5, "--output", output, *more)
        refused = run("simulate.py", *options, status=2, cwd=folder).stderr
        assert refused == "error: HalfState must have both state_dict and load_state_dict, or neither\n"
        assert not (folder / output).exists()
        run("simulate.py", *options, "--check", "false", cwd=folder)
        result = run("simulate.py", "--resume", output, "--allow", "world", status=2, cwd=folder)
        assert result.stderr == "error: HalfState must have load_state_dict to resume\n"


def test_a_world_is_tried_before_its_first_frame(folder):
    options = ("--frames", 5, "--output")
    result = run("simulate.py", "--environment", "world.WrongShape", *options, "bad", status=1, cwd=folder)
    assert "in evaluate" in result.stderr
    warned = run("simulate.py", "--environment", "world.Suspicious", *options, "run", cwd=folder).stderr
    assert "EnvironmentWarning: Suspicious.frame_optimun is not used; is it meant to be frame_optimum?" in warned
    assert "note: world.Suspicious has no state_dict and load_state_dict: this run cannot be resumed" in warned
    quiet = run("simulate.py", "--config", ROOT / "configs" / "wpmec.yaml", *options, "ours", cwd=folder).stderr
    assert "Warning" not in quiet
    assert "note:" not in quiet


def test_a_value_above_the_optimum_is_told_once(folder):
    for more in ((), ("--replicas", 2)):
        options = ("--environment", "world.LowOptimum", "--frames", 250, "--output", f"run{len(more)}", *more)
        refused = run("simulate.py", *options, status=2, cwd=folder).stderr
        assert "frame_optimum must be the best value of a frame" in refused
        warned = run("simulate.py", *options, "--check", "false", cwd=folder).stderr
        assert warned.count("RuntimeWarning: the value ") == 1
        assert "is above the optimum" in warned


def test_a_data_set_of_a_channel_of_ones_own(folder):
    options = ("--env.num_users", 3, "--env.channel", "world.Still", "--rows", 4, "--output", "data.npz")
    run("make_dataset.py", *options, "--allow", "world", cwd=folder)
    assert (folder / "data.npz").exists()
    assert "no such trace file" in run("make_dataset.py", *options[:-1], "other.npz", status=2, cwd=folder).stderr


def test_a_configured_network_of_choices(folder):
    (folder / "net.yaml").write_text(
        "agent: {network: {class_path: agent.FullyConnected, init_args: {hidden: [10]}}, training_interval: 2}"
    )
    options = ("--config", "net.yaml", "--environment", "world.Inheriting", "--frames", 9, "--output", "run")
    run("simulate.py", *options, cwd=folder)
    assert len(rows(folder / "run")) == 9


def test_a_quantizer_without_type_hints_is_taken(folder):
    options = ("--allow", "world", "--frames", 12)
    settings = ("--agent.quantizer", "world.Flips", "--agent.quantizer.width", 2)
    run("simulate.py", *options, *settings, "--output", "run", cwd=folder)
    kept = yaml.safe_load((folder / "run" / "config.yaml").read_text())["agent"]["quantizer"]
    assert kept == {"class_path": "world.Flips", "init_args": {"width": 2}}
    result = run("simulate.py", *options, "--agent.quantizer", "world.NoLimit", status=2, cwd=folder)
    assert "quantizer has no max_candidates got world.NoLimit" in result.stderr
    result = run("simulate.py", *options, "--env.channel", "world.NoChannel", status=2, cwd=folder)
    assert "no such trace file: world.NoChannel (a class of channels must inherit env.Channel)" in result.stderr


def test_reports_speak_the_worlds_language(folder):
    options = ("--environment", "world.Ageing", "--check", "false", "--checkpoint_every", 10)
    options = (*options, "--frames", 30)
    result = run("simulate.py", *options, "--seed", 1, "--output", "run", cwd=folder, pictures=True)
    assert (folder / "run" / "rate.png").is_file()
    summary = json.loads((folder / "run" / "summary.json").read_text())
    assert summary["unit"] == "value: Mean age (frames)"
    assert summary["averaged_frames"] == "24 to 29"
    assert 0 < summary["frames_per_second"] <= summary["decisions_per_second"]
    assert "unit: value: Mean age (frames)" in result.stdout
    ended = run("simulate.py", *options[:-1], 3000, "--output", "ended", status=2, cwd=folder)
    assert "Ageing carries out no other (feasible_only)" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert (folder / "ended" / "checkpoint.pt").is_file()
