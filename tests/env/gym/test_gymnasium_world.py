"""Gymnasium environments as worlds for an agent."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from agent import OffloadingAgent
from agent.simulation import simulate
from env import (
    AgeMEC,
    Binary,
    Categorical,
    InputError,
    Limited,
    MultiServerMEC,
    WirelessPoweredMEC,
    check_environment,
)
from env.gym import GymnasiumWorld, LookAhead, OffloadingEnv
from env.problems import AtMost


class Baskets(gymnasium.Env):
    """Prices of items, of which any may be taken; what is taken comes back half as dear. Ends after five steps."""

    observation_space = spaces.Box(-10, 10, (4,))
    action_space = spaces.MultiBinary(4)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.step_number, self.taken = 0, np.zeros(4)
        return self._next(), {}

    def _next(self):
        self.prices = (self.np_random.normal(size=4) * (1 - self.taken / 2)).clip(-10, 10).astype(np.float32)
        return self.prices

    def worth(self, actions):
        return actions @ self.prices.astype(np.float64)

    def step(self, action):
        reward = float(self.worth(action))
        self.taken, self.step_number = np.array(action), self.step_number + 1
        return self._next(), reward, self.step_number == 5, False, {}


@pytest.mark.parametrize("evaluate", [None, "worth", lambda env, actions: env.worth(np.array(actions))])
def test_an_agent_decides_in_it(evaluate):
    world = GymnasiumWorld(Baskets(), evaluate)
    check_environment(world)
    history = list(simulate(world, OffloadingAgent(4, 4, seed=0), 60))
    assert world.frame_metrics() == {"reward": pytest.approx(history[-1].value), "episodes": 12.0}
    for frame in history:
        assert frame.value == pytest.approx(frame.metrics["reward"])
    best = GymnasiumWorld(Baskets(), "worth")
    for frame in history[:20]:
        prices = best.env.prices
        assert frame.value == pytest.approx(prices[prices > 0].sum())
        best.step(prices > 0)


class Lanes(gymnasium.Env):
    """Cars take lanes that are numbered from 1, of which each car knows others; a lane of many is slow."""

    action_space = spaces.MultiDiscrete([2, 3, 4], start=[1, 1, 1])
    observation_space = spaces.Box(0, 1, (3, 4), np.float64)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self._next(), {}

    def _next(self):
        self.speed = self.np_random.random((3, 4))
        return self.speed

    def step(self, action):
        assert action in self.action_space
        reward = sum(self.speed[car, lane - 1] / (action == lane).sum() for car, lane in enumerate(action))
        return self._next(), reward, False, False, {}


def test_users_with_different_numbers_of_choices():
    world = GymnasiumWorld(Lanes())
    assert isinstance(world.decisions, Limited)
    assert (world.decisions.num_users, world.decisions.num_choices) == (3, 4)
    assert len(world.decisions.all()) == 2 * 3 * 4
    np.testing.assert_array_equal(world.observe(), world.env.speed)
    values = world.evaluate(world.decisions.all())
    assert world.evaluate([[2, 0, 0]]).tolist() == [-np.inf]
    for decision, value in zip(world.decisions.all(), values, strict=True):
        other = GymnasiumWorld(Lanes())
        other.step(decision)
        assert other.reward == value
    agent = OffloadingAgent(3, 4, num_choices=4, seed=0)
    history = list(simulate(world, agent, 30))
    assert all(frame.value == frame.metrics["reward"] for frame in history)


class Lever(gymnasium.Env):
    """One of three levers, numbered from -1; which are there is told, and payment is random."""

    action_space = spaces.Discrete(3, start=-1)
    observation_space = spaces.Dict({"hour": spaces.Discrete(4), "light": spaces.Box(0, 1, (2,))})

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.hour = 0
        return self._told()

    def _told(self):
        seen = {"hour": self.hour % 4, "light": np.array([0.25, 0.5], dtype=np.float32)}
        return seen, {"action_mask": np.array([self.hour % 2, 1, 1], dtype=np.int8)}

    def step(self, action):
        assert action in self.action_space
        self.hour += 1
        observation, info = self._told()
        return observation, float(action + self.np_random.normal()), False, self.hour == 3, info


def test_one_choice_with_a_mask_and_observations_that_are_no_arrays():
    world = GymnasiumWorld(Lever())
    assert world.decisions == Categorical(1, 3)  # choice 0 is not there, which Limited cannot say
    np.testing.assert_array_equal(world.observe(), [[1, 0, 0, 0, 0.25, 0.5]])
    assert np.isinf(world.evaluate([[0], [1], [2]])).tolist() == [True, False, False]
    world.step([1])
    np.testing.assert_array_equal(world.observe(), [[0, 1, 0, 0, 0.25, 0.5]])
    assert np.isfinite(world.evaluate([[0], [1], [2]])).all()
    world.step([0])
    world.step([2])
    assert world.frame_metrics()["episodes"] == 1
    np.testing.assert_array_equal(world.observe(), [[1, 0, 0, 0, 0.25, 0.5]])


def test_look_ahead_knows_the_coming_chance_or_averages_over_fresh_ones():
    world = GymnasiumWorld(Lever(), seed=2)
    values = world.evaluate([[1], [2]])
    assert values[1] - values[0] == pytest.approx(1)  # the same chance for both
    world.step([2])
    assert world.reward == values[1]
    fair = GymnasiumWorld(Lever(), LookAhead(draws=400), seed=2)
    fair_values = fair.evaluate([[1], [2]])
    assert fair_values[1] - fair_values[0] == pytest.approx(1)
    np.testing.assert_allclose(fair_values, [0, 1], atol=0.15)
    assert abs(values[0]) > 0.15
    state = fair.env.np_random.bit_generator.state
    fair.evaluate([[1]])
    assert fair.env.np_random.bit_generator.state == state
    with pytest.raises(InputError, match="draws must be a whole number, 0 or more, got -1"):
        LookAhead(-1)


@pytest.mark.parametrize("evaluate", ["evaluate", None])
@pytest.mark.parametrize(
    "make",
    [WirelessPoweredMEC, lambda: AgeMEC(6, places=2), lambda: MultiServerMEC(4, capacities=2)],
    ids=["wireless powered", "age", "servers"],
)
def test_a_world_that_went_through_gymnasium_is_the_world(make, evaluate):
    """The agent decides the same in it; observations are rounded to single precision."""
    world = make()
    through = GymnasiumWorld(
        OffloadingEnv(make(), scale_observations=False, reward="value"), evaluate, observation="rows"
    )
    users, features = world.observe().shape
    one, other = (
        OffloadingAgent(users, features, num_choices=world.decisions.num_choices, seed=0) for _ in range(2)
    )
    carried_out = [], []
    for steps, environment in zip(carried_out, (world, through), strict=True):
        step = environment.step
        environment.step = lambda decision, steps=steps, step=step: (
            steps.append(np.array(decision)),
            step(decision),
        )
    frames = 40 if evaluate is None else 150
    for mine, theirs in zip(simulate(world, one, frames), simulate(through, other, frames), strict=True):
        assert mine.value == pytest.approx(theirs.value, rel=1e-12)
        assert theirs.metrics["reward"] == pytest.approx(theirs.value, rel=1e-12)
        assert mine.candidates == theirs.candidates
    np.testing.assert_array_equal(*carried_out)
    np.testing.assert_allclose(world.observe(), through.observe(), rtol=1e-6)


def test_how_observations_become_rows():
    assert GymnasiumWorld(Baskets()).observe().shape == (4, 4)
    rows = GymnasiumWorld(Baskets(), observation="rows")
    np.testing.assert_array_equal(rows.observe()[:, 0], rows.env.prices)
    whole = GymnasiumWorld(Lanes(), observation="whole")
    np.testing.assert_array_equal(whole.observe(), np.tile(whole.env.speed.reshape(-1), (3, 1)))
    own = GymnasiumWorld(Baskets(), observation=lambda seen: seen[:, None] ** 2)
    np.testing.assert_array_equal(own.observe()[:, 0], own.env.prices**2)


def test_an_id_will_do_and_a_seed_fixes_it():
    first, second = (GymnasiumWorld("mec_offloading/AtMost-v0", "evaluate", seed=4) for _ in range(2))
    assert first.decisions == Binary(10)
    np.testing.assert_array_equal(first.observe(), second.observe())
    np.testing.assert_array_equal(first.env.unwrapped.world.prices, AtMost(seed=4).prices)
    assert not np.array_equal(first.reset(seed=5), second.observe())
    np.testing.assert_array_equal(first.reset(), second.reset(seed=5))


def test_errors_are_named():
    box = Baskets()
    box.action_space = spaces.Box(-1, 1, (2,))
    with pytest.raises(InputError, match=r"actions must be MultiBinary, MultiDiscrete or Discrete, got Box"):
        GymnasiumWorld(box)
    with pytest.raises(InputError, match="evaluate must name a method of .*, got 'price'"):
        GymnasiumWorld(Baskets(), "price")
    with pytest.raises(InputError, match="observation must be 'rows', 'whole' or a function, got 'flat'"):
        GymnasiumWorld(Baskets(), observation="flat")
    with pytest.raises(InputError, match=r"observation must give shape \(4, F\), got \(4,\)"):
        GymnasiumWorld(Baskets(), observation=lambda seen: seen)
    uneven = Baskets()
    uneven.action_space = spaces.MultiBinary(3)
    with pytest.raises(InputError, match="observation='rows' needs a multiple of 3 entries, got 4"):
        GymnasiumWorld(uneven, observation="rows")
    with pytest.raises(InputError, match="evaluate must return 2 values, one an action, got shape"):
        GymnasiumWorld(Baskets(), lambda env, actions: 0.0).evaluate(np.zeros((2, 4)))
    with pytest.raises(InputError, match="decisions must hold only 0 and 1"):
        GymnasiumWorld(Baskets()).evaluate([[2, 0, 0, 0]])
