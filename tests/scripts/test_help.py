"""What a command tells of its options, and what it refuses, comes before the libraries that take long to load."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import agent
from mec_offloading.__main__ import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
HEAVY = [
    *("torch", "matplotlib", "numba", "scipy", "ray", "pandas", "optuna", "gymnasium", "stable_baselines3"),
    *("onnx", "onnxruntime", "tensorboard", "sklearn"),
]
SCRIPTS = sorted(path.stem for path in (ROOT / "scripts").glob("*.py"))
CODE = """
import contextlib, io, json, sys
from importlib import import_module
heavy, scripts, asked = json.loads(sys.argv[1])
said = {}
for name in scripts:
    sys.argv = [f"scripts/{name}.py", *asked]
    text, status = io.StringIO(), None
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        try:
            import_module(f"mec_offloading.commands.{name}").main()
        except SystemExit as end:
            status = end.code
    said[name] = status, text.getvalue(), [module for module in heavy if module in sys.modules]
print(json.dumps(said))
"""


def run(code, *arguments):
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def asked(scripts, *arguments):
    return run(CODE, json.dumps([HEAVY, scripts, arguments]))


@pytest.fixture(scope="module")
def told():
    """What each command says of itself, one after another in one process."""
    return asked(SCRIPTS, "--help")


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_loads_little(told, script):
    status, text, loaded = told[script]
    assert (status, loaded) == (0, [])
    assert f"{script}.py" in text
    assert "--help" in text


def test_every_command_has_been_asked():
    assert {module for module, _ in COMMANDS.values()} <= set(SCRIPTS)


@pytest.mark.parametrize(
    ("script", "refused"),
    [
        (["compare"], ["--config", "nowhere.yaml"]),
        (["simulate"], ["--config", "nowhere.yaml"]),
        (["make_dataset"], ["--rows", "0", "--output", "new.mat"]),
        ([name for name in SCRIPTS if name not in ("bits", "make_dataset", "simulate")], ["--nothing"]),
    ],
)
def test_so_does_a_refusal(script, refused):
    for status, text, loaded in asked(script, *refused).values():
        assert (status, loaded) == (2, [])
        assert "error: " in text


LAZY = """
import json, sys
import agent, env, mec_offloading.agent
before = sorted(sys.modules)
module = agent.checkpoint.__name__
same = mec_offloading.agent.InputError is agent.InputError
from agent import OffloadingAgent, offloading
print(json.dumps([before, module, same, OffloadingAgent is offloading.OffloadingAgent, hasattr(agent, "nothing")]))
"""


def test_a_name_is_loaded_when_it_is_asked_for():
    before, module, same_error, same_agent, nothing = run(LAZY)
    assert not set(HEAVY) & set(before)
    assert (module, same_error, same_agent, nothing) == ("agent.checkpoint", True, True, False)


def test_every_public_name_has_its_place():
    assert sorted(agent._PLACES) == sorted(agent.__all__)
    assert set(agent.__all__) <= set(dir(agent))
    assert all(getattr(agent, name).__name__ == name for name in agent.__all__)
