"""Worlds side by side, and frames drawn a block ahead."""

import numpy as np
import pytest

from agent.decisions.quantizer import OrderPreserving
from env import GaussMarkov, Rayleigh, RecordedTrace, Rician, WirelessPoweredMEC
from env.processes.stream import BLOCK

NOBODY = np.zeros(5, dtype=np.int64)


def trace(folder):
    path = folder / "trace.npz"
    np.savez(path, input_h=np.random.default_rng(0).random((37, 5)) * 1e-5)
    return RecordedTrace(path, start=3)


@pytest.mark.parametrize("make", [Rayleigh, Rician, GaussMarkov, trace])
def test_a_block_of_frames_is_frame_after_frame(make, tmp_path):
    gains = []
    for blockwise in (True, False):
        channel = make(tmp_path) if make is trace else make()
        rng = np.random.default_rng(4)
        channel.reset(5, rng)
        if blockwise:
            gains.append(np.concatenate([channel.sample_frames(frames, rng) for frames in (1, 30, 9)]))
        else:
            gains.append(np.array([channel.sample(rng) for _ in range(40)]))
    np.testing.assert_array_equal(*gains)


def test_each_replica_is_the_world_of_its_seed():
    channels = [Rayleigh(), GaussMarkov(), Rician()]
    together = WirelessPoweredMEC(5, replicas=3, seed=[7, 0, 4], channel=channels)
    alone = [WirelessPoweredMEC(5, seed=seed, channel=one) for seed, one in zip([7, 0, 4], channels, strict=True)]
    candidates = np.random.default_rng(0).integers(2, size=(3, 4, 5))
    for _ in range(BLOCK + 3):
        for replica, world in enumerate(alone):
            np.testing.assert_array_equal(together.observe()[replica], world.observe())
            world.step(NOBODY)
        together.step(np.zeros((3, 5), dtype=np.int64))
    for replica, world in enumerate(alone):
        rates = together.evaluate(candidates)[replica]
        np.testing.assert_allclose(rates, world.evaluate(candidates[replica]), rtol=1e-12)
        assert together.frame_optimum()[replica] == pytest.approx(world.frame_optimum(), rel=1e-9)
        np.testing.assert_array_equal(together.relaxed_decision()[replica], world.relaxed_decision())


@pytest.mark.parametrize("weights", [None, [1.0] * 5, [1.0, 2.0, 3.0, 4.0, 5.0]])
@pytest.mark.parametrize("replicas", [None, 3])
def test_nested_candidates_have_the_values_of_their_list(weights, replicas):
    world = WirelessPoweredMEC(5, weights=weights, replicas=replicas)
    relaxed = np.random.default_rng(1).random(world.gains.shape)
    nested = OrderPreserving().nested(relaxed, 6)
    np.testing.assert_allclose(world.evaluate(nested), world.evaluate(nested.expand()), rtol=1e-10)


@pytest.mark.parametrize("replicas", [None, 2])
@pytest.mark.parametrize("frame", [0, 5, BLOCK - 1, BLOCK, 2 * BLOCK + 7])
def test_a_world_goes_on_from_any_place_in_a_block(frame, replicas):
    nobody = NOBODY if replicas is None else np.zeros((2, 5), dtype=np.int64)
    world = WirelessPoweredMEC(5, channel=GaussMarkov(), replicas=replicas)
    for _ in range(frame):
        world.step(nobody)
    again = WirelessPoweredMEC(5, channel=GaussMarkov(), replicas=replicas, seed=99)
    again.load_state_dict(world.state_dict())
    assert again.frame == frame
    for _ in range(BLOCK + 1):
        np.testing.assert_array_equal(again.gains, world.gains)
        world.step(nobody)
        again.step(nobody)
    with pytest.raises(ValueError, match="the same channel, its gains differ"):
        WirelessPoweredMEC(5, replicas=replicas).load_state_dict(world.state_dict())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"replicas": 0}, "replicas must be a whole number, 1 or more, got 0"),
        ({"replicas": 2, "seed": [1, 2, 3]}, "seed must be one number or 2, one a replica, got 3"),
        (
            {"replicas": 2, "channel": [Rayleigh()]},
            "channel must be one channel, or with replicas one for each, got 1",
        ),
        ({"channel": [Rayleigh()]}, "channel must be a Channel or the path of a trace, got \\["),
        ({"replicas": 2, "channel": [Rayleigh(), 3]}, "channel must be a Channel or the path of a trace, got 3"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        WirelessPoweredMEC(5, **settings)


class Doubled(WirelessPoweredMEC):
    """A problem of ones own, whose rates count twice."""

    def evaluate(self, decisions):
        return 2 * super().evaluate(decisions)


def test_a_subclass_has_replicas_of_its_own():
    many, one = Doubled(5, replicas=3), Doubled(5, seed=2)
    assert isinstance(many, Doubled)
    decisions = np.array([[0, 1, 0, 1, 1], [1, 1, 1, 1, 1]])
    values = many.evaluate(np.stack([decisions] * 3))
    assert values.shape == (3, 2)
    np.testing.assert_allclose(values[2], one.evaluate(decisions), rtol=1e-12)
    np.testing.assert_allclose(values[2], 2 * WirelessPoweredMEC(5, seed=2).evaluate(decisions), rtol=1e-12)
