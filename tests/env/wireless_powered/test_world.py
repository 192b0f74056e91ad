import numpy as np
import pytest

from agent.decisions.quantizer import OrderPreserving
from env import GaussMarkov, WirelessPoweredMEC


def test_evaluate_changes_nothing_and_step_moves_on():
    env = WirelessPoweredMEC(4, seed=1)
    before = env.observe()
    decisions = np.eye(4, dtype=int)
    values = env.evaluate(decisions)
    assert values.shape == (4,)
    np.testing.assert_array_equal(env.evaluate(decisions), values)
    np.testing.assert_array_equal(env.observe(), before)
    env.step(decisions[2])
    assert env.frame == 1
    assert (env.observe() != before).all()


def test_a_seed_fixes_the_frames():
    def gains(env):
        seen = []
        for _ in range(3):
            seen.append(env.gains)
            env.step(np.zeros(env.num_users))
        return seen

    env = WirelessPoweredMEC(5, seed=4)
    first = gains(env)
    np.testing.assert_array_equal(gains(WirelessPoweredMEC(5, seed=4)), first)
    env.reset()
    np.testing.assert_array_equal(gains(env), first)
    env.reset(seed=9)
    np.testing.assert_array_equal(gains(env), gains(WirelessPoweredMEC(5, seed=9)))


def test_observations_are_scaled_gains_or_their_logarithms():
    env = WirelessPoweredMEC(3, observation="gain", gain_scale=1e7)
    np.testing.assert_allclose(env.observe(), 1e7 * env.gains[:, None])
    env = WirelessPoweredMEC(3)
    np.testing.assert_allclose(env.observe(), np.log(1e6 * env.gains)[:, None])


def test_every_constant_enters_as_in_the_paper():
    """Local rate w (mu P)^(1/3)/phi (h/k)^(1/3); a lone offloader meets B, v_u and N0 in the other rate."""
    constants = {
        "transmit_power": 2.0,
        "harvesting_efficiency": 0.5,
        "cycles_per_bit": 300.0,
        "energy_coefficient": 2e-26,
        "bandwidth": 1e6,
        "overhead": 1.3,
        "noise_power": 3e-10,
    }
    env = WirelessPoweredMEC(1, weights=[2.0], **constants)
    gain = 3e-6
    assert env.allocate([gain], [0]).rate == pytest.approx(2 / 300 * (gain / 2e-26) ** (1 / 3))
    result = env.allocate([gain], [1])
    a, tau = float(result.charging_time), float(result.transmit_time[0])
    expected = 2 * 1e6 / 1.3 * tau * np.log2(1 + 0.5 * 2 * gain**2 * a / (tau * 3e-10))
    assert result.rate == pytest.approx(expected)


def test_state_continues_the_same_frames():
    env = WirelessPoweredMEC(3, channel=GaussMarkov(), seed=2)
    for _ in range(5):
        env.step(np.ones(3))
    other = WirelessPoweredMEC(3, channel=GaussMarkov(), seed=0)
    other.load_state_dict(env.state_dict())
    for _ in range(4):
        np.testing.assert_array_equal(other.observe(), env.observe())
        other.step(np.ones(3))
        env.step(np.ones(3))
    assert other.frame == 9


def test_nothing_outside_can_change_an_environment(trace_path):
    env = WirelessPoweredMEC(channel=str(trace_path("data_6")))
    with pytest.raises(ValueError, match="read-only"):
        env.gains[0] = 5
    weights = np.array([1.0, 2.0, 3.0])
    channel = GaussMarkov()
    env, twin = (WirelessPoweredMEC(3, weights=weights, channel=channel, seed=1) for _ in range(2))
    weights[:] = 9
    assert env.weights.tolist() == [1, 2, 3]
    WirelessPoweredMEC(5, channel=channel, seed=2)
    for _ in range(3):
        env.step(np.zeros(3))
        twin.step(np.zeros(3))
        np.testing.assert_array_equal(env.gains, twin.gains)


def test_weights_and_active_users_can_change():
    env = WirelessPoweredMEC(5, seed=2)
    decisions = np.random.default_rng(0).integers(2, size=(9, 5))
    env.set_weights([3, 1, 1, 2, 2])
    fresh = WirelessPoweredMEC(5, seed=2, weights=[3, 1, 1, 2, 2])
    np.testing.assert_array_equal(env.evaluate(decisions), fresh.evaluate(decisions))
    on = np.array([1, 0, 1, 1, 0])
    env.set_active(on)
    few = WirelessPoweredMEC(3, weights=[3, 1, 2])
    expected = few.allocate(env.gains[on == 1], decisions[:, on == 1]).rate
    np.testing.assert_allclose(env.evaluate(decisions), expected, rtol=1e-10)
    assert env.frame_optimum() == pytest.approx(float(few.optimum(env.gains[on == 1]).rate), rel=1e-9)
    np.testing.assert_array_equal(env.observe()[:, 0] == -12, on == 0)
    other = WirelessPoweredMEC(5)
    other.load_state_dict(env.state_dict())
    np.testing.assert_array_equal(other.evaluate(decisions), env.evaluate(decisions))


def test_inactive_users_do_not_disturb_the_certified_optimum():
    env = WirelessPoweredMEC(14, seed=1)
    on = np.arange(14) % 3 > 0
    env.set_active(on)
    few = WirelessPoweredMEC(int(on.sum()), weights=env.weights[on])
    for _ in range(20):
        assert env.frame_optimum() == pytest.approx(float(few.optimum(env.gains[on]).rate), rel=1e-9)
        env.step(np.zeros(14))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_users": -3}, "num_users must be a whole number, 1 or more, got -3"),
        ({"num_users": 2, "weights": [1.0]}, r"weights must have shape \(2,\), got \(1,\)"),
        ({"num_users": 2, "weights": [1.0, 0.0]}, r"weights must be positive and finite, got 0.0 at \[1\]"),
        ({"observation": "db"}, "observation must be 'log_gain', 'gain' or 'user', got 'db'"),
        ({"noise_power": 0.0}, "noise_power must be positive and finite, got 0.0"),
        ({"bandwidth": float("nan")}, "bandwidth must be positive and finite, got nan"),
        ({"num_users": True}, "num_users must be a whole number"),
        ({"seed": 1.5}, "seed must be a whole number, 0 or more, got 1.5"),
        ({"bandwidth": [1.0, 2.0]}, "bandwidth must be one number"),
        ({"transmit_power": "3"}, "transmit_power must be an array of real numbers"),
        ({"noise_power": 1e-320}, "must be from 1e-60"),
        ({"channel": 3}, "channel must be a Channel or the path of a trace, got 3"),
        ({"harvesting_efficiency": 1.2}, "harvesting_efficiency must be at most 1, got 1.2"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        WirelessPoweredMEC(**settings)


GAINS = [1e-6, 2e-6, 3e-6]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda env: env.allocate([1e-6, np.nan, 1e-6], [0, 1, 0]), r"gains .* got nan at \[1\]"),
        (lambda env: env.allocate([1e-6, -1e-6, 1e-6], [0, 1, 0]), "gains must be positive"),
        (lambda env: env.allocate(GAINS, [0, 0.5, 0]), r"decisions must hold only 0 and 1, got 0.5 at \[1\]"),
        (lambda env: env.allocate(GAINS, [0, 1]), r"decisions must have shape \(..., 3\)"),
        (lambda env: env.allocate(GAINS[:2], [0, 1, 1]), r"gains must have shape \(..., 3\)"),
        (lambda env: env.allocate(GAINS, [0, 1, 1], weights=[1, 2]), r"weights must have shape \(..., 3\)"),
        (lambda env: env.allocate([GAINS] * 2, [[0, 1, 1]] * 3), "leading dimensions that broadcast"),
        (lambda env: env.allocate([1e200, 1, 1], [0, 1, 1]), "must give finite rates"),
        (lambda env: env.allocate(np.array(GAINS) + 1j, [0, 1, 1]), "gains must be an array of real numbers"),
        (lambda env: env.reset(seed=-1), "seed must be a whole number"),
        (lambda env: env.allocate("gains", [0, 1, 1]), "gains must be an array of real numbers"),
        (lambda env: env.evaluate([[0, 1, 2]]), r"decisions must hold only 0 and 1, got 2.0 at \[0, 2\]"),
        (lambda env: env.step([0, 1]), r"decision must have shape \(3,\), got \(2,\)"),
        (lambda env: env.step([0, 1, 7]), "must hold only 0 and 1"),
        (lambda env: env.set_weights([1, 2]), r"weights must have shape \(3,\), got \(2,\)"),
        (lambda env: env.set_active([0, 0, 0]), "active must have shape .* and hold a 1"),
        (lambda env: env.set_active([0, 2, 0]), "active must hold only 0 and 1"),
        (lambda env: env.optimum([1e-6, 0, 1e-6]), "gains must be positive"),
        (lambda env: env.optimum(GAINS, tolerance=0.0), "tolerance must be positive"),
        (lambda env: env.optimum(GAINS, time_limit=-1.0), "time_limit must be positive"),
        (lambda env: env.optimum([GAINS] * 2, [GAINS] * 3), "must broadcast against gains"),
        (
            lambda env: env.load_state_dict(WirelessPoweredMEC(4).state_dict()),
            r"gains must have shape \(3,\), got \(4,\)",
        ),
    ],
)
def test_bad_arguments_are_named_and_change_nothing(call, message):
    env = WirelessPoweredMEC(3)
    before = env.observe()
    with pytest.raises(ValueError, match=message):
        call(env)
    assert env.frame == 0
    np.testing.assert_array_equal(env.observe(), before)


def test_an_order_of_other_users_is_named():
    with pytest.raises(ValueError, match=r"decisions.order must have shape \(..., 4\), .* got \(3,\)"):
        WirelessPoweredMEC(4).evaluate(OrderPreserving().nested(np.array([0.1, 0.7, 0.3]), 2))


def test_on_a_device_gains_are_allocated_for_all_the_same():
    gains, decisions = np.full((2, 4), 1e-6), np.array([[0, 1, 1, 0], [1, 1, 0, 0]])
    there = WirelessPoweredMEC(4, replicas=2, device="cpu").allocate(gains, decisions)
    for ours, theirs in zip(there, WirelessPoweredMEC(4).allocate(gains, decisions), strict=True):
        np.testing.assert_array_equal(ours, theirs)
