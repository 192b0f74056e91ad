"""Channels of TR 38.901 through the scripts: pictures, and runs that go on at any frame."""

import csv
import sys
from pathlib import Path

import commands

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "configs" / "umi_walking.yaml"


def script(name, *arguments, status=0):
    command = [sys.executable, str(ROOT / "scripts" / name), *map(str, arguments)]
    result = commands.run(command, pictures=False)
    assert result.returncode == status, result.stderr
    return result


def rows(folder):
    with (folder / "metrics.csv").open() as file:
        return [
            {name: cell for name, cell in row.items() if name != "decide_seconds"} for row in csv.DictReader(file)
        ]


def test_a_run_with_walking_users_goes_on_as_if_it_had_not_stopped(tmp_path):
    script("simulate.py", "--config", CONFIG, "--frames", 60, "--output", tmp_path / "whole")
    script("simulate.py", "--config", CONFIG, "--frames", 37, "--output", tmp_path / "parts")
    script("simulate.py", "--resume", tmp_path / "parts", "--frames", 60)
    assert rows(tmp_path / "parts") == rows(tmp_path / "whole")


def test_replicas_walk_each_on_their_own_and_go_on(tmp_path):
    walking = ["--config", ROOT / "configs" / "wpmec.yaml", "--replicas", 2, "--threads", 1]
    walking += ["--env.channel", "env.TR38901", "--env.channel.scenario", "env.InH", "--env.channel.mobility"]
    walking += ["env.GaussMarkovMobility", "--env.channel.mobility.area", "[20,20]"]
    script("simulate.py", *walking, "--frames", 150, "--output", tmp_path / "whole")
    script("simulate.py", *walking, "--frames", 130, "--output", tmp_path / "parts")
    script("simulate.py", "--resume", tmp_path / "parts", "--frames", 150)
    assert rows(tmp_path / "parts") == rows(tmp_path / "whole")


def test_pictures_are_drawn_and_another_channel_is_refused(tmp_path):
    script("channels.py", "--frames", 30, "--seeds", 1, "--config", CONFIG, "--output", tmp_path)
    for name in ("channels_time.png", "channels_map.png", "channels_cdf.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    refused = script("channels.py", "--config", ROOT / "configs" / "wpmec.yaml", "--output", tmp_path, status=2)
    assert "must be an env.TR38901" in refused.stderr
