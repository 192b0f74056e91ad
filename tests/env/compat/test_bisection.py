import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from env import WirelessPoweredMEC
from env.compat import bisection, cd_method
from env.wireless_powered.allocation import split_time
from env.wireless_powered.one_decision import split_one

GAINS = np.array([2e-6, 5e-7, 3e-6, 1e-6])


def test_bisection_answers_as_published(published):
    data = published("data_6")
    for row in range(20):
        decision = data["output_mode"][row]
        rate, a, tau = bisection(data["input_h"][row], decision)
        assert rate == pytest.approx(data["output_obj"][row, 0], rel=1e-9)
        assert a == pytest.approx(data["output_a"][row, 0], abs=1e-8)
        np.testing.assert_allclose(tau, data["output_tau"][row][decision == 1], atol=1e-8)
    swapped = [1.5, 1, 1.5, 1, 1.5, 1]
    expected = WirelessPoweredMEC(6, weights=swapped).allocate(data["input_h"][0], decision).rate
    assert bisection(data["input_h"][0], decision, swapped)[0] == pytest.approx(float(expected), rel=1e-10)


@given(st.integers(1, 12), st.integers(0, 2**32 - 1), st.sampled_from(["published", "random", "far apart"]))
def test_bisection_is_the_allocation_of_the_environment(num_users, seed, kind):
    rng = np.random.default_rng(seed)
    gains, decision = 10 ** rng.uniform(-9, -3, num_users), rng.integers(0, 2, num_users)
    weights = {
        "published": [1.5 if user % 2 else 1.0 for user in range(num_users)],
        "random": rng.uniform(0.2, 5, num_users),
        "far apart": 10 ** rng.uniform(-3, 3, num_users),
    }[kind]
    rate, a, tau = bisection(gains, decision, [] if kind == "published" else weights)
    expected = WirelessPoweredMEC(num_users, weights=list(weights)).allocate(gains, decision)
    assert rate == pytest.approx(float(expected.rate), rel=1e-9)
    assert a == pytest.approx(float(expected.charging_time), rel=1e-6)
    np.testing.assert_allclose(tau, expected.transmit_time[decision == 1], rtol=1e-6, atol=1e-12)
    assert a + sum(tau) == pytest.approx(1)


@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_a_split_in_plain_numbers_is_that_of_arrays(groups, seed):
    rng = np.random.default_rng(seed)
    local, snr, slope = 10 ** rng.uniform(-2, 9), 10 ** rng.uniform(-3, 9, groups), 10 ** rng.uniform(3, 9, groups)
    one, many = split_one(local, snr.tolist(), slope.tolist()), split_time(np.array(local), snr, slope)
    assert one.rate == pytest.approx(float(many.rate), rel=1e-9)
    assert one.charging_time == pytest.approx(float(many.charging_time), rel=1e-4)
    np.testing.assert_allclose(one.inverse_snr, many.inverse_snr, rtol=1e-4)


def test_users_that_are_absent_do_nothing():
    rate, a, tau = bisection(GAINS, np.array([1, -1, 0, -1]), [1.0, 2.0, 1.5, 1.0])
    expected = bisection(GAINS[[0, 2]], np.array([1, 0]), [1.0, 1.5])
    assert (rate, a, *tau) == pytest.approx((expected[0], expected[1], *expected[2]))
    assert bisection(GAINS, np.full(4, -1)) == (0.0, 1.0, [])


def test_what_is_longer_than_the_decision_is_left_over():
    expected = bisection(GAINS[:2], [1, 0], [2.0, 1.0])
    assert bisection(GAINS, np.array([1, 0]), [2.0, 1.0, 7.0, 8.0]) == expected


def test_a_user_without_gain_or_weight_has_no_rate():
    without = bisection(GAINS[1:], [1, 0, 1], [1.5, 1.0, 1.5])
    for gains, weights in (([0, *GAINS[1:]], [1.0, 1.5, 1.0, 1.5]), (GAINS, [0, 1.5, 1, 1.5])):
        assert bisection(gains, [0, 1, 0, 1], weights)[:2] == pytest.approx(without[:2])
        rate, a, tau = bisection(gains, [1, 1, 0, 1], weights)
        assert (rate, a, tau[0]) == pytest.approx((*without[:2], 0.0))
        assert tau[1:] == pytest.approx(without[2])
    assert bisection([0.0, 0.0], [0, 1])[0] == 0.0


def test_coordinate_descent_ends_where_no_single_change_helps():
    gains = WirelessPoweredMEC(8, seed=5).gains
    rate, decision = cd_method(gains, seed=1)
    assert rate == pytest.approx(bisection(gains, decision)[0], rel=1e-12)
    for user in range(8):
        other = decision.copy()
        other[user] ^= 1
        assert bisection(gains, other)[0] <= rate * (1 + 1e-12)


def test_coordinate_descent_starts_from_numpys_global_random_state():
    gains = WirelessPoweredMEC(12, seed=0).gains
    np.random.seed(3)
    first = cd_method(gains)
    following = np.random.random()
    np.random.seed(3)
    np.random.randint(2, size=12)  # all that the published function draws
    assert np.random.random() == following
    np.random.seed(3)
    again = cd_method(gains)
    assert again[0] == first[0]
    np.testing.assert_array_equal(again[1], first[1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bisection([1e-6], [0, 1]), "h must hold a gain for each entry of M"),
        (lambda: bisection(GAINS, [0, 1, 0, 1], [1.0]), "weights must hold one for each entry of M, 4"),
        (lambda: bisection([1e-6, -1.0], [0, 1]), "h must be 0 or more and finite, got -1.0"),
        (lambda: bisection([1e-6, float("nan")], [0, 1]), "(h|weights) must be 0 or more and finite"),
        (lambda: bisection(GAINS, [0, 1, 0, 1], [1.0, -2.0, 1, 1]), "(h|weights) must be 0 or more and finite"),
        (lambda: bisection(GAINS, 1), "h must hold a gain for each entry of M"),
        (lambda: bisection("gains", [1]), "h must be an array of real numbers"),
        (lambda: cd_method([1e-6, -1.0]), "(h|weights) must be 0 or more and finite"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_results_are_numpy_numbers():
    rate, a, _ = bisection(GAINS, np.array([1, 0, 1, 0]))
    assert rate.round(-3) == pytest.approx(rate, rel=1e-2)
    assert isinstance(a, np.float64)
    assert isinstance(cd_method(GAINS, seed=0)[0], np.float64)


def test_gains_may_be_a_tensor():
    rate, decision = cd_method(torch.tensor(GAINS), seed=0)
    assert (rate, *decision) == (cd_method(GAINS, seed=0)[0], *cd_method(GAINS, seed=0)[1])
