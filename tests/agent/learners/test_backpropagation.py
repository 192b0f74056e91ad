from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn

from agent import FullyConnected
from agent.decisions import Binary
from agent.learners.numpy_learner import NumpyLearner
from agent.learners.rule import LearningRule
from agent.learners.torch_learner import TorchLearner
from agent.networks.set_network import SetNetwork


def problem(hidden, activation, dtype, seed=0):
    torch.manual_seed(seed)
    network = FullyConnected(7, 2, hidden=hidden, activation=activation)
    rng = np.random.default_rng(seed)
    observations = rng.normal(size=(128, 7, 2)).astype(dtype)
    decisions = rng.integers(2, size=(128, 7)).astype(dtype)
    return network, observations, decisions


def autograd(network, loss, observations, decisions):
    logits = network(torch.from_numpy(observations))
    targets = torch.from_numpy(decisions)
    if loss == "cross_entropy":
        value = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets)
    else:
        value = torch.nn.functional.mse_loss(torch.sigmoid(logits), targets)
    value.backward()
    return value.item(), [weight.grad.numpy() for weight in network.parameters()]


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-5), (np.float64, 1e-10)])
@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error"])
@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
@pytest.mark.parametrize("hidden", [[], [16], [120, 80], [12, 11, 10, 9, 8]])
def test_gradients_equal_autograd(hidden, activation, loss, dtype, tolerance):
    network, observations, decisions = problem(hidden, activation, dtype)
    learner = NumpyLearner(network, LearningRule(loss=loss), Binary(), dtype)
    value = learner.backward(observations, decisions)
    if dtype == np.float64:
        network.double()
    expected_value, expected = autograd(network, loss, observations, decisions)
    assert value == pytest.approx(expected_value, rel=tolerance)
    for gradient, reference in zip(learner.gradients.values(), expected, strict=True):
        error = np.linalg.norm(gradient - reference) / np.linalg.norm(reference)
        assert error < tolerance


@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error"])
@pytest.mark.parametrize("some_off", [False, True])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"hidden": [16, 8], "sums": 3},
        {"hidden": []},
        {"masked": False},
        {"relative": True, "exponents": [[5.0, 1.0], [-2.0, 1.0]]},
        {"embedding": [6], "sums": 3},
        {"embedding": [6, 5], "relative": True, "group": 2, "hidden": []},
        {"embedding": [4], "relative": True, "group": 4, "masked": False},
    ],
)
def test_gradients_of_the_set_network_equal_autograd(settings, some_off, loss):
    torch.manual_seed(0)
    network = SetNetwork(**settings).double()
    with torch.no_grad():
        for weight in network.parameters():
            weight += 0.3 * torch.randn_like(weight)
    rng = np.random.default_rng(0)
    observations = rng.normal(size=(5, 8, 3))
    observations[..., 2] = rng.random((5, 8)) > 0.3 if some_off else 1
    decisions = rng.integers(2, size=(5, 8)) * observations[..., 2]
    learner = NumpyLearner(network, LearningRule(loss=loss), Binary(), "float64")
    value = learner.backward(observations, decisions)
    expected_value, expected = autograd(network, loss, observations, decisions)
    assert value == pytest.approx(expected_value, rel=1e-10)
    for gradient, reference in zip(learner.gradients.values(), expected, strict=True):
        np.testing.assert_allclose(gradient, reference, rtol=1e-8, atol=1e-14)


def test_gradients_equal_finite_differences():
    network, observations, decisions = problem([5], "sigmoid", np.float64)
    learner = NumpyLearner(network, LearningRule(), Binary(), np.float64)
    learner.backward(observations, decisions)
    weight, gradient = learner.weights["layers.0.weight"], learner.gradients["layers.0.weight"].copy()
    for place in [(0, 0), (2, 5), (4, 13)]:
        losses = []
        for shift in (1e-6, -2e-6):
            weight[place] += shift
            losses.append(learner.backward(observations, decisions))
        weight[place] += 1e-6
        assert gradient[place] == pytest.approx((losses[0] - losses[1]) / 2e-6, rel=1e-5)


@pytest.mark.parametrize(
    "rule",
    [
        LearningRule(),
        LearningRule(betas=(0.09, 0.999), weight_decay=1e-4, published=True),
        LearningRule(learning_rate=1e-3, weight_decay=0.1, loss="squared_error"),
        LearningRule(optimizer="gradient_descent", learning_rate=0.5, weight_decay=1e-2),
        LearningRule(weight_averaging=0.9),
    ],
)
def test_both_backends_take_the_same_steps(rule):
    network, observations, decisions = problem([20, 10], "relu", np.float32)
    numpy_learner, torch_learner = (
        NumpyLearner(deepcopy(network), rule, Binary()),
        TorchLearner(network, rule, Binary()),
    )
    for step in range(20):
        rows = slice(4 * step, 4 * step + 32)
        ours = numpy_learner.learn(observations[rows], decisions[rows])
        theirs = torch_learner.learn(observations[rows], decisions[rows])
        assert ours == pytest.approx(theirs, rel=1e-3)
    np.testing.assert_allclose(
        numpy_learner.predict(observations), torch_learner.predict(observations), rtol=0.02, atol=0.02
    )


def test_loss_is_stable_for_extreme_logits():
    network, observations, decisions = problem([], "relu", np.float32)
    learner = NumpyLearner(network, LearningRule(), Binary())
    learner.weights["layers.0.weight"][:] *= 1e4
    loss = learner.backward(observations, decisions)
    assert np.isfinite(loss)
    assert all(np.isfinite(part).all() for part in learner.gradients.values())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "hinge"}, "loss must be 'cross_entropy' or 'squared_error', got 'hinge'"),
        ({"optimizer": "sgd"}, "optimizer must be"),
        ({"learning_rate": 0.0}, "learning_rate must be positive and at most 1000, got 0.0"),
        ({"betas": (0.9, 1.0)}, r"betas must be two numbers in \[0, 1\)"),
        ({"weight_averaging": 1.0}, "weight_averaging must be 0 or a number below 1, got 1.0"),
        ({"weight_averaging": 0.9, "published": True}, "weight_averaging must be 0 with the published"),
        ({"weight_decay": -1.0}, "weight_decay must be 0 to 1000, got -1.0"),
    ],
)
def test_bad_rules_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        LearningRule(**settings)


class OwnMode(nn.Dropout):
    """Tells what it was switched to."""

    def __init__(self):
        super().__init__(0.5)
        self.modes = []

    def train(self, mode=True):
        self.modes.append(mode)
        return super().train(mode)


@pytest.mark.parametrize("switched", [nn.Dropout(0.5), OwnMode()])
def test_a_network_learns_in_training_mode_and_decides_in_evaluation_mode(switched):
    seen = []
    switched.register_forward_hook(lambda part, *_: seen.append(part.training))
    network = nn.Sequential(nn.Flatten(-2), nn.Linear(14, 20), nn.Sequential(switched), nn.Linear(20, 7))
    learner = TorchLearner(network, LearningRule(), Binary())
    _, observations, decisions = problem([], "relu", np.float32)
    learner.learn(observations, decisions)
    learner.predict(observations)
    assert seen == [True, False]
    assert {part.training for part in network.modules()} == {False}
    assert getattr(switched, "modes", [False, True, False]) == [False, True, False]
