"""The benchmark at its smallest scale, run as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]


def benchmark(*arguments, status=0):
    command = [sys.executable, str(ROOT / "scripts" / "benchmark.py"), "--quick", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == status, result.stderr
    return result


def test_it_measures_everything_and_writes_it(tmp_path):
    file, plots = tmp_path / "results.json", tmp_path / "plots"
    printed = benchmark("--json", file, "--plots", plots).stdout
    results = json.loads(file.read_text())
    for row in results["parts"]:
        assert all(row[part] > 0 for part in ("frame", "network", "quantizer", "critic", "learning"))
    for row in results["network"]["rows"]:
        assert row["ratio"] > 0
        assert row["ratio_without_numba"] > 0
    assert results["versions"]["numpy"] == np.__version__
    assert [row["users"] for row in results["textbook"]] == [10]
    assert [row["users"] for row in results["defaults"]] == [10, 30]
    assert results["defaults"][0]["without Numba, ratio"] > results["defaults"][0]["defaults, ratio"] > 0
    assert results["defaults"][1]["own module, ratio"] > 0
    assert [row["users"] for row in results["growth"]] == [10, 30]
    assert results["growth"][1]["megabytes"] > 0
    assert results["capped"][1]["ratio"] > 0
    assert results["textbook"][0]["ratio"] > results["textbook"][0]["ratio_drop_in"] > 1
    assert [row["replicas"] for row in results["replicas"]["rows"]] == [1, 4]
    assert results["replicas"]["rows"][1]["megabytes_a_run"] < 20
    assert [row["users"] for row in results["channels"]] == [10, 30]
    assert sum(row["observations"] for row in results["export"]) == 20
    assert not any(row["by_quantizer"] for row in results["export"])
    assert [row["users"] for row in results["latency"]] == [10, 30, 100] * 2
    assert results["latency"][0]["model, 99th percentile"] >= results["latency"][0]["model"] > 0
    assert all(rate > 0 for row in results["channels"] for rate in row.values())
    assert len(results["optimum"]) == 10
    dear = {row["method"]: row for row in results["dear"]}
    assert dear["learned value"]["coordinate descent"] > 1
    assert dear["32 candidates"]["calls"] == 32
    assert dear["pair network, patience 2"]["rate"] <= 1
    if results["device"] is None:
        assert "skipped, there is no CUDA device" in printed
    else:
        assert 0 < results["device"]["busy"] <= 1
    for name in ("time_of_a_frame.png", "growth.png", "replicas.png"):
        assert (plots / name).read_bytes().startswith(b"\x89PNG")


def test_settings_reach_the_parts_that_run(tmp_path):
    file = tmp_path / "results.json"
    benchmark("--parts", "parts", "--quantizer", "KNN", "--users", 3, "--training_interval", 500, "--json", file)
    results = json.loads(file.read_text())
    assert results["settings"]["quantizer"] == "KNN"
    assert [row["users"] for row in results["parts"]] == [3]
    assert results["parts"][0]["learning"] == 0  # fewer frames than that
    assert "network" not in results


def test_what_does_not_fit_is_refused():
    assert "textbook_frames must be" in benchmark("--textbook_users", 3, 4, 5, status=2).stderr
