"""Agents in worlds with limited places: whatever they value, carry out and learn keeps the limits."""

import numpy as np
import pytest

from agent import OffloadingAgent
from agent.checks import InputError
from agent.run.side_by_side import SideBySide
from agent.simulation import simulate
from env import Binary, Categorical, Environment, Limited, baselines


class Places(Environment):
    """Users have a price for each choice; places are few, and choices come and go."""

    def __init__(self, num_users=8, num_choices=4, capacities=2, seed=0):
        self.num_users = num_users
        kind = Binary(num_users) if num_choices == 2 else Categorical(num_users, num_choices)
        self.decisions = Limited(kind, capacities)
        self.valued = self.refused = 0
        super().__init__(seed)

    def begin_frame(self):
        shape = self.num_users, self.decisions.num_choices
        self.price = self.rng.normal(1.0, size=shape)
        self.price[:, 0] = 0
        mask = self.rng.random(shape) < 0.8
        mask[:, 0] = True
        self.decisions = self.decisions.masked(mask)

    def observe(self):
        return np.where(self.decisions.mask, self.price, -3.0)[:, 1:]

    def evaluate(self, decisions):
        chosen = np.asarray(decisions, dtype=np.int64)
        self.valued += len(chosen)
        self.refused += int((~self.decisions.feasible(chosen)).sum())
        return self.price[np.arange(self.num_users), chosen].sum(-1)

    def frame_optimum(self):
        return self.best_of_all(2**17)


BITS = {"num_choices": 2, "capacities": 3}
AGENTS = [
    ({}, {}),
    ({}, {"local_search": 0, "num_candidates": 8}),
    ({}, {"local_search": 6, "num_candidates": 7}),
    ({"capacities": [0, 1, None]}, {"num_candidates": 50}),
    (BITS, {}),
    (BITS, {"quantizer": "OP", "num_candidates": 4}),
    (BITS, {"quantizer": "KNN", "num_candidates": 8}),
    (BITS, {"quantizer": "OPN", "num_candidates": 8}),
    (BITS, {"num_networks": 3, "num_candidates": 3, "quantizer": "OP"}),
    (BITS, {"adaptive_interval": 8, "quantizer": "OP", "num_candidates": 4}),
    ({"num_choices": 2, "capacities": 0}, {}),
]


@pytest.mark.parametrize(("world", "settings"), AGENTS)
def test_whatever_an_agent_values_keeps_the_limits(world, settings):
    env = Places(**world)
    choices = env.decisions.num_choices
    agent = OffloadingAgent(8, choices - 1, num_choices=choices, probe_interval=5, seed=1, **settings)
    frames = list(simulate(env, agent, 60, optimum=lambda: None))
    assert env.refused == 0
    assert env.valued == sum(frame.candidates for frame in frames)


def test_defaults_learn_which_users_get_the_places():
    env = Places(seed=3)
    agent = OffloadingAgent(8, 3, num_choices=4, seed=3)
    first, _, last = (
        [frame.normalized_rate for frame in simulate(env, agent, frames, **optimum)]
        for frames, optimum in ((100, {}), (600, {"optimum": lambda: None}), (100, {}))
    )
    assert np.mean(first) < 0.85
    assert np.mean(last) > 0.92


def test_replicas_decide_as_each_alone():
    settings = {"num_choices": 4, "backend": "numpy", "probe_interval": 7}

    def values_of(seed):
        agent = OffloadingAgent(8, 3, seed=seed, **settings)
        return [frame.value for frame in simulate(Places(seed=seed), agent, 60, optimum=lambda: None)]

    alone = [values_of(seed) for seed in range(3)]
    worlds = SideBySide([Places(seed=seed) for seed in range(3)])
    together = OffloadingAgent(8, 3, replicas=3, **settings)
    values = []
    for _ in range(60):
        decision, value = together.decide(worlds.observe(), worlds.evaluate)
        worlds.step(decision)
        values.append(value)
    np.testing.assert_array_equal(np.transpose(values), alone)
    assert all(world.environment.refused == 0 for world in worlds._worlds)


def test_limits_are_the_worlds_unless_they_are_passed():
    env = Places()
    agent = OffloadingAgent(8, 3, num_choices=4, seed=0)
    nobody = Limited(Categorical(8, 4), 0)
    decision, _ = agent.decide(env.observe(), lambda decisions: env.evaluate(decisions), nobody)
    assert decision.tolist() == [0] * 8
    assert agent.decode(env.observe(), 5, nobody).tolist() == [[0] * 8]
    assert env.decisions.feasible(agent.decode(env.observe(), 20, env.decisions)).all()
    decision, _ = agent.decide(env.observe(), env.evaluate)
    assert env.decisions.feasible(decision)


class Doubling:
    """A quantizer of one's own, which knows no limits."""

    def max_candidates(self, num_users):
        return 2

    def __call__(self, relaxed, k, rng):
        return np.array([np.zeros(8), np.ones(8)], dtype=np.int64)[:k]


def test_a_quantizer_that_cannot_keep_limits_is_refused():
    env = Places(**BITS)
    agent = OffloadingAgent(8, 1, quantizer=Doubling(), num_candidates=2, local_search=0)
    with pytest.raises(InputError, match="quantizer must have within.* where places are limited, got Doubling"):
        agent.decide(env.observe(), env.evaluate)
    with pytest.raises(InputError, match=r"decisions must have 8 users with 2 choices, got limits of \(8, 4\)"):
        agent.decide(env.observe(), env.evaluate, Limited(Categorical(8, 4), 1))


@pytest.mark.parametrize(
    "baseline",
    [
        baselines.exhaustive,
        baselines.coordinate_descent,
        baselines.greedy,
        baselines.all_local,
        baselines.best_of_random,
        baselines.random,
    ],
)
def test_baselines_keep_the_limits(baseline):
    for world in ({}, BITS):
        env = Places(**world)
        if baseline is baselines.greedy and not world:
            continue
        for _ in range(20):
            choice = baseline(env, np.random.default_rng(0))
            assert env.decisions.feasible(choice.decision)
            assert choice.value <= env.frame_optimum() + 1e-12
            env.step(choice.decision)
        assert env.refused == 0
