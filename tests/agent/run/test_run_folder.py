import json

import numpy as np
import pytest

from agent.checks import InputError
from agent.run.folder import RunFolder, locked
from agent.run.plots import plot_run, value_label
from agent.run.record import Frame, columns_of, columns_of_replicas


def frame(number, **fields):
    blank = Frame(number, 1.5 + number, None, None, 3, 1, None, 0.25, None)
    return blank._replace(**fields)


def started(path, frames=5):
    folder = RunFolder(path)
    folder.create("seed: 0\n")
    for number in range(frames):
        folder.append(columns_of([frame(number)]))
    folder.save(frames, {"weights": np.arange(3)}, {"frame": frames}, "seed: 0")
    return folder


def resume(path):
    folder = RunFolder(path)
    state = folder.read_checkpoint("seed: 0")
    folder.cut_metrics(state["frame"], state["tables"])
    return state


def lines(folder):
    return (folder.path / "metrics.csv").read_text().splitlines()


def test_columns_are_the_documented_ones(tmp_path):
    header = lines(started(tmp_path / "run"))[0]
    assert header.split(",") == [
        *("frame", "value", "optimum", "normalized_rate", "candidates", "best_candidate", "loss"),
        *("decide_seconds", "accuracy", "probe_gain", "saturated"),
    ]


def test_metrics_come_back_as_written(tmp_path):
    folder = started(tmp_path / "run", 1)
    folder.append(columns_of([frame(1, optimum=1 / 3, loss=0.1, accuracy=0.9)]))
    folder.flush()
    metrics = folder.read_metrics()
    np.testing.assert_array_equal(metrics["optimum"], [np.nan, 1 / 3])
    np.testing.assert_array_equal(metrics["value"], [1.5, 2.5])
    assert lines(folder)[1] == "0,1.5,,,3,1,,0.25,,,"


def test_resume_cuts_the_metrics_back_to_the_checkpoint(tmp_path):
    folder = started(tmp_path / "run", 5)
    before = lines(folder)
    folder.append(columns_of([frame(5)]))
    folder.append(columns_of([frame(6)]))
    folder.flush()
    with (folder.path / "metrics.csv").open("a") as file:
        file.write("7,8.5,")  # torn by the kill
    state = resume(folder.path)
    assert state["frame"] == 5
    np.testing.assert_array_equal(np.asarray(state["agent"]["weights"]), [0, 1, 2])
    assert lines(folder) == before


def test_a_run_without_a_checkpoint_starts_over(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create("seed: 0\n")
    folder.append(columns_of([frame(0)]))
    folder.flush()
    assert folder.read_checkpoint("seed: 0") is None
    folder.cut_metrics(0)
    assert len(lines(folder)) == 1


def test_a_foreign_folder_is_left_alone(tmp_path):
    started(tmp_path / "run")
    before = sorted(path.read_bytes() for path in (tmp_path / "run").iterdir())
    with pytest.raises(ValueError, match="output must be a new or empty folder, .*run belongs to another run"):
        RunFolder(tmp_path / "run").create("seed: 1\n")
    assert sorted(path.read_bytes() for path in (tmp_path / "run").iterdir()) == before
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="output must be a new or empty folder"):
        RunFolder(tmp_path / "file").create("")
    with pytest.raises(ValueError, match="resume must be the folder of a run"):
        RunFolder(tmp_path / "none").read_config()


def other_configuration(folder):
    folder.save(5, {}, {}, "seed: 1")


def damage_checkpoint(folder):
    path = folder.path / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:-50])


def damage_metrics(folder):
    (folder.path / "metrics.csv").write_text("\n".join(lines(folder)[:3]) + "\n")


def swap_rows(folder):
    header, first, second, *others = lines(folder)
    (folder.path / "metrics.csv").write_text("\n".join([header, second, first, *others]) + "\n")


def forget_environment(folder):
    folder.save(5, {}, None, "seed: 0")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (other_configuration, "is the checkpoint of another configuration"),
        (damage_checkpoint, "is damaged: its SHA-256 is missing"),
        (swap_rows, "must hold the 5 rows that the run wrote, some were changed since"),
        (damage_metrics, "must hold the 5 frames of the checkpoint, it was cut short"),
        (forget_environment, "holds no environment"),
    ],
)
def test_a_damaged_run_is_refused_and_left_alone(tmp_path, damage, message):
    folder = started(tmp_path / "run")
    damage(folder)
    before = lines(folder)
    with pytest.raises(ValueError, match=message):
        resume(folder.path)
    assert lines(folder) == before


def test_a_run_that_went_on_knows_its_rows(tmp_path):
    folder = started(tmp_path / "run", 3)
    again = RunFolder(folder.path)
    again.cut_metrics(3, again.read_checkpoint("seed: 0")["tables"])
    again.append(columns_of([frame(3)]))
    again.save(4, {"weights": np.arange(3)}, {"frame": 4}, "seed: 0")
    assert resume(folder.path)["frame"] == 4


def test_any_flipped_bit_of_a_checkpoint_is_found(tmp_path):
    path = started(tmp_path / "run").path / "checkpoint.pt"
    written = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in [0, len(written) - 1, len(written) - 70, *rng.integers(len(written), size=100).tolist()]:
        flipped = bytearray(written)
        flipped[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        with pytest.raises(ValueError, match=r"checkpoint\.pt is (damaged|not a readable checkpoint)"):
            RunFolder(path.parent).read_checkpoint("seed: 0")
    path.write_bytes(written)
    assert RunFolder(path.parent).read_checkpoint("seed: 0")["frame"] == 5


def test_a_folder_that_was_being_made_is_used_and_a_locked_one_refused(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create("seed: 0\n")
    (folder.path / "config.yaml").rename(folder.path / "config.yaml.part")
    RunFolder(folder.path).create("seed: 0\n")
    assert RunFolder(folder.path).read_config() == "seed: 0\n"
    message = "resume must be a folder that no other process writes to, a run in"
    with locked(folder.path, "output"), pytest.raises(ValueError, match=message):
        locked(folder.path, "resume").__enter__()
    with locked(folder.path, "resume"):
        pass


def test_a_summary_is_json_whatever_the_figures(tmp_path):
    folder = RunFolder(tmp_path / "run", replicas=2)
    folder.create("seed: 0\n")
    folder.append(columns_of_replicas([frame(0, value=np.array([-np.inf, 1.0]))], 2, False))
    folder.flush()

    def refuse(constant):
        raise AssertionError(constant)

    folder.write_summary(seed=0)
    text = (folder.path / "summary.json").read_text()
    assert json.loads(text, parse_constant=refuse)["rate_of_each"] == [None, 1.0]


def test_summary_is_over_the_last_fifth(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create("seed: 0\n")
    for number in range(10):
        folder.append(columns_of([frame(number, normalized_rate=number / 10)]))
    folder.flush()
    figures = {"labels": "all good", "frames": 99, "seed": 4}
    summary = folder.write_summary(figures, seed=3, num_users=2, frames_per_second=3.0)
    assert (summary["labels"], summary["seed"]) == ("all good", 3)  # the run's own come first
    assert json.loads((folder.path / "summary.json").read_text()) == summary
    assert summary["normalized_rate"] == pytest.approx(0.85)
    assert (summary["frames"], summary["seed"], summary["num_users"]) == (10, 3, 2)
    assert (summary["frames_per_second"], summary["decisions_per_second"]) == (3, pytest.approx(4))
    assert (summary["averaged_frames"], summary["infeasible_frames"]) == ("8 to 9", 0)
    assert summary["loss"] is None


def test_frames_without_a_feasible_decision_are_counted(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create("seed: 0\n")
    for number in range(10):
        found = {"value": -np.inf, "normalized_rate": 0.0} if number == 9 else {"normalized_rate": 1.0}
        folder.append(columns_of([frame(number, **found)]))
    folder.flush()
    summary = folder.write_summary()
    assert (summary["infeasible_frames"], summary["value"], summary["normalized_rate"]) == (1, 9.5, 0.5)
    assert plot_run(folder.read_metrics(), folder.path, title="A world")


def test_the_label_of_values_is_the_worlds():
    assert value_label({}, normalized=False) == "Value of the decision"
    labels = {"value": "Mean age\n(frames)"}
    assert value_label(labels, normalized=False) == "Mean age\n(frames)"
    assert value_label({"value": "Age (s)"}, normalized=True) == "Normalized age (the best decision: 1)"
    long = value_label({"value": "Benefit over local computing"}, normalized=True)
    assert long == "Normalized benefit over local computing (the best\ndecision: 1)"


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("count", [1, 120])
def test_plots_take_every_kind_of_run(tmp_path, known, count):
    folder = RunFolder(tmp_path / "run")
    folder.create("")
    for number in range(count):
        more = {"normalized_rate": 0.9, "loss": 0.3, "accuracy": 0.8} if known and number % 10 == 0 else {}
        folder.append(columns_of([frame(number, **more)]))
    folder.flush()
    paths = plot_run(folder.read_metrics(), folder.path)
    assert [path.name for path in paths] == ["rate.png", "loss.png", "candidates.png", "time.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


def test_metrics_of_the_environment_follow_the_fixed_columns(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.record(["queue", "energy"])
    folder.create("seed: 0\n")
    for number in range(10):
        folder.append(columns_of([frame(number, metrics={"queue": float(number), "energy": 0.5})]))
    folder.flush()
    assert lines(folder)[0].endswith(",decide_seconds,accuracy,probe_gain,saturated,queue,energy")
    assert lines(folder)[3] == "2,3.5,,,3,1,,0.25,,,,2.0,0.5"
    assert folder.write_summary()["queue"] == 8.5  # the mean over the last two frames
    plots = plot_run(folder.read_metrics(), folder.path, labels={"queue": "Queue (bit)"}, limits={"queue": 3.0})
    assert plots[-1].name == "metrics.png"
    assert plots[-1].read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match=r"metrics.csv must have the columns .*saturated, got .*energy"):
        RunFolder(folder.path).cut_metrics(3)


@pytest.mark.parametrize("name", ["value", "seed"])
def test_metrics_must_not_take_a_columns_name(tmp_path, name):
    with pytest.raises(ValueError, match=f"must not name columns that there are already, got {name}"):
        RunFolder(tmp_path).record(["queue", name])


def test_a_table_of_version_0_1_is_read_on_though_its_last_row_was_cut_short(tmp_path):
    folder = started(tmp_path / "run", 3)
    old = [",".join(line.split(",")[:9]) for line in lines(folder)]
    (folder.path / "metrics.csv").write_text("\n".join([*old[:3], old[3][:5]]), encoding="utf-8")
    RunFolder(folder.path).cut_metrics(2)
    assert lines(folder)[0].endswith(",accuracy,probe_gain,saturated")
    assert lines(folder)[1:] == ["0,1.5,,,3,1,,0.25,,,", "1,2.5,,,3,1,,0.25,,,"]


def test_a_row_of_every_third_frame_and_totals_of_all(tmp_path):
    folder = RunFolder(tmp_path / "run", every=3)
    folder.create("seed: 0\n")
    told = [len(folder.append(columns_of([frame(number)]))["frame"]) for number in range(6)]
    folder.append(columns_of([frame(6, value=-np.inf), frame(7)]))
    assert told == [0, 0, 1, 0, 0, 1]
    folder.save(8, {}, {}, "seed: 0")
    again = RunFolder(folder.path, every=3)
    state = again.read_checkpoint("seed: 0")
    again.totals |= state["totals"]
    again.append(columns_of([frame(8)]))
    again.flush()
    again.cut_metrics(8, state["tables"])
    np.testing.assert_array_equal(again.read_metrics()["frame"], [2, 5])
    again.append(columns_of([frame(number) for number in range(8, 12)]))
    again.flush()
    np.testing.assert_array_equal(again.read_metrics()["frame"], [2, 5, 8, 11])
    summary = again.write_summary(frames=12)
    assert summary["averaged_frames"] == "11 to 11"
    assert (summary["frames"], summary["infeasible_frames"]) == (12, 1)
    assert summary["decisions_per_second"] == pytest.approx(12 / (13 * 0.25))  # frame 8 was done twice
    plot_run(again.read_metrics(), folder.path)


def test_a_long_table_is_read_in_parts_as_it_was_written(tmp_path, monkeypatch):
    folder = started(tmp_path / "run", 40)
    folder.append(columns_of([frame(40, value=-np.inf, optimum=1 / 3, loss=1e-300)]))
    folder.flush()
    whole = folder.read_metrics()
    monkeypatch.setattr("agent.run.folder._CHUNK", 100)
    for name, column in folder.read_metrics().items():
        np.testing.assert_array_equal(column, whole[name])
    assert whole["value"][-1] == -np.inf
    assert whole["optimum"][-1] == 1 / 3
    with (folder.path / "metrics.csv").open("a") as file:
        file.write("41,word\n")
    with pytest.raises(InputError, match="metrics.csv must be a table of numbers in 11 columns"):
        folder.read_metrics()


@pytest.mark.parametrize("change", ["changed", "swapped", "doubled", "removed"])
def test_any_other_row_is_noticed(tmp_path, change):
    folder = started(tmp_path / "run", 6)
    header, *written = (folder.path / "metrics.csv").read_text().splitlines(keepends=True)
    rng = np.random.default_rng(0)
    for _ in range(10):
        rows, one = list(written), int(rng.integers(5))
        if change == "changed":
            place = int(rng.integers(len(rows[one]) - 1))
            rows[one] = rows[one][:place] + "7" * (rows[one][place] != "7") + rows[one][place + 1 :]
        elif change == "swapped":
            rows[one], rows[one + 1] = rows[one + 1], rows[one]
        elif change == "doubled":
            rows.insert(one, rows[one])
        else:
            del rows[one]
        (folder.path / "metrics.csv").write_text(header + "".join(rows))
        with pytest.raises(InputError, match="metrics.csv must"):
            resume(folder.path)


def test_each_of_a_hundred_flipped_bits_is_found(tmp_path):
    folder = started(tmp_path / "run")
    path = folder.path / "checkpoint.pt"
    written = path.read_bytes()
    rng = np.random.default_rng(0)
    for bit in rng.choice(8 * len(written), 100, replace=False):
        flipped = bytearray(written)
        flipped[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(flipped)
        with pytest.raises(InputError, match="checkpoint.pt"):
            folder.read_checkpoint("seed: 0")
