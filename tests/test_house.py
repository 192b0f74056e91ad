"""The walls of the house: who imports whom, what a wheel holds, which random streams there are."""

import ast
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

import agent.seeds
import env.seeds
from agent import OffloadingAgent
from agent.run.contract import World
from agent.version import VERSION
from env import Environment

ROOT = Path(__file__).resolve().parents[1]
MODULES = {package: sorted((ROOT / package).rglob("*.py")) for package in ("agent", "env")}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module if not node.level else "."


@pytest.mark.parametrize(("package", "other"), [("agent", "env"), ("env", "agent")])
def test_neither_package_knows_the_other(package, other):
    for path in MODULES[package]:
        roots = {str(name).split(".")[0] for name in imported(path)}
        assert not roots & {other, "scripts", "mec_offloading"}, path


def test_the_core_needs_torch_and_numpy_only():
    for path in [*MODULES["agent"], *MODULES["env"]]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        top = [name.name for node in tree.body if isinstance(node, ast.Import) for name in node.names]
        top += [str(node.module) for node in tree.body if isinstance(node, ast.ImportFrom) and not node.level]
        roots = {name.split(".")[0] for name in top} - set(sys.stdlib_module_names)
        allowed = {"numpy", "torch"}
        if path.name.startswith("compiled_"):
            allowed |= {"numba", "llvmlite", "filelock"}
        if path.parent == ROOT / "env" / "gym":  # which nothing else imports
            allowed.add("gymnasium")
        assert roots <= allowed, path


def keys(module):
    return {name: value for name, value in vars(module).items() if name.isupper()}


def test_every_stream_of_random_numbers_is_listed_once():
    listed = [*keys(agent.seeds).values(), *keys(env.seeds).values()]
    assert len(set(listed)) == len(listed) >= 4
    for path in [*MODULES["agent"], *MODULES["env"], *(ROOT / "mec_offloading").rglob("*.py")]:
        if path.name != "seeds.py":
            assert not re.search(r"spawn_key|SeedSequence", path.read_text(encoding="utf-8")), path


def test_streams_of_one_seed_differ():
    drawn = [np.random.default_rng(agent.seeds.stream(0, key)).random() for key in (1, 2, 3)]
    drawn += [
        np.random.default_rng(env.seeds.stream(0, env.seeds.PRESENCE)).random(),
        np.random.default_rng(0).random(),
    ]
    assert len(set(drawn)) == len(drawn)


def test_what_is_optional_has_one_default():
    """The door of simulations and the base class of worlds do not know each other, and agree."""

    class Five:
        num_users = 3
        reset = observe = evaluate = step = None

    class Inheriting(Environment):
        num_users = 3

        def observe(self):
            return np.zeros((3, 1))

    plain, own = World(Five()), World(Inheriting())
    for name in ("value_is_cost", "decisions_matter_later", "feasible_only", "num_choices"):
        assert getattr(plain, name) == getattr(own, name)
    for name in ("metric_labels", "metric_limits"):
        assert dict(getattr(plain, name)) == dict(getattr(own, name)) == {}
    assert plain.frame_optimum() is None is own.frame_optimum()
    assert plain.frame_metrics() == own.frame_metrics() == {}
    assert plain.idle().tolist() == own.environment.decisions.idle().tolist()
    assert plain.state_dict() is None
    assert own.state_dict() is not None


def test_a_wheel_holds_every_module(tmp_path):
    source = tmp_path / "source"
    shutil.copytree(
        ROOT, source, ignore=shutil.ignore_patterns(".*", "build", "*.egg-info", "runs", "__pycache__")
    )
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", tmp_path, source]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert f"-{VERSION}-" in wheel.name
    held = set(zipfile.ZipFile(wheel).namelist())
    for path in [*MODULES["agent"], *MODULES["env"]]:
        assert path.relative_to(ROOT).as_posix() in held
    assert {
        "agent/py.typed",
        "env/py.typed",
        "agent/networks/pretrained.npz",
        "mec_offloading/configs/wpmec.yaml",
    } <= held
    assert not [name for name in held if name.startswith(("tests", "scripts"))]


def old_checkpoint(agent):
    """What version 0.1 wrote of an agent."""
    state = agent.state_dict()
    settings = state["settings"]
    network, quantizer = settings["network"]["settings"], settings["quantizer"]["settings"]
    del settings["num_choices"], settings["learning_starts"], quantizer["distinct"]
    del settings["max_evaluations"], settings["patience"], settings["workers"], settings["learned_value"]
    del settings["local_search"], settings["standardize"], settings["probe_interval"]
    del state["standardization"], state["diagnostics"], state["memory"]["stored"]
    del network["num_choices"], network["initialization"]
    settings |= {"replicas": None, "device": None}
    return {"agent": state}


def test_an_agent_of_version_0_1_loads(tmp_path):
    from agent import checkpoint

    agent = OffloadingAgent(
        4,
        quantizer="OP",
        local_search=0,
        standardize=False,
        probe_interval=0,
        learning_rate=0.01,
        weight_decay=0.0,
    )
    rng = np.random.default_rng(0)
    for _ in range(25):
        agent.encode(rng.normal(size=(4, 1)), rng.integers(2, size=4))
    torch.save(checkpoint._to_tensors(old_checkpoint(agent)), tmp_path / "old.pt")
    loaded = OffloadingAgent.load(tmp_path / "old.pt")
    observation = rng.normal(size=(4, 1))
    np.testing.assert_array_equal(loaded.relax(observation), agent.relax(observation))
    assert loaded.learn() == agent.learn()


def test_what_cannot_be_read_names_the_version_that_wrote_it(tmp_path):
    state = OffloadingAgent(4).state_dict()
    del state["memory"]
    torch.save({"agent": {"settings": {}}}, tmp_path / "none.pt")
    torch.save({"version": "9.9", "agent": {}}, tmp_path / "new.pt")
    with pytest.raises(ValueError, match=f"written by version 0.1, this is {VERSION}"):
        OffloadingAgent.load(tmp_path / "none.pt")
    with pytest.raises(ValueError, match=f"written by version 9.9, this is {VERSION}"):
        OffloadingAgent.load(tmp_path / "new.pt")
