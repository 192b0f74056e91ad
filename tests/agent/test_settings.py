"""Settings: what can be set takes effect and is saved, what cannot says so, and arrays are taken for lists."""

from dataclasses import fields

import numpy as np
import pytest
import torch

from agent import KNearest, NoisyOrderPreserving, OffloadingAgent, checkpoint
from agent.compat import MemoryDNN
from agent.replicas import AgentReplicas
from agent.settings import CHANGEABLE, AgentSettings, ReplicaSettings
from env import WirelessPoweredMEC

USERS = 5


def play(agent, frames, world=None):
    world = world or WirelessPoweredMEC(USERS)
    values = []
    for _ in range(frames):
        decision, value = agent.decide(world.observe(), world.evaluate)
        world.step(decision)
        values.append(value)
    return values


@pytest.mark.parametrize("backend", ["torch", "numpy"])
@pytest.mark.parametrize(
    "change",
    [
        {"learning_rate": 0.2},
        {"betas": (0.1, 0.5)},
        {"weight_decay": 0.5},
        {"training_interval": 1},
        {"batch_size": 3},
        {"quantizer": KNearest()},
        {"quantizer": "OPN"},
    ],
)
def test_what_is_set_is_what_a_new_agent_of_that_setting_does(tmp_path, backend, change):
    agent = OffloadingAgent(USERS, backend=backend, adaptive_interval=None)
    ((name, value),) = change.items()
    setattr(agent, name, value)
    other = OffloadingAgent(USERS, backend=backend, adaptive_interval=None, **change)
    assert play(agent, 40) == play(other, 40)
    assert agent.loss == other.loss
    agent.save(tmp_path / "agent.pt")
    loaded = OffloadingAgent.load(tmp_path / "agent.pt")
    assert getattr(loaded.settings, name) == getattr(other.settings, name)
    assert play(loaded, 30) == play(agent, 30)


@pytest.mark.parametrize("backend", ["torch", "numpy"])
@pytest.mark.parametrize("learning", [{"learning_rate": 0.5}, {"weight_decay": 1.0}, {"betas": (0.1, 0.5)}])
def test_a_change_in_mid_course_matters_and_is_resumed(tmp_path, backend, learning):
    changed, same = (OffloadingAgent(USERS, backend=backend, training_interval=2) for _ in range(2))
    assert play(changed, 30) == play(same, 30)
    changed.change(**learning)
    world = WirelessPoweredMEC(USERS, seed=1)
    for _ in range(6):
        for agent in (changed, same):
            agent.encode(world.observe(), np.ones(USERS))
    assert changed.loss != same.loss
    changed.save(tmp_path / "agent.pt")
    loaded = OffloadingAgent.load(tmp_path / "agent.pt")
    assert play(loaded, 30) == play(changed, 30)


@pytest.mark.parametrize("backend", ["torch", "numpy"])
def test_replicas_take_changes_too(backend):
    settings = {"replicas": 3, "backend": backend, "adaptive_interval": None}
    world = WirelessPoweredMEC(USERS, replicas=3)
    agent = OffloadingAgent(USERS, **settings)
    agent.training_interval = [2, 3, 2]
    agent.learning_rate = np.array([0.1, 0.2, 0.3])
    agent.quantizer = NoisyOrderPreserving(0.5)
    other = OffloadingAgent(
        USERS,
        training_interval=[2, 3, 2],
        learning_rate=[0.1, 0.2, 0.3],
        quantizer=NoisyOrderPreserving(0.5),
        **settings,
    )
    first = play(agent, 30, world)
    np.testing.assert_array_equal(first, play(other, 30, WirelessPoweredMEC(USERS, replicas=3)))
    np.testing.assert_array_equal(agent.loss, other.loss)


def test_a_smaller_quantizer_has_fewer_candidates():
    agent = OffloadingAgent(USERS, quantizer="KNN", num_candidates=32, local_search=10)
    agent.quantizer = "OP"
    assert agent.num_candidates == USERS + 1 + 10
    assert agent.decode(np.zeros((USERS, 1))).shape == (USERS + 1, USERS)


@pytest.mark.parametrize("kind", ["one", "replicas"])
def test_what_is_fixed_says_so(kind):
    agent = OffloadingAgent(USERS, replicas=None if kind == "one" else 2)
    settings = AgentSettings if kind == "one" else ReplicaSettings
    for field in fields(settings):
        if field.name in CHANGEABLE or field.name in ("loss", "num_candidates"):
            continue
        with pytest.raises(
            AttributeError, match=f"{field.name} cannot be set once an agent is made, only learning_rate"
        ):
            setattr(agent, field.name, getattr(agent.settings, field.name))
    with pytest.raises(AttributeError, match="num_candidates"):
        agent.num_candidates = 3
    with pytest.raises(AttributeError, match="lerning_rate cannot be set"):
        agent.change(lerning_rate=1)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("learning_rate", -1, "learning_rate must be positive"),
        ("training_interval", 0, "training_interval must be a whole number"),
        ("quantizer", "OPQ", "quantizer must be one of"),
        ("batch_size", 1.5, "batch_size must be a whole number"),
        ("learning_rate", [0.1, 0.2], "learning_rate must be one number, or with replicas"),
    ],
)
def test_a_bad_change_changes_nothing(name, value, message):
    agent = OffloadingAgent(USERS)
    before = agent.settings
    with pytest.raises(ValueError, match=message):
        setattr(agent, name, value)
    assert agent.settings is before
    assert play(agent, 20) == play(OffloadingAgent(USERS), 20)


NUMPY = {
    "num_features": np.int64(1),
    "num_candidates": np.int32(4),
    "adaptive_interval": np.int64(16),
    "training_interval": np.uint8(3),
    "batch_size": np.int64(32),
    "memory_size": np.int64(100),
    "learning_rate": np.float64(0.02),
    "betas": np.array([0.8, 0.99]),
    "weight_decay": np.float32(0.5),
    "weight_averaging": np.float64(0.5),
    "seed": np.int64(3),
}


def test_numpy_numbers_are_taken_saved_and_read(tmp_path):
    agent = OffloadingAgent(np.int64(USERS), **NUMPY)
    plain = OffloadingAgent(USERS, **{name: value.tolist() for name, value in NUMPY.items()})
    assert play(agent, 30) == play(plain, 30)
    agent.save(tmp_path / "agent.pt")
    loaded = OffloadingAgent.load(tmp_path / "agent.pt")
    assert loaded.settings.learning_rate == 0.02
    assert play(loaded, 30) == play(agent, 30)


@pytest.mark.parametrize("seed", [np.array([5, 9]), [5, 9], (5, 9), np.array([5, 9], dtype=np.uint16)])
def test_an_array_of_seeds_is_a_list_of_seeds(seed, tmp_path):
    agent = OffloadingAgent(USERS, replicas=2, seed=seed, backend="numpy")
    assert agent.settings.seeds == (5, 9)
    world = WirelessPoweredMEC(USERS, replicas=np.int64(2), seed=seed)
    together = np.array(play(agent, 20, world))
    for place, one in enumerate((5, 9)):
        alone = play(OffloadingAgent(USERS, seed=one, backend="numpy"), 20, WirelessPoweredMEC(USERS, seed=one))
        np.testing.assert_allclose(together[:, place], alone, rtol=1e-9)
    agent.save(tmp_path / "agent.pt")
    assert OffloadingAgent.load(tmp_path / "agent.pt").settings.seeds == (5, 9)


def test_lists_of_replicas_may_be_arrays():
    rates, intervals = np.array([0.1, 0.2]), np.array([2, 3])
    agent = OffloadingAgent(USERS, replicas=2, learning_rate=rates, training_interval=intervals)
    other = OffloadingAgent(USERS, replicas=2, learning_rate=[0.1, 0.2], training_interval=[2, 3])
    worlds = [WirelessPoweredMEC(USERS, replicas=2) for _ in range(2)]
    np.testing.assert_array_equal(play(agent, 20, worlds[0]), play(other, 20, worlds[1]))
    with pytest.raises(ValueError, match="seed must be one number or 2, one a replica, got 3"):
        WirelessPoweredMEC(USERS, replicas=2, seed=np.arange(3))
    with pytest.raises(ValueError, match="seed must be one number, or with replicas one for each"):
        OffloadingAgent(USERS, replicas=2, seed=np.arange(3))


def test_a_state_may_hold_numpy_numbers(tmp_path):
    checkpoint.write(tmp_path / "a.pt", {"agent": {"x": np.float64(0.5), "y": [np.int64(3), np.bool_(True)]}})
    assert checkpoint.read(tmp_path / "a.pt")["agent"] == {"x": 0.5, "y": [3, True]}
    with pytest.raises(ValueError, match="arrays of a state must hold numbers, got one of <U1"):
        checkpoint.write(tmp_path / "b.pt", {"agent": {"x": np.array(["a"])}})


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"backend": "numpy"},
        {"quantizer": "OPN", "weight_averaging": 0.9},
        {"num_networks": 2},
        {"num_choices": 3},
        {"replicas": 2},
        {"replicas": 2, "device": "cpu"},
    ],
)
def test_torchs_default_precision_changes_nothing(settings, tmp_path):
    def run():
        agent = OffloadingAgent(USERS, training_interval=2, **settings)
        rng = np.random.default_rng(0)
        lead = (2,) if "replicas" in settings else ()
        for _ in range(30):
            observation = rng.normal(size=(*lead, USERS, 1)).astype(np.float32)
            if "device" in settings:
                observation = torch.from_numpy(observation)
            worth = observation[..., 0] if "device" not in settings else observation.double()[..., 0]
            agent.decide(observation, lambda c, worth=worth: (c * worth[..., None, :]).sum(-1))
        agent.save(tmp_path / "agent.pt")
        return np.asarray(agent.loss), np.asarray(OffloadingAgent.load(tmp_path / "agent.pt").relax(observation))

    expected = run()
    torch.set_default_dtype(torch.float64)
    try:
        given = run()
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    for ours, theirs in zip(given, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_network_keeps_the_precision_that_it_was_made_in():
    network = torch.nn.Sequential(torch.nn.Flatten(-2), torch.nn.Linear(USERS, USERS)).double()
    agent = OffloadingAgent(USERS, network=network, training_interval=2)
    play(agent, 10)
    assert {weight.dtype for weight in network.parameters()} == {torch.float64}
    play(OffloadingAgent(USERS, network=network, replicas=2), 10, WirelessPoweredMEC(USERS, replicas=2))


def test_the_published_class_in_double_precision():
    def losses():
        torch.manual_seed(0)
        np.random.seed(0)
        mem = MemoryDNN([4, 8, 4], training_interval=2, batch_size=8)
        for frame in range(8):
            h = np.arange(4) + frame
            mem.encode(h, mem.decode(h, 3)[0])
        return mem.cost_his

    expected = losses()
    torch.set_default_dtype(torch.float64)
    try:
        assert losses() == expected
    finally:
        torch.set_default_dtype(torch.float32)


def test_replicas_are_a_class_of_their_own():
    agent = OffloadingAgent(USERS, replicas=2)
    assert isinstance(agent, AgentReplicas)
    assert not isinstance(agent, OffloadingAgent)
    assert isinstance(OffloadingAgent(USERS, replicas=None), OffloadingAgent)
    assert isinstance(OffloadingAgent.pretrained(USERS, replicas=2), AgentReplicas)


def test_replicas_of_a_subclass_are_not_silently_of_another():
    class Mine(OffloadingAgent):
        pass

    mine = Mine(USERS)
    assert play(mine, 20) == play(OffloadingAgent(USERS), 20)
    mine.training_interval = 3
    with pytest.raises(AttributeError, match="memory_size cannot be set"):
        mine.memory_size = 3
    with pytest.raises(ValueError, match="replicas must be None for Mine"):
        Mine(USERS, replicas=2)


def test_intervals_that_change_places_are_those_of_the_replicas():
    agent = OffloadingAgent(USERS, replicas=2, training_interval=[2, 3], backend="numpy")
    agent.training_interval = [3, 2]
    other = OffloadingAgent(USERS, replicas=2, training_interval=[3, 2], backend="numpy")
    worlds = [WirelessPoweredMEC(USERS, replicas=2) for _ in range(2)]
    np.testing.assert_array_equal(play(agent, 20, worlds[0]), play(other, 20, worlds[1]))
    np.testing.assert_array_equal(agent.loss, other.loss)


def test_settings_are_set_by_their_names_only():
    agent = OffloadingAgent(USERS)
    with pytest.raises(AttributeError):
        agent.settings = agent.settings
    with pytest.raises(AttributeError):
        agent.settings.learning_rate = 0.5


def test_ranges_are_lists():
    agent = OffloadingAgent(USERS, replicas=2, seed=range(3, 5), training_interval=range(2, 4))
    assert agent.settings.seeds == (3, 4)
    assert agent.settings.each("training_interval") == (2, 3)
    assert WirelessPoweredMEC(USERS, replicas=2, seed=range(3, 5)).observe().shape == (2, USERS, 1)
