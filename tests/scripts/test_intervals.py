"""The script of intervals, with few comparisons; its bootstraps beside SciPy's."""

import sys

import numpy as np
import pytest
from scipy import stats

from env import InputError
from mec_offloading.commands import intervals


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["intervals.py", *arguments])
    intervals.main()


def test_its_tables(monkeypatch, capsys):
    monkeypatch.setattr(intervals, "CENTRE_OF", 10_000)
    run(monkeypatch, "--seeds", "5", "7", "--comparisons", "300")
    first = capsys.readouterr().out
    rows = [line.split(" | ") for line in first.splitlines() if line.startswith(("| 5", "| 7"))]
    assert len(rows) == 2 * len(intervals.SHAPES) * (2 + 2 + 1)
    covers = [row for row in rows if row[2] == "difference"][: 2 * len(intervals.SHAPES)]
    assert all(90 < float(row[3]) < 99 for row in covers), covers
    assert all(0 < float(row[2]) < 10 for row in rows[-2 * len(intervals.SHAPES) :])
    run(monkeypatch, "--seeds", "5", "--comparisons", "300")
    assert set(capsys.readouterr().out.splitlines()) < set(first.splitlines())


@pytest.mark.parametrize("wrong", [("--seeds", "1"), ("--comparisons", "0")])
def test_what_it_refuses(monkeypatch, capsys, wrong):
    with pytest.raises(SystemExit):
        run(monkeypatch, *wrong)
    assert "comparisons must be 1 or more and seeds 2 or more" in capsys.readouterr().err


def test_bootstraps_beside_scipy_s():
    values = np.random.default_rng(4).exponential(size=(3, 10))
    percentile, _, corrected = intervals.bootstraps(values)
    for method, found in (("percentile", percentile), ("BCa", corrected)):
        expected = stats.bootstrap((values,), np.mean, axis=-1, method=method, rng=np.random.default_rng(1))
        low, high = expected.confidence_interval
        assert np.array(found) == pytest.approx(np.array([low, high]), rel=0.08)


def test_the_expanded_interval():
    """Hesterberg's expanded interval is as wide as Student's for normal values, up to how many are drawn."""
    values = np.random.default_rng(5).normal(size=(400, 10))
    _, (low, high), _ = intervals.bootstraps(values)
    least, most, _ = intervals.student(values, 0.95)
    assert np.median((high - low) / (most - least)) == pytest.approx(1.0, abs=0.05)


def test_seeds_of_a_run_are_drawn(tmp_path):
    rates = np.random.default_rng(6).random((6, 3)).round(6)
    (tmp_path / "config.yaml").write_text("replicas: 3\n", encoding="utf-8")
    np.savetxt(tmp_path / "replicas.csv", rates, delimiter=",", header="0,1,2", comments="")
    figures = intervals.figures_of(tmp_path, 2, 6)
    assert figures == pytest.approx(rates[2:6].mean(0))
    draw = intervals.drawn_from(figures)
    assert set(draw(np.random.default_rng(0), (20, 5)).ravel()) == set(figures)
    with pytest.raises(InputError, match="runs must have replicas and 7 frames"):
        intervals.figures_of(tmp_path, 0, 7)
