"""Whatever is passed to worlds and processes: right, or one InputError that names it; nothing from deep inside."""

import inspect
from contextlib import suppress

import bad_values
import numpy as np
import pytest

import env
from env import baselines
from env.age import baselines as of_age
from env.compat import MUMT, Algo1_NUM, bisection

BAD = bad_values.BAD | {
    "three dimensions": np.ones((2, 3, 4)),
    "dates": np.array(["2020-01-01"], dtype="M8[D]"),
    "too many": [1.0] * 77,
}
WORLDS = {
    "WirelessPoweredMEC": 3,
    "LyapunovMEC": 3,
    "AgeMEC": 3,
    "MultiServerMEC": 3,
    "PartialMEC": 3,
    "MultiTaskMEC": 2,
    "MyopicMEC": 3,
}
PROCESSES = [
    "Cells",
    "ConstantArrivals",
    "ExponentialArrivals",
    "GaussMarkov",
    "GaussMarkovMobility",
    "InF",
    "InH",
    "PathLoss",
    "RMa",
    "RandomPresence",
    "RandomWaypoint",
    "Rayleigh",
    "Rician",
    "UMa",
    "UMi",
    "UniformTaskSizes",
]
RNG = np.random.default_rng(0)
REQUIRED = {"Cells": {"num_servers": 2}}


def refused_or_right(call):
    """The one error, or none at all: pytest makes errors of warnings."""
    with suppress(env.InputError, FileNotFoundError):
        call()


def settings_of(kind):
    return [name for name, each in inspect.signature(kind).parameters.items() if each.kind != each.VAR_KEYWORD]


@pytest.mark.parametrize("kind", [*WORLDS, *PROCESSES])
@pytest.mark.filterwarnings("ignore::env.EnvironmentWarning")
def test_constructors(kind):
    made, needed = getattr(env, kind), REQUIRED.get(kind, {})
    for name in settings_of(made):
        for value in BAD.values():
            refused_or_right(lambda made=made, name=name, value=value: made(**{**needed, name: value}))


@pytest.mark.parametrize("kind", WORLDS)
@pytest.mark.parametrize("method", ["evaluate", "step", "allocate", "optimum", "load_state_dict", "reset"])
def test_methods(kind, method):
    world = getattr(env, kind)(WORLDS[kind])
    if not hasattr(world, method):
        pytest.skip(f"{kind} has no {method}")
    call = getattr(world, method)
    fitting = {
        "gains": np.full(3, 1e-6),
        "decisions": np.zeros(3),
        "data_queue": np.ones(3),
        "energy_queue": np.ones(3),
    }
    needed = {
        name: fitting[name]
        for name, each in inspect.signature(call).parameters.items()
        if each.default is each.empty and name in fitting
    }
    before = world.observe()
    for name in inspect.signature(call).parameters:
        for value in BAD.values():
            refused_or_right(lambda name=name, value=value: call(**{**needed, name: value}))
    if method in ("step", "load_state_dict"):
        np.testing.assert_array_equal(world.observe(), before)


@pytest.mark.parametrize("value", BAD.values(), ids=BAD)
def test_baselines(value):
    for name in "all_local", "all_offload", "exhaustive", "greedy", "linear_relaxation", "random", "recorded":
        with pytest.raises(env.InputError, match="environment must be a world with"):
            getattr(baselines, name)(value, RNG)
    for name in "best_channel", "max_weight", "oldest_first", "one_by_one", "round_robin":
        with pytest.raises(env.InputError, match="environment must be a world with"):
            getattr(of_age, name)(value, RNG)
    for method in baselines.random, baselines.coordinate_descent, baselines.best_of_random:
        with pytest.raises(env.InputError, match="rng must be"):
            method(env.WirelessPoweredMEC(3), value)


@pytest.mark.parametrize("value", BAD.values(), ids=BAD)
def test_what_stands_for_a_step(value):
    queued, tasks, served = env.LyapunovMEC(3), env.MultiTaskMEC(1, 3), env.MultiServerMEC(3)
    frame = np.full((3, 3), 1e-9), np.full(3, 1e6), np.full(3, 1e9)
    for call in (
        lambda: queued.serve(value, np.ones(3)),
        lambda: queued.serve(np.ones(3), value),
        lambda: tasks.cost_of(value, np.ones((1, 3))),
        lambda: tasks.cost_of(np.ones((1, 3)), value),
        lambda: served.set_frame(*frame, [[1], [1, 0]]),
        lambda: served.set_frame(*frame, np.ones((2, 3))),
    ):
        with pytest.raises(env.InputError):
            call()
    assert queued.frame == 0


@pytest.mark.parametrize("value", [1e-320, 1e-61, 1e61, 1e308])
def test_constants_have_a_range(value):
    """So that their products are finite."""
    for call in (
        lambda: env.AgeMEC(3, frame_length=value),
        lambda: env.WirelessPoweredMEC(3, bandwidth=value),
        lambda: env.MultiServerMEC(3, transmit_power=value),
        lambda: env.MultiTaskMEC(local_delay=value),
    ):
        with pytest.raises(env.InputError, match=r"must be from 1e-60 to 1e\+60, got"):
            call()


@pytest.mark.parametrize("kind", ["WirelessPoweredMEC", "LyapunovMEC", "MultiServerMEC"])
def test_decisions_that_are_none(kind):
    world = getattr(env, kind)(3)
    for wrong in ([[0, 1, 7]], [[0, 1, 0.5]], [[0, 1, -1]], [[0, 1]], [[0, 1, 0, 1]], [[0, 1, np.inf]]):
        with pytest.raises(env.InputError, match="decision"):
            world.evaluate(wrong)


def test_published_functions():
    gains = [1e-6] * 3
    for value in BAD.values():
        refused_or_right(lambda value=value: bisection(value, [0, 1, 0]))
        refused_or_right(lambda value=value: bisection(gains, value))
        refused_or_right(lambda value=value: bisection(gains, [0, 1, 0], value))
        refused_or_right(lambda value=value: MUMT(2, 2).compute_Q(value, [0] * 4))
        refused_or_right(lambda value=value: MUMT(2, 2).compute_Q([1] * 4, value))
        for name in "mode", "h", "w", "Q", "Y", "V":
            given = {"mode": [0, 1, 1], "h": [1, 1, 1], "w": [], "Q": [1, 1, 1], "Y": [1, 1, 1], name: value}
            refused_or_right(lambda given=given: Algo1_NUM(**given))


@pytest.mark.parametrize(
    ("kind", "name", "other"),
    [
        ("WirelessPoweredMEC", "noise_power", 1e-9),
        ("WirelessPoweredMEC", "bandwidth", 1e6),
        ("WirelessPoweredMEC", "cpu_frequency", 1e8),
        ("LyapunovMEC", "weights", [1, 2, 3]),
        ("LyapunovMEC", "noise_density", 1e-19),
        ("AgeMEC", "packet_bits", 100),
        ("MultiServerMEC", "server_frequency", 1e9),
        ("MultiTaskMEC", "local_delay", 1e-7),
    ],
)
def test_a_state_of_another_world_is_refused(kind, name, other):
    """The error names the constant, and nothing of the state is taken over."""
    settings = {} if kind == "MultiTaskMEC" else {"num_users": 3}
    world, another = getattr(env, kind)(**settings), getattr(env, kind)(**settings, **{name: other}, seed=1)
    for _ in range(3):
        another.step(np.zeros(another.num_users, dtype=np.int64))
    before = world.observe()
    with pytest.raises(env.InputError, match=name):
        world.load_state_dict(another.state_dict())
    assert world.frame == 0
    np.testing.assert_array_equal(world.observe(), before)
    world.load_state_dict(getattr(env, kind)(**settings, seed=1).state_dict())


@pytest.mark.parametrize("kind", WORLDS)
def test_a_state_that_is_not_whole_leaves_the_world_as_it_was(kind):
    world, ahead = getattr(env, kind)(WORLDS[kind]), getattr(env, kind)(WORLDS[kind])
    for _ in range(3):
        ahead.step(np.zeros(ahead.num_users, dtype=np.int64))
    state, before = ahead.state_dict(), world.observe()
    if type(world).load_state_dict is env.Environment.load_state_dict:
        pytest.skip("any part of its state is one")
    del (state["world"] if kind == "MyopicMEC" else state)["frame"]
    with pytest.raises(env.InputError, match="state"):
        world.load_state_dict(state)
    assert world.frame == 0
    np.testing.assert_array_equal(world.observe(), before)


@pytest.mark.parametrize("kind", WORLDS)
def test_arrays_of_a_world_are_read_only(kind):
    """What was folded from them cannot come to differ."""
    world = getattr(env, kind)(WORLDS[kind])
    for name in "weights", "gains", "sizes", "data_queue", "energy_queue", "bandwidth", "transmit_power", "age":
        array = getattr(world, name, None)
        if isinstance(array, np.ndarray) and array.ndim:
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 5
