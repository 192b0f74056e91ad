"""The critic at the edges of its range, against 50 digits."""

import numpy as np
import pytest
import torch
from mpmath import mpf

from agent import OrderPreserving
from env import RecordedTrace, WirelessPoweredMEC
from env.compat import bisection
from env.wireless_powered.allocation import split_time
from env.wireless_powered.physics import Physics
from env.wireless_powered.price_curve import PriceCurve
from mec_offloading.commands.fuzzing import references

KINDS = ["usual", "gains", "tiny gains", "weights", "tiny weights", "gains and weights", "constants"]
PUBLISHED = {
    "transmit_power": 3,
    "cycles_per_bit": 100,
    "energy_coefficient": 1e-26,
    "bandwidth": 2e6,
    "noise_power": 1e-10,
}


def best_rate(local_rate, snr, slope):
    """The best rate of a decision (eq. 4, 7) to 50 digits, of users that offload where snr is above 0."""
    on = [(mpf(float(h)), mpf(float(w))) for h, w in zip(snr, slope, strict=True) if h > 0]
    return references.best_rate(mpf(float(local_rate)), [h for h, _ in on], [w for _, w in on])


def instance(kind, rng):
    num_users = int(rng.integers(1, 5))
    gains, weights, constants = 10 ** rng.uniform(-8, -5, num_users), np.ones(num_users), {}
    if kind in ("gains", "gains and weights"):
        gains = 10 ** rng.uniform(-30, 6, num_users)
    if kind == "tiny gains":
        gains = 10 ** rng.uniform(-30, -18, num_users)
    if kind in ("weights", "gains and weights"):
        weights = 10 ** rng.uniform(-6, 6, num_users)
    if kind == "tiny weights":
        weights[:] = 1e-12
    if kind == "constants":
        constants = {name: value * 10 ** rng.uniform(-9, 9) for name, value in PUBLISHED.items()}
    decision = (rng.random(num_users) < 0.6).astype(np.int64)
    return gains, weights, constants, decision


@pytest.mark.parametrize("kind", KINDS)
def test_rates_at_the_edges(kind):
    """Gains from 1e-30 to 1e6, weights over 12 decades, each published constant times 1e-9 to 1e9."""
    for seed in range(8):
        gains, weights, constants, decision = instance(kind, np.random.default_rng(seed))
        env = WirelessPoweredMEC(len(gains), weights=weights, **constants)
        local, snr = env.physics.fold(gains, weights)
        slope = env.physics.rate_scale * weights
        right = float(best_rate(((1 - decision) * local).sum(), decision * snr, slope))
        if right == 0:
            continue
        assert env.allocate(gains, decision).rate == pytest.approx(right, rel=1e-14)
        sums = env._groups.sums(local, snr, decision[None].astype(float))
        curve = PriceCurve(env._groups.slope)
        assert env._groups.rates(*sums)[0] == pytest.approx(right, rel=1e-10)
        assert curve.rate(*sums)[0] == pytest.approx(right, rel=1e-10)
        assert env.optimum(gains).rate >= right * (1 - 1e-12)
        if not constants:
            assert bisection(gains, decision, weights)[0] == pytest.approx(right, rel=1e-14)


def test_any_constants_give_a_price():
    """No instance of 3,000 with each constant within nine decades of the published one lacks a time split."""
    rng = np.random.default_rng(0)
    for _ in range(3_000):
        gains, weights, constants, decision = instance("constants", rng)
        physics = Physics.of(harvesting_efficiency=0.7, overhead=1.1, **constants)
        local, snr = physics.fold(gains, weights)
        rate = split_time(((1 - decision) * local).sum(), decision * snr, physics.rate_scale * weights).rate
        assert np.isfinite(rate)
        assert rate >= ((1 - decision) * local).sum() * (1 - 1e-12)


def on_device(gains, weights, **constants):
    channel = RecordedTrace(np.tile(gains, (len(gains), 1)))
    return WirelessPoweredMEC(channel=channel, weights=weights, replicas=1, device="cpu", **constants)


@pytest.mark.parametrize("kind", KINDS)
def test_rates_on_a_device(kind):
    """The same instances, their decisions one by one and nested."""
    for seed in range(3):
        gains, weights, constants, decision = instance(kind, np.random.default_rng(seed))
        world = on_device(gains, weights, **constants)
        local, snr = world.physics.fold(gains, weights)
        slope = world.physics.rate_scale * weights
        relaxed = torch.as_tensor(np.where(decision, 0.9, 0.1) + np.linspace(0, 0.05, len(gains)))[None]
        nested = OrderPreserving().nested(relaxed, len(gains) + 1)
        decisions = nested.expand()
        for one, *rates in zip(decisions[0], world.evaluate(nested)[0], world.evaluate(decisions)[0], strict=True):
            decision = one.numpy()
            right = float(best_rate(((1 - decision) * local).sum(), decision * snr, slope))
            assert [float(rate) for rate in rates] == pytest.approx([right] * 2, rel=1e-9, abs=1e-280)


@pytest.mark.parametrize(("num_users", "ratio"), [(3_000, 100), (40, 1e12), (40, 1)])
def test_many_users_and_weights_on_a_device(num_users, ratio):
    """As on the host, with as many distinct weights as users too."""
    rng = np.random.default_rng(0)
    gains, weights = rng.exponential(1e-6, num_users), np.where(np.arange(num_users) % 2, ratio, 1.0)
    for each in weights, weights * (1 + np.arange(num_users) / num_users):
        world = on_device(gains, each)
        decisions = rng.integers(0, 2, (3, num_users))
        rates = world.evaluate(torch.as_tensor(decisions)[None])[0]
        assert rates.numpy() == pytest.approx(world.allocate(gains, decisions).rate, rel=1e-9)
