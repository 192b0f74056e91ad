"""A stored decision is a label: the optimum is certified whatever a recording says."""

import csv
import json
import sys
from pathlib import Path

import commands
import numpy as np
import pytest
import yaml

from agent import OffloadingAgent
from agent.run.loop import simulate
from env import InputError, MultiTaskMEC, RecordedTrace, WirelessPoweredMEC, baselines

ROOT = Path(__file__).resolve().parents[3]
USERS, FRAMES = 6, 40
NOBODY = np.zeros(USERS, dtype=np.int64)


def labels(kind, world, gains):
    """Stored decisions (rows, N) and rates (rows,) of that kind."""
    best = world.optimum(gains)
    decision, rate = best.decision.copy(), best.rate.copy()
    if kind == "heuristic":  # the strongest half offloads
        decision = (gains >= np.median(gains, axis=-1, keepdims=True)).astype(float)
        rate = world.allocate(gains, decision).rate
    elif kind == "all local":
        decision[:] = 0
        rate = world.allocate(gains, decision).rate
    elif kind == "too high":
        rate *= 1.3
    elif kind == "too low":
        rate *= 0.998
    elif kind == "rows swapped":
        decision, rate = np.roll(decision, 1, axis=0), np.roll(rate, 1)
    elif kind == "bits flipped":
        decision[::3, 2] = 1 - decision[::3, 2]
    elif kind == "one frame a hair below":  # as in a released file, by trying too few decisions
        decision[7] = 0
        rate[7] = best.rate[7] * (1 - 1.8e-3)
    return decision, rate


KINDS = (
    *("optimal", "heuristic", "all local", "too high", "too low", "rows swapped", "bits flipped"),
    "one frame a hair below",
)


@pytest.fixture(params=KINDS)
def labelled(request, tmp_path):
    world = WirelessPoweredMEC(USERS, seed=2)
    gains = []
    for _ in range(FRAMES):
        gains.append(world.gains.copy())
        world.step(NOBODY)
    gains = np.array(gains)
    decision, rate = labels(request.param, world, gains)
    path = tmp_path / "labelled.npz"
    np.savez(path, input_h=gains, output_mode=decision, output_obj=rate[:, None])
    return request.param, str(path)


def test_the_optimum_is_what_trying_all_gives(labelled):
    _, path = labelled
    alone, together = WirelessPoweredMEC(channel=path), WirelessPoweredMEC(channel=path, replicas=3)
    for _ in range(FRAMES + 5):  # and from the first row again
        best = alone.evaluate(alone.decisions.all()).max()
        assert alone.frame_optimum() == pytest.approx(best, rel=2e-9)
        assert alone.frame_optimum() >= best * (1 - 1e-9)
        np.testing.assert_allclose(together.frame_optimum(), [best] * 3, rtol=2e-9)
        alone.step(NOBODY)
        together.step(np.zeros((3, USERS), dtype=np.int64))


def test_no_normalised_rate_is_above_one(labelled):
    _, path = labelled
    for frame in simulate(WirelessPoweredMEC(channel=path), OffloadingAgent(USERS), FRAMES):
        assert frame.normalized_rate <= 1 + 1e-9


def test_the_report_says_what_the_labels_are_worth(labelled):
    kind, path = labelled
    world = WirelessPoweredMEC(channel=path)
    trace, report = world.recording, world.label_report()
    everything = [
        WirelessPoweredMEC(USERS, channel=RecordedTrace(path, start=row)).evaluate(world.decisions.all()).max()
        for row in range(FRAMES)
    ]
    rates = world.allocate(trace.gains, trace.decisions).rate / everything
    assert report.frames == FRAMES
    assert report.optimal == (rates > 1 - 1e-9).sum()
    assert report.rate == pytest.approx(rates.mean(), rel=1e-9)
    assert report.worst_rate == pytest.approx(rates.min(), rel=1e-9)
    assert rates[report.worst_row] == pytest.approx(rates.min(), rel=1e-9)
    assert report.too_high == (
        FRAMES if kind == "too high" else (trace.rates > np.multiply(everything, 1 + 1e-6)).sum()
    )
    assert (report.optimal == FRAMES) == (kind in ("optimal", "too high", "too low"))
    assert (report.wrong_values == 0) == (kind in ("optimal", "heuristic", "all local"))
    assert report.unproved == 0
    few = world.label_report([3, 4])
    assert few.frames == 2
    assert few.worst_rate == pytest.approx(rates[3:5].min(), rel=1e-9)


def test_the_commands_run_through_whatever_the_labels(labelled, tmp_path):
    _, path = labelled
    methods = {
        "exhaustive": {"baseline": "env.baselines.exhaustive"},
        "labels": {"baseline": "env.baselines.recorded"},
        "learned": {"agent": {"backend": "numpy"}},
    }
    settings = {"environment": "env.WirelessPoweredMEC", "env": {"channel": path}, "users": None, "seeds": [0]}
    settings |= {"warmup": 0, "frames": FRAMES, "methods": methods}
    (tmp_path / "compare.yaml").write_text(yaml.safe_dump(settings))

    def run(script, *arguments):
        command = [sys.executable, ROOT / "scripts" / script, *map(str, arguments)]
        result = commands.run(command, cwd=tmp_path, pictures=False)
        assert result.returncode == 0, result.stderr
        return result.stdout

    table = run("compare.py", "--config", "compare.yaml", "--output", "compared", "--processes", 1)
    assert "labels" in table
    with (tmp_path / "compared" / "table.csv").open(newline="", encoding="utf-8") as file:
        rate = {row["method"]: float(row["normalized rate"]) for row in csv.DictReader(file)}
    report = WirelessPoweredMEC(channel=path).label_report()
    assert rate["exhaustive"] == pytest.approx(1, abs=1e-6)
    assert rate["labels"] == pytest.approx(report.rate, abs=1e-6)
    assert rate["learned"] <= 1 + 1e-9
    config = ROOT / "configs" / "wpmec.yaml"
    told = run("simulate.py", "--config", config, "--env.channel", path, "--frames", 60, "--output", "run")
    assert f"labels: {report}" in told
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["labelled_frames"], summary["optimal_labels"]) == (FRAMES, report.optimal)
    assert summary["worst_label_rate"] == report.worst_rate
    assert str(report) in run("make_dataset.py", "--check", path)


def test_without_labels_there_is_nothing_to_report(tmp_path):
    np.savez(tmp_path / "gains.npz", input_h=np.full((9, 3), 1e-6))
    for channel in (None, str(tmp_path / "gains.npz")):
        world = WirelessPoweredMEC(channel=channel)
        assert world.label_report() is None
        assert world.run_figures(5) == {}
        with pytest.raises(ValueError, match="recording must hold decisions"):
            baselines.recorded(world)


def test_the_published_labels(published, trace_path):
    for name, first in (("data_6", 1.0), ("data_7", 1.0), ("data_10_WeightsAlternated", 1.5)):
        data = published(name)
        users = data["input_h"].shape[1]
        weights = np.where(np.arange(users) % 2, 2.5 - first, first)
        world = WirelessPoweredMEC(channel=str(trace_path(name)), weights=weights)
        report = world.label_report()
        assert (report.optimal, report.wrong_values, report.too_high, report.unproved) == (10_000, 0, 0, 0)
        assert report.worst_rate == pytest.approx(1, abs=1e-12)
        np.testing.assert_array_equal(world.frame_optimum(), data["output_obj"][0, 0])


def test_the_published_labels_of_the_multi_task_problem(trace_path):
    world = MultiTaskMEC(task_sizes=str(trace_path("MUMT_data_3x3")))
    report = world.label_report()
    assert (report.frames, report.optimal, report.wrong_values, report.too_high) == (20_000, 20_000, 0, 0)
    assert "20000 of 20000 stored decisions are optimal" in world.run_figures(30_000)["labels"]


def test_multi_task_labels_that_are_not_optimal(tmp_path):
    sizes = np.random.default_rng(0).uniform(10, 30, (12, 4))
    world = MultiTaskMEC(2, 2)
    best = world.optimum(sizes.reshape(12, 2, 2))
    decision, cost = best.decision.reshape(12, 4), best.cost.copy()
    decision[5] = 1 - decision[5]
    cost[2] *= 0.9
    np.savez(tmp_path / "tasks.npz", task_size=sizes, gain_mode=decision, gain_min=cost[None])
    report = MultiTaskMEC(2, 2, task_sizes=str(tmp_path / "tasks.npz")).label_report()
    assert (report.optimal, report.worst_row, report.wrong_values, report.too_high) == (11, 5, 2, 1)
    assert report.worst_rate == pytest.approx(
        best.cost[5] / world.cost(sizes[5].reshape(2, 2), decision[5].reshape(2, 2))
    )


@pytest.mark.parametrize("rows", [[], [-1], [40], [1.5], 3, [[1, 2]], np.arange(40) == 3])
def test_rows_that_are_not_in_a_recording_are_refused(rows):
    rng = np.random.default_rng(0)
    gains = rng.uniform(1e-6, 2e-6, (40, 3))
    world = WirelessPoweredMEC(channel=RecordedTrace({"input_h": gains, "output_mode": np.ones((40, 3))}))
    with pytest.raises(InputError, match="rows must be whole numbers from 0 to 39, one or more, got"):
        world.label_report(rows)
    assert world.label_report([39]).frames == 1


def test_masked_gains_are_refused():
    with pytest.raises(InputError, match="a trace must hold no masked entries"):
        RecordedTrace(np.ma.array(np.ones((40, 2)), mask=[[1, 0]] * 40))
