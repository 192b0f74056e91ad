import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from agent import OffloadingAgent
from agent.run import plots
from agent.run.folder import RunFolder
from agent.run.record import columns_of, data_frame
from agent.simulation import History, simulate
from env import LyapunovMEC


@pytest.fixture(scope="module")
def history():
    return History(simulate(LyapunovMEC(3), OffloadingAgent(3, 3, seed=0), 60))


def test_a_history_as_arrays_and_as_a_table(history):
    arrays = history.arrays()
    np.testing.assert_array_equal(arrays["value"], [frame.value for frame in history])
    np.testing.assert_array_equal(arrays["data_queue"], [frame.metrics["data_queue"] for frame in history])
    table = history.to_frame()
    assert (table.index.name, list(table.index)) == ("frame", list(range(60)))
    assert list(table.columns) == [name for name in arrays if name != "frame"]
    np.testing.assert_array_equal(table["loss"], arrays["loss"])
    assert History().to_frame().empty


def test_the_table_of_a_folder_is_that_of_its_run(history, tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.record(list(history[0].metrics))
    folder.create("")
    folder.append(columns_of(history))
    folder.flush()
    assert RunFolder(folder.path).to_frame().equals(history.to_frame())
    with pytest.raises(ValueError, match="each must be False for a run of one"):
        folder.to_frame(each=True)


def test_the_table_of_replicas(history, tmp_path):
    columns = {name: np.stack([column, column + 1], axis=1) for name, column in history.arrays().items()}
    columns["frame"] = np.tile(np.arange(60.0)[:, None], 2)
    table = data_frame(columns)
    assert table.index.names == ["frame", "replica"]
    np.testing.assert_array_equal(table["value"].xs(1, level="replica"), columns["value"][:, 1])
    folder = RunFolder(tmp_path / "run", replicas=2)
    folder.create("")
    folder.append(columns)
    folder.flush()
    each = RunFolder(folder.path).to_frame(each=True)
    assert each.index.equals(table.index)
    np.testing.assert_allclose(each["rate"].unstack(), folder.read_each())
    assert {"low", "high"} <= set(RunFolder(folder.path).to_frame().columns)


def test_without_pandas_the_error_names_the_extra(history, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install 'mec-offloading\[notebook\]'"):
        history.to_frame()


RATES = {"a": np.full((2, 60), 0.9)}
PLOTS = {
    "rate": lambda history, axes: plots.plot_rate(history, axes),
    "replicas": lambda history, axes: plots.plot_rate(history, axes, each=np.ones((60, 2))),
    "loss": lambda history, axes: plots.plot_loss(history, axes),
    "candidates": lambda history, axes: plots.plot_candidates(history.arrays(), axes),
    "time": lambda history, axes: plots.plot_time(history, axes),
    "seeds": lambda history, axes: plots.plot_seeds(RATES, axes),
    "points": lambda history, axes: plots.plot_points([1, 2], {"a": np.ones((2, 3))}, ("K", "rate"), axes),
    "metrics": lambda history, axes: plots.plot_metrics(history, {"energy": "Energy (J)"}, axes and [axes]),
    "panels": lambda history, axes: plots.plot_panels({"rate": RATES}, axes and [axes]),
    "boxes": lambda history, axes: plots.plot_boxes({3: {"a": np.ones(9)}}, "rate", axes and [axes]),
}


@pytest.mark.parametrize("name", PLOTS)
def test_plots_take_axes_and_return_their_figure(name, history):
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert PLOTS[name](history, right) is figure
    assert not left.has_data()
    assert right.has_data()
    alone = PLOTS[name](history, None)
    assert isinstance(alone, Figure)
    assert alone is not figure
    assert alone.axes[0].get_ylabel() == right.get_ylabel()
    assert right.get_xlabel()


def test_metrics_that_are_not_there_are_refused(history):
    with pytest.raises(ValueError, match=r"labels must name columns of the run, .* got \['speed'\]"):
        plots.plot_metrics(history, {"speed": "Speed (m/s)"})
