"""The wheel in a folder of its own, used from another: the command, shipped configs, an env.py beside it."""

import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import commands
import pytest

from mec_offloading.__main__ import COMMANDS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder that holds what the wheel installs, without the checkout."""
    folder = tmp_path_factory.mktemp("installed")
    left_out = shutil.ignore_patterns(".*", "build", "*.egg-info", "runs", "__pycache__", "tests", "docs")
    shutil.copytree(ROOT, folder / "source", ignore=left_out)
    options = ["--no-deps", "--no-build-isolation", "--target", folder / "site", folder / "source"]
    subprocess.run([sys.executable, "-m", "pip", "install", *options], check=True, capture_output=True)
    shutil.rmtree(folder / "source")
    for module in [*ROOT.glob("agent/**/compiled_*.py"), *ROOT.glob("env/**/compiled_*.py")]:
        copied = folder / "site" / module.relative_to(ROOT)
        shutil.copystat(module, copied)  # then Numba takes what it has compiled of the one for the other
        for kept in (module.parent / "__pycache__").glob(f"{module.stem}.*.nb?"):
            copied.with_name("__pycache__").mkdir(exist_ok=True)
            shutil.copy2(kept, copied.with_name("__pycache__"))
    return folder / "site"


forked = partial(commands.run, imported="libraries")
started = partial(subprocess.run, capture_output=True, text=True, check=False)


@pytest.fixture
def call(installed, tmp_path):
    """`call('simulate', ...)`: the command, from a folder of one's own; `call.python(text)`: a script in it."""

    def run(program, searched=(), runs=forked):
        path = os.pathsep.join([*searched, str(installed)])
        environ = {**os.environ, "PYTHONPATH": path, "COLUMNS": "100"}
        return runs(program, cwd=tmp_path, env=environ)

    def command(*arguments, **options):
        return run([sys.executable, installed / "bin" / "mec-offloading", *arguments], **options)

    def python(text):
        (tmp_path / "script.py").write_text(text)
        return run([sys.executable, "script.py"])

    command.python = python
    return command


def shadowing(folder, *names):
    for name in names:
        (folder / f"{name}.py").write_text("MINE = 1\n")


def test_a_shipped_config_is_found_by_name_and_a_run_goes_on(call, tmp_path):
    shadowing(tmp_path, "env", "agent")  # which must not matter
    done = call("simulate", "--config", "wpmec", "--frames", "20", "--output", "run", runs=started)
    assert done.returncode == 0, done.stderr
    assert {"summary.json", "metrics.csv", "config.yaml"} < {path.name for path in (tmp_path / "run").iterdir()}
    assert list((tmp_path / "run").glob("*.png"))
    more = call("simulate", "--resume", "run", "--frames", "30")
    assert more.returncode == 0, more.stderr
    assert "frames: 30" in more.stdout


def test_an_unknown_config_or_command_names_those_there_are(call):
    refused = call("compare", "--config", "mine")
    assert refused.returncode == 2
    assert "compare_lydroo" in refused.stderr
    refused = call("simulated")
    assert refused.returncode == 2
    assert all(name in refused.stderr for name in COMMANDS)


def test_a_file_that_stands_in_the_place_of_a_package_is_named(call, tmp_path):
    shadowing(tmp_path, "env")
    refused = call("simulate", searched=[str(tmp_path)])
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert f"{tmp_path / 'env.py'} stands in the place" in refused.stderr
    refused = call("simulate", "--environment", "env.MyWorld")
    assert refused.returncode == 2
    assert f"{tmp_path / 'env.py'} bears this project's name, rename it" in refused.stderr


@pytest.mark.parametrize("first", ["import env", "from mec_offloading.env import AgeMEC"])
def test_the_second_name_reaches_everything(call, tmp_path, first):
    shadowing(tmp_path, "env", "agent")
    done = call.python(
        f"""{first}
import agent, env
import mec_offloading.agent.run.plots
from mec_offloading.agent import OffloadingAgent
from mec_offloading.agent.simulation import simulate
from mec_offloading.env import WirelessPoweredMEC

assert env.MINE == agent.MINE == 1
world = WirelessPoweredMEC(3, seed=0)
world.load_state_dict(world.state_dict())
print(len(list(simulate(world, OffloadingAgent(3, seed=0), 5))))
"""
    )
    assert done.stdout == "5\n", done.stderr


def test_both_names_are_the_same_modules():
    import mec_offloading.env.wireless_powered.optimum

    import env.wireless_powered.optimum

    assert mec_offloading.env is env
    assert mec_offloading.env.wireless_powered.optimum is env.wireless_powered.optimum
    assert env.__spec__.name == "env"
    with pytest.raises(ModuleNotFoundError, match=r"mec_offloading\.env\.nothing"):
        import mec_offloading.env.nothing


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_two_screens(call, name):
    told = call(name, "--help")
    assert told.returncode == 0, told.stderr
    assert "usage: mec-offloading" in told.stdout
    assert 5 < told.stdout.count("\n") <= 100


@pytest.mark.parametrize(("name", "part"), [("simulate", "env"), ("simulate", "agent"), ("dataset", "env")])
def test_the_rest_is_told_where_it_is_asked_for(call, name, part):
    told = call(name, f"--help.{part}")
    assert told.returncode == 0, told.stderr
    assert f"--{part}." in told.stdout
    assert "--seed" not in told.stdout


def test_a_type_checker_knows_the_classes_under_both_names(installed, tmp_path):
    (tmp_path / "script.py").write_text(
        "from agent import OffloadingAgent\nfrom mec_offloading.agent import OffloadingAgent as Second\n"
        "from mec_offloading.env import WirelessPoweredMEC\n\n"
        "agent: OffloadingAgent = Second(num_users=10)\nworld: int = WirelessPoweredMEC()\n"
    )
    environ = {**os.environ, "PYTHONPATH": "", "MYPYPATH": str(installed), "MYPY_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "mypy", "--follow-imports", "silent", "--ignore-missing-imports", "script.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    (wrong,) = [line for line in done.stdout.splitlines() if "error:" in line]
    assert 'has type "WirelessPoweredMEC"' in wrong
