"""Agents with a network for any number of users."""

import sys
from pathlib import Path

import commands
import numpy as np
import pytest

from agent import FullyConnected, OffloadingAgent, ReplayMemory, SetNetwork
from agent.run.loop import simulate
from env import PresenceSchedule, WirelessPoweredMEC

ROOT = Path(__file__).resolve().parents[3]


def play(agent, num_users, frames, seed=0, **settings):
    world = WirelessPoweredMEC(num_users, observation="user", seed=seed, **settings)
    return np.array([frame.normalized_rate for frame in simulate(world, agent, frames)])


def agent_of(num_users, **settings):
    defaults = {"backend": "numpy", "batch_size": 16, "learning_rate": 0.05, "weight_averaging": 0.95}
    defaults |= {"adaptive_interval": 32, "weight_decay": 0.0}
    return OffloadingAgent(num_users, 3, network=SetNetwork, **{**defaults, **settings})


def test_frames_of_other_sizes_share_one_memory():
    memory = ReplayMemory(4, 2, 3)
    memory.remember(np.full((2, 3), 1.0), np.array([1, 1]))
    memory.remember(np.full((3, 3), 2.0), np.array([1, 0, 1]))
    memory.remember(np.full((1, 3), 3.0), np.array([1]))
    observations, decisions = memory.recent(3)
    np.testing.assert_array_equal(observations[..., 0], [[1, 1, 0], [2, 2, 2], [3, 0, 0]])
    np.testing.assert_array_equal(decisions, [[1, 1, 0], [1, 0, 1], [1, 0, 0]])


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_users_that_fill_a_frame_up_change_nothing_that_is_learned(backend):
    seen = []
    for padded in (False, True):
        agent = agent_of(6, backend=backend, seed=2, training_interval=5)
        if padded:
            agent.memory.make_room(9)
        play(agent, 6, 60)
        world = WirelessPoweredMEC(6, observation="user", seed=5)
        seen.append(agent.relax(world.observe()))
    np.testing.assert_allclose(seen[0], seen[1], atol=0.01)  # the mean is over more entries, Adam's step is not


def test_one_agent_decides_for_one_user_and_for_many():
    agent = agent_of(10)
    for num_users in (10, 1, 40, 3):
        rates = play(agent, num_users, 40)
        assert rates.mean() > 0.998
    assert agent.memory.decisions.shape[-1] == 40
    assert agent.decode(WirelessPoweredMEC(3, observation="user").observe()).shape[-1] == 3
    with pytest.raises(ValueError, match="observation must have shape"):
        agent.decode(np.zeros((0, 3)))
    with pytest.raises(ValueError, match=r"k must be 1 to 4 for 3 users, got 5"):
        agent.decode(WirelessPoweredMEC(3, observation="user").observe(), k=5)


@pytest.mark.parametrize("num_users", [3, 10, 25])
def test_a_saved_agent_goes_on_with_another_number(tmp_path, num_users):
    agent = agent_of(10)
    play(agent, 10, 100)
    agent.save(tmp_path / "agent.pt")
    other = OffloadingAgent.load(tmp_path / "agent.pt", num_users=num_users)
    assert other.num_users == num_users
    world = WirelessPoweredMEC(num_users, observation="user")
    np.testing.assert_array_equal(other.relax(world.observe()), agent.relax(world.observe()))
    assert play(other, num_users, 60).mean() > 0.999
    other.save(tmp_path / "other.pt")
    again = OffloadingAgent.load(tmp_path / "other.pt")
    np.testing.assert_array_equal(play(again, num_users, 20), play(other, num_users, 20))


@pytest.mark.parametrize("num_users", [1, 3, 25])
def test_so_does_one_with_the_defaults(tmp_path, num_users):
    agent = OffloadingAgent(10, 3, network=SetNetwork, backend="numpy")
    assert play(agent, 10, 100).mean() > 0.99
    assert play(agent, num_users, 30).mean() > 0.99
    agent.save(tmp_path / "agent.pt")
    other = OffloadingAgent.load(tmp_path / "agent.pt", num_users=num_users)
    assert play(other, num_users, 60).mean() > 0.99
    assert other.num_candidates == min(32, 2**num_users)


def test_a_network_for_one_number_stays_with_it(tmp_path):
    agent = OffloadingAgent(4, network=FullyConnected)
    agent.save(tmp_path / "agent.pt")
    with pytest.raises(ValueError, match="num_users must be 4, as saved: the network is FullyConnected"):
        OffloadingAgent.load(tmp_path / "agent.pt", num_users=5)


@pytest.mark.parametrize("num_users", [5, 60, 300])
def test_the_pretrained_agent_decides_well_from_its_first_frame(num_users):
    distances = np.random.default_rng(num_users).uniform(2.5, 11, num_users).tolist()
    channel = rayleigh(distances)
    rates = play(OffloadingAgent.pretrained(num_users), num_users, 128, channel=channel)
    assert rates[:5].mean() > 0.999
    assert rates.mean() > (0.9999 if num_users < 300 else 0.999)


def rayleigh(distances):
    from env import PathLoss, Rayleigh

    return Rayleigh(PathLoss(distances))


def test_pretrained_settings_can_be_replaced():
    agent = OffloadingAgent.pretrained(2, num_candidates=2, training_interval=3)
    assert (agent.num_candidates, agent.training_interval) == (2, 3)
    assert OffloadingAgent.pretrained(2).num_candidates == 3


def test_the_pretrained_network_is_made_by_its_script(tmp_path):
    command = [sys.executable, ROOT / "scripts" / "pretrain.py", "--steps", "5", "--frames", "2"]
    result = commands.run([*command, "--output", tmp_path / "made.npz"])
    assert result.returncode == 0, result.stderr
    with (
        np.load(tmp_path / "made.npz") as made,
        np.load(ROOT / "agent" / "networks" / "pretrained.npz") as shipped,
    ):
        assert {name: made[name].shape for name in made} == {name: shipped[name].shape for name in shipped}
    assert (ROOT / "agent" / "networks" / "pretrained.npz").stat().st_size < 100_000


def test_users_that_leave_and_return_are_handled_at_once():
    presence = PresenceSchedule({300: [0, 1, 2], 400: [5], 500: []})
    rates = play(agent_of(10, batch_size=64), 10, 600, presence=presence)
    windows = np.convolve(rates, np.ones(50) / 50, "valid")
    assert windows[300:].min() > 0.995
