"""A copy of an agent or a world goes on as the original does, and apart from it."""

import io
import pickle
from copy import copy, deepcopy

import numpy as np
import pytest
import torch
from torch import nn

from agent import OffloadingAgent, SetNetwork
from agent.machine_code import without_machine_code
from env import (
    AgeMEC,
    GaussMarkov,
    LyapunovMEC,
    MultiServerMEC,
    MultiTaskMEC,
    MyopicMEC,
    PartialMEC,
    RandomPresence,
    WirelessPoweredMEC,
)

USERS, FRAMES = 6, 300


def pickled(thing):
    return pickle.loads(pickle.dumps(thing))


def written(thing):
    file = io.BytesIO()
    torch.save(thing, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


WAYS = {"copied": deepcopy, "pickled": pickled, "written": written}


def own(num_users, num_features):
    return nn.Sequential(nn.Flatten(-2), nn.Linear(num_users, 20), nn.Tanh(), nn.Linear(20, num_users))


def set_network(num_users, num_features):
    return SetNetwork(num_users, num_features, masked=False, slopes=())


def play(agent, world, frames):
    values = []
    for _ in range(frames):
        decision, value = agent.decide(world.observe(), world.evaluate)
        world.step(decision)
        values.append(value)
    return np.array(values)


def weights_of(agent):
    learners = getattr(agent.learner, "learners", [agent.learner])
    return [
        torch.as_tensor(weight).numpy().copy()
        for one in learners
        for weight in one.state_dict()["network"].values()
    ]


SETTINGS = {
    "default": {},
    "torch": {"backend": "torch"},
    "averaged": {"weight_averaging": 0.9},
    "torch, averaged": {"weight_averaging": 0.9, "backend": "torch"},
    "published": {"published": True},
    "own": {"network": own},
    "set network": {"network": set_network},
    "several": {"num_networks": 3, "num_candidates": 4},
    "learned value": {"learned_value": True},
    "replicas": {"replicas": 3},
    "many replicas": {"replicas": 10},
    "replicas that differ": {"replicas": 3, "training_interval": [10, 3, 5]},
    "replicas in torch": {"replicas": 3, "backend": "torch"},
}


def pair(**settings):
    replicas = {"replicas": settings["replicas"]} if "replicas" in settings else {}
    return OffloadingAgent(USERS, seed=1, **settings), WirelessPoweredMEC(USERS, seed=1, **replicas)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SETTINGS)
def test_a_copy_goes_on_as_the_original(name, way, tmp_path):
    frames = 60 if "replicas" in name else FRAMES
    uncopied = play(*pair(**SETTINGS[name]), 2 * frames)
    agent, world = pair(**SETTINGS[name])
    np.testing.assert_array_equal(play(agent, world, frames), uncopied[:frames])
    other, its_world = WAYS[way]((agent, world))
    before = weights_of(other)
    np.testing.assert_array_equal(play(other, its_world, frames), uncopied[frames:])
    assert all(not np.array_equal(*both) for both in zip(before, weights_of(other), strict=True))
    for both in zip(before, weights_of(agent), strict=True):  # the original has not moved with it
        np.testing.assert_array_equal(*both)
    np.testing.assert_array_equal(play(agent, world, frames), uncopied[frames:])
    for both in zip(weights_of(agent), weights_of(other), strict=True):
        np.testing.assert_array_equal(*both)
    if "network" in SETTINGS[name]:
        return
    other.save(tmp_path / "agent.pt")
    loaded = OffloadingAgent.load(tmp_path / "agent.pt")
    np.testing.assert_array_equal(loaded.relax(world.observe()), other.relax(world.observe()))
    np.testing.assert_array_equal(loaded.relax(world.observe()), agent.relax(world.observe()))


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_a_copy_has_a_module_of_its_own_that_it_trains(backend):
    network = own(USERS, 1)
    agent, world = OffloadingAgent(USERS, network=network, backend=backend), WirelessPoweredMEC(USERS)
    play(agent, world, 30)
    other, its_network = deepcopy((agent, network))
    old = network[1].weight.detach().clone()
    play(other, world, 30)
    assert torch.equal(network[1].weight, old)
    assert not torch.equal(its_network[1].weight, old)
    seen = other._seen(world.observe()[None])
    with torch.no_grad():
        np.testing.assert_allclose(other.learner.predict(seen), its_network(torch.from_numpy(seen)), rtol=1e-5)


def test_a_shallow_copy_shares_what_is_trained():
    agent, world = pair()
    play(agent, world, 30)
    other = copy(agent)
    other.learner = copy(agent.learner)
    play(other, world, 30)
    np.testing.assert_array_equal(weights_of(agent)[0], weights_of(other)[0])
    np.testing.assert_array_equal(agent.relax(world.observe()), other.relax(world.observe()))


def test_a_setting_of_a_copy_is_its_own():
    agent, world = pair(replicas=10)
    play(agent, world, 20)
    other = pickled(agent)
    other.learning_rate = 1e-6
    before = weights_of(other)
    its_world = deepcopy(world)
    play(other, its_world, 10)
    for old, new in zip(before, weights_of(other), strict=True):
        np.testing.assert_allclose(old, new, atol=1e-5)
    play(agent, world, 10)
    assert np.abs(weights_of(agent)[0] - before[0]).max() > 1e-3


def test_a_copy_without_numba_goes_on_too():
    with without_machine_code():
        agent, world = pair()
        play(agent, world, 40)
        other, its_world = deepcopy((agent, world))
        np.testing.assert_array_equal(play(other, its_world, 40), play(agent, world, 40))


COPIED_WORLDS = {
    "wireless powered": lambda: WirelessPoweredMEC(USERS, channel=GaussMarkov(), presence=RandomPresence()),
    "capped": lambda: WirelessPoweredMEC(USERS, cpu_frequency=3e6),
    "side by side": lambda: WirelessPoweredMEC(USERS, replicas=2),
    "lyapunov": lambda: LyapunovMEC(USERS),
    "myopic": lambda: MyopicMEC(USERS),
    "multi task": lambda: MultiTaskMEC(2, 3),
    "servers": lambda: MultiServerMEC(USERS, 2),
    "partial": lambda: PartialMEC(USERS, 2),
    "age": lambda: AgeMEC(USERS),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", COPIED_WORLDS)
def test_a_copied_world_goes_on_as_the_original(name, way):
    world = COPIED_WORLDS[name]()
    decisions = np.zeros((1, *world.observe().shape[:-1]), dtype=np.int64)
    decisions[..., 0] = name != "age"  # whose users cannot all send in the first frame
    worlds = [world]
    for frame in range(70):  # longer than the blocks in which worlds draw their random numbers
        if frame == 5:
            worlds.append(WAYS[way](world))
        if len(worlds) == 2:
            np.testing.assert_array_equal(worlds[0].observe(), worlds[1].observe())
            shown = decisions.swapaxes(0, 1) if name == "side by side" else decisions
            np.testing.assert_array_equal(worlds[0].evaluate(shown), worlds[1].evaluate(shown))
        for one in worlds:
            one.step(decisions[0])
