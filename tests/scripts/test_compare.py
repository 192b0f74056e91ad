"""The comparison and the data set command, run as a user runs them."""

import csv
import sys
from dataclasses import fields
from pathlib import Path

import commands
import numpy as np
import pytest
import yaml

from agent.run.comparison import BaselineAgent, OptimumViolatedError, measure, optima
from agent.run.folder import locked
from agent.run.tables import Column, Table
from agent.settings import AgentSettings
from env import LyapunovMEC, MultiTaskMEC, RecordedTrace, WirelessPoweredMEC, baselines
from mec_offloading.commands.common.reporting import paired_rows

ROOT = Path(__file__).resolve().parents[2]


def script(name, *arguments, status=0, cwd=None):
    command = [sys.executable, str(ROOT / "scripts" / name), *map(str, arguments)]
    result = commands.run(command, cwd=cwd)
    assert result.returncode == status, result.stderr
    return result


def alone(*arguments, **options):
    """A comparison in one process, where that more of them give the same rows is shown elsewhere."""
    return script("compare.py", *arguments, "--processes", 1, **options)


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def compare(output, *more, status=0):
    quick = ("--users", 6, 12, "--seeds", 0, 1, "--warmup", 40, "--frames", 30, "--output", output)
    return script("compare.py", "--config", ROOT / "configs" / "compare.yaml", *quick, *more, status=status)


def test_a_comparison_stopped_half_way_continues_where_it_was(tmp_path):
    result = compare(tmp_path / "run")
    methods = yaml.safe_load((ROOT / "configs" / "compare.yaml").read_text())["methods"]
    whole = rows(tmp_path / "run" / "rows.csv")
    assert [(row["users"], row["seed"], row["method"]) for row in whole] == [
        (users, seed, name) for users in ("6", "12") for seed in ("0", "1") for name in methods
    ]
    for row in whole:
        assert 0 < float(row["minimum"]) <= float(row["percentile_5"]) <= 1 + 1e-9
        assert float(row["normalized_rate"]) <= 1 + 1e-9
    assert (tmp_path / "run" / "table.md").read_text() in result.stdout
    table = rows(tmp_path / "run" / "table.csv")
    assert len(table) == 2 * len(methods)
    for row in table:
        of_seeds = [
            float(one["normalized_rate"])
            for one in whole
            if (one["users"], one["method"]) == (row["users"], row["method"])
        ]
        assert float(row["normalized rate"]) == pytest.approx(np.mean(of_seeds), rel=1e-14)
        assert float(row["normalized rate low"]) <= np.mean(of_seeds) <= float(row["normalized rate high"])
    paired = (tmp_path / "run" / "paired.md").read_text()
    assert paired in result.stdout
    assert "Warning: 2 seeds" in paired
    assert (tmp_path / "run" / "boxes.png").read_bytes().startswith(b"\x89PNG")

    table = tmp_path / "run" / "rows.csv"
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:8]))
    compare(tmp_path / "run", "--processes", 1)
    timeless = [{**row, "milliseconds": ""} for row in whole]
    assert [{**row, "milliseconds": ""} for row in rows(table)] == timeless
    assert compare(tmp_path / "run").stdout.startswith("| users")  # nothing left to do but the report


def test_more_than_the_optimum_stops_the_comparison(tmp_path):
    env = WirelessPoweredMEC(4)
    best = optima(env, seed=0, warmup=3, frames=5)
    env.reset(seed=0)
    for _ in range(3):
        env.step(np.zeros(4))
    measured = measure(env, BaselineAgent(baselines.exhaustive, env), 5, best)
    np.testing.assert_allclose(measured["normalized_rate"], 1, rtol=1e-9)
    assert (measured["candidates"] == 16).all()
    env.reset(seed=0)
    best[0] = float(env.frame_optimum()) * (1 - 1e-6)
    with pytest.raises(OptimumViolatedError, match="is above the optimum"):
        measure(env, BaselineAgent(baselines.exhaustive, env), 5, best)
    assert env.frame == 0


@pytest.mark.parametrize("kind", [LyapunovMEC, MultiTaskMEC])
def test_in_every_world_the_best_decision_is_1_and_others_are_below(kind):
    world = kind(3)
    best = measure(world, BaselineAgent(baselines.exhaustive, world), 8)
    np.testing.assert_allclose(best["normalized_rate"], 1, rtol=1e-12)
    world.reset(seed=0)
    poor = measure(world, BaselineAgent(baselines.all_local, world), 8)
    assert (poor["normalized_rate"] < 1).all()
    if kind is LyapunovMEC:
        assert poor["data_queue"][-1] > best["data_queue"][-1]
        assert world.frame_metrics()["energy"] == poor["energy"][-1]
    world.reset(seed=0)
    optimum = world.frame_optimum()
    with pytest.raises(OptimumViolatedError):
        measure(world, BaselineAgent(baselines.exhaustive, world), 1, [optimum - 1e-6 * abs(optimum)])


def test_an_unknown_optimum_is_named():
    world = LyapunovMEC(30)
    message = (
        "environment must know the optimum of its frames to be compared in, LyapunovMEC with 30 users does not"
    )
    with pytest.raises(ValueError, match=message):
        optima(world, seed=0, warmup=0, frames=2)
    measured = measure(world, BaselineAgent(baselines.all_local, world), 2)
    assert np.isnan(measured["normalized_rate"]).all()
    assert np.isfinite(measured["value"]).all()


def test_without_an_optimum_values_stand_beside_the_best_methods(tmp_path):
    settings = {
        "environment": "env.LyapunovMEC",
        "env": {},
        "users": [30],
        "seeds": [0, 1],
        "warmup": 20,
        "frames": 15,
        "methods": {
            "descent": {"baseline": "env.baselines.coordinate_descent"},
            "learned": {"agent": {"backend": "numpy"}},
            "all local": {"baseline": "env.baselines.all_local"},
        },
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings))
    alone("--config", tmp_path / "config.yaml", "--output", tmp_path / "run")
    table = rows(tmp_path / "run" / "table.csv")
    head = list(table[0])
    assert head[:3] == ["users", "method", "data queue (Mbit)"]  # decisions matter later
    assert head.index("energy (J)") < head.index("value") < head.index("relative to the best")
    assert "normalized rate" not in head
    raw = {row["method"]: [] for row in table}
    for row in rows(tmp_path / "run" / "rows.csv"):
        assert row["normalized_rate"] == "nan"
        raw[row["method"]].append(float(row["value"]))
    best = max(raw, key=lambda name: np.mean(raw[name]))
    for row in table:
        value = np.mean(raw[row["method"]])
        assert float(row["value"]) == pytest.approx(value, rel=1e-14)
        assert float(row["relative to the best"]) == pytest.approx(value / np.mean(raw[best]), rel=1e-12)
    for row in rows(tmp_path / "run" / "paired.csv"):
        if row["method"] == best:
            assert row["difference to the best"] == row["adjusted p-value"] == ""
        else:
            difference = np.subtract(raw[row["method"]], raw[best])
            assert float(row["difference to the best"]) == pytest.approx(difference.mean(), rel=1e-12)
            assert float(row["probability of improvement"]) == np.mean(difference > 0)
    assert (tmp_path / "run" / "boxes.png").read_bytes().startswith(b"\x89PNG")
    before = (tmp_path / "run" / "table.tex").read_bytes()
    alone("--config", tmp_path / "config.yaml", "--output", tmp_path / "run", "--style", "print")
    assert (tmp_path / "run" / "boxes.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "run" / "table.tex").read_bytes() == before


def test_the_best_of_costs_is_the_least_and_what_is_not_feasible_has_no_numbers():
    costs = {"dear": [5.0, 6.0, 7.0], "cheap": [2.0, 2.5, 3.0], "never": [np.inf, 1.0, 1.0]}
    measured = {name: -np.array(of_seeds) for name, of_seeds in costs.items()}  # as worlds give them
    table = Table.of(paired_rows(measured, Column("value", "J")))
    dear, cheap, never = csv.DictReader(table.csv().splitlines())
    assert float(dear["difference to the best (J)"]) == -3.5
    assert float(dear["probability of improvement"]) == 0
    assert float(cheap["interquartile mean (J)"]) == -2.5
    assert cheap["difference to the best (J)"] == ""
    assert set(list(never.values())[1:]) == {""}


@pytest.mark.parametrize("name", ["lydroo", "ddlo"])
def test_the_sister_systems_are_compared(tmp_path, name):
    config = yaml.safe_load((ROOT / "configs" / f"compare_{name}.yaml").read_text())
    config |= {"seeds": [0], "warmup": 20, "frames": 20}
    if name == "lydroo":
        config["users"] = [4, 6]
        for method in config["methods"].values():
            if "agent" in method:
                method["agent"] |= {"num_candidates": 8}
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(config))
    alone("--config", "small.yaml", "--output", "run", cwd=tmp_path)
    table = rows(tmp_path / "run" / "table.csv")
    assert {row["users"] for row in table} == ({"4", "6"} if name == "lydroo" else {"9"})
    rate = {row["method"]: float(row["normalized rate"]) for row in table}
    assert max(rate.values()) == 1
    assert rate["Lyapunov, exhaustive" if name == "lydroo" else "exhaustive"] == 1
    assert 0 < rate["all local"] < rate[next(iter(rate))]
    if name == "lydroo":
        energy = {row["method"]: float(row["energy (J)"]) for row in table}
        assert energy["myopic, exhaustive"] < 0.0801
        local, best = ([float(row["data queue (Mbit)"]) for row in table if row["method"] == method] for method in
                       ("all local", "Lyapunov, exhaustive"))  # fmt: skip
        assert local[0] > best[0]


def test_a_violation_is_saved_for_study(tmp_path):
    (tmp_path / "cheat.py").write_text(
        "def cheat(environment, rng):\n    return [1] * environment.num_users, 1e12\n"
    )
    config = yaml.safe_load((ROOT / "configs" / "compare.yaml").read_text())
    config |= {
        "methods": {"cheat": {"baseline": "cheat.cheat"}},
        "users": [3],
        "seeds": [0],
        "warmup": 2,
        "frames": 2,
    }
    (tmp_path / "cheat.yaml").write_text(yaml.safe_dump(config))
    result = script(
        "compare.py", "--config", "cheat.yaml", "--allow", "cheat", "--output", "run", status=1, cwd=tmp_path
    )
    assert "is above the optimum" in result.stderr.splitlines()[-1]
    with np.load(tmp_path / "run" / "violation.npz") as saved:
        assert saved["gains"].shape == (3,)
        assert saved["value"] == 1e12
        env = WirelessPoweredMEC(3)
        assert float(env.optimum(saved["gains"], saved["weights"]).rate) == pytest.approx(float(saved["optimum"]))


BAD = {
    "unknown": ({"uzers": [1]}, "uzers"),
    "type": ({"frames": "many"}, "frames must be a int, got 'many'"),
    "users": ({"users": [0]}, r"users must be integers from 1, got \[0\]"),
    "method": ({"methods": {"x": {"bazeline": "y"}}}, "methods: x must be one of"),
    "no settings": ({"methods": {"x": {"agent": 3}}}, "agent must hold settings, got 3"),
    "baseline": (
        {"methods": {"x": {"baseline": "env.baselines.nothing"}}},
        "methods: x: baseline must be an import",
    ),
    "agent": ({"methods": {"x": {"agent": {"lerning_rate": 1}}}}, "lerning_rate"),
    "users of its own": (
        {"environment": "env.MultiTaskMEC", "env": {}},
        "users must be null for env.MultiTaskMEC, which takes no num_users",
    ),
    "no function": (
        {"methods": {"x": {"baseline": "env.decisions.Binary"}}},
        "methods: x: baseline must be allowed",
    ),
    "no baseline": (
        {"methods": {"x": {"baseline": "env.baselines.Choice"}}},
        "must be a function of an environment",
    ),
    "environment": ({"environment": "env.PathLoss"}, "environment must be a class with"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_settings_are_one_line_and_write_nothing(tmp_path, case):
    change, message = BAD[case]
    config = yaml.safe_load((ROOT / "configs" / "compare.yaml").read_text()) | change
    (tmp_path / "bad.yaml").write_text(yaml.safe_dump(config))
    result = script("compare.py", "--config", "bad.yaml", "--output", "run", status=2, cwd=tmp_path)
    assert len(result.stderr.splitlines()) == 1
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(result.stderr)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.yaml"]


def test_another_comparison_is_left_alone(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text("users: [1]\n")
    assert "holds another comparison" in compare(tmp_path / "run", status=2).stderr
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("")
    assert "output must be a new or empty folder" in compare(tmp_path / "full", status=2).stderr


def test_one_comparison_at_a_time_in_a_folder(tmp_path):
    compare(tmp_path / "run", "--processes", 1)
    before = (tmp_path / "run" / "rows.csv").read_bytes()
    with locked(tmp_path / "run", "output"):
        refused = compare(tmp_path / "run", status=2).stderr
    assert "output must be a folder that no other process writes to" in refused
    assert (tmp_path / "run" / "rows.csv").read_bytes() == before


@pytest.mark.parametrize("suffix", [".mat", ".npz"])
def test_a_data_set_is_a_trace_with_its_optimum(tmp_path, suffix):
    path = tmp_path / f"data{suffix}"
    script("make_dataset.py", "--env.num_users", 12, "--rows", 40, "--seed", 3, "--output", path)
    trace = RecordedTrace(path)
    env = WirelessPoweredMEC(12)
    optimum = env.optimum(trace.gains)
    np.testing.assert_allclose(trace.rates, optimum.rate, rtol=1e-12)
    np.testing.assert_array_equal(trace.decisions, optimum.decision)
    fresh = WirelessPoweredMEC(12, seed=3)
    np.testing.assert_array_equal(trace.gains[0], fresh.gains)
    replay = WirelessPoweredMEC(channel=str(path))
    assert replay.frame_optimum() == trace.rates[0]
    split = env.allocate(trace.gains, trace.decisions)
    from scipy.io import loadmat

    stored = loadmat(path) if suffix == ".mat" else np.load(path)
    np.testing.assert_allclose(stored["output_tau"], split.transmit_time, rtol=1e-12)
    np.testing.assert_allclose(stored["output_a"][:, 0], split.charging_time, rtol=1e-12)
    assert (stored["output_bound"] >= stored["output_obj"]).all()
    assert "output must not exist yet" in script("make_dataset.py", "--output", path, status=2).stderr


def test_bad_data_set_options_are_one_line(tmp_path):
    for options, message in [
        (["--output", "data.csv"], "output must be a .mat or .npz file"),
        (["--output", "data.mat", "--rows", 0], "rows must be 1 or more, got 0"),
        (["--output", "data.mat", "--env.num_users", -1], "num_users must be a whole number, 1 or more, got -1"),
    ]:
        result = script("make_dataset.py", *options, status=2, cwd=tmp_path)
        assert message in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def small(tmp_path, name="compare", **changes):
    config = yaml.safe_load((ROOT / "configs" / f"{name}.yaml").read_text(encoding="utf-8"))
    config |= {"users": [4], "seeds": [0], "warmup": 3, "frames": 5, **changes}
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(config))


RATE = {"CD": {"baseline": "env.baselines.coordinate_descent"}}


@pytest.mark.parametrize(
    "env",
    [
        {"channel": {"class_path": "env.GaussMarkov", "init_args": {"doppler_frequency": 2.0}}},
        {"channel": "env.Rician"},
        {"presence": {"class_path": "env.PresenceSchedule", "init_args": {"off": {2: [1]}}}},
        {"weight_schedule": {"class_path": "AlternatingWeights", "init_args": {"interval": 2}}},
        {"noise_power": "1e-10"},
    ],
    ids=["channel", "short path", "presence", "weights", "number"],
)
def test_settings_are_those_of_simulate(tmp_path, env):
    small(tmp_path, env=env, methods=RATE)
    text = (tmp_path / "small.yaml").read_text()
    (tmp_path / "small.yaml").write_text(text.replace("'1e-10'", "1e-10"))
    script("compare.py", "--config", "small.yaml", "--output", "run", cwd=tmp_path)
    assert len(rows(tmp_path / "run" / "rows.csv")) == 1
    simulated = {"env": {**env, "num_users": 4}, "frames": 12}
    text = yaml.safe_dump(simulated).replace("'1e-10'", "1e-10")
    (tmp_path / "one.yaml").write_text(text)
    script("simulate.py", "--config", "one.yaml", "--output", "one", cwd=tmp_path)


def test_a_problem_has_rules_of_its_own(tmp_path):
    small(tmp_path, "compare_age", users=[6], frames=30)
    config = yaml.safe_load((tmp_path / "small.yaml").read_text())
    alone("--config", "small.yaml", "--output", "run", cwd=tmp_path)
    table = {row["method"]: row for row in rows(tmp_path / "run" / "table.csv")}
    assert set(table) == set(config["methods"])
    assert float(table["max-weight (optimum)"]["normalized rate"]) == 1
    assert all(0 < float(row["normalized rate"]) <= 1 for row in table.values())
    assert all(float(row["critic calls"]) <= 1 for name, row in table.items() if name.endswith("first"))
    small(tmp_path, "compare_age", methods={"x": {"baseline": "env.age.world.AgeMEC"}})
    refused = alone("--config", "small.yaml", "--output", "other", status=2, cwd=tmp_path)
    assert "methods: x: baseline must be allowed: env.age.world.AgeMEC" in refused.stderr


def test_arrivals_may_be_a_class_path(tmp_path):
    arrivals = {"class_path": "env.ConstantArrivals", "init_args": {"amount": 1.5}}
    world = {"environment": "env.MyopicMEC", **RATE["CD"]}
    small(tmp_path, "compare_lydroo", env={"arrivals": arrivals}, methods={**RATE, "myopic": world})
    alone("--config", "small.yaml", "--output", "run", cwd=tmp_path)
    assert {row["method"] for row in rows(tmp_path / "run" / "rows.csv")} == {"CD", "myopic"}


def test_methods_may_be_called_anything(tmp_path):
    small(tmp_path, methods={})
    names = ["no", "off", "y", "1", "1e-3", "a,b", "| x |", "αβ"]
    lines = [f"  {name!r}: {{baseline: env.baselines.all_local}}" for name in names[4:]]
    lines += [f"  {name}: {{baseline: env.baselines.all_local}}" for name in names[:4]]
    text = (tmp_path / "small.yaml").read_text().replace("methods: {}", "methods:\n" + "\n".join(lines))
    (tmp_path / "small.yaml").write_text(text, encoding="utf-8")
    alone("--config", "small.yaml", "--output", "run", cwd=tmp_path)
    assert {row["method"] for row in rows(tmp_path / "run" / "table.csv")} == set(names)
    alone("--config", "small.yaml", "--output", "run", cwd=tmp_path)  # it is the same comparison


def test_what_was_measured_is_kept_when_a_later_method_fails(tmp_path):
    (tmp_path / "mine.py").write_text(
        "calls = 0\n"
        "def breaks(environment, rng):\n"
        "    global calls\n"
        "    calls += 1\n"
        "    if calls > 2: raise ValueError('in my own code')\n"
        "    return [0] * environment.num_users, float(environment.evaluate([[0] * environment.num_users])[0])\n"
    )
    small(tmp_path, methods={**RATE, "mine": {"baseline": "mine.breaks"}})
    options = ("--config", "small.yaml", "--allow", "mine", "--output", "run")
    stderr = script("compare.py", *options, status=1, cwd=tmp_path).stderr
    assert "in breaks" in stderr
    assert [row["method"] for row in rows(tmp_path / "run" / "rows.csv")] == ["CD"]
    (tmp_path / "mine.py").write_text((tmp_path / "mine.py").read_text().replace("calls > 2", "False"))
    script("compare.py", *options, cwd=tmp_path)
    assert {row["method"] for row in rows(tmp_path / "run" / "table.csv")} == {"CD", "mine"}


def test_choices_are_compared(tmp_path):
    (tmp_path / "servers.py").write_text((ROOT / "tests" / "servers.py").read_text())
    methods = {
        "agent": {"agent": {"num_candidates": 8, "adaptive_interval": None}},
        "exhaustive": {"baseline": "env.baselines.exhaustive"},
        "idle": {"baseline": "env.baselines.all_local"},
        **RATE,
    }
    small(tmp_path, environment="servers.Servers", env={"num_servers": 2}, methods=methods)
    alone("--config", "small.yaml", "--allow", "servers", "--output", "run", cwd=tmp_path)
    rate = {row["method"]: float(row["normalized rate"]) for row in rows(tmp_path / "run" / "table.csv")}
    assert rate["idle"] < rate["agent"] <= rate["exhaustive"] == 1


def test_a_method_may_have_a_world_of_its_own(tmp_path):
    best = {"baseline": "env.baselines.exhaustive"}
    methods = {
        "exhaustive": best,
        "heavier": {**best, "env": {"weights": [5.0, 1.0, 1.0, 1.0]}},
        "agent": {"env": {"observation": "gain"}, "agent": {"published": True}},
    }
    small(tmp_path, methods=methods)
    alone("--config", "small.yaml", "--output", "run", cwd=tmp_path)
    rate = {row["method"]: float(row["normalized rate"]) for row in rows(tmp_path / "run" / "table.csv")}
    assert [rate["exhaustive"], rate["heavier"]] == pytest.approx([1.0, 1.0], abs=1e-9)
    assert 0 < rate["agent"] <= 1
    small(tmp_path, methods={"exhaustive": {**best, "env": "gain"}})
    stderr = alone("--config", "small.yaml", "--output", "other", status=2, cwd=tmp_path).stderr
    assert "methods: exhaustive: env must be a dict, got 'gain'" in stderr


@pytest.mark.parametrize(
    ("comparison", "method", "name"),
    [
        ("compare", "DROO (published)", "wpmec_published"),
        ("compare_lydroo", "LyDROO (published)", "lydroo"),
        ("compare_ddlo", "DDLO (published)", "ddlo"),
    ],
)
def test_published_methods_have_the_settings_of_the_published_configurations(comparison, method, name):
    def read(name):
        return yaml.safe_load((ROOT / "configs" / f"{name}.yaml").read_text(encoding="utf-8"))

    compared, config = read(comparison)["methods"][method], read(name)
    network = {"class_path": "agent.FullyConnected", "init_args": {"hidden": [120, 80], "activation": "relu"}}
    defaults = {field.name: field.default for field in fields(AgentSettings)}
    defaults |= {"network": network, "quantizer": "OP", "learning_rate": 0.01, "weight_decay": 0.0}
    ours, theirs = ({**defaults, **settings["agent"], "backend": "numpy"} for settings in (compared, config))
    assert ours.pop("weight_decay") == float(theirs.pop("weight_decay"))
    assert ours == theirs
    assert compared["env"].items() <= config["env"].items()


def test_a_strangers_baseline_is_not_run(tmp_path):
    small(tmp_path, methods={"x": {"baseline": "os.getcwd"}})
    stderr = script("compare.py", "--config", "small.yaml", "--output", "run", status=2, cwd=tmp_path).stderr
    assert "methods: x: baseline must be allowed: os.getcwd" in stderr
    assert not (tmp_path / "run").exists()
