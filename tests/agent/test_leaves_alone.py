"""What an agent does when it is made, loaded or refused leaves alone what is not its own."""

import threading

import numpy as np
import pytest
import torch
from torch import nn

from agent import InputError, OffloadingAgent, checkpoint


class Normalised(nn.Module):
    """A network with running statistics and dropout."""

    def __init__(self, num_users, num_features):
        super().__init__()
        self.norm = nn.BatchNorm1d(num_users * num_features)
        self.drop = nn.Dropout(0.5)
        self.linear = nn.Linear(num_users * num_features, num_users)

    def forward(self, observations):
        return self.linear(self.drop(self.norm(observations.flatten(-2))))


def weights_of(agent):
    return np.concatenate([weight.detach().numpy().ravel() for weight in agent._network.parameters()])


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "agent.pt"
    OffloadingAgent(num_users=4, seed=0).save(path)
    return path


def test_torchs_generator_is_where_it_was(saved):
    network = Normalised(4, 1)
    before = torch.get_rng_state()
    for make in (
        lambda: OffloadingAgent(num_users=4, seed=0, network=Normalised),
        lambda: OffloadingAgent(num_users=4, seed=0, network=network),
        lambda: OffloadingAgent.load(saved),
        lambda: OffloadingAgent.pretrained(5),
    ):
        make()
        assert torch.equal(torch.get_rng_state(), before)


def test_running_statistics_and_mode_of_a_users_module_are_kept():
    network = Normalised(4, 1)
    network.drop.eval()
    OffloadingAgent(num_users=4, seed=0, network=network)
    assert network.norm.num_batches_tracked == 0
    assert not network.drop.training


def test_agents_made_in_several_threads_have_the_weights_of_their_seeds():
    alone = [weights_of(OffloadingAgent(num_users=10, seed=seed)) for seed in range(4)]
    for _ in range(10):
        made = {}

        def make(seed, made=made):
            made[seed] = weights_of(OffloadingAgent(num_users=10, seed=seed))

        threads = [threading.Thread(target=make, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for seed in range(4):
            np.testing.assert_array_equal(made[seed], alone[seed])


@pytest.mark.parametrize("lost", ["rng", "memory", "adaptive_k"])
@pytest.mark.parametrize("more", [{}, {"replicas": 3}])
def test_a_refused_state_changes_nothing(lost, more):
    settings = {"num_users": 4, "seed": 0, **more}
    learned, agent = OffloadingAgent(**settings), OffloadingAgent(**settings)
    observation, decision = np.ones((4, 1)), np.array([0, 1, 0, 1])
    lead = (3,) if more else ()
    for _ in range(20):
        learned.encode(np.broadcast_to(observation, (*lead, 4, 1)), np.broadcast_to(decision, (*lead, 4)))
    state = {name: part for name, part in learned.state_dict().items() if name != lost}
    before = agent.relax(np.broadcast_to(observation, (*lead, 4, 1)))
    with pytest.raises(KeyError, match=lost):
        agent.load_state_dict(state)
    np.testing.assert_array_equal(agent.relax(np.broadcast_to(observation, (*lead, 4, 1))), before)
    assert len(agent.memory) == 0


@pytest.mark.parametrize("size", [10**15, 10**30])
def test_a_memory_that_fits_no_machine_is_refused(size):
    with pytest.raises(InputError, match="memory_size must be such that .* fit the machine's memory, got"):
        OffloadingAgent(num_users=4, memory_size=size)


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="device must be one that torch has here, such as 'cpu', got 'potato'"):
        OffloadingAgent(num_users=4, replicas=2, backend="torch", device="potato")


def test_replicas_of_another_device_are_loaded_on_this_one(tmp_path):
    agent = OffloadingAgent(num_users=4, replicas=2, backend="torch", device="cpu", seed=0)
    content = {"agent": agent.state_dict()}
    content["agent"]["settings"]["device"] = "cuda:7"
    checkpoint.write(tmp_path / "agent.pt", content)
    with pytest.raises(InputError, match="device must be one that torch has here"):
        OffloadingAgent.load(tmp_path / "agent.pt")
    loaded = OffloadingAgent.load(tmp_path / "agent.pt", device="cpu")
    assert loaded.settings.device == "cpu"
    OffloadingAgent(num_users=4).save(tmp_path / "one.pt")
    with pytest.raises(InputError, match="device must be None for an agent that was on none, got 'cpu'"):
        OffloadingAgent.load(tmp_path / "one.pt", device="cpu")
