"""Recorded gains of every kind: what is taken, and with which words the rest is refused.

The table of docs/data.md is made of the same cases: ``python tests/env/processes/test_recording.py`` prints it.
"""

import builtins
import copy
import os
import re
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest

from env import (
    AgeMEC,
    EnvironmentWarning,
    InputError,
    LyapunovMEC,
    MultiServerMEC,
    MultiTaskMEC,
    PartialMEC,
    RecordedArrivals,
    RecordedTaskSizes,
    RecordedTrace,
    WirelessPoweredMEC,
)

ROOT = Path(__file__).resolve().parents[3]
POWER = np.random.default_rng(0).uniform(1e-7, 1e-5, (60, 3))
LINKS = np.random.default_rng(1).uniform(1e-13, 1e-10, (60, 3, 2))
PHASES = np.exp(2j * np.pi * np.random.default_rng(2).random((60, 3)))


def mat(name, **variables):
    from scipy.io import savemat

    savemat(name, variables)


def mat73(name, **variables):
    """As ``save -v7.3`` of MATLAB: axes in reverse order, complex numbers as pairs, a block before the file."""
    import h5py

    with h5py.File(name, "w", userblock_size=512) as file:
        for variable, array in variables.items():
            array = np.asarray(array)
            if array.dtype.kind == "c":
                pairs = np.empty(array.shape, dtype=[("real", "f8"), ("imag", "f8")])
                pairs["real"], pairs["imag"] = array.real, array.imag
                array = pairs
            file.create_dataset(variable, data=array.T).attrs["MATLAB_class"] = np.bytes_("double")
        cells = file.create_group("#refs#")
        cells["a"] = np.zeros(3)
    with open(name, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")


def h5(name, **variables):
    import h5py

    with h5py.File(name, "w") as file:
        for variable, array in variables.items():
            file[variable.replace("__", "/")] = array


def npz(name, **variables):
    with open(name, "wb") as file:
        np.savez(file, **variables)


def npy(name, array):
    with open(name, "wb") as file:
        np.save(file, array)


def text(name, lines):
    Path(name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def table(gains, delimiter=","):
    return [delimiter.join(repr(float(gain)) for gain in row) for row in gains]


def numbered(lines, names):
    return [f"{name},{line}" for name, line in zip(names, lines, strict=True)]


def frame(gains):
    import pandas

    return pandas.DataFrame(gains, columns=[f"user {user}" for user in range(gains.shape[1])])


def cut(name):
    mat(name, input_h=POWER)
    Path(name).write_bytes(Path(name).read_bytes()[:200])


DAYS = [f"2026-01-01 00:{minute:02}" for minute in range(60)]
DECIBEL = 10 * np.log10(POWER)
CSV = table(POWER)
COMPLEX_CSV = [
    ",".join(f"{value.real!r}{value.imag:+}i" for value in row.tolist()) for row in np.sqrt(POWER) * PHASES
]


# What is tried, who makes it, the settings, and the gains that it stands for; None where it is refused.
TRIED = [
    ("`gains.mat`, MATLAB before v7.3", lambda: mat("gains.mat", input_h=POWER), "gains.mat", {}, POWER),
    ("`gains.mat`, MATLAB v7.3", lambda: mat73("gains.mat", input_h=POWER), "gains.mat", {}, POWER),
    ("`GAINS.MAT`, an ending in capitals", lambda: mat("GAINS.MAT", input_h=POWER), "GAINS.MAT", {}, POWER),
    ("`gains.npz`", lambda: npz("gains.npz", input_h=POWER), "gains.npz", {}, POWER),
    ("`gains.npy`", lambda: np.save("gains.npy", POWER), "gains.npy", {}, POWER),
    ("`gains.h5`, a variable in a group",
     lambda: h5("gains.h5", run__h=POWER), "gains.h5", {"variable": "run/h"}, POWER),
    ("`gains.csv`, numbers alone", lambda: text("gains.csv", CSV), "gains.csv", {}, POWER),
    ("`gains.csv` with a header", lambda: text("gains.csv", ["a,b,c", *CSV]), "gains.csv", {}, POWER),
    ("`gains.csv` as pandas writes it, with header and index",
     lambda: frame(POWER).to_csv("gains.csv"), "gains.csv",
     {}, POWER),
    ("`gains.csv`, its lines counted, no header",
     lambda: text("gains.csv", numbered(CSV, range(1, 61))), "gains.csv",
     {}, POWER),
    ("`gains.csv` with dates",
     lambda: text("gains.csv", ["when,a,b,c", *numbered(CSV, DAYS)]), "gains.csv", {}, POWER),
    ("`gains.csv` with seconds, told so",
     lambda: text("gains.csv", ["s,a,b,c", *numbered(CSV, np.arange(60) / 10)]),
     "gains.csv", {"index_column": True}, POWER),
    ("`gains.csv`, semicolons", lambda: text("gains.csv", table(POWER, ";")), "gains.csv", {}, POWER),
    ("`gains.csv`, complex", lambda: text("gains.csv", COMPLEX_CSV), "gains.csv", {"unit": "complex"}, POWER),
    ("a NumPy array, in code", lambda: None, POWER, {}, POWER),
    ("a pandas frame, in code", lambda: None, frame, {}, POWER),
    ("a mapping of arrays, in code", lambda: None, {"h": POWER}, {"variable": "h"}, POWER),
    ("gains in dB", lambda: np.save("gains.npy", DECIBEL), "gains.npy", {"unit": "dB"}, POWER),
    ("amplitudes", lambda: np.save("gains.npy", np.sqrt(POWER)), "gains.npy", {"unit": "amplitude"}, POWER),
    ("complex coefficients, v7.3", lambda: mat73("gains.mat", h=np.sqrt(POWER) * PHASES), "gains.mat",
     {"variable": "h", "unit": "complex"}, POWER),
    ("users as rows", lambda: npz("gains.npz", input_h=POWER.T), "gains.npz", {"layout": "users"}, POWER),
    ("users as rows, not told", lambda: npz("gains.npz", input_h=POWER.T), "gains.npz", {}, POWER.T),
    ("(60, 3, 2), of two servers", lambda: mat73("gains.mat", input_h=LINKS), "gains.mat", {}, LINKS),
    ("(3, 2, 60), of two servers", lambda: npz("gains.npz", input_h=np.moveaxis(LINKS, 0, -1)), "gains.npz",
     {"layout": "users"}, LINKS),
    ("gains in dB, not told", lambda: np.save("gains.npy", DECIBEL), "gains.npy", {}, None),
    ("complex coefficients, not told", lambda: mat("gains.mat", input_h=PHASES), "gains.mat", {}, None),
    ("amplitudes with a sign",
     lambda: np.save("gains.npy", PHASES.real), "gains.npy", {"unit": "amplitude"}, None),
    ("another variable", lambda: mat("gains.mat", H=POWER, t=np.zeros((60, 1))), "gains.mat", {}, None),
    ("a variable of a table", lambda: text("gains.csv", CSV), "gains.csv", {"variable": "h"}, None),
    ("an index column that is none",
     lambda: np.save("gains.npy", POWER), "gains.npy", {"index_column": True}, None),
    ("one axis", lambda: np.save("gains.npy", POWER[0]), "gains.npy", {}, None),
    ("four axes", lambda: h5("gains.h5", input_h=np.ones((5, 4, 3, 2))), "gains.h5", {}, None),
    ("no frames", lambda: np.save("gains.npy", POWER[:0]), "gains.npy", {}, None),
    ("a link that is not there",
     lambda: np.save("gains.npy", np.where(np.eye(60, 3), 0, POWER)), "gains.npy", {}, None),
    ("a gain that is missing", lambda: text("gains.csv", [*CSV, "1e-6,nan,1e-6"]), "gains.csv", {}, None),
    ("a cell of text", lambda: text("gains.csv", [*CSV, "1e-6,n/a,1e-6"]), "gains.csv", {}, None),
    ("a decimal comma", lambda: text("gains.csv", ["1,5e-6;2e-6;3e-6"]), "gains.csv", {}, None),
    ("a line of more cells", lambda: text("gains.csv", [*CSV, "1e-6,1e-6,1e-6,1e-6"]), "gains.csv", {}, None),
    ("a header alone", lambda: text("gains.csv", ["a,b,c"]), "gains.csv", {}, None),
    ("text in UTF-16",
     lambda: Path("gains.csv").write_text("\n".join(CSV), encoding="utf-16"), "gains.csv", {}, None),
    ("cells of MATLAB",
     lambda: mat("gains.mat", input_h=np.array([[1, "a"]], dtype=object)), "gains.mat", {}, None),
    ("Python objects", lambda: npz("gains.npz", input_h=np.array([print], dtype=object)), "gains.npz", {}, None),
    ("text", lambda: npz("gains.npz", input_h=np.array([["a", "b"]])), "gains.npz", {}, None),
    ("an empty file", lambda: Path("gains.mat").write_bytes(b""), "gains.mat", {}, None),
    ("a file cut off", lambda: cut("gains.mat"), "gains.mat", {}, None),
    ("HDF5 by the name of NumPy", lambda: h5("gains.npz", input_h=POWER), "gains.npz", {}, None),
    ("NumPy by the name of HDF5", lambda: npy("gains.h5", POWER), "gains.h5", {}, None),
    ("another ending", lambda: text("gains.txt", CSV), "gains.txt", {}, None),
    ("no such file", lambda: None, "none.mat", {}, None),
    ("decisions of another shape",
     lambda: npz("gains.npz", input_h=POWER, output_mode=np.ones((60, 2))), "gains.npz",
     {}, None),
    ("rates that are no numbers",
     lambda: npz("gains.npz", input_h=POWER, output_obj=np.full(60, np.nan)), "gains.npz",
     {}, None),
    ("two servers in a world of one", lambda: npz("gains.npz", input_h=LINKS), "gains.npz", {"one": True}, None),
    ("a number", lambda: None, 3, {}, None),
]  # fmt: skip


def outcome(make, source, settings):
    """The trace or None, and what is said of it."""
    make()
    source = source(POWER) if callable(source) else source
    settings = dict(settings)
    one_server = settings.pop("one", False)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            trace = RecordedTrace(source, **settings)
            if one_server:
                WirelessPoweredMEC(channel=trace)
        except (ValueError, OSError, ImportError) as error:
            return None, f"refused: {error}"
    servers = f", {trace.num_servers} servers" if trace.num_servers > 1 else ""
    users = trace.num_users // trace.num_servers
    said = f"taken: {len(trace.gains)} frames, {users} users{servers}"
    if told:
        assert [one.category for one in told] == [EnvironmentWarning]
        said += f"; warned: {told[0].message}"
    return trace, said


def settings_text(settings):
    shown = {name: "true" if value is True else value for name, value in settings.items() if name != "one"}
    return ", ".join(f"`{name}: {value}`" for name, value in shown.items())


def line_of(case):
    what, make, source, settings, _ = case
    return f"| {what} | {settings_text(settings)} | {outcome(make, source, settings)[1]} |"


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("case", TRIED, ids=lambda case: case[0])
def test_what_is_tried_is_taken_or_refused_in_one_line(case):
    _, make, source, settings, expected = case
    trace, said = outcome(make, source, settings)
    assert "\n" not in said
    assert (trace is None) == (expected is None), said
    if trace is not None:
        np.testing.assert_allclose(trace.gains, expected.reshape(len(expected), -1), rtol=1e-12)
        assert trace.gains.dtype == np.float64
        assert not trace.gains.flags.writeable
    else:
        for word in ("Traceback", "h5py", "pickle", "loadmat", "numpy", "pandas", "unpack", "HDF reader"):
            assert word not in said


def test_the_page_holds_these_words():
    page = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    held = re.findall(r"^\| .* \|$", page, re.MULTILINE)
    for case in TRIED:
        assert line_of(case) in held


def test_the_reading_of_tables_can_be_told():
    counted = numbered(CSV, range(60))
    text("gains.csv", counted)
    assert RecordedTrace("gains.csv").num_users == 3
    with pytest.raises(InputError, match=r"gains.csv, of shape \(60, 4\), must be positive and finite, got 0.0"):
        RecordedTrace("gains.csv", index_column=False)
    text("gains.csv", ["0,1,2", *CSV])  # as pandas writes a frame without an index
    np.testing.assert_array_equal(RecordedTrace("gains.csv").gains, POWER)
    text("gains.csv", [",0,1,2", *numbered(CSV, np.arange(60) * 7)])  # a header cell without a name
    np.testing.assert_array_equal(RecordedTrace("gains.csv").gains, POWER)
    text("gains.csv", ["# measured", "", *CSV, ""])
    np.testing.assert_array_equal(RecordedTrace("gains.csv").gains, POWER)
    text("gains.csv", [f"{gain!r}" for gain in POWER[:, 0].tolist()])
    np.testing.assert_array_equal(RecordedTrace("gains.csv").gains, POWER[:, :1])
    Path("gains.csv").write_text("\ufeffa;b\n1e-6;2e-6\n", encoding="utf-8")
    np.testing.assert_array_equal(RecordedTrace("gains.csv").gains, [[1e-6, 2e-6]])
    np.savetxt("gains.csv", np.sqrt(POWER) * PHASES, delimiter=",")
    np.testing.assert_allclose(RecordedTrace("gains.csv", unit="complex").gains, POWER, rtol=1e-12)


def test_what_looks_transposed_is_told_once():
    wide = np.full((4, 9), 1e-6)
    np.save("wide.npy", wide)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        traces = [RecordedTrace("wide.npy") for _ in range(3)] + [
            WirelessPoweredMEC(channel="wide.npy").channels[0]
        ]
    assert len(told) == 1
    assert "wide.npy, of shape (4, 9), has more users than frames, 9 and 4" in str(told[0].message)
    assert "set layout to 'users'" in str(told[0].message)
    assert {trace.num_users for trace in traces} == {9}
    with pytest.warns(EnvironmentWarning, match="if its rows are frames, set layout to 'frames'"):
        RecordedTrace(wide.T, layout="users")


def test_labels_come_in_the_layout_of_the_gains():
    decisions = (np.median(POWER) < POWER).astype(float)
    mat73("gains.mat", input_h=POWER.T, output_mode=decisions.T, output_obj=np.arange(1.0, 61)[:, None])
    trace = RecordedTrace("gains.mat", layout="users")
    np.testing.assert_array_equal(trace.gains, POWER)
    np.testing.assert_array_equal(trace.decisions, decisions)
    np.testing.assert_array_equal(trace.rates, np.arange(1, 61))
    without = RecordedTrace("gains.mat", layout="users", labels=False)
    assert without.decisions is None is without.rates
    npz("bad.npz", input_h=POWER, output_obj=np.zeros(60))
    with pytest.raises(InputError, match="'output_obj' in bad.npz, of shape .* set labels to False to do without"):
        RecordedTrace("bad.npz")
    assert RecordedTrace("bad.npz", labels=False).num_users == 3


@pytest.mark.parametrize(
    ("lines", "gains"),
    [
        (["1,2,3", *CSV], POWER),  # a header that counts from 1
        (["date,1,2,3", *numbered(CSV, DAYS)], POWER),
        (["time (s),a,b,c", *numbered(CSV, np.arange(60) / 10)], POWER),
        (["time,0,1,2", *numbered(CSV, np.arange(60) / 10)], POWER),  # as pandas names an index
        (["3,1e-6,2e-6", "4,1e-6,2e-6"], [[3, 1e-6, 2e-6], [4, 1e-6, 2e-6]]),  # counts, but not from the first
        (['"1e-6","2e-6"', '"3e-6","4e-6"'], [[1e-6, 2e-6], [3e-6, 4e-6]]),
    ],
)
def test_headers_and_indices_are_told_from_gains(tmp_path, monkeypatch, lines, gains):
    monkeypatch.chdir(tmp_path)
    text("gains.csv", lines)
    np.testing.assert_array_equal(RecordedTrace("gains.csv").gains, gains)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["0;1,5e-6", "1;2,5e-6", "2;3,5e-6"], "line 2, column 2, must be a number.*decimals have a point"),
        (["1e-6,2e-6", '"3e-6","4e-6","5e-6"'], "line 2, must have 2 cells"),
    ],
)
def test_cells_that_would_be_lost_are_refused(tmp_path, monkeypatch, lines, message):
    monkeypatch.chdir(tmp_path)
    text("gains.csv", lines)
    with pytest.raises(InputError, match=message):
        RecordedTrace("gains.csv")


def test_labels_are_those_of_the_gains_group(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    h5("runs.h5", first__input_h=POWER, first__output_mode=np.ones(POWER.shape), second__input_h=POWER)
    assert RecordedTrace("runs.h5", variable="first/input_h").decisions.all()
    assert RecordedTrace("runs.h5", variable="second/input_h").decisions is None


def test_copies_share_what_is_recorded_and_go_their_own_ways():
    trace = RecordedTrace(POWER)
    worlds = [WirelessPoweredMEC(channel=trace, replicas=4), WirelessPoweredMEC(channel=POWER)]
    assert all(channel.gains is trace.gains for channel in worlds[0].channels)
    rng = np.random.default_rng(0)
    trace.reset(3, rng)
    twin = copy.deepcopy(trace)
    trace.sample_frames(7, rng)
    np.testing.assert_array_equal(twin.sample(rng), POWER[0])
    np.testing.assert_array_equal(trace.sample(rng), POWER[7])
    np.testing.assert_array_equal(worlds[1].gains, POWER[0])


@pytest.mark.parametrize(
    ("missing", "name", "library"), [("h5py", "gains.h5", "h5py"), ("scipy.io", "gains.mat", "SciPy")]
)
def test_a_missing_library_names_the_extra(monkeypatch, missing, name, library):
    (h5 if missing == "h5py" else mat)(name, input_h=POWER)
    given = builtins.__import__

    def without(module, *arguments, **more):
        if module == missing:
            raise ImportError(module)
        return given(module, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=f"reading {name}.* needs {library}: install the extra 'data'"):
        RecordedTrace(name)


def test_gains_to_several_servers_are_links_user_after_user():
    npz("links.npz", input_h=LINKS)
    world = MultiServerMEC(channel="links.npz")
    assert (world.num_users, world.num_servers) == (3, 2)
    for frame in range(3):
        np.testing.assert_array_equal(world.gains, LINKS[frame])
        world.step([0, 1, 2])
    flat = MultiServerMEC(3, 2, channel=LINKS.reshape(60, 6))
    np.testing.assert_array_equal(flat.gains, LINKS[0])
    assert PartialMEC(channel="links.npz").num_servers == 2
    assert MultiServerMEC(num_servers=2, channel=LINKS.reshape(60, 6)).num_users == 3
    assert (MultiServerMEC().num_users, MultiServerMEC().num_servers) == (10, 3)
    for users, servers, source in ((3, 3, "links.npz"), (2, None, "links.npz"), (4, 2, LINKS.reshape(60, 6))):
        with pytest.raises(InputError, match="num_users and num_servers must be those of .* links a frame, got"):
            MultiServerMEC(users, servers, channel=source)
    for kind in (WirelessPoweredMEC, LyapunovMEC, AgeMEC):
        with pytest.raises(
            InputError, match=r"gains to one server, links.npz of shape \(60, 3, 2\) holds those to 2"
        ):
            kind(channel="links.npz")


def test_arrivals_and_task_sizes_of_every_kind():
    amounts = np.random.default_rng(3).exponential(3, (60, 3))
    amounts[4] = 0
    mat73("run.mat", data_arrival=amounts, input_h=POWER * 1e-5)
    world = LyapunovMEC(channel="run.mat", arrivals="run.mat")
    queue = np.zeros(3)
    for row in range(70):
        queue = queue + amounts[row % 60]
        np.testing.assert_allclose(world.data_queue, queue, rtol=1e-12)
        np.testing.assert_array_equal(world.gains, POWER[row % 60] * 1e-5)
        world.serve(0.5 * queue, np.zeros(3))
        queue = 0.5 * queue
    np.testing.assert_array_equal(RecordedArrivals(frame(amounts.T), start=2, layout="users").rows, amounts)
    np.testing.assert_array_equal(AgeMEC(harvest=RecordedArrivals(amounts), num_users=3).harvest.rows, amounts)
    with pytest.raises(InputError, match=r"\(60, 3\), must be 0 or more and finite, got -"):
        RecordedArrivals(-amounts)
    with pytest.raises(InputError, match="start must be a row of the array, 0 to 59, got 60"):
        RecordedArrivals(amounts, start=60)
    with pytest.raises(InputError, match="num_users must be 3, as in run.mat, got 5"):
        LyapunovMEC(5, arrivals="run.mat")
    with pytest.raises(InputError, match="arrivals must be an Arrivals, got 3"):
        LyapunovMEC(5, arrivals=3)
    sizes = np.random.default_rng(3).uniform(10, 30, (60, 2, 3))
    text("sizes.csv", table(sizes.reshape(60, 6)))
    h5("sizes.h5", task_size=sizes)
    h5("turned.h5", mb=np.moveaxis(sizes, 0, -1))
    worlds = [
        MultiTaskMEC(2, 3, task_sizes=source)
        for source in (
            "sizes.csv",
            "sizes.h5",
            sizes.reshape(60, 6),
            RecordedTaskSizes("turned.h5", variable="mb", layout="users"),
        )
    ]
    for row in range(3):
        for world in worlds:
            np.testing.assert_allclose(world.sizes, sizes[row], rtol=1e-14)
            world.step(np.zeros(6))


def test_the_published_files_in_every_kind(published):
    data = published("data_6")
    gains = data["input_h"]
    stored = {name: data[name] for name in ("input_h", "output_mode", "output_obj")}
    mat73("data.mat", **stored)
    npz("data.npz", **stored)
    h5("data.hdf5", **stored)
    text("data.csv", table(gains))
    frame(gains).to_csv("frame.csv")
    for name in ("data.mat", "data.npz", "data.hdf5"):
        trace = RecordedTrace(name)
        np.testing.assert_array_equal(trace.gains, gains)
        np.testing.assert_array_equal(trace.decisions, data["output_mode"])
        np.testing.assert_array_equal(trace.rates, data["output_obj"][:, 0])
    for name in ("data.csv", "frame.csv"):
        np.testing.assert_array_equal(RecordedTrace(name).gains, gains)


def test_the_published_lydroo_run_is_replayed(published, trace_path):
    """The published script lets data arrive after a frame; here a frame begins with it: gains are a row ahead."""
    data, path = published("lydroo_result_10"), trace_path("lydroo_result_10")
    world = LyapunovMEC(channel=RecordedTrace(path, start=1), arrivals=str(path))
    assert world.recording.decisions.shape == (500, 10)
    for row in range(1, 500):
        np.testing.assert_array_equal(world.gains, data["input_h"][row])
        np.testing.assert_allclose(world.data_queue, data["data_queue"][row], rtol=1e-9, atol=2e-6 * row)
        world.serve(data["rate"][row], data["energy_consumption"][row])


SETTINGS = {
    "gains": (
        "env.WirelessPoweredMEC",
        "channel: {class_path: env.RecordedTrace, "
        "init_args: {path: PATH/db.csv, unit: dB, layout: users, start: 7}}",
        [],
    ),
    "gains, on the command line": (
        "env.WirelessPoweredMEC",
        "observation: log_gain",
        [
            "--env.channel",
            "env.RecordedTrace",
            "--env.channel.path",
            "PATH/v73.mat",
            "--env.channel.variable",
            "h",
        ],
    ),
    "gains of replicas": ("env.WirelessPoweredMEC", "channel: PATH/gains.NPY", ["--replicas", "2"]),
    "a recorded run": (
        "env.LyapunovMEC",
        "{channel: PATH/run.mat, "
        "arrivals: {class_path: env.RecordedArrivals, init_args: {path: PATH/run.mat, start: 3}}}",
        [],
    ),
    "several servers": ("env.MultiServerMEC", "channel: PATH/links.h5", []),
    "tasks": ("env.MultiTaskMEC", "{num_devices: 3, num_tasks: 2, task_sizes: PATH/sizes.csv}", []),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_recordings_through_yaml_resumed_at_any_frame(name, tmp_path):
    text("db.csv", table(DECIBEL.T))
    mat73("v73.mat", h=POWER)
    npy("gains.NPY", POWER)
    mat73("run.mat", input_h=POWER * 1e-5, data_arrival=1e6 * POWER)
    h5("links.h5", input_h=LINKS)
    text("sizes.csv", table(10 + 1e6 * LINKS.reshape(60, 6) * 1e4))
    kind, env, arguments = SETTINGS[name]
    text("config.yaml", [f"environment: {kind}", "env:", *(f"  {env}".replace("PATH", str(tmp_path)),)])

    from commands import run as run_command

    def run(*more):
        words = [word.replace("PATH", str(tmp_path)) for word in more]
        result = run_command([sys.executable, ROOT / "scripts" / "simulate.py", *words], pictures=False)
        assert result.returncode == 0, result.stderr

    run("--config", "config.yaml", *arguments, "--frames", "83", "--output", "whole")
    run("--config", "config.yaml", *arguments, "--frames", "31", "--output", "parts")
    run("--resume", "parts", "--frames", "64")
    run("--resume", "parts", "--frames", "83")
    whole, parts = timeless("whole"), timeless("parts")
    assert whole == parts
    assert len(whole) == 84


def timeless(folder):
    lines = [line.split(",") for line in (Path(folder) / "metrics.csv").read_text().splitlines()]
    seconds = lines[0].index("decide_seconds")
    return [",".join(cell for place, cell in enumerate(line) if place != seconds) for line in lines]


def test_a_refusal_in_a_run_is_one_line():
    from commands import run

    np.save("gains.npy", DECIBEL)
    command = [sys.executable, ROOT / "scripts" / "simulate.py", "--env.channel", "gains.npy"]
    result = run(command)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert "gains.npy, of shape (60, 3), must be positive and finite, got -" in line
    assert "set unit to 'dB'" in line


if __name__ == "__main__":
    lines = ["| what is tried | settings | what happens |", "| --- | --- | --- |"]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for one in TRIED:
            lines.append(line_of(one))
            for left in Path().iterdir():
                left.unlink()
    print("\n".join(lines))
