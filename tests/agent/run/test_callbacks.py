"""Hooks in a simulation that is written as a loop: callbacks, schedules, early stopping."""

import math

import numpy as np
import pytest

from agent import (
    Callback,
    CosineDecay,
    EarlyStopping,
    InputError,
    LearningRateSchedule,
    OffloadingAgent,
    StepDecay,
)
from agent.run.replicas import Group, advance, in_step
from agent.simulation import simulate
from env import WirelessPoweredMEC


class Noting(Callback):
    """Notes what is called."""

    def __init__(self, log, name="", fail_in=None):
        self.log, self.name, self.fail_in = log, name, fail_in

    def on_start(self, run):
        self.log.append(f"start{self.name} {run.done} of {run.frames}")

    def on_frame(self, run, frame):
        self.log.append(f"frame{self.name} {frame.frame}")
        if frame.frame == self.fail_in:
            raise OSError("the user's own")

    def on_learn(self, run, frame):
        self.log.append(f"learn{self.name} {frame.frame} {frame.loss == run.agent.loss}")

    def on_rows(self, run, rows):
        self.log.append(f"rows{self.name} {rows['frame'].tolist()}")

    def on_end(self, run):
        self.log.append(f"end{self.name} {run.done} {run.stopped}")


def parts(**settings):
    return WirelessPoweredMEC(num_users=4, seed=0), OffloadingAgent(4, seed=0, **settings)


def test_the_order_of_a_run():
    log = []
    world, agent = parts(training_interval=2)
    history = list(simulate(world, agent, 3, first_frame=5, callbacks=[Noting(log)]))
    assert log == [
        *("start 5 of 8", "frame 5", "frame 6", "learn 6 True", "frame 7", "rows [5.0, 6.0, 7.0]", "end 8 None"),
    ]
    world, agent = parts(training_interval=2)
    without = list(simulate(world, agent, 3, first_frame=5))
    assert [frame._replace(decide_seconds=0) for frame in history] == [
        frame._replace(decide_seconds=0) for frame in without
    ]


def test_on_end_is_called_of_all_that_started_whatever_happens():
    log = []
    with pytest.raises(OSError, match="the user's own") as caught:
        list(simulate(*parts(), 5, callbacks=[Noting(log, "A"), Noting(log, "B", fail_in=1)]))
    assert caught.traceback[-1].name == "on_frame"
    assert log[-4:] == ["rowsA [0.0]", "rowsB [0.0]", "endB 2 None", "endA 2 None"]
    log.clear()
    frames = simulate(*parts(), 5, callbacks=[Noting(log)])
    next(frames)
    frames.close()
    assert log[-2:] == ["rows [0.0]", "end 1 None"]


def test_own_metrics_are_in_the_frames():
    class Regret(Callback):
        metrics = ("regret", "rare")

        def on_frame(self, run, frame):
            more = {"rare": 1.0} if frame.frame == 2 else {}
            return {"regret": frame.optimum - frame.value, **more}

    history = list(simulate(*parts(), 3, callbacks=[Regret()]))
    assert [frame.metrics["regret"] for frame in history] == [frame.optimum - frame.value for frame in history]
    assert [frame.metrics["rare"] for frame in history] == [None, None, 1.0]


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ({"b": 1.0}, r"on_frame of Own must return figures that its metrics name, \['a'\], got b"),
        (1.0, "on_frame of Own must return None or a mapping of figures, got 1.0"),
    ],
)
def test_figures_that_are_not_named_are_refused(returned, message):
    class Own(Callback):
        metrics = ("a",)

        def on_frame(self, run, frame):
            return returned

    with pytest.raises(InputError, match=message):
        list(simulate(*parts(), 1, callbacks=[Own()]))
    with pytest.raises(InputError, match="metrics of different names, got a twice"):
        simulate(*parts(), 1, callbacks=[Own(), Own()])
    with pytest.raises(InputError, match="callbacks must inherit agent.Callback, got 3"):
        simulate(*parts(), 1, callbacks=[3])


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (StepDecay(4, 0.5), lambda frame: 0.5 ** (frame // 4)),
        (CosineDecay(8, 0.1), lambda frame: 0.1 + 0.9 * (1 + math.cos(math.pi * min(frame / 8, 1))) / 2),
        (LearningRateSchedule(lambda frame: 1 / (1 + frame)), lambda frame: 1 / (1 + frame)),
    ],
    ids=["step", "cosine", "function"],
)
@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_schedules_set_the_rate_of_the_next_learning_step(schedule, expected, backend):
    world, agent = parts(training_interval=2, learning_rate=0.02, backend=backend)
    rates = [frame.metrics["learning_rate"] for frame in simulate(world, agent, 12, callbacks=[schedule])]
    assert rates == pytest.approx([0.02 * expected(frame - frame % 2) for frame in range(12)])
    assert agent.learning_rate == pytest.approx(0.02 * expected(12))
    world, other = parts(training_interval=2, learning_rate=0.02, backend=backend)
    for frame in range(12):  # the same by hand
        if frame % 2 == 0:
            other.learning_rate = 0.02 * expected(frame)
        decision, _ = other.decide(world.observe(), world.evaluate)
        world.step(decision)
    np.testing.assert_array_equal(agent.relax(world.observe()), other.relax(world.observe()))


def test_a_schedule_out_of_range_is_refused():
    for make, message in [
        (lambda: StepDecay(0), "every must be a whole number, 1 or more, got 0"),
        (lambda: StepDecay(5, 0.0), "factor must be positive and finite, got 0.0"),
        (lambda: CosineDecay(5, 0.0), "least must be above 0 and at most 1, got 0.0"),
        (lambda: EarlyStopping(patience=0), "patience must be a whole number, 1 or more, got 0"),
        (lambda: EarlyStopping(least=-1.0), "least must be finite and 0 or more, got -1.0"),
    ]:
        with pytest.raises(InputError, match=message):
            make()
    with pytest.raises(InputError, match="learning_rate must be positive"):
        list(simulate(*parts(), 3, callbacks=[LearningRateSchedule(lambda frame: -1.0)]))


class Given:
    """A world of one user whose decisions are worth what a list says, and an agent for it."""

    num_users = 1

    def __init__(self, values, optima=None):
        self.values, self.optima, self.frame = values, optima, 0

    def reset(self, seed=None):
        self.frame = 0

    def observe(self):
        return np.zeros((1, 1))

    def evaluate(self, decisions):
        return np.full(len(decisions), self.values[self.frame])

    def step(self, decision):
        self.frame += 1

    def frame_optimum(self):
        return None if self.optima is None else self.optima[self.frame]

    def decide(self, observation, evaluate):
        return np.ones(1, dtype=int), float(evaluate(np.ones((1, 1)))[0])


@pytest.mark.parametrize("rising", [1.0, 1.0 + 5e-5], ids=["flat", "rising less than counts"])
@pytest.mark.parametrize("scale", [None, 100.0], ids=["value", "normalized rate"])
def test_a_run_ends_on_a_plateau(rising, scale):
    """Values rise until frame 9; means of 4 frames until frame 12; patience is 6."""
    values = [*np.linspace(1, 10, 10), *(10.0 * rising for _ in range(40))]
    if scale is not None:  # a value that falls for ever, whose normalised rate is the same
        optima = [scale / (1 + frame) for frame in range(50)]
        values, best = [value * optimum / 10 for value, optimum in zip(values, optima, strict=True)], optima
    world = Given(values, None if scale is None else [1.01 * one for one in best])
    stopping = EarlyStopping(patience=6, window=4)
    history = list(simulate(world, world, 50, callbacks=[stopping]))
    assert len(history) == 19
    world.reset()
    assert len(list(simulate(world, world, 50, callbacks=[stopping]))) == 19  # it begins afresh


def test_a_run_that_gets_better_goes_on_and_what_is_not_finite_does_not_count():
    values = [-np.inf if frame % 3 else 1.001**frame for frame in range(60)]
    assert len(list(simulate(Given(values), Given([1.0]), 60, callbacks=[EarlyStopping(5, 4)]))) == 60


def of_replicas(groups):
    made = []
    for first in range(0, 4, 4 // groups):
        seeds = list(range(first, first + 4 // groups))
        world = WirelessPoweredMEC(num_users=3, replicas=len(seeds), seed=seeds)
        made.append(Group(world, OffloadingAgent(3, replicas=len(seeds), seed=seeds), len(seeds)))
    return made


@pytest.mark.parametrize("groups", [1, 2])
def test_replicas_in_step_are_the_replicas(groups):
    columns = advance(of_replicas(groups), 21)
    frames = list(in_step(of_replicas(groups), 21))
    assert [frame.frame for frame in frames] == list(range(21))
    for name in set(columns) - {"frame", "decide_seconds"}:
        if name in ("probe_gain", "saturated", "loss", "accuracy"):
            known = [frame.frame for frame in frames if getattr(frame, name) is not None]
            assert np.isnan(np.delete(columns[name], known, axis=0)).all()
        else:
            known = range(21)
        for frame in known:
            np.testing.assert_array_equal(getattr(frames[frame], name), columns[name][frame])
    assert [frame.frame for frame in frames if frame.loss is not None] == [9, 19]
