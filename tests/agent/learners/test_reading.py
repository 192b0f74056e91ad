"""Networks of a user's own: which are read, and that they are then trained as torch trains them."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from agent import Convolutional, OffloadingAgent, SetNetwork
from agent.decisions import kind_of
from agent.learners.numpy_learner import NumpyLearner
from agent.learners.reading import UnreadableError, read
from agent.learners.rule import LearningRule
from agent.learners.torch_learner import TorchLearner
from agent.machine_code import machine_code, without_machine_code
from env import MultiServerMEC, WirelessPoweredMEC

USERS, FEATURES = 6, 2
INPUTS = USERS * FEATURES


class Own(nn.Module):
    """Its layers stand in another order than they are called in; one has no bias."""

    def __init__(self):
        super().__init__()
        self.out = nn.Linear(9, USERS, bias=False)
        self.second = nn.Linear(14, 9)
        self.first = nn.Linear(INPUTS, 14)
        self.leaky = nn.LeakyReLU(0.2)

    def forward(self, observations):
        signal = observations.float().reshape(*observations.shape[:-2], -1)
        return self.out(torch.tanh(self.second(self.leaky(self.first(signal)))))


def chain(*layers):
    return nn.Sequential(nn.Flatten(-2), *layers)


def linear(inputs, outputs, **settings):
    return nn.Linear(inputs, outputs, **settings)


class Viewed(Own):
    def forward(self, x):
        x = x.view(x.size(0), -1) if len(x) else x
        return functional.linear(self.second(self.first(x).relu()).sigmoid(), weight=self.out.weight)


class Choices(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([linear(INPUTS, 10), linear(10, 3 * USERS)])

    def forward(self, x):
        return self.layers[1](functional.relu(self.layers[0](x.flatten(1)))).unflatten(-1, (USERS, 3))


READ = {
    "one layer": lambda: chain(linear(INPUTS, USERS)),
    "deep": lambda: chain(
        *(part for _ in range(4) for part in (linear(INPUTS, INPUTS), nn.ReLU(inplace=True))),
        linear(INPUTS, USERS),
    ),
    "others": lambda: chain(
        *(linear(INPUTS, 9), nn.Tanh(), linear(9, 8), nn.Sigmoid()), linear(8, USERS, bias=False)
    ),
    "nothing between": lambda: chain(
        linear(INPUTS, 5), nn.Identity(), linear(5, USERS), nn.Unflatten(-1, (USERS,))
    ),
    "own": Own,
    "viewed": Viewed,
    "choices": Choices,
}


def made(name, seed=0):
    torch.manual_seed(seed)
    return READ[name]()


def output_of(name):
    return (USERS, 3) if name == "choices" else (USERS,)


@pytest.mark.parametrize("rule", [LearningRule(), LearningRule(weight_decay=0.1, weight_averaging=0.9)])
@pytest.mark.parametrize("name", READ)
def test_what_is_read_learns_as_it_does_in_torch(name, rule):
    network = made(name)
    kind = kind_of(3 if name == "choices" else 2)
    torch_learner = TorchLearner(deepcopy(network), rule, kind)
    learner = NumpyLearner(network, rule, kind, passes=read(network, USERS, FEATURES, output_of(name)))
    rng = np.random.default_rng(0)
    for _ in range(20):
        observations = rng.normal(size=(32, USERS, FEATURES)).astype(np.float32)
        decisions = rng.integers(kind.num_choices, size=(32, USERS)).astype(np.float32)
        assert learner.learn(observations, decisions) == pytest.approx(
            torch_learner.learn(observations, decisions), rel=1e-4
        )
    expected = torch_learner.predict(observations)
    np.testing.assert_allclose(learner.predict(observations), expected, rtol=1e-3, atol=1e-3)
    for one in observations[:3, None]:  # in machine code, where there is Numba
        logits = learner.predict(one)
        with without_machine_code():
            np.testing.assert_array_equal(logits, learner.predict(one))
    if not rule.weight_averaging:  # the module is the one that is trained
        with torch.no_grad():
            own = network(torch.from_numpy(observations))
        np.testing.assert_allclose(learner.predict(observations), own, rtol=1e-5, atol=1e-6)


def test_gradients_of_all_activations_equal_autograd():
    network = chain(
        *(linear(INPUTS, 9), nn.Tanh(), linear(9, 8), nn.LeakyReLU(0.3), linear(8, 7), nn.Sigmoid()),
        *(linear(7, 7), linear(7, 6, bias=False), nn.ReLU(), linear(6, USERS)),
    )
    passes = read(network, USERS, FEATURES, (USERS,))
    learner = NumpyLearner(network, LearningRule(), kind_of(2), "float64", passes)
    rng = np.random.default_rng(0)
    observations, decisions = rng.normal(size=(50, USERS, FEATURES)), rng.integers(2, size=(50, USERS)) * 1.0
    loss = learner.backward(observations, decisions)
    network.double()
    expected = functional.binary_cross_entropy_with_logits(
        network(torch.from_numpy(observations)), torch.from_numpy(decisions)
    )
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-7)
    for name, weight in network.named_parameters():
        np.testing.assert_allclose(learner.gradients[name], weight.grad, rtol=1e-6, atol=1e-10)


class Branching(Own):
    def forward(self, x):
        signal = self.first(x.flatten(-2))
        signal = signal if signal.sum() < 1e9 else -signal
        return self.out(self.second(signal.relu()).relu())


class Counting(Own):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return super().forward(x)


class Logging(Own):
    def __init__(self):
        super().__init__()
        self.log = []

    def forward(self, x):
        self.log.append(1)
        return super().forward(x)


class OtherInTraining(Own):
    def forward(self, x):
        signal = self.first(x.flatten(-2))
        return self.out(self.second(signal.relu() if self.training else signal.tanh()).relu())


class Frozen(Own):
    def forward(self, x):
        with torch.no_grad():
            signal = self.first(x.flatten(-2)).relu()
        return self.out(self.second(signal).relu())


class NoSlope(torch.autograd.Function):
    @staticmethod
    def forward(context, signal):
        return signal.view_as(signal)

    @staticmethod
    def backward(context, slope):
        return 0 * slope


class OwnSlope(Own):
    def forward(self, x):
        return self.out(self.second(NoSlope.apply(self.first(x.flatten(-2)).relu())).relu())


class Twice(Own):
    def forward(self, x):
        signal = self.first(x.flatten(-2)).relu()
        return self.out(self.second(signal + signal).relu())


def hooked():
    network = Own()
    network.first.register_forward_hook(lambda *_: None)
    return network


def tied():
    network = chain(linear(INPUTS, INPUTS), nn.ReLU(), linear(INPUTS, INPUTS), nn.ReLU(), linear(INPUTS, USERS))
    network[3].weight = network[1].weight
    return network


def with_attribute(network, **attributes):
    for name, value in attributes.items():
        setattr(network, name, value)
    return network


def first_fixed():
    network = Own()
    network.first.weight.requires_grad_(False)
    return network


UNREAD = {
    "branch on data": (Branching, "it calls sum"),
    "counts": (Counting, "it changes as it is called"),
    "logs": (Logging, "it changes as it is called"),
    "other in training": (OtherInTraining, "it does not always call the same"),
    "without gradient": (Frozen, "it calls _set_grad_enabled"),
    "own gradient": (OwnSlope, "it "),
    "residual": (Twice, "it calls add"),
    "hooks": (hooked, "it has hooks"),
    "tied": (tied, "it does not use each of its parameters once"),
    "unused": (lambda: with_attribute(Own(), more=linear(2, 2)), "it does not use each of its parameters once"),
    "fixed": (first_fixed, "not all of its parameters are trained"),
    "double": (lambda: Own().double(), "not all of its parameters are trained, in single precision"),
    "any size": (lambda: with_attribute(Own(), any_size=True), "it takes any number of users"),
    "layer norm": (lambda: chain(linear(INPUTS, 5), nn.LayerNorm(5), linear(5, USERS)), "it calls layer_norm"),
    "batch norm": (lambda: chain(linear(INPUTS, 5), nn.BatchNorm1d(5), linear(5, USERS)), "it has buffers"),
    "dropout": (lambda: chain(linear(INPUTS, 5), nn.Dropout(0.1), linear(5, USERS)), "it calls dropout"),
    "gelu": (lambda: chain(linear(INPUTS, 5), nn.GELU(), linear(5, USERS)), "it calls gelu"),
    "steep": (lambda: chain(linear(INPUTS, 5), nn.LeakyReLU(1.5), linear(5, USERS)), "with a slope of 1.5"),
    "weight norm": (
        lambda: chain(nn.utils.parametrizations.weight_norm(linear(INPUTS, USERS))),
        "it calls _weight_norm",
    ),
    "each user": (
        lambda: nn.Sequential(linear(FEATURES, 4), nn.ReLU(), linear(4, 1), nn.Flatten(-2)),
        "it has a linear layer that does not see all of an observation",
    ),
    "clipped logits": (lambda: chain(linear(INPUTS, USERS), nn.Tanh()), "its logits are what comes out of"),
    "compiled": (lambda: with_attribute(Own(), _compiled_call_impl=print), "it is compiled"),
}


@pytest.mark.parametrize("name", UNREAD)
def test_any_other_is_left_to_torch_as_it_was(name):
    make, message = UNREAD[name]
    network = make()
    before, random_state = deepcopy(vars(network)), torch.get_rng_state()
    with pytest.raises(UnreadableError, match=message):
        read(network, USERS, FEATURES, (USERS,))
    assert torch.equal(torch.get_rng_state(), random_state)
    assert vars(network).keys() == before.keys()
    assert getattr(network, "calls", 0) == 0 == len(getattr(network, "log", []))
    assert network.training


def test_passes_that_give_something_else_are_not_used():
    class Exchanged(Own):
        def forward(self, x):
            signal = self.first(x.flatten(-2)).relu()
            return self.out(self.second(signal[..., list(range(13, -1, -1))]).relu())

    with pytest.raises(UnreadableError, match="give something else"):
        read(Exchanged(), USERS, FEATURES, (USERS,))


def play(agent, frames, world):
    values, losses = [], []
    for _ in range(frames):
        decision, value = agent.decide(world.observe(), world.evaluate)
        world.step(decision)
        values.append(value)
        losses.append(agent.loss)
    return np.array(values), losses


def factory(num_users, num_features, num_choices=2):
    outputs = num_users * (1 if num_choices == 2 else num_choices)
    layers = [nn.Flatten(-2), nn.Linear(num_users * num_features, 20), nn.ReLU(), nn.Linear(20, outputs)]
    return nn.Sequential(*layers, *([] if num_choices == 2 else [nn.Unflatten(-1, (num_users, num_choices))]))


WORLDS = {"bits": lambda: WirelessPoweredMEC(USERS, seed=1), "choices": lambda: MultiServerMEC(USERS, 2, seed=1)}


@pytest.mark.parametrize("settings", [{}, {"weight_averaging": 0.9, "weight_decay": 0.01}, {"num_networks": 2}])
@pytest.mark.parametrize("world", WORLDS)
def test_an_agent_decides_as_with_torch(world, settings):
    kept = []
    for backend in ("auto", "torch"):
        one = WORLDS[world]()
        agent = OffloadingAgent(
            USERS,
            one.observe().shape[-1],
            num_choices=one.decisions.num_choices,
            network=factory,
            backend=backend,
            **settings,
        )
        assert agent.backend == ("numpy" if backend == "auto" else "torch")
        kept.append(play(agent, 250, one))
    (values, losses), (expected, expected_losses) = kept
    assert losses[9:] == pytest.approx(expected_losses[9:], rel=0.02)
    assert np.mean(values == expected) > 0.97


def test_the_module_that_is_passed_is_trained_and_named_as_it_was(tmp_path):
    network = factory(USERS, 1)
    names, weights = list(network.state_dict()), list(network.parameters())
    before = [weight.detach().clone() for weight in weights]
    agent = OffloadingAgent(USERS, network=network)
    world = WirelessPoweredMEC(USERS)
    play(agent, 30, world)
    assert agent.backend == "numpy"
    assert list(network.state_dict()) == names == list(agent.learner.state_dict()["network"])
    for weight, same, old in zip(weights, network.parameters(), before, strict=True):
        assert weight is same
        assert not torch.equal(weight, old)
    seen = agent._seen(world.observe()[None])
    with torch.no_grad():
        np.testing.assert_allclose(agent.learner.predict(seen), network(torch.from_numpy(seen)), rtol=1e-5)
    network[1].weight.data[:] = 0  # a change in place is the agent's
    assert not agent.learner.weights["1.weight"].any()


def test_a_loaded_agent_goes_on_and_refuses_other_weights(tmp_path):
    path = tmp_path / "agent.pt"
    agent = OffloadingAgent(USERS, network=factory, weight_averaging=0.9)
    world = WirelessPoweredMEC(USERS)
    play(agent, 50, world)
    agent.save(path)
    loaded = OffloadingAgent.load(path, network=factory)
    assert loaded.backend == "numpy"
    others = [deepcopy(world), world]
    np.testing.assert_array_equal(play(loaded, 50, others[0])[0], play(agent, 50, others[1])[0])
    for other in (
        lambda n, f: chain(linear(n * f, 1), nn.ReLU(), linear(1, n)),
        lambda n, f: chain(linear(n * f, 20), nn.ReLU(), linear(20, n, bias=False)),
    ):
        with pytest.raises(ValueError, match="network does not fit the checkpoint's weights"):
            OffloadingAgent.load(path, network=other)


def test_replicas_are_the_single_runs_of_their_seeds():
    world = WirelessPoweredMEC(USERS, replicas=3, seed=0)
    agents = OffloadingAgent(USERS, replicas=3, seed=0, network=factory)
    assert agents.backend == "numpy"
    together = play(agents, 200, world)[0]
    for replica in range(3):
        agent = OffloadingAgent(USERS, seed=replica, network=factory)
        alone = play(agent, 200, WirelessPoweredMEC(USERS, seed=replica))[0]
        np.testing.assert_allclose(together[:, replica], alone, rtol=1e-9)


def test_replicas_that_differ_are_left_to_torch():
    activations = iter([nn.ReLU, nn.Tanh])

    def varying(num_users, num_features):
        return chain(linear(num_users, 5), next(activations)(), linear(5, num_users))

    with pytest.raises(ValueError, match="'numpy' backend, got Sequential: they differ"):
        OffloadingAgent(USERS, replicas=2, network=varying, backend="numpy")


def test_the_backend_says_what_it_can_train():
    with pytest.raises(
        ValueError, match=r"FullyConnected, SetNetwork or linear layers .* got Convolutional: it ca"
    ):
        OffloadingAgent(USERS, network=Convolutional, backend="numpy")
    assert OffloadingAgent(USERS, network=Convolutional).backend == "torch"
    assert OffloadingAgent(USERS, 3, network=SetNetwork).backend == "numpy"
    assert OffloadingAgent(USERS, network=factory, backend="torch").backend == "torch"
    assert OffloadingAgent(USERS, network=factory, replicas=2, device="cpu").backend == "torch"


def test_machine_code_is_used_for_what_is_read():
    if machine_code("learners.compiled_passes") is None:
        pytest.skip("without Numba")
    network = made("own")
    learner = NumpyLearner(network, LearningRule(), kind_of(2), passes=read(network, USERS, FEATURES, (USERS,)))
    learner._passes.forward = None
    observation = np.ones((1, USERS, FEATURES), dtype=np.float32)
    with torch.no_grad():
        np.testing.assert_allclose(learner.predict(observation), network(torch.from_numpy(observation)), rtol=1e-5)
