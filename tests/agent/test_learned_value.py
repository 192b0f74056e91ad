import numpy as np
import pytest
from servers import Servers

from agent import InputError, OffloadingAgent
from agent.learned_value import LearnedValue, ValueModel, neighbours
from agent.simulation import simulate
from env import Categorical, Limited
from env.problems.together import PairwiseCoupling

SETTINGS = {"learned_value": True, "backend": "numpy", "probe_interval": 0}


def played(world, frames, seed=0, **settings):
    num_users, num_features = world.observe().shape
    choices = world.decisions.num_choices
    agent = OffloadingAgent(num_users, num_features, num_choices=choices, seed=seed, **SETTINGS, **settings)
    return agent, list(simulate(world, agent, frames))


@pytest.mark.parametrize("num_users", [4, None])
def test_gradients_are_those_of_differences(num_users):
    rng = np.random.default_rng(0)
    model = ValueModel(num_users, 2, 3, rng, dtype="float64")
    for weight in model.weights.values():
        weight += 0.1 * rng.normal(size=weight.shape)
    observations, decisions = rng.normal(size=(5, 4, 2)), rng.integers(3, size=(5, 6, 4))
    targets = rng.normal(size=(5, 6))

    def loss():
        return float(((model.value(model.embed(observations), decisions) - targets) ** 2).mean())

    signals = model.embed(observations)
    error = model.value(signals, decisions) - targets
    model.backward(observations, signals, 2 * error / error.size)
    for name, weight in model.weights.items():
        for place in rng.integers(weight.size, size=min(5, weight.size)):
            at = np.unravel_index(place, weight.shape)
            before = weight[at]
            weight[at] = before + 1e-6
            above = loss()
            weight[at] = before - 1e-6
            slope = (above - loss()) / 2e-6
            weight[at] = before
            assert model.gradients[name][at] == pytest.approx(slope, abs=1e-7), name


def test_a_value_is_a_function_of_sums_over_the_users_of_a_choice():
    """Users of one observation and no offset of their own may change places."""
    model = ValueModel(None, 2, 3, np.random.default_rng(0))
    observation = np.random.default_rng(1).normal(size=(1, 5, 2))
    decision, order = np.array([0, 1, 1, 2, 0]), np.array([3, 1, 4, 0, 2])
    value = model.value(model.embed(observation), decision[None, None])
    other = model.value(model.embed(observation[:, order]), decision[order][None, None])
    assert value[0, 0] == pytest.approx(other[0, 0], abs=1e-6)


def test_rescaling_changes_the_unit_and_nothing_else():
    """Values are scaled, and the optimiser's means are those of the gradients that now come."""
    model = ValueModel(4, 2, 3, np.random.default_rng(0), dtype="float64")
    rng = np.random.default_rng(1)
    observations, decisions = rng.normal(size=(2, 4, 2)), rng.integers(3, size=(2, 6, 4))
    targets = rng.normal(size=(2, 6))

    def learn(targets):
        signals = model.embed(observations)
        values = model.value(signals, decisions)
        model.backward(observations, signals, values - targets)
        return values

    before = learn(targets)
    model._first[...], model._second[...] = model._gradient, model._gradient**2
    model.rescale(2.5, -1.0)
    np.testing.assert_allclose(learn(2.5 * targets - 1), 2.5 * before - 1, rtol=1e-12)
    np.testing.assert_allclose(model._first, model._gradient, atol=1e-12)
    np.testing.assert_allclose(model._second, model._gradient**2, atol=1e-12)


@pytest.mark.parametrize("num_choices", [2, 4])
def test_neighbours_are_all_changes_of_one_and_exchanges_of_two(num_choices):
    decision = np.random.default_rng(0).integers(num_choices, size=6)
    near = neighbours(decision, num_choices)
    assert len(np.unique(near, axis=0)) == len(near)
    changed = (near != decision).sum(-1)
    assert (changed == 1).sum() == 6 * (num_choices - 1)
    for exchanged in near[changed == 2]:
        assert sorted(exchanged) == sorted(decision)
    one, other = np.triu_indices(6, 1)
    assert (changed == 2).sum() == (decision[one] != decision[other]).sum()
    assert len(near) == (changed <= 2).sum()


@pytest.mark.parametrize("world", [Servers, PairwiseCoupling])
def test_few_calls_are_worth_more_with_a_learned_value(world):
    """Six calls a frame against six of the network's own, on the same frames."""
    agent, history = played(world(seed=3), 500)
    assert agent.num_candidates == 6
    assert max(frame.candidates for frame in history) == 6
    num_users, num_features = world().observe().shape
    choices = world().decisions.num_choices
    plain = OffloadingAgent(
        num_users, num_features, num_choices=choices, num_candidates=6, probe_interval=0, backend="numpy"
    )
    other = list(simulate(world(seed=3), plain, 500))
    lost, lost_by_other = (sum(one.optimum - one.value for one in part[200:]) for part in (history, other))
    assert lost < lost_by_other / 2


def test_what_is_learned_is_saved(tmp_path):
    world = Servers(seed=1)
    agent, _ = played(world, 60)
    agent.save(tmp_path / "agent.pt")
    loaded = OffloadingAgent.load(tmp_path / "agent.pt")
    for _ in range(20):
        one, other = (each.decide(world.observe(), world.evaluate) for each in (agent, loaded))
        np.testing.assert_array_equal(one[0], other[0])
        world.step(one[0])


def test_limits_are_kept():
    world = Servers(6, seed=2)
    world.decisions = Limited(Categorical(6, 3), [2, 1])
    _, history = played(world, 60)
    assert all(np.isfinite(frame.value) for frame in history)  # evaluate refuses what does not keep them


def test_what_must_not_be_done_is_learned_as_little_worth():
    class Forbidden(Servers):
        def evaluate(self, decisions):
            return np.where((decisions == 1).sum(-1) == 2, super().evaluate(decisions), -np.inf)

    _, history = played(Forbidden(5, seed=2), 400)
    assert sum(frame.value == -np.inf for frame in history[200:]) == 0


def test_nothing_is_ranked_before_it_has_learned_and_the_last_is_a_change():
    learned = LearnedValue(5, 1, 2, frames=32, most=4, any_size=False, seed=0)
    observation = np.zeros((5, 1))
    candidates = np.eye(5, dtype=np.int64)
    ranked = learned.ranked(observation, candidates, 4, None)
    np.testing.assert_array_equal(ranked[:3], candidates[:3])
    assert (ranked[3] != candidates[0]).sum() <= 2


def test_frames_of_another_number_of_users_begin_anew():
    learned = LearnedValue(5, 1, 3, frames=64, most=4, any_size=True, seed=0)
    rng = np.random.default_rng(0)
    for num_users in (5, 3, 5):
        for _ in range(40):
            observation = rng.normal(size=(num_users, 1))
            proposed = rng.integers(3, size=(6, num_users))
            ranked = learned.ranked(observation, proposed, 4, None)
            assert ranked.shape == (4, num_users)
            learned.learn(observation, ranked, -1.0 * (ranked > 1).sum(-1), lambda seen: seen)
        assert (ranked[0] <= 1).all()


def test_what_is_refused_says_why():
    with pytest.raises(InputError, match="learned_value must be true or false, got 1"):
        OffloadingAgent(4, learned_value=1)
    with pytest.raises(InputError, match="learned_value must be false for replicas"):
        OffloadingAgent(4, learned_value=True, replicas=2)
