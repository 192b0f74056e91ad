"""CPUs with a cap: time split, critic, optimum and the world around them."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar
from scipy.special import lambertw

from agent.decisions.quantizer import OrderPreserving
from env import AlternatingWeights, RandomPresence, WirelessPoweredMEC
from env.baselines import all_offload, linear_relaxation
from env.decisions import Binary
from env.processes.stream import BLOCK
from env.wireless_powered.capped_curve import CappedCurve

ETA2 = 2.1 / 1e-10
EPSILON = 2e6 / (1.1 * np.log(2))


def rate_of_split(gains, decision, weights, cap, a, tau):
    """Of any time split, from the energy that it gives: E = mu P h a, and k f^3 a second at frequency f."""
    energy = 0.7 * 3.0 * gains * a
    computed = np.minimum(np.cbrt(energy / 1e-26), cap) / 100
    sent = np.zeros_like(gains)
    on = (decision == 1) & (tau > 1e-250)
    sent[on] = EPSILON * tau[on] * np.log1p(energy[on] * gains[on] / (1e-10 * tau[on]))
    return weights @ np.where(decision == 1, sent, computed)


def best_times(gains, weights, a):
    """tau (N,) of users that all offload, for a given charging time: one price of time, by root search."""
    snr, slope, free = ETA2 * gains**2, weights * EPSILON, 1 / a - 1
    y = snr.sum() / free
    if len(gains) == 1 or np.ptp(slope) == 0:
        return snr * a / y

    def inverse_snr(log_price):
        return 1 / (-1 - 1 / lambertw(-np.exp(-1 - np.exp(log_price) / slope)).real)

    ends = np.log((np.log1p(y) - y / (1 + y)) * np.array([slope.min(), slope.max()])) + [-1e-6, 1e-6]
    price = brentq(lambda log_price: np.log(snr @ inverse_snr(log_price) / free), *ends, xtol=1e-14)
    tau = snr * inverse_snr(price) * a
    return tau * (1 - a) / tau.sum()


def slow_rate(gains, decision, weights, cap):
    """The best rate, by bounded search for the charging time between each two kinks."""
    offload = decision == 1

    def rate(a):
        tau = np.zeros_like(gains)
        if offload.any() and a < 1:
            tau[offload] = best_times(gains[offload], weights[offload], a)
        return rate_of_split(gains, decision, weights, cap, a, tau)

    if not offload.any():
        return rate(1.0)
    kinks = 1e-26 * cap**3 / (2.1 * gains[~offload])
    ends = np.sort([1e-3, 1 - 1e-6, *kinks[(kinks > 1e-3) & (kinks < 1 - 1e-6)]])
    best = max(rate(end) for end in ends)
    for low, high in pairwise(ends):
        found = minimize_scalar(lambda a: -rate(a), bounds=(low, high), method="bounded", options={"xatol": 1e-10})
        best = max(best, -found.fun)
    return best


def instances(count, seed=0):
    """Frames with the cap active on none, some and all of the local users; all local and all offloading too."""
    rng = np.random.default_rng(seed)
    for instance in range(count):
        num_users = int(rng.choice([1, 2, 5, 10]))
        weights = rng.uniform(0.5, 2, num_users) if instance % 2 else np.ones(num_users)
        decision = rng.integers(2, size=num_users)
        if instance % 10 < 2:
            decision[:] = instance % 10
        gains = 10 ** rng.uniform(-7.5, -5, num_users)
        yield 10 ** rng.uniform(5.5, 7.5), gains, decision, weights


def test_the_split_is_that_of_a_slow_search():
    capped = []
    for cap, gains, decision, weights in instances(80):
        env = WirelessPoweredMEC(len(gains), weights=weights.tolist(), cpu_frequency=cap)
        split = env.allocate(gains, decision)
        assert split.charging_time + split.transmit_time.sum() <= 1 + 1e-12
        assert (split.transmit_time[decision == 0] == 0).all()
        own = rate_of_split(gains, decision, weights, cap, split.charging_time, split.transmit_time)
        assert own == pytest.approx(split.rate, rel=1e-11)
        assert split.rate == pytest.approx(slow_rate(gains, decision, weights, cap), rel=1e-9)
        if not decision.all():
            capped.append((2.1 * gains * split.charging_time / 1e-26 >= cap**3)[decision == 0].mean())
    capped = np.array(capped)
    assert min((capped == 0).sum(), (capped == 1).sum(), ((capped > 0) & (capped < 1)).sum()) >= 5


def test_at_a_kink_the_best_charging_time_is_the_kink():
    """One user sends, one computes; the kink lies between the best charging times with and without computing."""
    gains, decision = np.array([1e-6, 1e-6]), np.array([0, 1])
    free = WirelessPoweredMEC(2).allocate(gains, decision).charging_time
    bound = WirelessPoweredMEC(2, cpu_frequency=1.0).allocate(gains, decision).charging_time
    kink = (free + bound) / 2
    env = WirelessPoweredMEC(2, cpu_frequency=np.cbrt(2.1 * 1e-6 * kink / 1e-26))
    assert bound < kink < free
    assert env.allocate(gains, decision).charging_time == pytest.approx(kink, rel=1e-12)


@pytest.mark.parametrize("weights", [None, "equal", "distinct"])
@pytest.mark.parametrize("num_users", [1, 4, 10, 20])
@pytest.mark.parametrize("compiled", [True, False])
def test_the_critic_gives_the_rates_of_the_splits(num_users, weights, compiled):
    rng = np.random.default_rng(num_users)
    of = {None: None, "equal": [1.0] * num_users, "distinct": rng.uniform(0.5, 2, num_users).tolist()}[weights]
    for cap in (2e5, 1e6, 3e6, 5e6, 2e7):
        env = WirelessPoweredMEC(num_users, weights=of, cpu_frequency=cap, seed=int(cap))
        groups = env._groups
        if not compiled and groups.capped_curve is not None:
            groups.capped_curve = CappedCurve(groups.slope, groups.group)
        decisions = rng.integers(2, size=(2, 30, num_users))
        decisions[0, 0], decisions[1, 0] = 0, 1
        for _ in range(3):
            rates = env.allocate(env.gains, decisions).rate
            np.testing.assert_allclose(env.evaluate(decisions), rates, rtol=1e-9)
            np.testing.assert_allclose(env.evaluate(decisions[0]), rates[0], rtol=1e-9)
            assert env.evaluate(decisions[1, 3]) == pytest.approx(rates[1, 3], rel=1e-9)
            nested = OrderPreserving().nested(rng.random(num_users), num_users)
            np.testing.assert_allclose(env.evaluate(nested), env.evaluate(nested.expand()), rtol=1e-12)
            env.step(decisions[0, 1])


def test_a_cap_that_nobody_reaches_changes_nothing():
    with_cap, without = WirelessPoweredMEC(cpu_frequency=1e9), WirelessPoweredMEC()
    decisions = Binary(10).all()
    np.testing.assert_allclose(with_cap.evaluate(decisions), without.evaluate(decisions), rtol=1e-9)
    capped, free = (env.allocate(env.gains, decisions) for env in (with_cap, without))
    for ours, theirs in zip(capped, free, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    for ours, theirs in zip(with_cap.optimum(with_cap.gains), without.optimum(without.gains), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11)


@pytest.mark.parametrize("cap", [3e5, 1e6, 2e6, 3e6, 5e6, 1e7])
def test_the_optimum_is_the_exhaustive_one(cap):
    rng = np.random.default_rng(int(cap))
    for num_users in range(1, 11):
        weights = rng.uniform(0.5, 2, num_users).tolist() if num_users % 2 else None
        env = WirelessPoweredMEC(num_users, weights=weights, cpu_frequency=cap)
        gains = 10 ** rng.uniform(-7.5, -5, (12, num_users))
        optimum = env.optimum(gains)
        best = env.allocate(gains[:, None], Binary(num_users).all()).rate.max(-1)
        np.testing.assert_allclose(optimum.rate, best, rtol=1e-9)
        assert (optimum.upper_bound >= best).all()
        assert (optimum.upper_bound <= optimum.rate * (1 + 1e-9)).all()
        np.testing.assert_allclose(env.allocate(gains, optimum.decision).rate, optimum.rate, rtol=1e-12)


def test_extreme_gains_weights_and_caps():
    rng = np.random.default_rng(0)
    for instance in range(24):
        num_users = 1 + instance % 6
        env = WirelessPoweredMEC(num_users, cpu_frequency=10 ** rng.uniform(0, 9))
        gains = 10 ** rng.uniform(-12, -2, (20, num_users))
        weights = 10 ** rng.uniform(-2, 2, (20, num_users))
        if instance % 3 == 0:  # two users alike
            gains[:, 0], weights[:, 0] = gains[:, -1], weights[:, -1]
        optimum = env.optimum(gains, weights, time_limit=5)
        best = env.allocate(gains[:, None], Binary(num_users).all(), weights[:, None]).rate.max(-1)
        np.testing.assert_allclose(optimum.rate, best, rtol=1e-9)
        assert (optimum.upper_bound >= best).all()
        assert (optimum.upper_bound <= optimum.rate * (1 + 1e-9)).all()


@pytest.mark.parametrize("num_users", [30, 100, 300])
def test_the_gap_is_closed_at_any_size(num_users):
    env = WirelessPoweredMEC(num_users, cpu_frequency=2e6)
    for _ in range(5):
        optimum = env.optimum(env.gains)
        assert 0 <= optimum.upper_bound / optimum.rate - 1 <= 1e-9
        neighbours = optimum.decision.astype(np.int64) ^ np.eye(num_users, dtype=np.int64)
        assert env.evaluate(neighbours).max() <= optimum.upper_bound
        env.step(optimum.decision)


def test_the_relaxed_decision_is_worth_more_than_offloading_all():
    worth = []
    env = WirelessPoweredMEC(cpu_frequency=2e6)
    for _ in range(50):
        best = env.frame_optimum()
        relaxed, offload = (method(env, None).value for method in (linear_relaxation, all_offload))
        assert relaxed <= best * (1 + 1e-9)
        worth.append([relaxed / best, offload / best])
        env.step(np.zeros(10))
    relaxed, offload = np.mean(worth, axis=0)
    assert relaxed > 0.99 > offload


def test_each_replica_is_the_world_of_its_seed():
    settings = {"cpu_frequency": 2e6, "presence": RandomPresence(), "weights": [1.0, 2.0] * 3}
    together = WirelessPoweredMEC(6, replicas=3, **settings)
    alone = [WirelessPoweredMEC(6, seed=seed, **settings) for seed in range(3)]
    rng = np.random.default_rng(0)
    for _ in range(BLOCK + 3):
        together.step(np.zeros((3, 6), dtype=np.int64))
        for world in alone:
            world.step(np.zeros(6, dtype=np.int64))
    decisions = rng.integers(2, size=(3, 8, 6))
    nested = OrderPreserving().nested(rng.random((3, 6)), 5)
    own, values, listed = (
        together.evaluate(decisions[:, 0]),
        together.evaluate(decisions),
        together.evaluate(nested),
    )
    for replica, world in enumerate(alone):
        np.testing.assert_allclose(values[replica], world.evaluate(decisions[replica]), rtol=1e-12)
        np.testing.assert_allclose(listed[replica], world.evaluate(nested.expand()[replica]), rtol=1e-12)
        assert own[replica] == pytest.approx(world.evaluate(decisions[replica, 0]), rel=1e-12)
        assert together.frame_optimum()[replica] == pytest.approx(world.frame_optimum(), rel=1e-9)
        np.testing.assert_array_equal(together.relaxed_decision()[replica], world.relaxed_decision())


def test_users_that_are_off_count_for_nothing():
    env = WirelessPoweredMEC(5, cpu_frequency=2e6)
    env.set_active([1, 0, 1, 1, 0])
    on = [0, 2, 3]
    small = WirelessPoweredMEC(3, weights=[1.0, 1.0, 1.5], cpu_frequency=2e6)
    decisions = Binary(5).all()
    expected = small.allocate(env.gains[on], decisions[:, on]).rate
    np.testing.assert_allclose(env.evaluate(decisions), expected, rtol=1e-9)
    assert env.frame_optimum() == pytest.approx(expected.max(), rel=1e-9)


def test_weights_may_change_and_a_world_goes_on_where_it_was():
    settings = {"cpu_frequency": 2e6, "weight_schedule": AlternatingWeights(interval=3)}
    env, again = (WirelessPoweredMEC(5, **settings) for _ in range(2))
    decisions = Binary(5).all()
    for _ in range(5):
        env.step(np.zeros(5))
        np.testing.assert_allclose(env.evaluate(decisions), env.allocate(env.gains, decisions).rate, rtol=1e-9)
    env.set_weights([1.0, 2.0, 3.0, 4.0, 5.0])
    np.testing.assert_allclose(env.evaluate(decisions), env.allocate(env.gains, decisions).rate, rtol=1e-9)
    again.load_state_dict(env.state_dict())
    for _ in range(3):
        np.testing.assert_array_equal(again.evaluate(decisions), env.evaluate(decisions))
        for world in (env, again):
            world.step(np.zeros(5))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cpu_frequency": 0}, "cpu_frequency must be positive and finite, got 0"),
        ({"cpu_frequency": [1e6, 2e6]}, "cpu_frequency must be one number"),
        (
            {"cpu_frequency": 1e6, "replicas": 2, "device": "cpu"},
            "cpu_frequency must be None on a device, got 1000000",
        ),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        WirelessPoweredMEC(5, **settings)
