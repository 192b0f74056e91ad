"""Hooks in runs of the command line: kept, gone on with, and shown by TensorBoard."""

import csv
import json
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from agent import checkpoint
from mec_offloading.commands import simulate as command

ROOT = Path(__file__).resolve().parents[2]
MINE = '''
import os, signal
import agent

log = []

class Total(agent.Callback):
    """The values so far; stops as the environment variable TRIP says in frame 130."""

    metrics = ("total",)
    metric_labels = {"total": "Total (Gbit)"}

    def __init__(self, scale: float = 1e-9):
        self.scale, self.total = scale, 0.0

    def on_start(self, run):
        log.append(("start", run.done))

    def on_frame(self, run, frame):
        trip = os.environ.get("TRIP") if frame.frame == 130 else None
        if trip == "error":
            raise ValueError("the user's own")
        if trip == "signal":
            os.kill(os.getpid(), signal.SIGTERM)
        self.total = self.total + self.scale * frame.value
        return {"total": self.total}

    def on_checkpoint(self, run, path):
        log.append(("checkpoint", run.done, path.is_file()))

    def on_end(self, run):
        log.append(("end", run.done, (run.folder / "summary.json").is_file()))

    def state_dict(self):
        return {"total": self.total}

    def load_state_dict(self, state):
        self.total = state["total"]

def factor(frame: int) -> float:
    return 1 / (1 + frame)
'''
CALLBACKS = [
    {"class_path": "hooked.Total", "init_args": {"scale": 2e-9}},
    {"class_path": "agent.CosineDecay", "init_args": {"frames": 250}},
    {"class_path": "agent.EarlyStopping", "init_args": {"patience": 150, "window": 90, "least": 0.5}},
]
"""The last of them ends the run after 240 frames."""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    (tmp_path / "hooked.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "hooked", raising=False)


@pytest.fixture
def without_plots(monkeypatch):
    monkeypatch.setattr(command, "plot_run", lambda *given, **named: [])


def run(*arguments):
    command.main([*map(str, arguments), "--allow", "hooked"])


def quick(output, callbacks=CALLBACKS, frames=300, **more):
    Path("config.yaml").write_text(yaml.safe_dump({"frames": frames, "callbacks": callbacks, **more}))
    return ("--config", "config.yaml", "--output", output, "--checkpoint_every", 100)


def rows(folder):
    with Path(folder, "metrics.csv").open() as file:
        return [
            {name: cell for name, cell in row.items() if name != "decide_seconds"} for row in csv.DictReader(file)
        ]


def log():
    return sys.modules["hooked"].log


def summary(folder):
    return json.loads(Path(folder, "summary.json").read_text())


def test_own_metrics_are_columns_and_the_configuration_repeats_the_run(capsys):
    run(*quick("a", callbacks=CALLBACKS[:2], frames=150))
    table = rows("a")
    assert list(table[0])[-2:] == ["total", "learning_rate"]
    expected = np.cumsum([2e-9 * float(row["value"]) for row in table])
    np.testing.assert_array_equal([float(row["total"]) for row in table], expected)
    assert summary("a")["total"] == pytest.approx(expected[120:].mean())
    assert "stopped_early" not in summary("a")
    assert Path("a", "metrics.png").is_file()
    assert log() == [("start", 0), ("checkpoint", 100, True), ("checkpoint", 150, True), ("end", 150, True)]
    assert yaml.safe_load(Path("a", "config.yaml").read_text())["callbacks"][0] == CALLBACKS[0]
    run("--config", "a/config.yaml", "--output", "b")
    assert rows("b") == table


@pytest.mark.parametrize("trip", ["error", "signal"])
@pytest.mark.parametrize("replicas", [None, 3])
def test_a_run_that_goes_on_is_the_uninterrupted_one(trip, replicas, monkeypatch, without_plots, capsys):
    run(*quick("whole", replicas=replicas))
    ends = {None: 240, 3: len(rows("whole"))}[replicas]
    assert 150 < len(rows("whole")) == ends < 300
    assert summary("whole")["stopped_early"].endswith("of 90 frames was no better for 150 frames")
    monkeypatch.setenv("TRIP", trip)
    log().clear()
    with pytest.raises(ValueError if trip == "error" else SystemExit) as caught:
        run(*quick("cut", replicas=replicas))
    if trip == "error":
        assert caught.traceback[-1].path == Path("hooked.py").resolve()
        assert len(rows("cut")) == 130
        assert (
            "note: an error after 130 frames; --resume cut goes on from its checkpoint" in capsys.readouterr().err
        )
        assert log()[-1] == ("end", 130, False)
    else:
        assert caught.value.code == 143
        assert log()[-1] == ("end", 131, True)
        assert "stopped_early" not in summary("cut")
    monkeypatch.delenv("TRIP")
    run("--resume", "cut")
    assert rows("cut") == rows("whole")
    assert summary("cut")["stopped_early"] == summary("whole")["stopped_early"]
    states = [checkpoint.to_arrays(checkpoint.read(f"{name}/checkpoint.pt")) for name in ("cut", "whole")]
    np.testing.assert_equal(states[0]["callbacks"], states[1]["callbacks"])
    np.testing.assert_equal(states[0]["agent"], states[1]["agent"])
    run("--resume", "cut", "--frames", 400)  # it has ended
    assert rows("cut") == rows("whole")


def test_replicas_are_the_same_with_callbacks_as_without(without_plots):
    more = {"replicas": 32, "threads": 2, "env": {"num_users": 3}}
    run(*quick("without", callbacks=None, frames=25, **more))
    run(*quick("with", callbacks=CALLBACKS[:1], frames=25, **more))
    table = rows("with")
    for row in table:
        del row["total"]
    assert table == rows("without")
    assert [Path(name, "replicas.csv").read_text() for name in ("with",)] == [
        Path("without/replicas.csv").read_text()
    ]


def test_callbacks_must_stay_when_a_run_goes_on_but_tensorboard_may_come_and_go(without_plots, capsys):
    run(*quick("run", callbacks=CALLBACKS[:1], frames=50))
    with pytest.raises(SystemExit):
        run("--resume", "run", "--callbacks", "[]", "--frames", 60)
    assert "error: resume must keep the configuration of run: callbacks was" in capsys.readouterr().err
    run("--resume", "run", "--frames", 60, "--tensorboard")
    run("--resume", "run", "--frames", 70, "--tensorboard", "false")
    assert [row["frame"] for row in rows("run")] == [str(frame) for frame in range(70)]
    assert sorted(scalars("run")["value"]) == list(range(50, 60))


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        ({"class_path": "unheard.Of"}, "unheard is not allowed: add --allow unheard to trust its code"),
        ({"class_path": "agent.OffloadingAgent"}, "agent.OffloadingAgent is nothing that a setting takes"),
        ({"class_path": "agent.StepDecay", "init_args": {"every": 0}}, "every must be a whole number, 1 or more"),
        ({"class_path": "hooked.Total", "init_args": {"size": 0}}, "size"),
    ],
)
def test_what_is_no_callback_is_one_line(callback, message, capsys):
    with pytest.raises(SystemExit):
        run(*quick("run", callbacks=[callback]))
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith("error: ")
    assert message in said[-1]
    assert not Path("run").exists()


def test_a_schedule_by_a_function_on_the_command_line(without_plots):
    run(
        *("--frames", 25, "--output", "run", "--callbacks+=agent.LearningRateSchedule"),
        "--callbacks.factor=hooked.factor",
    )
    rates = [float(row["learning_rate"]) for row in rows("run")]
    assert rates == pytest.approx([0.005 / (1 + frame // 10 * 10) for frame in range(25)])


def scalars(folder):
    """The scalars that TensorBoard's own loader reads in a folder, {tag: {step: value}}."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}, purge_orphaned_data=False)
    events.Reload()
    found = {}
    for tag in events.Tags()["scalars"]:
        found[tag] = {event.step: event.value for event in events.Scalars(tag)}
        assert len(found[tag]) == len(events.Scalars(tag))  # no step twice
    return found


@pytest.mark.parametrize("replicas", [None, 3])
def test_the_event_file_holds_the_table_to_the_last_digit_that_it_stores(replicas, monkeypatch, without_plots):
    tensorboard = {"class_path": "agent.TensorBoard", "init_args": {"histograms": 80}}
    arguments = quick("run", callbacks=[CALLBACKS[0], tensorboard], frames=260, replicas=replicas)
    monkeypatch.setenv("TRIP", "error")
    with pytest.raises(ValueError, match="the user's own"):
        run(*arguments)
    assert max(scalars("run")["value"]) == 129  # beyond the checkpoint
    monkeypatch.delenv("TRIP")
    run("--resume", "run")
    with Path("run", "metrics.csv").open() as file:
        table = list(csv.DictReader(file))
    found = scalars("run")
    assert set(found) == {name for name in table[0] if name != "frame" and any(row[name] for row in table)}
    for name, steps in found.items():
        single = {int(row["frame"]): float(np.float32(row[name])) for row in table if row[name]}
        assert steps == single, name


def test_weights_and_settings_are_shown(without_plots):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    run("--frames", 120, "--output", "run", "--callbacks+=agent.TensorBoard", "--callbacks.histograms=60")
    events = EventAccumulator("run", size_guidance={"histograms": 0})
    events.Reload()
    weights = checkpoint.read("run/checkpoint.pt")["agent"]["learner"]["network"]
    assert set(events.Tags()["histograms"]) == {f"weights/{name}" for name in weights}
    for name, weight in weights.items():
        first, last = events.Histograms(f"weights/{name}")
        assert (first.step, last.step) == (59, 119)
        assert last.histogram_value.num == weight.numel()
        assert last.histogram_value.max == float(weight.max())
    (text,) = events.Tensors("settings/text_summary")
    assert b"agent.training_interval: 10" in make_ndarray(text.tensor_proto)[0]
    assert any(tag.startswith("_hparams_") for tag in events.summary_metadata)


def test_without_tensorboard_the_extra_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(SystemExit):
        run("--frames", 20, "--output", "run", "--tensorboard")
    assert capsys.readouterr().err == "error: TensorBoard is not installed: pip install 'mec-offloading[track]'\n"
    assert not Path("run").exists()


@pytest.mark.parametrize("widgets", [None, object], ids=["without widgets", "with widgets"])
def test_a_bar_in_a_notebook(widgets, monkeypatch, recwarn):
    import tqdm.notebook

    monkeypatch.setitem(sys.modules, "ipykernel.zmqshell", object())  # as in a notebook
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=object))
    monkeypatch.setattr(tqdm.notebook, "IProgress", widgets)
    for name in ("tqdm.auto", "tqdm.autonotebook"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    made = runpy.run_path(str(ROOT / "mec_offloading" / "commands" / "common" / "progress.py"))["tqdm"]
    assert issubclass(made, tqdm.notebook.tqdm) == (widgets is not None)
    assert not recwarn
