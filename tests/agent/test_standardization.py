"""Observations of any scale: what the network sees, and that learning does not notice the unit."""

import numpy as np
import pytest
import torch

from agent import OffloadingAgent
from agent.run.loop import simulate
from agent.standardization import STARTING, Standardization
from env import WirelessPoweredMEC
from env.problems import AtMost, PairwiseCoupling, SharedChannel


def frames(count=200, seed=0, shape=(4, 2)):
    return np.random.default_rng(seed).normal([[5.0, -3e4]], [[2.0, 1e3]], (count, *shape))


def test_mean_and_deviation_are_those_of_all_frames():
    standardization, seen = Standardization(4, 2), frames()
    for one in seen:
        standardization.update(one)
    expected = (seen - seen.mean(0)) / seen.std(0)
    np.testing.assert_allclose(standardization(seen), expected, rtol=1e-4, atol=1e-5)
    assert standardization(seen).dtype == np.float32


def test_the_first_frames_are_seen_at_scale_1():
    seen = frames(STARTING)
    standardization = Standardization(4, 2)
    for one in seen:
        first = standardization(one[None])[0]
        assert 0.2 < np.abs(first).mean() < 4
        standardization.update(one)


@pytest.mark.parametrize(("value", "change"), [(0.0, 1.0), (1e6, 0.0), (-3e-9, 1e-15), (1e12, 1e-2)])
def test_a_constant_is_seen_as_nothing(value, change):
    standardization, seen = Standardization(4, 2), frames()
    rounding = np.random.default_rng(1).normal(size=(200, 4))
    seen[..., 1] = value * (1 + 1e-15 * rounding) if change else value
    for one in seen:
        standardization.update(one)
    assert np.abs(standardization(seen)[..., 1]).max() < 1e-6
    assert standardization(seen)[..., 0].std() == pytest.approx(1, rel=1e-3)


def test_old_frames_fade():
    standardization = Standardization(1, 1)
    standardization.frames = 10**9
    for _ in range(30_000):
        standardization.update(np.ones((1, 1)))
    assert float(standardization._mean[0, 0]) == pytest.approx(1 - np.exp(-3), abs=1e-3)


@pytest.mark.parametrize("device", [None, "cpu"])
def test_replicas_are_standardised_each_by_its_own(device):
    one, many = [Standardization(4, 2) for _ in range(3)], Standardization(4, 2, replicas=3, device=device)
    seen = np.stack([frames(40, seed) * 10**seed for seed in range(3)], 1)
    for now in seen:
        for place, alone in enumerate(one):
            alone.update(now[place])
        many.update(now if device is None else torch.from_numpy(now))
    batch = seen[:5].swapaxes(0, 1)
    expected = np.stack([alone(part) for alone, part in zip(one, batch, strict=True)])
    got = many(batch if device is None else torch.from_numpy(batch))
    np.testing.assert_allclose(np.asarray(got), expected, rtol=1e-6)
    some = np.array([2, 0])
    got = many(batch[some] if device is None else torch.from_numpy(batch[some]), some)
    np.testing.assert_allclose(np.asarray(got), expected[some], rtol=1e-6)


def test_a_saved_agent_sees_as_it_did(tmp_path):
    agent, world = OffloadingAgent(10, seed=1), AtMost(seed=1)
    list(simulate(world, agent, 60))
    agent.save(tmp_path / "agent.pt")
    other = OffloadingAgent.load(tmp_path / "agent.pt")
    np.testing.assert_array_equal(other.relax(world.observe()), agent.relax(world.observe()))
    going_on = [list(simulate(AtMost(seed=2), one, 30)) for one in (agent, other)]
    assert [frame.value for frame in going_on[0]] == [frame.value for frame in going_on[1]]


class Scaled:
    """A world seen in another unit, from another zero, and beside a constant."""

    def __init__(self, world, scale, shift=0.0):
        self._world, self._scale, self._shift = world, scale, shift
        for name in ("num_users", "reset", "evaluate", "step", "frame_optimum"):
            setattr(self, name, getattr(world, name))

    def observe(self):
        seen = self._world.observe()
        return np.concatenate([self._scale * seen + self._shift, np.full((len(seen), 1), 7e3)], -1)


def reached(world, num_features, frames=800):
    agent = OffloadingAgent(world.num_users, num_features, seed=0, backend="numpy")
    history = list(simulate(world, agent, frames))[-frames // 4 :]
    return sum(frame.value for frame in history) / sum(frame.optimum for frame in history)


@pytest.mark.parametrize("make", [AtMost, PairwiseCoupling, SharedChannel])
@pytest.mark.parametrize(("scale", "shift"), [(1e-9, 0.0), (1e9, 0.0), (1.0, 1e6)])
def test_no_unit_and_no_constant_changes_what_is_learned(make, scale, shift):
    plain = reached(make(seed=3), 1)
    assert reached(Scaled(make(seed=3), scale, shift), 2) == pytest.approx(plain, abs=0.005)


def test_without_it_a_unit_matters_and_published_is_without():
    def early(**settings):
        world = Scaled(AtMost(seed=3), 1e-9)
        agent = OffloadingAgent(10, 2, seed=0, backend="numpy", num_candidates=10, local_search=0, **settings)
        return np.mean([frame.value for frame in simulate(world, agent, 600)][-200:])

    assert early() > early(standardize=False) + 0.1
    assert OffloadingAgent(4, published=True)._standardization is None
    world = WirelessPoweredMEC(10, observation="user")
    assert OffloadingAgent.pretrained(10)._standardization is None
    assert OffloadingAgent.pretrained(10).relax(world.observe()).shape == (10,)
