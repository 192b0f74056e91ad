"""What a sweep runs, and what becomes of trials that end in every way, without processes."""

import csv
import json
import sys

import numpy as np
import pytest

from env import InputError
from mec_offloading.commands import simulate, sweep
from mec_offloading.commands.common import cluster
from mec_offloading.commands.common.running import config_text
from mec_offloading.commands.sweeps.attempt import STOPPED
from mec_offloading.commands.sweeps.driving import IN_VAIN, Driver, Listed
from mec_offloading.commands.sweeps.plan import Plan, prepare
from mec_offloading.commands.sweeps.search import Search
from mec_offloading.commands.sweeps.trials import Trial

BASE = {"config": "wpmec", "settings": {"frames": 200, "env.num_users": 3}}


def plan(**more):
    return Plan({**BASE, **more})


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({"ovr": {}}, "ovr"),
        ({"over": {"agent.learning_rate": 0.1}}, "over: agent.learning_rate"),
        ({"over": {"agent.learning_rate": {"lag": [0.1, 1.0]}}}, "over: agent.learning_rate"),
        ({"over": {"agent.learning_rate": {"log": [0.0, 1.0]}}}, "low and a higher end"),
        ({"over": {"agent.learning_rate": [0.1, 0.1]}}, "each value once"),
        ({"over": {"agent.learning_rate": {"log": [0.1, 1.0]}}}, "samples"),
        ({"over": {"agent.learning_rate": [0.1]}, "samples": 3}, "samples"),
        ({"over": {"seed": [1, 2]}}, "seed"),
        ({"seeds": [0, 0]}, "seeds"),
        ({"seeds": 2**63}, "seeds must be at most 1,000,000"),
        ({"over": {"agent.learning_rate": {"log": [0.1, 1.0]}}, "samples": 2**63}, "at most 1,000,000 points"),
        ({"config": ["wpmec"]}, "config must be a file"),
        ({"replicas": "maybe"}, "replicas"),
        ({"search": {"trials": 3}}, "over"),
        ({"over": {"agent.learning_rate": [0.1]}, "search": {"prune": True}}, "search"),
    ],
)
def test_what_is_wrong_is_named(content, named):
    with pytest.raises(InputError, match=named):
        plan(**content)


@pytest.mark.parametrize(
    ("over", "named"),
    [
        ({"agent.learning_rat": [0.1]}, "learning_rat"),
        ({"agent.learning_rate": [0.1, "hello"]}, "learning_rate"),
        ({"agent.learning_rate": [0.1, -1.0]}, "learning_rate must be positive"),
        ({"env.num_users": [3, 0]}, "num_users"),
        ({"frames": [100, 0]}, "frames"),
    ],
)
def test_settings_are_checked_before_the_first_trial(tmp_path, monkeypatch, capsys, over, named):
    (tmp_path / "mine.yaml").write_text(json.dumps({**BASE, "over": over}))
    arguments = ["sweep", "--config", str(tmp_path / "mine.yaml"), "--output", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", [*arguments, "--engine", "local"])
    with pytest.raises(SystemExit, match="2"):
        sweep.main()
    assert named in capsys.readouterr().err
    assert not list(tmp_path.glob("out/trials/*"))


def test_a_grid_and_its_samples():
    over = {
        "agent.training_interval": [5, 10],
        "agent.learning_rate": {"log": [1e-3, 1e-1]},
        "agent.batch_size": {"integers": [16, 32]},
    }
    points = plan(over=over, samples=50).points()
    assert points == plan(over=over, samples=50).points() != plan(over=over, samples=50, draw=1).points()
    assert [point["agent.training_interval"] for point in points] == [5] * 50 + [10] * 50
    rates = np.array([point["agent.learning_rate"] for point in points])
    assert 1e-3 <= rates.min() < 3e-3 < 3e-2 < rates.max() <= 1e-1
    assert 0.3 < (rates < 1e-2).mean() < 0.7
    assert {point["agent.batch_size"] for point in points} == set(range(16, 33))


def test_trials_bear_their_values_whatever_else_is_swept(tmp_path):
    small = plan(over={"agent.learning_rate": [0.1]}, seeds=[3, 4, 7])
    (values,) = small.points()
    names = [trial.name for trial in small.trials(values, tmp_path)]
    assert names == [f"learning_rate=0.1_{seed}" for seed in (3, 4, 7)]
    assert small.settings_of(values)["agent"] == {"learning_rate": 0.1}
    assert small.settings_of(values)["env"]["num_users"] == 3
    small = plan(over={"agent.learning_rate": [0.1]}, seeds=[3, 4, 7], replicas=True)
    assert [(t.name, t.seed, t.replicas, t.weight) for t in small.trials(values, tmp_path)] == [
        ("learning_rate=0.1_3to4", 3, 2, 400),
        ("learning_rate=0.1_7to7", 7, 1, 200),
    ]
    assert len({plan().label({"env.channel": channel}) for channel in ("a/b.mat", "a-b.mat", {"a": 1}, None)}) == 4


def test_seeds_are_replicas_where_there_are_many(tmp_path):
    for seeds, points, expected in ((10, 2, True), (9, 2, False), (10, 1, False), ([*range(9), 10], 2, False)):
        made = plan(seeds=seeds)
        sweep.settle(made, tmp_path, points, 2)
        assert made.replicas is expected
    made = Plan({**BASE, "settings": {"device": "cpu"}, "seeds": 2})
    sweep.settle(made, tmp_path, 1, 2)
    assert made.replicas is True


def test_what_a_folder_holds_must_be_of_the_same_settings(tmp_path):
    first = plan(over={"agent.learning_rate": [0.1]})
    (trial,) = first.trials(first.points()[0], tmp_path)
    trial.folder.mkdir(parents=True)
    parsed, parser = simulate.settings_of({**first.settings_of(trial.values), "seed": 0})
    (trial.folder / "config.yaml").write_text(config_text(parsed, parser))
    more = plan(over={"agent.learning_rate": [0.1, 0.2]}, settings={**BASE["settings"], "frames": 300})
    assert [trial.frames for values in more.points() for trial in more.trials(values, tmp_path)] == [300, 300]
    other = plan(over={"agent.learning_rate": [0.1]}, settings={**BASE["settings"], "agent.batch_size": 7})
    with pytest.raises(InputError, match=r"agent\.batch_size was 128, is 7"):
        other.trials(other.points()[0], tmp_path)


def written(trial, frames, **summary):
    trial.folder.mkdir(parents=True, exist_ok=True)
    rows = [f"{frame},{trial.values['agent.learning_rate']}\n" for frame in range(frames)]
    (trial.folder / "metrics.csv").write_text("frame,normalized_rate\n" + "".join(rows))
    (trial.folder / "checkpoint.pt").write_text("x" * frames)
    if summary:
        (trial.folder / "summary.json").write_text(json.dumps({"frames": frames, **summary}))


class Played:
    """An engine in which each trial advances when its end is asked for; `fates` say what becomes of some."""

    def __init__(self, fates=None, step=20):
        self.fates, self.step = fates or {}, step
        self.running, self.started = [], []

    def processors(self):
        return 2

    def start(self, trial):
        self.running.append(trial)
        self.started.append(trial.name)

    def ended(self):
        over = []
        for trial in list(self.running):
            fate = self.fates.get(trial.name, [])
            done = min(trial.frames, trial.done() + self.step)
            if fate:
                status, progress = fate.pop(0)
                if progress:
                    written(trial, done)
            elif trial.told_to_stop():
                status = STOPPED
                written(trial, done, normalized_rate=0.0)
            elif done < trial.frames:
                written(trial, done)
                continue
            else:
                status = 0
                written(trial, done, normalized_rate=trial.values["agent.learning_rate"])
            self.running.remove(trial)
            over.append((trial, status))
        return over


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    monkeypatch.setattr("mec_offloading.commands.sweeps.driving._TICK", 0.0)
    monkeypatch.setattr("mec_offloading.commands.sweeps.driving._LOOK", 0.0)


def drive(engine, source, stopped=lambda: 0):
    failed = {}
    Driver(engine, source, failed).run(stopped, lambda: None)
    return failed


def listed(folder, rates=(0.1, 0.2, 0.3, 0.4, 0.5)):
    prepare(folder)
    named = [{"agent.learning_rate": rate} for rate in rates]
    return Listed([Trial(folder, f"t{i}_0", f"t{i}", values, 0, None, 100) for i, values in enumerate(named)])


def test_what_is_lost_goes_on_and_what_fails_is_told(tmp_path):
    source = listed(tmp_path)
    written(source.trials[0], 100, normalized_rate=0.1)
    fates = {
        "t1_0": [(None, True), (-9, True), (143, True), (None, True)],  # lost, but with new checkpoints
        "t2_0": [(-9, False)] * 9,  # in vain
        "t3_0": [(2, False)],  # refused
    }
    engine = Played(fates)
    failed = drive(engine, source)
    assert [engine.started.count(f"t{i}_0") for i in range(5)] == [0, 5, IN_VAIN, 1, 1]
    assert set(failed) == {"t2_0", "t3_0"}
    sweep.write_table(tmp_path, source, failed)
    table = list(csv.DictReader((tmp_path / "trials.csv").read_text().splitlines()))
    assert [row["status"] for row in table] == ["finished", "finished", "failed", "failed", "finished"]
    assert [row["normalized_rate"] for row in table] == ["0.1", "0.2", "", "", "0.5"]


def test_a_sweep_that_is_stopped_stops_its_trials_and_goes_on(tmp_path):
    source = listed(tmp_path)
    engine = Played()
    drive(engine, source, stopped=lambda: 15 if source.trials[2].done() else 0)
    assert [trial.finished() for trial in source.trials] == [True, True, False, False, False]
    assert engine.started == ["t0_0", "t1_0", "t2_0", "t3_0"]
    again = Played()
    assert drive(again, listed(tmp_path)) == {}
    assert again.started == ["t2_0", "t3_0", "t4_0"]
    assert not listed(tmp_path).left()


def test_a_search_prunes_finds_the_best_and_goes_on(tmp_path):
    pytest.importorskip("optuna")
    over = {"agent.learning_rate": {"uniform": [0.1, 1.0]}}

    def search():
        made = plan(over=over, search={"trials": 10})
        prepare(tmp_path)
        for values in made.points():
            made.trials(values, tmp_path, make=True)
        return Search(made, tmp_path)

    first, engine = search(), Played()
    drive(engine, first, stopped=lambda: 15 if len(engine.started) > 5 else 0)
    assert first.left()
    second, again = search(), Played()
    assert drive(again, second) == {}
    assert not second.left()
    unfinished = {name for name in engine.started if engine.started.count(name) and name in again.started}
    assert len(unfinished) <= 2  # those that ran when it was stopped
    labels = {trial.label: second.pruned(trial) for trial in second.trials}
    assert len(labels) == 10
    assert 0 < sum(labels.values()) < 10
    for trial in second.trials:
        assert trial.finished() != second.pruned(trial)
    label, best = second.best()
    assert best == max(trial.values["agent.learning_rate"] for trial in second.trials)
    assert label == f"learning_rate={best}"
    with pytest.raises(InputError, match="same settings and seeds"):
        Search(changed := plan(over={**over, "agent.batch_size": [1]}, search={"trials": 10}), tmp_path)
    assert changed.search


def test_a_missing_extra_is_named(monkeypatch, tmp_path, capsys):
    for name in ("ray", "optuna"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ModuleNotFoundError, match=r"mec-offloading\[sweep\]"):
        cluster.needed()
    with pytest.raises(ModuleNotFoundError, match=r"mec-offloading\[sweep\]"):
        Search(plan(over={"agent.learning_rate": [0.1, 0.2]}, search={"trials": 2}), tmp_path)


def test_a_cluster_that_is_not_there_is_told_at_once():
    pytest.importorskip("ray")
    for address in ("127.0.0.1:1", "nowhere"):
        with pytest.raises(InputError, match="address must be"), cluster.connected(address):
            pass
