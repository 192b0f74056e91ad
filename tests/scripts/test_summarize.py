"""Runs side by side, from folders as simulate.py writes them."""

import csv
import json
import sys

import numpy as np
import pytest
import yaml

from agent.run.folder import RunFolder
from agent.run.record import FIXED
from mec_offloading.commands import summarize


def write_run(path, seed, frames, *, known=True, replicas=None, unit="Data (Mbit)", agent=None):
    """A run whose rate is 0.9 + 0.01 * seed, and its value 100 + seed."""
    folder = RunFolder(path, replicas)
    settings = {
        "environment": "env.X",
        "env": {"of": unit, "known": known},
        "agent": agent or {},
        "seed": seed,
        "replicas": replicas,
    }
    folder.create(yaml.safe_dump({**settings, "frames": frames}))
    columns = {name: np.zeros((frames, replicas or 1)) for name in FIXED}
    columns["frame"] += np.arange(frames)[:, None]
    seeds = seed + np.arange(replicas or 1)
    columns["value"] += 100 + seeds
    columns["normalized_rate"] += 0.9 + 0.01 * seeds if known else np.nan
    columns["optimum"] += 200 if known else np.nan
    columns["decide_seconds"] += 0.5
    folder.append(columns if replicas else {name: column[:, 0] for name, column in columns.items()})
    folder.flush()
    (path / "summary.json").write_text(json.dumps({"unit": f"value: {unit}"}))
    return str(path)


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["summarize", *map(str, arguments)])
    summarize.main()


def refused(monkeypatch, capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch, *arguments)
    assert stopped.value.code == 2
    return capsys.readouterr().err


def test_labels_and_runs_of_different_lengths(tmp_path, monkeypatch, capsys):
    ours = [write_run(tmp_path / f"a-{seed}", seed, 120) for seed in range(3)]
    theirs = write_run(tmp_path / "b", 4, 60, replicas=2)
    run(monkeypatch, theirs, "--label", "ours & mine", *ours, "--windows", "0-50,50-100", "--table",
        tmp_path / "table.csv", "--plot", tmp_path / "plot.pdf")  # fmt: skip
    first, second = csv.DictReader((tmp_path / "table.csv").read_text().splitlines())
    assert (first["runs"], first["seeds"]) == ("ours & mine", "3")
    assert float(first["frames 50 to 100"]) == pytest.approx(0.91)
    assert float(first["frames 50 to 100 low"]) < 0.91 < float(first["frames 50 to 100 high"])
    assert (second["runs"], second["seeds"], second["frames 50 to 100"]) == ("b", "2", "")
    assert float(second["frames 0 to 50"]) == pytest.approx(0.945)
    assert "| b | 2 | **0.945** [0.881, 1.009] |  |" in capsys.readouterr().out
    assert (tmp_path / "plot.pdf").read_bytes().startswith(b"%PDF")
    run(monkeypatch, *ours)
    assert "| runs | seeds | frames 0 to 120 |" in capsys.readouterr().out


def test_values_with_their_unit_where_a_run_knows_no_optimum(tmp_path, monkeypatch, capsys):
    paths = [write_run(tmp_path / "known", 0, 40), write_run(tmp_path / "unknown", 7, 40, known=False)]
    groups = summarize.collect(paths)
    figures, label = summarize.figures_of(groups)
    assert {name: group.mean() for name, group in figures.items()} == {"known": 100, "unknown": 107}
    assert label == "Data (Mbit)"
    run(monkeypatch, *paths, "--windows", "0-40", "--style", "print", "--by", "time", "--plot", tmp_path / "x.png")
    assert "frames 0 to 40 (Mbit)" in capsys.readouterr().out
    assert {path.name for path in tmp_path.glob("x.*")} == {"x.png", "x.pdf"}
    np.testing.assert_allclose(groups["known"][0].seconds, 0.5 * np.arange(1, 41))


def test_what_does_not_belong_together_is_refused(tmp_path, monkeypatch, capsys):
    one, same = write_run(tmp_path / "one-0", 0, 20), write_run(tmp_path / "one-1", 0, 20)
    other = write_run(tmp_path / "other", 1, 20, agent={"learning_rate": 1})
    joules = write_run(tmp_path / "joules", 0, 20, known=False, unit="Energy (J)")
    replicas = write_run(tmp_path / "replicas", 0, 20, replicas=2)
    empty = write_run(tmp_path / "empty", 0, 0)
    for arguments, message in [
        ([], "runs must be one folder or more, got none"),
        (["--label", "x"], "label must be a name and folders, got 'x' alone"),
        (["--label", "x", one, other], "label 'x' must hold runs of one configuration, they differ in ['agent']"),
        ([one, same], "runs must be of different seeds, those of one hold [0] twice"),
        ([one, joules], "runs without an optimum must be of values of one kind, got Data (Mbit) and Energy (J)"),
        ([replicas, joules], "runs must all know their optimum beside replicas, whose replicas keep no values"),
        ([empty], "runs must have frames"),
        ([one, "--windows", "0-30"], "windows must lie within the 20 frames of the longest run"),
        ([one, "--table", "x.xls"], "a table must be a file that ends with .csv, .md, .tex, got x.xls"),
        ([one, "--plot", "x.gif"], "plot must be a .png or .pdf file, got x.gif"),
    ]:
        assert message in refused(monkeypatch, capsys, *arguments)


def test_configurations_of_one_name_are_not_mixed(tmp_path):
    paths = [write_run(tmp_path / str(rate) / "run-0", 0, 20, agent={"learning_rate": rate}) for rate in (1, 2)]
    assert len(summarize.collect(paths)) == 2
