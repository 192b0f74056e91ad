"""Whatever is passed to agents and quantizers: right, or one InputError that names it; nothing from inside."""

import contextlib
import inspect

import bad_values
import numpy as np
import pytest

import agent
from agent import InputError, OffloadingAgent
from agent.simulation import simulate
from env import WirelessPoweredMEC

BAD = bad_values.BAD | {"four dimensions": np.ones((2, 3, 4, 5))}
QUANTIZERS = [
    agent.OrderPreserving(),
    agent.KNearest(),
    agent.MostProbableBits(),
    agent.NoisyOrderPreserving(),
    agent.NoisyProbabilities(),
    agent.OrderPreservingAndNearest(),
    agent.MostProbable(3),
]


@pytest.mark.parametrize("quantizer", QUANTIZERS, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("value", BAD.values(), ids=BAD)
def test_quantizers(quantizer, value):
    """Machine code does not look where it reads: these ended the process."""
    relaxed = np.full((3, 3), 1 / 3) if isinstance(quantizer, agent.MostProbable) else np.array([0.2, 0.6, 0.7])
    rng = np.random.default_rng(0)
    if not isinstance(value, np.ndarray) or not np.isfinite(np.sum(value.astype(float))):
        with pytest.raises(InputError, match="relaxed"):
            quantizer(value, 2, rng)
    with pytest.raises(InputError, match="k must"):
        quantizer(relaxed, value, rng)
    with pytest.raises(InputError, match="num_users"):
        quantizer.max_candidates(value)


@pytest.mark.parametrize("quantizer", QUANTIZERS, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("k", [0, True, 10**9, "2", 2.0])
def test_numbers_of_candidates(quantizer, k):
    relaxed = np.full((3, 3), 1 / 3) if isinstance(quantizer, agent.MostProbable) else np.array([0.2, 0.6, 0.7])
    with pytest.raises(InputError, match="k must"):
        quantizer(relaxed, k, np.random.default_rng(0))


def test_a_list_will_do():
    np.testing.assert_array_equal(agent.KNearest()([0.2, 0.6], 4), agent.KNearest()(np.array([0.2, 0.6]), 4))


@pytest.mark.parametrize("value", BAD.values(), ids=BAD)
def test_agents(value):
    one, many = OffloadingAgent(3), OffloadingAgent(3, replicas=2)
    seen, of_many = np.zeros((3, 1)), np.zeros((2, 3, 1))
    for call in (
        lambda: one.decode(value),
        lambda: one.relax(value),
        lambda: one.encode(value, [0, 1, 0]),
        lambda: one.encode(seen, value),
        lambda: one.remember(seen, value),
        lambda: one.decide(value, lambda decisions: np.zeros(len(decisions))),
        lambda: one.decide(seen, lambda decisions: value),
        lambda: many.decode(value),
        lambda: many.encode(of_many, value),
        lambda: many.decide(value, lambda decisions: np.zeros(decisions.shape[:2])),
        lambda: many.decide(of_many, lambda decisions: value),
        lambda: one.load_state_dict(value),
    ):
        with pytest.raises(InputError):
            call()
    if not callable(value):
        for either, observation in (one, seen), (many, of_many):
            with pytest.raises(InputError, match="evaluate"):
                either.decide(observation, value)
    assert one.memory.counter == many.memory.counter == 0


def test_replicas_refuse_nan_for_a_best_candidate():
    with pytest.raises(InputError, match="of replica 1"):
        OffloadingAgent(3, replicas=2).decide(
            np.zeros((2, 3, 1)), lambda decisions: np.array([[0.0], [np.nan]]) + np.zeros(decisions.shape[:2])
        )


@pytest.mark.parametrize("value", BAD.values(), ids=BAD)
def test_simulations(value):
    world, one = WirelessPoweredMEC(3), OffloadingAgent(3)
    with pytest.raises(InputError, match="environment"):
        simulate(value, one, 3)
    with pytest.raises(InputError, match="agent"):
        simulate(world, value, 3)
    with pytest.raises(InputError, match="frames"):
        simulate(world, one, value)
    if value is not None and not callable(value):
        with pytest.raises(InputError, match="optimum"):
            simulate(world, one, 3, optimum=value)


@pytest.mark.parametrize("value", [1j, None, 3, "a" * 300, "a\x00b", "a/" * 3000, "\ud800", "."])
def test_paths_that_are_none(value):
    with pytest.raises(InputError, match="path must be"):
        OffloadingAgent(3).save(value)
    with pytest.raises(FileNotFoundError if value == "." else InputError, match="path must be|no such"):
        OffloadingAgent.load(value)


@pytest.mark.parametrize("kind", [agent.FullyConnected, agent.Convolutional, agent.SetNetwork, agent.PairNetwork])
@pytest.mark.parametrize("value", BAD.values(), ids=BAD)
def test_networks(kind, value):
    for name in inspect.signature(kind).parameters:
        with contextlib.suppress(InputError):
            kind(**{"num_users": 3, name: value})


@pytest.mark.parametrize("value", BAD.values(), ids=BAD)
def test_memories(value):
    for name in inspect.signature(agent.ReplayMemory).parameters:
        with contextlib.suppress(InputError):
            agent.ReplayMemory(**{"capacity": 4, "num_users": 3, name: value})
    with pytest.raises(InputError, match="blank_row must be true or false"):
        agent.ReplayMemory(4, 3, blank_row=value)


@pytest.mark.parametrize("name", ["num_users", "num_features", "num_choices", "num_networks", "batch_size"])
def test_sizes_have_a_most(name):
    with pytest.raises(InputError, match=f"{name} must be a whole number, . to 16777216, got"):
        OffloadingAgent(**{"num_users": 3, name: 2**63})


def test_devices_that_are_none(tmp_path):
    for call in (
        lambda: OffloadingAgent(3, device="potato"),
        lambda: OffloadingAgent(3, replicas=2, device="potato"),
        lambda: agent.ReplayMemory(4, 3, device="potato"),
        lambda: WirelessPoweredMEC(3, replicas=2, device="potato"),
    ):
        with pytest.raises(ValueError, match="device must be"):
            call()
    OffloadingAgent(3, replicas=2, device="cpu").save(tmp_path / "agent.pt")
    with pytest.raises(InputError, match="device must be one that torch has here, such as 'cpu', got 'potato'"):
        OffloadingAgent.load(tmp_path / "agent.pt", device="potato")


def test_a_message_is_not_longer_than_what_was_given():
    with pytest.raises(InputError, match="observation must be") as refused:
        OffloadingAgent(3).relax("a" * 10**5)
    assert len(str(refused.value)) < 1000


def test_a_simulation_that_would_never_end():
    with pytest.raises(InputError, match="frames"):
        simulate(WirelessPoweredMEC(3), OffloadingAgent(3), 2**63)
