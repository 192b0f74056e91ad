import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import allocate as textbook_allocate
from reference import rate_of_split

from env import WirelessPoweredMEC
from env.lambert_w import log_snr

SWAPPED = [1.5, 1.0]


def instance(num_users, share_offloading, seed, distinct=False, low=-12, high=-2):
    """Gains log-uniform in 10^[low, high], a decision, and weights."""
    rng = np.random.default_rng(seed)
    gains = 10 ** rng.uniform(low, high, num_users)
    decision = (rng.random(num_users) < share_offloading).astype(int)
    weights = rng.uniform(0.1, 10, num_users) if distinct else np.where(np.arange(num_users) % 2, 1.5, 1.0)
    return gains, decision, weights


instances = st.fixed_dictionaries(
    {
        "num_users": st.sampled_from([1, 2, 3, 7, 30, 1000]),
        "share_offloading": st.sampled_from([0.0, 0.2, 0.8, 1.0]),
        "seed": st.integers(0, 2**32 - 1),
        "distinct": st.booleans(),
    }
)


def solve(gains, decision, weights):
    return WirelessPoweredMEC(gains.size).allocate(gains, decision, weights)


@pytest.mark.parametrize(
    ("name", "first_weights"),
    [("data_6", [1, 1.5]), ("data_7", [1, 1.5]), ("data_10_WeightsAlternated", SWAPPED)],
)
def test_meets_the_published_allocation_on_every_row(published, name, first_weights):
    data = published(name)
    gains = data["input_h"]
    env = WirelessPoweredMEC(gains.shape[1], weights=np.resize(first_weights, gains.shape[1]))
    rates = data["output_obj"][:, 0]
    given_decision = env.allocate(gains, data["output_mode"])
    np.testing.assert_allclose(given_decision.rate, rates, rtol=1e-9)
    np.testing.assert_allclose(given_decision.charging_time, data["output_a"][:, 0], atol=1e-8)
    np.testing.assert_allclose(given_decision.transmit_time, data["output_tau"], atol=1e-8)


@given(instances)
def test_split_is_feasible_and_has_the_stated_rate(case):
    gains, decision, weights = instance(**case)
    result = solve(gains, decision, weights)
    a, tau = float(result.charging_time), result.transmit_time
    assert a > 0
    assert (tau >= 0).all()
    assert (tau[decision == 0] == 0).all()
    assert a + tau.sum() == pytest.approx(1, abs=1e-9)
    assert result.rate == pytest.approx(rate_of_split(gains, decision, weights, a, tau), rel=1e-9)


@given(instances, st.integers(0, 2**32 - 1))
def test_no_feasible_split_is_better(case, seed):
    gains, decision, weights = instance(**case)
    result = solve(gains, decision, weights)
    rng = np.random.default_rng(seed)
    for nearness in [1.0, 1e-2, 1e-4]:
        for _ in range(10):
            # Random splits: anywhere, and close to the optimum where a wrong price would show.
            tau = np.where(decision == 1, rng.exponential(size=gains.size), 0)
            random = np.append(tau, rng.exponential())
            here = np.append(result.transmit_time, result.charging_time)
            split = nearness * random / random.sum() + (1 - nearness) * here
            rate = rate_of_split(gains, decision, weights, split[-1], split[:-1])
            assert rate <= result.rate * (1 + 1e-12)


@given(instances)
def test_equals_the_textbook_solution(case):
    gains, decision, weights = instance(**case, low=-8, high=-4)
    rate, a, tau = textbook_allocate(gains, decision, weights)
    result = solve(gains, decision, weights)
    assert result.rate == pytest.approx(rate, rel=1e-9)
    assert result.charging_time == pytest.approx(a, abs=1e-6)
    np.testing.assert_allclose(result.transmit_time, tau, atol=1e-6)


def test_solver_needs_no_luck_on_a_hundred_thousand_extreme_instances():
    rng = np.random.default_rng(1)
    for _ in range(20):
        num_users = int(rng.integers(1, 12))
        gains = 10 ** rng.uniform(-12, -2, (5000, num_users))
        decisions = rng.random((5000, num_users)) < rng.random((5000, 1))
        weights = 10 ** rng.uniform(-2, 2, (5000, num_users))
        result = WirelessPoweredMEC(num_users).allocate(gains, decisions, weights)
        total = result.charging_time + result.transmit_time.sum(-1)
        np.testing.assert_allclose(total, 1, atol=1e-9)
        assert np.isfinite(result.rate).all()


def test_leading_dimensions_are_independent_problems():
    rng = np.random.default_rng(0)
    gains = 10 ** rng.uniform(-8, -4, (3, 1, 6))
    decisions = rng.integers(2, size=(4, 6))
    weights = rng.uniform(0.5, 2, (3, 1, 6))
    env = WirelessPoweredMEC(6)
    together = env.allocate(gains, decisions, weights)
    assert together.rate.shape == (3, 4)
    assert together.transmit_time.shape == (3, 4, 6)
    for row in range(3):
        for column in range(4):
            alone = env.allocate(gains[row, 0], decisions[column], weights[row, 0])
            assert together.rate[row, column] == pytest.approx(float(alone.rate), rel=1e-12)


def test_evaluate_is_allocate_in_this_frame():
    env = WirelessPoweredMEC(9, seed=3)
    decisions = np.random.default_rng(0).integers(2, size=(20, 9))
    np.testing.assert_allclose(env.evaluate(decisions), env.allocate(env.gains, decisions).rate, rtol=1e-11)


@given(st.floats(1e-12, 600))
def test_log_snr_solves_its_equation(price):
    s = float(log_snr(np.float64(price)))
    # d(price)/ds = 1 - exp(-s), so this is an error of 1e-8 relative in s, and 1e-16 in a rate.
    assert s + np.expm1(-s) == pytest.approx(price, rel=1e-8, abs=1e-16)
