import itertools

import numpy as np
import pytest

from agent import OffloadingAgent
from agent.run.loop import simulate
from agent.run.record import normalized, normalized_one


class CountDown:
    """The smallest world that the loop must take: four methods and a number of users, no optimum."""

    num_users = 3

    def __init__(self):
        self.reset()

    def reset(self, seed=None):
        self.frame = 0

    def observe(self):
        return np.full((3, 2), self.frame % 5, dtype=float)

    def evaluate(self, decisions):
        return decisions.sum(-1).astype(float)

    def step(self, decision):
        self.frame += 1


class AllOffload:
    """The smallest agent."""

    def decide(self, observation, evaluate):
        decision = np.ones(len(observation), dtype=int)
        return decision, float(evaluate(decision[None])[0])


def test_any_environment_and_agent_will_do():
    history = list(simulate(CountDown(), AllOffload(), 4))
    assert [frame.frame for frame in history] == [0, 1, 2, 3]
    assert [frame.value for frame in history] == [3.0] * 4
    assert {frame.candidates for frame in history} == {1}
    assert {(frame.optimum, frame.normalized_rate, frame.loss) for frame in history} == {(None, None, None)}


def test_a_frame_records_what_happened():
    agent = OffloadingAgent(3, 2, training_interval=2, num_candidates=4)
    history = list(simulate(CountDown(), agent, 4, first_frame=7, optimum=lambda: 4.0))
    assert [frame.frame for frame in history] == [7, 8, 9, 10]
    assert [frame.loss is not None for frame in history] == [False, True, False, True]
    assert [frame.accuracy is not None for frame in history] == [False, True, False, True]
    assert history[-1].loss == agent.loss
    for frame in history:
        assert frame.normalized_rate == frame.value / 4
        assert frame.candidates == 4
        assert frame.best_candidate in range(4)
        assert frame.decide_seconds > 0


def test_nothing_happens_before_the_history_is_read():
    world = CountDown()
    history = simulate(world, AllOffload(), 5)
    assert world.frame == 0
    next(history)
    assert world.frame == 1  # a frame's record comes after its step
    assert list(simulate(CountDown(), AllOffload(), 0)) == []
    with pytest.raises(ValueError, match="frames must be a whole number, 0 or more, got -1"):
        simulate(world, AllOffload(), -1)


def test_a_rate_is_1_at_the_optimum_and_below_elsewhere_of_costs_too():
    np.testing.assert_allclose(normalized([3.0, 4.0], 4.0), [0.75, 1.0])
    np.testing.assert_allclose(normalized([-5.0, -4.0], [-4.0, -4.0], is_cost=True), [0.8, 1.0])
    np.testing.assert_array_equal(normalized([0.0, 1.0], [0.0, 2.0]), [np.nan, 0.5])


@pytest.mark.parametrize("is_cost", [False, True])
def test_the_rate_of_one_frame_is_that_of_many(is_cost):
    for value, optimum in itertools.product([-np.inf, -2.0, 0.0, 3.0, np.inf, np.nan], repeat=2):
        rate = normalized_one(value, optimum, is_cost)
        np.testing.assert_equal(np.nan if rate is None else rate, float(normalized(value, optimum, is_cost)))


class Costs(CountDown):
    """A cost to be least, and figures of its own."""

    value_is_cost = True

    def evaluate(self, decisions):
        return -5.0 + decisions.sum(-1)

    def frame_optimum(self):
        return -1.0

    def frame_metrics(self):
        return {"age": float(self.frame)}


def test_costs_and_metrics_are_recorded():
    history = list(simulate(Costs(), AllOffload(), 3))
    assert [frame.normalized_rate for frame in history] == [0.5] * 3
    assert [frame.metrics for frame in history] == [{"age": 1.0}, {"age": 2.0}, {"age": 3.0}]  # after the step


@pytest.mark.parametrize("costs", [False, True])
def test_a_value_above_the_optimum_is_warned_of_once(costs):
    world = CountDown()
    world.value_is_cost = costs
    world.frame_optimum = lambda: 3.0 if world.frame < 4 else 2.5
    with pytest.warns(
        RuntimeWarning, match=r"the value 3.0 is above the optimum 2.5 in frame 4: .* of CountDown"
    ) as caught:
        history = list(simulate(world, AllOffload(), 8))
    assert len(caught) == 1
    assert len(history) == 8


def test_rounding_and_an_unknown_optimum_are_no_excess():
    world = CountDown()
    world.frame_optimum = lambda: 3.0 * (1 - 1e-12) if world.frame % 2 else None
    assert len(list(simulate(world, AllOffload(), 6))) == 6
