import itertools

import pytest
import torch
from torch.func import functional_call, grad, stack_module_state, vmap

from agent.networks.set_network import OFF, SetNetwork


def crowd(*shape, seed=0, num_features=3):
    generator = torch.Generator().manual_seed(seed)
    observations = torch.randn(*shape, num_features, generator=generator)
    observations[..., -1] = 1
    return observations


def trained_looking(**settings):
    torch.manual_seed(0)
    network = SetNetwork(**settings)
    with torch.no_grad():
        for weight in network.parameters():
            weight += 0.3 * torch.randn_like(weight)
    return network


NETWORKS = {
    "default": {},
    "deep": {"hidden": (16, 8), "sums": 4},
    "linear": {"hidden": ()},
    "one sum": {"sums": 1},
    "gains only": {"num_features": 2},
    "more features": {"num_features": 5, "slopes": (1.0,)},
}


@pytest.mark.parametrize("settings", NETWORKS.values(), ids=NETWORKS)
def test_order_of_users_carries_over_to_the_logits(settings):
    network = trained_looking(**settings)
    observations = crowd(4, 9, num_features=network.settings["num_features"])
    order = torch.randperm(9, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(network(observations[:, order]), network(observations)[:, order])


@pytest.mark.parametrize("num_users", [1, 2, 30, 1000])
def test_any_number_of_users(num_users):
    logits = trained_looking()(crowd(num_users))
    assert logits.shape == (num_users,)
    assert logits.isfinite().all()


@pytest.mark.parametrize("batch", [(), (1,), (5,), (2, 3)])
def test_leading_dimensions_are_separate_frames(batch):
    network = trained_looking()
    observations = crowd(*batch, 7)
    logits = network(observations)
    assert logits.shape == (*batch, 7)
    for place in itertools.product(*map(range, batch)):
        torch.testing.assert_close(logits[place], network(observations[place]))


def test_users_that_are_off_change_nothing_for_the_others():
    network = trained_looking()
    observations = crowd(3, 6)
    padded = torch.cat([observations, 20 * crowd(3, 4, seed=1)], 1)
    padded[:, 6:, -1] = 0
    logits = network(padded)
    torch.testing.assert_close(logits[:, :6], network(observations))
    assert (logits[:, 6:] == OFF).all()
    padded[:, :, -1] = 0
    assert (network(padded) == OFF).all()


def test_off_users_have_no_part_in_the_gradient():
    network = trained_looking()
    observations = crowd(5).requires_grad_()
    masked = torch.where(torch.tensor([1, 1, 1, 0, 0])[:, None] > 0, observations, observations * 0 + 0.0)
    network(masked).sum().backward()
    assert (observations.grad[:3, :2] != 0).all()
    assert (observations.grad[3:] == 0).all()
    assert all(weight.grad.isfinite().all() for weight in network.parameters())


def test_the_crowd_matters_to_a_user():
    network = trained_looking()
    observations = crowd(5)
    other = observations.clone()
    other[1:, 0] += 1
    assert network(other)[0] != network(observations)[0]


def test_untrained_network_orders_users_by_gain_and_weight():
    observations = torch.tensor([[-2.0, 0.0, 1.0], [0.0, 0.0, 1.0], [0.0, 0.4, 1.0], [2.0, 0.0, 1.0]])
    for seed in range(5):
        torch.manual_seed(seed)
        logits = SetNetwork()(observations)
        assert (logits.diff() > 0).all()


def test_replicas_in_one_call_as_one_by_one():
    networks = [SetNetwork() for _ in range(3)]
    weights, _ = stack_module_state(networks)
    observations = crowd(3, 4, 6)

    def loss(weights, observations):
        return functional_call(networks[0], weights, (observations,)).square().mean()

    gradients = vmap(grad(loss))(weights, observations)
    for replica, network in enumerate(networks):
        network.zero_grad()
        network(observations[replica]).square().mean().backward()
        for name, weight in network.named_parameters():
            torch.testing.assert_close(gradients[name][replica], weight.grad, rtol=1e-4, atol=1e-5)


def test_settings_make_the_same_network():
    network = trained_looking(sums=3, hidden=(8, 4), slopes=(1.0,), num_features=4)
    copy = SetNetwork(**network.settings)
    copy.load_state_dict(network.state_dict())
    observations = crowd(6, num_features=4)
    torch.testing.assert_close(copy(observations), network(observations))


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"num_features": 1}, "num_features"), ({"sums": 0}, "sums"), ({"hidden": (8, 0)}, r"hidden\[1\]")],
)
def test_sizes_out_of_range_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        SetNetwork(**settings)
