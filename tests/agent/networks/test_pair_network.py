import numpy as np
import pytest
import torch

from agent import OffloadingAgent, PairNetwork
from agent.checks import InputError
from agent.simulation import simulate
from env import MultiServerMEC


def network(**settings):
    torch.manual_seed(0)
    made = PairNetwork(5, 6, 4, **settings)
    with torch.no_grad():
        for weight in made.parameters():
            weight += 0.1 * torch.randn_like(weight)
    return made


@pytest.mark.parametrize("settings", [{}, {"capacities": 2}, {"sums": 3, "rounds": 2, "hidden": (8, 4)}])
def test_users_and_servers_come_in_any_order_and_number(settings):
    made = network(**settings)
    seen = torch.randn(2, 7, 6)
    logits = made(seen)
    assert logits.shape == (2, 7, 4)
    assert (logits[..., 0] == 0).all()
    users, servers = torch.randperm(7), torch.tensor([2, 0, 1])
    torch.testing.assert_close(made(seen[:, users]), logits[:, users], rtol=1e-4, atol=1e-3)
    moved = seen.unflatten(-1, (2, 3))[..., servers].flatten(-2)
    torch.testing.assert_close(made(moved)[..., 1:], logits[..., 1:][..., servers], rtol=1e-4, atol=1e-3)
    assert made(torch.randn(9, 16)).shape == (9, 9)


def test_a_server_with_few_places_is_dearer():
    seen = torch.full((10, 4), -4.0)
    free, short = (PairNetwork(10, 4, 3, capacities=places) for places in (None, [1, 10]))
    short.load_state_dict(free.state_dict())
    taken = torch.softmax(short(seen), -1).sum(0)
    assert torch.softmax(free(seen), -1).sum(0)[1] > 3
    assert taken[1] < 2 < taken[2]


def test_an_agent_learns_with_few_calls_and_goes_on_from_its_checkpoint(tmp_path):
    env = MultiServerMEC(12, 3, seed=0)
    agent = OffloadingAgent(
        12, 6, num_choices=4, network=PairNetwork, num_candidates=4, local_search=0, probe_interval=0, seed=0
    )
    rates = [frame.normalized_rate for frame in simulate(env, agent, 150)]
    assert np.mean(rates[-50:]) > 0.99
    agent.save(tmp_path / "agent.pt")
    loaded = OffloadingAgent.load(tmp_path / "agent.pt")
    again = [made.decide(env.observe(), env.evaluate)[0].tolist() for made in (agent, loaded)]
    assert again[0] == again[1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_features": 5, "num_choices": 4}, "num_features must be so many for each of 3 servers, got 5"),
        ({"rounds": 0}, "rounds must be a whole number"),
        ({"capacities": [1, -1]}, r"capacities\[1\] must be a whole number, 0 or more"),
        ({"hidden": (0,)}, r"hidden\[0\] must be"),
    ],
)
def test_sizes_out_of_range_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        PairNetwork(**settings)
