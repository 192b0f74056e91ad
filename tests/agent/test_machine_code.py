"""Machine code does what NumPy does: held against each other part by part, and whole agents by their decisions."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import agent.machine_code
from agent import (
    FullyConnected,
    KNearest,
    MostProbableBits,
    OffloadingAgent,
    OrderPreserving,
    OrderPreservingAndNearest,
    SetNetwork,
)
from agent.decisions import Binary
from agent.learners.backpropagation import FullyConnectedPasses, Layer
from agent.learners.numpy_learner import NumpyLearner
from agent.learners.rule import LearningRule
from agent.local_search import LocalSearch
from agent.machine_code import machine_code, without_machine_code
from agent.standardization import STARTING, Standardization
from env import MultiServerMEC, WirelessPoweredMEC

pytest.importorskip("numba")
ROOT = Path(__file__).resolve().parents[2]


@st.composite
def relaxed_decisions(draw):
    """Of few and of many users; some all but certain, some equal."""
    num_users, seed = draw(st.integers(1, 90)), draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    relaxed = 1 / (1 + np.exp(-rng.normal(0, draw(st.sampled_from([0.5, 3.0, 12.0])), num_users)))
    if num_users <= 16 and draw(st.booleans()):  # a sort of more need not keep the order of equal ones
        relaxed = relaxed.round(1)
    return relaxed


@given(relaxed_decisions(), st.booleans(), st.integers(1, 40))
def test_published_thresholds_are_the_same(relaxed, single, k):
    relaxed = relaxed.astype(np.float32) if single else relaxed
    quantizer = OrderPreserving(distinct=False)
    k = min(k, quantizer.max_candidates(len(relaxed)))
    compiled = quantizer(relaxed, k)
    with without_machine_code():
        np.testing.assert_array_equal(compiled, quantizer(relaxed, k))


def test_the_machine_code_is_there():
    assert machine_code("compiled_search") is not None
    with without_machine_code():
        assert machine_code("compiled_search") is None
    assert machine_code("no_such_module") is None


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"quantizer": "OP", "adaptive_interval": 32},
        {"quantizer": "KNN", "num_networks": 2},
        {"published": True},
        {"num_choices": 3},
        {"network": SetNetwork(num_features=1, masked=False, slopes=[])},
        {"backend": "torch"},
        {"replicas": 2},
        {"replicas": 2, "num_choices": 3},
        {"replicas": 2, "network": SetNetwork(num_features=1, masked=False, slopes=[])},
    ],
)
def test_what_an_agent_uses_and_nothing_else_is_loaded_before_its_first_frame(settings, monkeypatch):
    loaded, load = set(), agent.machine_code._load

    def noted(module):
        loaded.add(module)
        return load(module)

    monkeypatch.setattr(agent.machine_code, "_load", noted)
    made = OffloadingAgent(6, **settings)
    ahead = set(loaded)
    shape = (2, 6, 1) if "replicas" in settings else (6, 1)
    rng = np.random.default_rng(0)
    for _ in range(STARTING + 10):
        made.decide(rng.normal(size=shape), lambda decisions: decisions.sum(-1))
    assert loaded == ahead


@given(relaxed_decisions(), st.integers(1, 40), st.sampled_from(["OP", "KNN", "MP", "OP+KNN"]), st.booleans())
def test_quantizers_propose_the_same(relaxed, k, name, single):
    relaxed = relaxed.astype(np.float32) if single else relaxed
    quantizer = {
        "OP": OrderPreserving(),
        "KNN": KNearest(),
        "MP": MostProbableBits(),
        "OP+KNN": OrderPreservingAndNearest(),
    }[name]
    k = min(k, quantizer.max_candidates(len(relaxed)))
    compiled = quantizer(relaxed, k)
    with without_machine_code():
        expected = quantizer(relaxed, k)
    np.testing.assert_array_equal(compiled, expected)


def test_very_long_lists_are_the_same_too():
    relaxed = np.random.default_rng(0).random(12)
    with without_machine_code():
        expected = KNearest()(relaxed, 4096)
    np.testing.assert_array_equal(KNearest()(relaxed, 4096), expected)


@pytest.mark.parametrize("num_choices", [2, 4])
@pytest.mark.parametrize("num_users", [1, 2, 5, 10, 40])
@pytest.mark.parametrize("feasible", [1.0, 0.3, 0.0])
def test_local_search_finds_the_same(num_choices, num_users, feasible):
    rng = np.random.default_rng(num_users)
    quantizer = OffloadingAgent(num_users, num_choices=num_choices).quantizer
    search = LocalSearch(num_choices, quantizer, 12)
    for frame in range(30):
        shape = (num_users, num_choices) if num_choices > 2 else (num_users,)
        relaxed = rng.random(shape)
        relaxed = relaxed / relaxed.sum(-1, keepdims=True) if num_choices > 2 else relaxed
        candidates = quantizer(relaxed, min(20, quantizer.max_candidates(num_users)), rng)
        candidates.setflags(write=False)
        worth = rng.normal(size=(num_users, num_choices))
        salt = rng.integers(1000)

        def value(decisions, worth=worth, salt=salt):
            values = worth[np.arange(len(worth)), decisions].sum(-1)
            hashed = (decisions * (7 * np.arange(len(worth)) + 3)).sum(-1) + salt
            return np.where(hashed % 10 < 10 * feasible, values, -np.inf)

        values = value(candidates)
        best = int(values.argmax())
        found = candidates[best], float(values[best]), best
        results, asked = [], []
        for context in (None, without_machine_code()):
            seen = []

            def critic(near, new, seen=seen):
                seen.append(near.copy())
                return value(near)

            run = np.random.default_rng(frame)
            if context is None:
                results.append(search.around(relaxed, candidates, found, critic, run, frame, None))
            else:
                with context:
                    results.append(search.around(relaxed, candidates, found, critic, run, frame, None))
            asked.append(seen)
        np.testing.assert_array_equal(results[0][0], results[1][0])
        assert results[0][1:] == results[1][1:]
        for compiled, expected in zip(*asked, strict=True):
            np.testing.assert_array_equal(compiled, expected)


@pytest.mark.parametrize("frames", [1, STARTING - 1, STARTING, 500])
def test_standardization_is_the_same(frames):
    rng = np.random.default_rng(frames)
    scale, offset = 10.0 ** rng.uniform(-8, 8, (2, 4, 3))
    offset[0, 0], scale[0, 1], scale[1, 1], offset[1, 1] = 0, 0, 0, 0  # constants are among them
    compiled, expected = Standardization(4, 3), Standardization(4, 3)
    for _ in range(frames):
        observation = offset + scale * rng.normal(size=(4, 3))
        compiled.update(observation)
        with without_machine_code():
            expected.update(observation)
    np.testing.assert_allclose(compiled._mean, expected._mean, rtol=1e-12)
    np.testing.assert_allclose(compiled._variance, expected._variance, rtol=1e-12)
    for batch in (1, 20):
        observations = offset + 30 * scale * rng.normal(size=(batch, 4, 3))
        seen = compiled(observations)
        with without_machine_code():
            np.testing.assert_allclose(seen, expected(observations), rtol=1e-6)


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
@pytest.mark.parametrize("hidden", [[], [7], [120, 80]])
@pytest.mark.parametrize("num_choices", [2, 3])
def test_the_pass_of_one_observation_is_the_same(activation, hidden, num_choices):
    torch.manual_seed(0)
    network = FullyConnected(6, 2, hidden=hidden, activation=activation, num_choices=num_choices)
    learner = NumpyLearner(network, LearningRule(weight_averaging=0.9), Binary())
    observation = np.random.default_rng(0).normal(size=(1, 6, 2)).astype(np.float32)
    logits = learner.predict(observation)
    assert logits.dtype == np.float32
    with without_machine_code():
        np.testing.assert_allclose(logits, learner.predict(observation), rtol=1e-5, atol=1e-6)
    with torch.no_grad():
        np.testing.assert_allclose(logits, network(torch.from_numpy(observation)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"hidden": []},
        {"sums": 5, "hidden": [7, 5]},
        {"masked": False, "embedding": [6]},
        {"embedding": [6, 5], "relative": True, "group": 2, "hidden": []},
        {"relative": True, "exponents": [[10.0, 1.0], [20.0, 1.0]]},
    ],
)
@pytest.mark.parametrize("num_users", [2, 6, 40])
def test_the_pass_of_a_set_is_the_same(settings, num_users):
    torch.manual_seed(0)
    network = SetNetwork(**settings)
    with torch.no_grad():
        for weight in network.parameters():
            weight += 0.3 * torch.randn_like(weight)
    learner = NumpyLearner(network, LearningRule(), Binary())
    rng = np.random.default_rng(0)
    observation = rng.normal(size=(1, num_users, 3)).astype(np.float32)
    observation[..., 2] = rng.random(num_users) < 0.7
    observation.setflags(write=False)
    logits = learner.predict(observation)
    assert logits.dtype == np.float32
    with without_machine_code():
        np.testing.assert_array_equal(logits, learner.predict(observation))


@pytest.mark.parametrize("rule", [LearningRule(), LearningRule(weight_decay=0.1, betas=(0.5, 0.9))])
def test_adam_takes_the_same_steps(rule):
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    networks = [FullyConnected(6, hidden=[20])]
    networks.append(FullyConnected(6, hidden=[20]))
    networks[1].load_state_dict(networks[0].state_dict())
    compiled, expected = (NumpyLearner(network, rule, Binary()) for network in networks)
    for _ in range(50):
        observations = rng.normal(size=(16, 6, 1)).astype(np.float32)
        decisions = (observations[..., 0] > 0).astype(np.float32)
        loss = compiled.learn(observations, decisions)
        with without_machine_code():
            assert loss == expected.learn(observations, decisions)
    for pair in zip(networks[0].parameters(), networks[1].parameters(), strict=True):
        assert torch.equal(*pair)


def test_a_trained_module_is_the_one_that_was_passed():
    network = FullyConnected(6, hidden=[20])
    before = network.layers[0].weight.detach().clone()
    made = OffloadingAgent(6, network=network, local_search=0, num_candidates=4)
    assert made.backend == "numpy"
    world = WirelessPoweredMEC(6)
    for _ in range(40):
        world.step(made.decide(world.observe(), world.evaluate)[0])
    assert not torch.equal(network.layers[0].weight, before)
    observation = made._seen(world.observe()[None])
    with torch.no_grad():
        np.testing.assert_allclose(
            network(torch.from_numpy(observation)), made.learner.predict(observation), rtol=1e-5, atol=1e-6
        )


WORLDS = {
    "wireless powered": lambda: WirelessPoweredMEC(8, seed=3),
    "capped": lambda: WirelessPoweredMEC(8, seed=3, cpu_frequency=3e6),
    "servers": lambda: MultiServerMEC(6, 2, seed=3),
    "places": lambda: MultiServerMEC(6, 2, seed=3, capacities=2),
}


@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.parametrize("quantizer", [None, "KNN", "OPN"])
def test_an_agent_decides_the_same(name, quantizer):
    if quantizer is not None and name in ("servers", "places"):
        quantizer = "MP"
    histories = []
    for context in (None, without_machine_code()):
        world = WORLDS[name]()
        num_features = world.observe().shape[-1]
        made = OffloadingAgent(
            world.num_users, num_features, num_choices=world.decisions.num_choices, quantizer=quantizer, seed=1
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if context is None:
                histories.append(values_of(made, world))
            else:
                with context:
                    histories.append(values_of(made, world))
    np.testing.assert_allclose(*histories, rtol=1e-9)


def values_of(made, world):
    """Of 150 frames."""
    values = []
    for _ in range(150):
        decision, value = made.decide(world.observe(), world.evaluate)
        world.step(decision)
        values.append(value)
    return values


THREADS = """
from threading import Thread
import numba
from agent.machine_code import machine_code

def own():
    for start in range(5):  # which others do not refuse
        loaded.append(numba.njit(lambda x: x + start)(1) == 1 + start)

def load(module):
    loaded.append(machine_code(module) is not None)

loaded = []
threads = [Thread(target=own)]
modules = ("decisions.compiled_sigmoid", "compiled_standardization") * 2
threads += [Thread(target=load, args=[module]) for module in modules]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(loaded)
"""


def test_threads_compile_one_after_another_and_let_others_compile(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-c", THREADS], capture_output=True, text=True, check=False, env=environment
    )
    assert ended.stdout.strip() == str([True] * 9), ended.stderr


@pytest.mark.parametrize("activation", ["none", "relu", "leaky_relu", "sigmoid", "tanh"])
@pytest.mark.parametrize("outputs", [1, 2, 33])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("replicas", [None, 3])
def test_minibatches_teach_the_same(activation, outputs, bias, replicas):
    torch.manual_seed(outputs)
    networks = [
        torch.nn.Sequential(torch.nn.Linear(6, 40), torch.nn.Linear(40, outputs, bias=bias))
        for _ in range(replicas or 1)
    ]
    layers = [Layer("0.weight", "0.bias", activation, 0.2), Layer("1.weight", "1.bias" if bias else None)]
    passes = FullyConnectedPasses(networks[0], layers, (outputs,))
    learner = NumpyLearner(networks if replicas else networks[0], LearningRule(), Binary(), passes=passes)
    rng, lead = np.random.default_rng(outputs), (replicas,) if replicas else ()
    observations = rng.normal(size=(*lead, 128, 6, 1)).astype(np.float32)
    decisions = rng.integers(2, size=(*lead, 128, outputs)).astype(np.float32)
    observations[..., :3, :, :] = 0  # some units are at their kink
    learner.weights["0.bias"][..., :5] = 0
    loss = learner.backward(observations, decisions)
    gradients = {name: gradient.copy() for name, gradient in learner.gradients.items()}
    with without_machine_code():
        np.testing.assert_array_equal(learner.backward(observations, decisions), loss)
    for name, gradient in learner.gradients.items():
        np.testing.assert_array_equal(gradients[name], gradient)
    learner.weights["0.weight"][..., 0, 0] = np.nan  # is not lost on the way
    assert np.isnan(learner.backward(observations, decisions)).all()
