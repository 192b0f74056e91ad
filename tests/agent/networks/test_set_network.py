import itertools

import pytest
import torch
from torch.func import functional_call, grad, stack_module_state, vmap

from agent import OffloadingAgent
from agent.networks.set_network import OFF, SetNetwork
from env import MultiTaskMEC


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
    "relative": {"relative": True, "exponents": ((10.0, 1.0), (20.0, 0.0)), "slopes": (0.0, -1.0, 0.0, 2.0)},
    "embedded": {"embedding": (8, 6), "sums": 4},
    "embedded and relative": {"embedding": (8,), "relative": True, "hidden": ()},
}
GROUPED = {"group": 3, "embedding": (8,), "relative": True, "masked": False}


@pytest.mark.parametrize("settings", NETWORKS.values(), ids=NETWORKS)
def test_order_of_users_carries_over_to_the_logits(settings):
    network = trained_looking(**settings)
    observations = crowd(4, 9, num_features=network.settings["num_features"])
    order = torch.randperm(9, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(network(observations[:, order]), network(observations)[:, order])


def test_groups_are_crowds_of_their_own():
    network, alone = trained_looking(**GROUPED), trained_looking(**{**GROUPED, "group": None})
    observations = crowd(4, 9)
    logits = network(observations)
    for first in (0, 3, 6):
        group = slice(first, first + 3)
        torch.testing.assert_close(logits[:, group], alone(observations[:, group]))
    order = torch.tensor([5, 3, 4, 1, 0, 2, 6, 8, 7])  # groups change places, and users within them
    torch.testing.assert_close(network(observations[:, order]), logits[:, order])


def test_in_groups_too_users_that_are_off_change_nothing():
    network = trained_looking(group=3, relative=True, exponents=[[20.0, 1.0]])
    observations = crowd(2, 6)
    observations[:, 2, -1] = 0
    changed = observations.clone()
    changed[:, 2, :2] += 5
    torch.testing.assert_close(network(changed), network(observations))
    pair = network.__class__(**{**network.settings, "group": 2})
    pair.load_state_dict(network.state_dict())
    torch.testing.assert_close(network(observations)[:, :2], pair(observations[:, :2]))


def test_relative_is_the_log_share_of_each_user():
    network = SetNetwork(
        num_features=2,
        masked=False,
        relative=True,
        hidden=(),
        exponents=[[2.0, 1.0]],
        slopes=(0, 0, 1.5),
        bias=0.25,
    )
    observations = crowd(5, num_features=2)
    powers = (2 * observations[:, 0] + observations[:, 1]).exp()
    with torch.no_grad():
        network.head.weight.zero_()
    torch.testing.assert_close(network(observations), 1.5 * (powers / powers.sum()).log() + 0.25)


def test_a_large_exponent_holds_a_user_against_the_first():
    settings = {"num_features": 2, "masked": False, "relative": True, "slopes": (0, -2, 2), "bias": 1.0}
    network = SetNetwork(exponents=[[60.0, 1.0]], hidden=(), **settings)
    with torch.no_grad():
        network.head.weight.zero_()
    price, time = torch.tensor([3.0, 2.0, 1.0]), torch.tensor([0.4, 0.2, 0.7])
    logits = network(torch.stack([price.log(), time.log()], -1))
    torch.testing.assert_close(logits, 1 - 2 * time[0].log() - 120 * (3 / price).log(), rtol=1e-4, atol=1e-4)


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


def test_frames_must_be_whole_groups():
    with pytest.raises(ValueError, match="num_users must be a multiple of group, 3, got 4"):
        SetNetwork(group=3)(crowd(4))


def grouped(num_users, num_features):
    return SetNetwork(num_users, num_features, **GROUPED)


@pytest.mark.parametrize("backend", ["torch", "numpy"])
def test_a_saved_agent_with_groups_goes_on(tmp_path, backend):
    settings = {"backend": backend, "quantizer": "MP", "num_candidates": 8, "local_search": 0}
    agent = OffloadingAgent(6, 1, network=grouped, training_interval=2, learning_rate=0.05, **settings)
    world = MultiTaskMEC(2, 3, observation="delay")

    def play(agent, frames=20):
        seen = []
        for _ in range(frames):
            decision, value = agent.decide(world.observe(), world.evaluate)
            seen.append([*decision, value])
            world.step(decision)
        return seen

    play(agent)
    agent.save(tmp_path / "agent.pt")
    state = world.state_dict()
    expected = play(agent)
    world.load_state_dict(state)
    loaded = OffloadingAgent.load(tmp_path / "agent.pt")
    assert play(loaded) == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_features": 1}, "num_features"),
        ({"sums": 0}, "sums"),
        ({"hidden": (8, 0)}, r"hidden\[1\]"),
        ({"embedding": (0,)}, r"embedding\[0\]"),
        ({"group": 0, "num_users": 4}, "group"),
        ({"group": 3, "num_users": 4}, "num_users must be a multiple of group, 3, got 4"),
        ({"slopes": (1,) * 5}, "slopes must be at most 4"),
        ({"exponents": [[1.0]]}, r"exponents must be lists of 2 numbers, one a feature, got \[\[1.0\]\]"),
        ({"exponents": []}, "exponents must be lists of 2 numbers"),
    ],
)
def test_sizes_out_of_range_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        SetNetwork(**settings)
