"""A sweep and a comparison on a cluster of two nodes, each in a network namespace, one of which is killed.

They take two minutes and root's rights: SWEEP_CLUSTER=1 python -m pytest -n0 tests/scripts/test_cluster.py
"""

import csv
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TRIALS = int(os.environ.get("SWEEP_TRIALS", "8"))
RAY = Path(sys.executable).parent / "ray"
NODES = {"node-a": "10.213.7.1", "node-b": "10.213.7.2"}
ADDRESS = f"{NODES['node-a']}:6379"
ENVIRON = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
ENVIRON |= {"PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token"}
ENVIRON["RAY_AUTH_TOKEN"] = secrets.token_hex(32)

pytestmark = [
    pytest.mark.skipif("SWEEP_CLUSTER" not in os.environ, reason="takes a minute: SWEEP_CLUSTER=1 asks for it"),
    pytest.mark.skipif(not shutil.which("ip") or os.geteuid() != 0, reason="namespaces need root and ip"),
    pytest.mark.skipif(not RAY.is_file(), reason="Ray is not installed"),
]


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


def inside(node, *command, **options):
    words = ["ip", "netns", "exec", node, *map(str, command)]
    return subprocess.Popen(words, env=ENVIRON, text=True, **options)


def end(node):
    """Kill whatever runs in a namespace."""
    held = subprocess.run(["ip", "netns", "pids", node], capture_output=True, text=True, check=False)
    for pid in held.stdout.split():
        subprocess.run(["kill", "-9", pid], check=False, capture_output=True)


def work_of(node):
    """What Ray's processes in a namespace are doing."""
    held = subprocess.run(["ip", "netns", "pids", node], capture_output=True, text=True, check=False)
    shown = ["ps", "-o", "args=", "-p", ",".join(held.stdout.split())]
    return subprocess.run(shown, capture_output=True, text=True, check=False).stdout


@pytest.fixture
def nodes(tmp_path):
    """Two namespaces that reach each other."""
    try:
        for node in NODES:
            ip("netns", "add", node)
        ip("link", "add", "node-a", "netns", "node-a", "type", "veth", "peer", "node-b", "netns", "node-b")
        for node, address in NODES.items():
            ip("-n", node, "addr", "add", f"{address}/24", "dev", node)
            ip("-n", node, "link", "set", node, "up")
            ip("-n", node, "link", "set", "lo", "up")
        for node, address in NODES.items():
            role = ["--head", "--port=6379", "--include-dashboard=false"]
            role = role if node == "node-a" else [f"--address={ADDRESS}"]
            words = ["start", *role, f"--node-ip-address={address}", "--num-cpus=1", f"--temp-dir=/tmp/ray-{node}"]
            words = words if node == "node-a" else words[:-1]
            with (tmp_path / f"{node}.log").open("w") as log:
                started = inside(node, RAY, *words, stdout=log, stderr=log)
            assert started.wait(120) == 0, (tmp_path / f"{node}.log").read_text()
        yield
    finally:
        for node in NODES:
            end(node)
            subprocess.run(["ip", "netns", "del", node], check=False, capture_output=True)
        shutil.rmtree("/tmp/ray-node-a", ignore_errors=True)


def lines(output):
    """(node, trial) of every command that was started."""
    logs = sorted((output / "logs").glob("*.log"))
    return [(node, log.stem) for log in logs for node in re.findall(r"(\S+): -m mec_offloading", log.read_text())]


def half_way(output, node):
    """The trials on a node that have a checkpoint and frames to go."""
    return [
        name
        for where, name in lines(output)
        if where == node
        and (table := output / "trials" / name / "metrics.csv").is_file()
        and 400 < table.read_text().count("\n") < 2500
    ]


def test_one_of_two_nodes_is_killed(nodes, tmp_path):
    content = {
        "config": "wpmec",
        "settings": {"frames": 3000, "checkpoint_every": 200},
        "over": {"agent.learning_rate": [0.003, 0.01]},
        "seeds": TRIALS // 2,
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    output = tmp_path / "out"
    command = [sys.executable, ROOT / "scripts" / "sweep.py", "--config", tmp_path / "mine.yaml"]
    command += ["--output", output, "--address", ADDRESS]
    with (tmp_path / "driver.log").open("w") as log:
        driver = inside("node-a", *command, stdout=log, stderr=log)
    begun = time.monotonic()
    while not list(output.glob("trials/*/summary.json")) or not (running := half_way(output, NODES["node-b"])):
        assert driver.poll() is None, (tmp_path / "driver.log").read_text()
        assert time.monotonic() - begun < 240
        time.sleep(0.05)
    end("node-b")  # the whole node, and the trial that runs there
    finished = set(output.glob("trials/*/summary.json"))
    status = driver.wait(60 + 30 * TRIALS)
    assert status == 0, (tmp_path / "driver.log").read_text()
    assert len({path.parent.name for path in finished} & set(running)) < len(running)
    assert [name for _, name in lines(output)].count(running[0]) == 2  # begun there, gone on with here
    assert all([name for _, name in lines(output)].count(path.parent.name) == 1 for path in finished)
    table = list(csv.DictReader((output / "trials.csv").read_text().splitlines()))
    assert [(row["status"], row["frames"]) for row in table] == [("finished", "3000")] * TRIALS
    assert {node for node, _ in lines(output)} == set(NODES.values())
    print(*lines(output), sep="\n")


def test_a_comparison_whose_second_node_is_killed_has_the_rows_of_one_process(nodes, tmp_path):
    content = {
        "environment": "env.WirelessPoweredMEC",
        "env": {},
        "users": [5, 10],
        "seeds": list(range(TRIALS // 2)),
        "warmup": 1500,
        "frames": 300,
        "methods": {"ours": {"agent": {}}, "others": {"baseline": "env.baselines.coordinate_descent"}},
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    command = [sys.executable, ROOT / "scripts" / "compare.py", "--config", tmp_path / "mine.yaml", "--output"]
    with (tmp_path / "driver.log").open("w") as log:
        more = [tmp_path / "cluster", "--engine", "ray", "--address", ADDRESS]
        driver = inside("node-a", *command, *more, stdout=log, stderr=log)
    rows, begun = tmp_path / "cluster" / "rows.csv", time.monotonic()
    while not rows.is_file() or rows.read_text().count("\n") < 3 or "ray::_run_there" not in work_of("node-b"):
        assert driver.poll() is None, (tmp_path / "driver.log").read_text()
        assert time.monotonic() - begun < 240
        time.sleep(0.02)
    assert "ray::_run_there" in work_of("node-a")
    end("node-b")
    assert driver.wait(60 + 30 * TRIALS) == 0, (tmp_path / "driver.log").read_text()
    alone = [*map(str, command), str(tmp_path / "alone"), "--processes", "1"]
    subprocess.run(alone, check=True, capture_output=True, env=ENVIRON)
    here, there = (
        [
            {**row, "milliseconds": None}
            for row in csv.DictReader((tmp_path / name / "rows.csv").read_text().splitlines())
        ]
        for name in ("alone", "cluster")
    )
    assert len(here) == 4 * (TRIALS // 2)
    assert here == there
