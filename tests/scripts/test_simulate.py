"""The command line, run as a user runs it."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import commands
import numpy as np
import pytest
import torch
import yaml

from agent import OffloadingAgent
from agent.run.loop import simulate as play
from env import MultiServerMEC

ROOT = Path(__file__).resolve().parents[2]
PLOTS = {"rate.png", "loss.png", "candidates.png", "time.png"}


def command(*arguments):
    return [sys.executable, str(ROOT / "scripts" / "simulate.py"), *map(str, arguments)]


def simulate(*arguments, status=0, pictures=False, **options):
    result = commands.run(command(*arguments), pictures=pictures, **options)
    assert result.returncode == status, result.stderr
    return result


def rows(folder):
    with (folder / "metrics.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "decide_seconds"} for row in csv.DictReader(file)]


def quick(output, *more, frames=300):
    return ("--config", ROOT / "configs" / "wpmec.yaml", "--frames", frames, "--output", output, *more)


@pytest.mark.parametrize("config", sorted((ROOT / "configs").glob("wpmec*.yaml")), ids=lambda path: path.stem)
def test_every_configuration_runs(tmp_path, config):
    simulate("--config", config, "--frames", 150, "--output", tmp_path / "run", pictures=True)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["frames"] == 150
    assert summary["num_users"] == (30 if "30" in config.stem else 10)
    if summary["num_users"] == 10:
        assert 0.9 < summary["normalized_rate"] <= 1 + 1e-9
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        *PLOTS, "metrics.csv", "summary.json", "config.yaml", "checkpoint.pt"
    }  # fmt: skip


@pytest.mark.parametrize("name", ["lydroo", "lydroo_best", "lydroo_set", "ddlo", "ddlo_best", "ddlo_set"])
def test_configurations_of_the_sister_systems_run_and_go_on(tmp_path, name):
    config = ("--config", ROOT / "configs" / f"{name}.yaml")
    simulate(*config, "--frames", 60, "--checkpoint_every", 50, "--output", tmp_path / "run", pictures=True)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert 0.5 < summary["normalized_rate"] <= 1 + 1e-9
    assert ("data_queue" in summary) == ("lydroo" in name)
    assert (tmp_path / "run" / "metrics.png").exists() == ("lydroo" in name)
    if name == "lydroo_best":
        table = rows(tmp_path / "run")
        assert list(table[0])[10:] == ["data_queue", "energy_queue", "rate", "weighted_rate", "energy"]
        simulate("--resume", tmp_path / "run", "--frames", 90)
        assert len(rows(tmp_path / "run")) == 90
        assert rows(tmp_path / "run")[:60] == table


def test_replicas_of_a_world_with_queues(tmp_path):
    arguments = (
        "--config",
        ROOT / "configs" / "lydroo_best.yaml",
        "--env.num_users",
        4,
        "--agent.num_candidates",
        8,
    )
    arguments += ("--agent.quantizer", "OPN", "--replicas", 2, "--threads", 2, "--frames", 20)
    simulate(*arguments, "--output", tmp_path / "run")
    assert float(rows(tmp_path / "run")[-1]["energy"]) > 0
    result = simulate(*arguments, "--agent.num_networks", 3, "--output", tmp_path / "none", status=2)
    assert result.stderr == "error: num_networks must be 1 for replicas, got 3\n"


def test_replicas_of_servers_go_on_and_are_each_the_run_of_its_seed(tmp_path):
    arguments = ("--environment", "env.MultiServerMEC", "--env.num_users", 5, "--env.outage", 0.2)
    several = (*arguments, "--replicas", 2, "--threads", 1, "--optimum", "false")
    simulate(*several, "--frames", 14, "--output", tmp_path / "whole")
    simulate(*several, "--frames", 9, "--output", tmp_path / "part")
    simulate("--resume", tmp_path / "part", "--frames", 14)
    tables = (tmp_path / name / "replicas.csv" for name in ("whole", "part"))
    whole, part = (np.loadtxt(table, delimiter=",", skiprows=1) for table in tables)
    np.testing.assert_array_equal(whole, part)
    world, agent = MultiServerMEC(5, outage=0.2, seed=1), OffloadingAgent(5, 6, num_choices=4, seed=1)
    np.testing.assert_allclose(whole[:, 1], [frame.value for frame in play(world, agent, 14)], rtol=1e-8)


def test_overrides_reach_the_run_and_its_configuration_reproduces_it(tmp_path):
    simulate(*quick(tmp_path / "a", "--seed", 3, "--env.num_users", 6, "--agent.training_interval", 7, frames=60))
    saved = yaml.safe_load((tmp_path / "a" / "config.yaml").read_text())
    assert (saved["env"]["num_users"], saved["agent"]["training_interval"], saved["seed"]) == (6, 7, 3)
    learned = [int(row["frame"]) for row in rows(tmp_path / "a") if row["loss"]]
    assert learned == [6, 13, 20, 27, 34, 41, 48, 55]
    simulate("--config", tmp_path / "a" / "config.yaml", "--output", tmp_path / "b")
    assert rows(tmp_path / "a") == rows(tmp_path / "b")
    simulate(*quick(tmp_path / "c", "--seed", 4, "--env.num_users", 6, frames=60))
    assert rows(tmp_path / "a") != rows(tmp_path / "c")


@pytest.mark.parametrize("backend", ["torch", "numpy"])
def test_a_killed_and_resumed_run_is_the_uninterrupted_one(tmp_path, backend):
    more = ("--checkpoint_every", 150, "--agent.backend", backend, "--env.channel", "env.GaussMarkov")
    simulate(*quick(tmp_path / "whole", *more, frames=1000))
    with subprocess.Popen(
        command(*quick(tmp_path / "cut", *more, frames=1000)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        metrics = tmp_path / "cut" / "metrics.csv"
        while process.poll() is None and not (metrics.is_file() and len(metrics.read_bytes()) > 30_000):
            time.sleep(0.002)
        assert process.poll() is None, "the run ended before it could be killed"
        os.kill(process.pid, signal.SIGKILL)
    done = len(rows(tmp_path / "cut"))
    assert 150 <= done < 1000
    simulate("--resume", tmp_path / "cut", pictures=True)
    assert rows(tmp_path / "cut") == rows(tmp_path / "whole")
    assert {path.name for path in (tmp_path / "cut").iterdir()} >= PLOTS


def test_a_finished_run_can_be_made_longer(tmp_path):
    simulate(*quick(tmp_path / "long", frames=250))
    simulate(*quick(tmp_path / "short", frames=120))
    simulate("--resume", tmp_path / "short", "--frames", 250)
    assert rows(tmp_path / "short") == rows(tmp_path / "long")
    configs = [yaml.safe_load((tmp_path / name / "config.yaml").read_text()) for name in ("short", "long")]
    assert configs[0] == configs[1]
    simulate("--resume", tmp_path / "short")
    assert rows(tmp_path / "short") == rows(tmp_path / "long")


def test_a_trace_brings_its_users_and_its_optimum(tmp_path, trace_path, published):
    simulate(*quick(tmp_path / "run", "--env.channel", trace_path("data_7"), frames=100))
    optimum = [float(row["optimum"]) for row in rows(tmp_path / "run")]
    np.testing.assert_array_equal(optimum, published("data_7")["output_obj"][:100, 0])


def test_the_agent_of_a_run_can_be_imported(tmp_path):
    simulate(*quick(tmp_path / "run", frames=40))
    agent = OffloadingAgent.load(tmp_path / "run" / "checkpoint.pt")
    assert agent.memory.counter == 40
    assert agent.decode(np.zeros((10, 1))).shape == (32, 10)


OWN_WORLD = """
import numpy as np

class Cap:
    def __init__(self, num_users: int = 4, cap=2):
        self.num_users, self.cap = num_users, cap
        self.reset()
    def reset(self, seed=None):
        self.rng = np.random.default_rng(seed)
        self.step(None)
    def observe(self):
        return self.price
    def evaluate(self, decisions):
        return 10 + decisions @ self.price[:, 0] - 9.0 * (decisions.sum(-1) > self.cap)
    def step(self, decision):
        self.price = self.rng.normal(size=(self.num_users, 1))
"""


def test_an_environment_of_ones_own(tmp_path):
    (tmp_path / "world.py").write_text(OWN_WORLD)
    arguments = ("--environment", "world.Cap", "--env.cap", 3, "--frames", 30, "--output", "run")
    simulate(*arguments, cwd=tmp_path)
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["env"]["cap"] == 3
    assert len(rows(tmp_path / "run")) == 30
    result = simulate("--resume", "run", "--allow", "world", status=2, cwd=tmp_path)
    assert "holds no environment: it needs state_dict" in result.stderr


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished") / "run"
    simulate(*quick(folder, frames=20))
    return folder


BAD = {
    "unknown key": ("env: {num_usres: 3}", [], "num_usres"),
    "unknown top key": ("frams: 3", [], "frams"),
    "wrong type": ("agent: {learning_rate: fast}", [], 'agent.learning_rate": Expected a .*float.* fast'),
    "not YAML": ("agent: [1", [], "is not valid YAML"),
    "empty": ("", [], "must hold settings, got NoneType"),
    "not settings": ("3", [], "must hold settings, got int"),
    "negative users": ("env: {num_users: -3}", [], "num_users must be a whole number, 1 or more, got -3"),
    "K": ("agent: {num_candidates: 2000}", [], "num_candidates must be 1 to 1024 for"),
    "seed": ("seed: -1", [], "seed must be 0 or more, got -1"),
    "frames": ("seed: 0", ["--frames", "0"], "frames must be 1 or more, got 0"),
    "option": ("seed: 0", ["--agent.bogus", "1"], "--agent.bogus"),
    "trace": ("env: {channel: none.mat}", [], "no such trace file: none.mat"),
    "environment": ("environment: nowhere.World", ["--allow", "nowhere"], "environment must be an import path"),
    "not allowed": ("environment: nowhere.World", [], "environment must be allowed: .* add --allow nowhere"),
    "no environment": ("environment: env.PathLoss", [], "must be a class with reset, observe"),
    "network": ("agent: {network: {class_path: agent.Nothing}}", [], "agent.Nothing"),
    "weights": ("env: {weights: [1, 2]}", [], r"weights must have shape \(10,\), got \(2,\)"),
    "foreign output": ("seed: 0", ["--output", "{finished}"], "belongs to another run"),
    "other settings": ("", ["--resume", "{finished}", "--agent.loss", "squared_error"],
                       "agent.loss was cross_entropy, is squared_error"),
    "fewer frames": ("", ["--resume", "{finished}", "--frames", "10"], "frames must be at least the 20"),
    "output and resume": ("", ["--resume", "{finished}", "--output", "x"], "output must not be given with resume"),
    "env": ("env: 3", [], "env must hold settings, got 3"),
    "diverging": ("agent: {learning_rate: 1.0e+300}", [], "learning_rate must be positive and at most 1000"),
    "abbreviation": ("seed: 0", ["--fram", "5"], "--fram"),
    "no value": ("seed: 0", ["--resume"], "expected one argument"),
    "constants": ("env: {noise_power: 1.0e-320}", [], "noise_power must be from 1e-60 to 1e\\+60"),
    "no run": ("", ["--resume", "nowhere"], "resume must be the folder of a run"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_writes_nothing(tmp_path, finished, case):
    text, arguments, message = BAD[case]
    before = {path.name: path.read_bytes() for path in finished.iterdir()}
    (tmp_path / "bad.yaml").write_text(text)
    arguments = [argument.format(finished=finished) for argument in arguments]
    if "--resume" not in arguments:
        arguments = ["--config", "bad.yaml", *arguments]
    result = simulate(*arguments, status=2, cwd=tmp_path)
    assert len(result.stderr.splitlines()) == 1
    assert re.search(message, result.stderr)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.yaml"]
    assert {path.name: path.read_bytes() for path in finished.iterdir()} == before


def test_replicas_report_mean_and_band(tmp_path):
    arguments = (
        "--replicas",
        5,
        "--agent.quantizer",
        "OP",
        "--agent.num_candidates",
        8,
        "--agent.learning_rate",
        "[0.01,0.01,0.003,0.01,0.02]",
    )
    simulate(*quick(tmp_path / "a", *arguments, "--threads", 2, frames=150), pictures=True)
    summary = json.loads((tmp_path / "a" / "summary.json").read_text())
    assert summary["replicas"] == len(summary["rate_of_each"]) == 5
    assert summary["rate_low"] < summary["normalized_rate"] < summary["rate_high"] <= 1 + 1e-9
    assert summary["normalized_rate"] == pytest.approx(np.mean(summary["rate_of_each"]), rel=1e-6)
    each = np.loadtxt(tmp_path / "a" / "replicas.csv", delimiter=",", skiprows=1)
    assert each.shape == (150, 5)
    simulate(*quick(tmp_path / "b", "--seed", 3, *arguments[2:6], "--agent.learning_rate", 0.01, frames=150))
    alone = [float(row["normalized_rate"]) for row in rows(tmp_path / "b")]
    np.testing.assert_allclose(each[:, 3], alone, atol=1e-8)
    assert {path.name for path in (tmp_path / "a").iterdir()}.issuperset(PLOTS)


@pytest.mark.parametrize(
    "network",
    [
        ("agent.SetNetwork",),
        ("mine.Mine", "--allow", "mine", "--agent.backend", "torch", "--agent.network.width", 4),
    ],
    ids=["defaults", "own"],
)
def test_a_seed_fixes_the_weights_of_a_configured_network(tmp_path, network):
    (tmp_path / "mine.py").write_text(
        """
from torch import nn

class Mine(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, observations):
        return self.layers(observations)[..., 0]
"""
    )
    config = ("--config", ROOT / "configs" / "wpmec_set.yaml", "--frames", 20, "--agent.network", *network)

    def losses(name, *more):
        simulate(*config, *more, "--output", tmp_path / name, env={**os.environ, "PYTHONPATH": str(tmp_path)})
        table = rows(tmp_path / name)
        return [float(table[frame]["loss"]) for frame in (9, 19)]

    zero, one, again = losses("0", "--seed", 0), losses("1", "--seed", 1), losses("again", "--seed", 1)
    assert rows(tmp_path / "again") == rows(tmp_path / "1")
    assert zero != one == again
    np.testing.assert_allclose(losses("both", "--replicas", 2), np.mean([zero, one], axis=0), rtol=1e-4)


def test_a_run_of_replicas_goes_on(tmp_path):
    arguments = (
        "--replicas",
        33,  # enough for two threads
        "--threads",
        2,
        "--agent.quantizer",
        "OP",
        "--agent.num_candidates",
        8,
        "--checkpoint_every",
        60,
    )
    simulate(*quick(tmp_path / "whole", *arguments, frames=200))
    simulate(*quick(tmp_path / "part", *arguments, frames=90))
    simulate("--resume", tmp_path / "part", "--frames", 200)
    assert rows(tmp_path / "part") == rows(tmp_path / "whole")
    each = [(tmp_path / name / "replicas.csv").read_text() for name in ("part", "whole")]
    assert each[0] == each[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--replicas", 0), "replicas must be 1 or more, got 0"),
        (("--device", "cpu"), "device must be left out without replicas, got cpu"),
        (
            ("--replicas", 2, "--device", "cpu", "--environment", "env.LyapunovMEC"),
            "device must be left out for env.LyapunovMEC, which computes on CPUs only",
        ),
        (
            ("--replicas", 2, "--device", "cpu", "--agent.backend", "numpy"),
            "device must be None without replicas and the 'torch' backend",
        ),
        (("--replicas", 2, "--agent.learning_rate", "[0.1]"), "agent.learning_rate must be one value, or 2"),
        (("--threads", 0), "threads must be 1 or more, got 0"),
    ],
)
def test_bad_replicas_are_named(tmp_path, arguments, message):
    result = simulate(*quick(tmp_path / "run", *arguments), status=2)
    assert message in result.stderr
    assert not (tmp_path / "run").exists()


ADDED = {
    *("num_choices", "learning_starts", "initialization", "distinct"),
    *("local_search", "standardize", "probe_interval"),
}
"""Settings that version 0.1 did not have."""


def as_before(text):
    """A configuration without the lines of those settings."""
    lines = text.splitlines(True)
    return "".join(line for line in lines if line.strip().split(":")[0].split(".")[-1] not in ADDED)


@pytest.mark.parametrize("name", ["ddlo_best", "lydroo_best", "lydroo"])
def test_a_run_of_version_0_1_goes_on(tmp_path, name):
    config = ("--config", ROOT / "configs" / f"{name}.yaml")
    simulate(*config, "--frames", 60, "--output", tmp_path / "whole")
    simulate(*config, "--frames", 30, "--output", tmp_path / "old")
    old = tmp_path / "old"
    text = (old / "config.yaml").read_text()
    (old / "config.yaml").write_text(as_before(text))
    content = torch.load(old / "checkpoint.pt", weights_only=True)
    settings = content["agent"]["settings"]
    del content["version"], content["digest"], content["tables"]
    for part in (settings, settings["network"]["settings"], settings["quantizer"]["settings"]):
        for added in ADDED & part.keys():
            del part[added]
    del content["agent"]["standardization"], content["agent"]["diagnostics"], content["agent"]["memory"]["stored"]
    table = list(csv.reader((old / "metrics.csv").read_text().splitlines()))
    (old / "metrics.csv").write_text("".join(",".join(row[:9] + row[11:]) + "\n" for row in table))
    content["identity"] = as_before(content["identity"])
    content["environment"].pop("arrivals", None)
    torch.save(content, old / "checkpoint.pt")
    simulate("--resume", old, "--frames", 60)
    assert rows(old) == rows(tmp_path / "whole")
    simulate("--resume", old)


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
@pytest.mark.parametrize(("more", "number"), [((), "SIGINT"), (("--replicas", 2), "SIGINT"), ((), "SIGTERM")])
def test_an_interrupted_run_is_saved_and_says_how_to_go_on(tmp_path, more, number):
    output = tmp_path / "run"

    def interruptible():  # also where the tests run in the background, whose children ignore SIGINT
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    options = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True, "preexec_fn": interruptible}
    process = subprocess.Popen(command(*quick(output, *more, frames=20_000)), **options)
    while not (output / "metrics.csv").exists() or len((output / "metrics.csv").read_text().splitlines()) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    refused = simulate("--resume", output, status=2)
    assert refused.stderr.startswith("error: resume must be a folder that no other process writes to, a run in")
    process.send_signal(getattr(signal, number))
    said, _ = process.communicate()
    assert process.returncode == 128 + getattr(signal, number)
    done = len(rows(output))
    assert torch.load(output / "checkpoint.pt", weights_only=True)["frame"] == done > 0
    assert f"stopped after {done} frames; to go on: python scripts/simulate.py --resume {output}" in said
    assert json.loads((output / "summary.json").read_text())["frames"] == done
    assert (output / "rate.png").exists()
    simulate("--resume", output, "--frames", done + 20)
    simulate(*quick(tmp_path / "whole", *more, frames=done + 20))
    assert rows(output) == rows(tmp_path / "whole")


def test_a_run_that_keeps_every_seventh_row_goes_on(tmp_path):
    simulate(*quick(tmp_path / "all", frames=120))
    simulate(*quick(tmp_path / "whole", "--metrics_every", 7, frames=120))
    simulate(*quick(tmp_path / "part", "--metrics_every", 7, "--checkpoint_every", 25, frames=60))
    refused = simulate("--resume", tmp_path / "part", "--frames", 120, "--metrics_every", 5, status=2)
    assert "metrics_every was 7, is 5" in refused.stderr
    simulate("--resume", tmp_path / "part", "--frames", 120)
    assert rows(tmp_path / "part") == rows(tmp_path / "whole") == rows(tmp_path / "all")[6::7]
    summary = json.loads((tmp_path / "part" / "summary.json").read_text())
    assert (summary["frames"], summary["metrics_every"], summary["averaged_frames"]) == (120, 7, "104 to 118")


def test_no_folder_locale_or_mask_changes_a_row(tmp_path):
    simulate(*quick(tmp_path / "here", frames=60))
    other = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "5"}
    (tmp_path / "else").mkdir()
    there = command(*quick(tmp_path / "there", frames=60))
    subprocess.run(there, cwd=tmp_path / "else", env=other, umask=0o077, check=True, capture_output=True)
    assert rows(tmp_path / "here") == rows(tmp_path / "there")
