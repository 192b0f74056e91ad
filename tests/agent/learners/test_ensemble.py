"""Several networks with one memory."""

import numpy as np
import pytest
import torch
from torch import nn

from agent import Convolutional, FullyConnected, OffloadingAgent, SetNetwork
from agent.run.loop import simulate
from agent.seeds import of_networks
from env import LyapunovMEC, MultiTaskMEC

OBSERVATION = np.linspace(-1, 1, 6)[:, None]


def ensemble(**settings):
    return OffloadingAgent(6, **{"num_networks": 3, "adaptive_interval": None, "num_candidates": 4, **settings})


def play(agent, frames, seed=0):
    history = simulate(MultiTaskMEC(2, 3, seed=seed), agent, frames)
    return [frame.value for frame in history]


@pytest.mark.parametrize("backend", ["torch", "numpy"])
def test_each_network_proposes_as_it_does_alone(backend):
    agent = ensemble(backend=backend)
    alone = [OffloadingAgent(6, backend=backend, seed=seed, quantizer="OP") for seed in of_networks(0, 3)]
    np.testing.assert_allclose(agent.relax(OBSERVATION), [one.relax(OBSERVATION) for one in alone], rtol=1e-6)
    assert len({tuple(row) for row in agent.relax(OBSERVATION)}) == 3
    candidates = agent.decode(OBSERVATION)
    assert candidates.shape == (12, 6)
    for network, one in enumerate(alone):
        np.testing.assert_array_equal(candidates[network::3], one.decode(OBSERVATION, k=4))


def test_each_network_learns_from_its_own_minibatch_of_the_one_memory():
    class Recorded:
        def learn(self, observations, decisions):
            self.batch = observations
            return 1.0

    agent = ensemble(batch_size=50, training_interval=1000, standardize=False)
    play(agent, 40)
    agent.learner.learners = [Recorded() for _ in range(3)]
    agent.learner.predict = lambda observations: np.zeros(observations.shape[:-1])
    assert agent.learn() == 1.0
    batches = [learner.batch for learner in agent.learner.learners]
    assert [batch.shape for batch in batches] == [(50, 6, 1)] * 3
    known = {row.tobytes() for row in agent.memory.observations[:40]}
    assert {row.tobytes() for batch in batches for row in batch} <= known
    assert not np.array_equal(batches[0], batches[1])


@pytest.mark.parametrize(("quantizer", "k"), [("OP", 1), ("KNN", 5), ("OPN", 6), ("OP+KNN", 8)])
def test_every_quantizer_will_do(quantizer, k):
    agent = ensemble(backend="numpy", quantizer=quantizer, num_candidates=k, batch_size=32)
    history = list(simulate(MultiTaskMEC(2, 3), agent, 60))
    calls = [frame.candidates for frame in history]
    assert k <= min(calls) <= max(calls) <= 3 * k  # what several networks propose is valued once
    assert max(frame.best_candidate for frame in history) < 3 * k
    assert history[-1].loss > 0
    assert 0 <= history[-1].accuracy <= 1


def test_k_adapts_to_the_place_within_a_network():
    agent = ensemble(adaptive_interval=2, num_candidates=6)
    for place in (8, 1):  # the third candidate of the last network, the first of the second
        agent.decide(OBSERVATION, lambda candidates, place=place: np.arange(len(candidates)) == place)
        assert agent.best_candidate == place
    assert agent.num_candidates == 4
    assert agent.decode(OBSERVATION).shape == (12, 6)


@pytest.mark.parametrize(
    "settings", [{"backend": "numpy", "quantizer": "OPN"}, {"network": lambda n, f: FullyConnected(n, f, [9])}]
)
def test_a_loaded_ensemble_goes_on_as_the_saved_one(tmp_path, settings):
    agent = ensemble(training_interval=3, **settings)
    play(agent, 40)
    agent.save(tmp_path / "agent.pt")
    loaded = OffloadingAgent.load(tmp_path / "agent.pt")
    assert play(loaded, 40, seed=1) == play(agent, 40, seed=1)
    assert loaded.loss == agent.loss
    for ours, theirs in zip(loaded.relax(OBSERVATION), agent.relax(OBSERVATION), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_module_is_copied():
    module = FullyConnected(6)
    before = torch.cat([weight.ravel() for weight in module.parameters()])
    agent = ensemble(network=module, training_interval=1)
    play(agent, 5)
    assert torch.equal(torch.cat([weight.ravel() for weight in module.parameters()]), before)
    assert len({tuple(row) for row in agent.relax(OBSERVATION)}) == 3


def test_bad_settings_are_named():
    with pytest.raises(ValueError, match="num_networks must be a whole number, 1 or more, got 0"):
        ensemble(num_networks=0)
    with pytest.raises(ValueError, match="num_networks must be 1 for replicas, got 3"):
        ensemble(replicas=2)
    with pytest.raises(ValueError, match="network must be or make"):
        ensemble(network=lambda n, f: nn.ReLU)


def test_several_networks_reach_the_least_cost():
    agent = OffloadingAgent(
        6, num_networks=3, backend="numpy", quantizer="KNN", num_candidates=16, adaptive_interval=None
    )
    history = list(simulate(MultiTaskMEC(2, 3), agent, 1000))
    accuracy = [frame.accuracy for frame in history if frame.accuracy is not None]
    assert accuracy[0] < 0.75 < np.mean(accuracy[-20:])
    assert np.mean([frame.normalized_rate for frame in history[-300:]]) > 0.999


def set_network(num_users, num_features):
    return SetNetwork(num_users, num_features, masked=False, slopes=())


@pytest.mark.parametrize("network", [Convolutional, set_network])
def test_other_networks_learn_where_there_are_queues(network):
    agent = OffloadingAgent(6, 3, network=network, quantizer="OP+KNN", num_candidates=16, adaptive_interval=None)
    history = list(simulate(LyapunovMEC(6), agent, 500))
    assert np.mean([frame.accuracy for frame in history[-200:] if frame.accuracy is not None]) > 0.7
    assert np.mean([frame.normalized_rate for frame in history[-200:]]) > 0.99
