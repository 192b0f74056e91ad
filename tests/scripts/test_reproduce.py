"""The paper's figures, at the smallest scale that they take."""

import csv
import sys
from pathlib import Path

import commands
import numpy as np
import pytest

from agent.run.loop import simulate
from mec_offloading.commands.common import lydroo_figures
from mec_offloading.commands.common.figures import Scale
from mec_offloading.commands.common.settings import Maker
from mec_offloading.commands.reproduce import play, published, scheduled

ROOT = Path(__file__).resolve().parents[2]
CURVES = ("rate", "memory", "batch", "interval", "learning_rate", "adaptive_k", "weights", "on_off")


def reproduce(*arguments, status=0):
    command = [sys.executable, str(ROOT / "scripts" / "reproduce.py"), *map(str, arguments)]
    result = commands.run(command)
    assert result.returncode == status, result.stderr
    return result


def read(path):
    with path.open() as file:
        head, *rows = csv.reader(file)
    return head, np.array(rows, dtype=float)


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reproduce")
    reproduce("all", "--frames", 200, "--seeds", 0, "--output", folder)
    return folder


@pytest.mark.parametrize("name", CURVES)
def test_curves_come_with_their_numbers(output, name):
    head, numbers = read(output / f"{name}.csv")
    assert (output / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert head[0] == "frame"
    rates = numbers[:, [column for column, title in enumerate(head) if title.startswith("Normalized")]]
    assert rates.shape[1] >= 3
    assert ((rates > 0.5) & (rates <= 1 + 1e-9)).all()
    np.testing.assert_array_equal(numbers[:, 0], np.arange(99, 200, 10))


def test_a_swept_setting_matters(output):
    _, numbers = read(output / "learning_rate.csv")
    assert len({tuple(column) for column in numbers[:, 1::3].T}) == 4


def test_k_adapts_as_often_as_asked(output):
    head, numbers = read(output / "adaptive_k.csv")
    last = dict(zip(head, numbers[-1], strict=True))
    assert last["Candidates K, interval 1, mean"] < last["Candidates K, interval 32, mean"]
    assert last["Candidates K, K = N fixed, mean"] == 10


def test_more_candidates_are_better(output):
    head, numbers = read(output / "quantizers.csv")
    assert head[0] == "K"
    for column in (1, 3):
        assert numbers[-1, column] > numbers[0, column]


def test_the_table_holds_the_papers_methods(output):
    text = (output / "table" / "table.md").read_text()
    for method in ("DROO (published)", "coordinate descent", "linear relaxation", "all local", "all offload"):
        assert text.count(f"| {method} |") == 3


def test_queues_and_energy_of_growing_arrivals(output):
    for rate in ("2.5", "2.7", "3", "3.2"):
        head, numbers = read(output / f"queues_{rate}.csv")
        assert (output / f"queues_{rate}.png").read_bytes().startswith(b"\x89PNG")
        energy = numbers[-1, head.index("Energy a frame (J), LyDROO, best known, mean")]
        assert 0.01 < energy < 0.085
        assert np.isfinite(numbers).all()


def test_more_arrivals_make_longer_queues(output):
    name = "Data queue (Mbit), Lyapunov, coordinate descent, mean"
    for figure, setting in {"stability": "Arrivals (Mbit a frame)", "effect_of_v": "V"}.items():
        head, numbers = read(output / f"{figure}.csv")
        assert head[0] == setting
        assert (np.diff(numbers[:, head.index(name)]) > 0).all() or setting == "V"
        for metric in ("data_queue", "energy", "rate"):
            assert (output / f"{figure}_{metric}.png").read_bytes().startswith(b"\x89PNG")


def test_seeds_side_by_side_are_what_each_is_alone(tmp_path):
    scale = Scale(150, (3, 4), tmp_path)
    schedule = {0.5: lambda world: world.set_active([user > 2 for user in range(10)])}
    rates, candidates = play(scale, scale.seeds, published(), np.ones((2, 150)), schedule)
    for seed, *together in zip(scale.seeds, rates, candidates, strict=True):
        world = scheduled(scale, schedule, seed=seed)
        alone = list(simulate(world, Maker(None, {}, published()).agent(world, seed), 150, optimum=lambda: None))
        expected = np.transpose([(frame.value, frame.candidates) for frame in alone])
        np.testing.assert_allclose(together, expected, rtol=1e-12)


@pytest.mark.parametrize("method", [name for name, one in lydroo_figures.METHODS.items() if one.side_by_side])
def test_seeds_with_queues_side_by_side_are_what_each_is_alone(method):
    make = lydroo_figures.METHODS[method].make
    together = lydroo_figures.play(make, (3, 4), {"rate_weight": 5.0}, 200)
    alone = [lydroo_figures.play(make, (seed,), {"rate_weight": 5.0}, 200) for seed in (3, 4)]
    np.testing.assert_array_equal(together, np.concatenate(alone, axis=1))


def test_bad_options_are_one_line(tmp_path):
    result = reproduce("rate", "--frames", 50, "--output", tmp_path / "x", status=2)
    assert result.stderr == "error: frames must be 200 or more, got 50\n"
    assert not (tmp_path / "x").exists()
