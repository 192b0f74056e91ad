import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from env.allocation import split_time
from env.price_curve import CACHED, PriceCurve

SLOPES = [np.array([1.0]), np.array([2.6e6, 3.9e6]), 2.6e6 * np.geomspace(0.1, 10, 16)]


def problem(slope, seed, rows=50, local=(1, 7), ratio=(-4, 6)):
    """S and H as they occur, the exponents of 10 uniform; some groups empty."""
    rng = np.random.default_rng(seed)
    computed = slope.min() / 2.6e6 * 10 ** rng.uniform(*local, rows)
    snr = 10 ** rng.uniform(*ratio, (rows, slope.size)) * (rng.random((rows, slope.size)) < 0.7)
    return computed, snr


@pytest.mark.parametrize("slope", SLOPES, ids=len)
@given(seed=st.integers(0, 2**31))
def test_rates_are_those_of_the_exact_split_and_never_above(slope, seed):
    computed, snr = problem(slope, seed)
    exact = split_time(computed, snr, slope).rate
    rate = PriceCurve(slope).rate(computed, snr)
    np.testing.assert_allclose(rate, exact, rtol=1e-9)
    assert (rate <= exact * (1 + 1e-12)).all()


@given(seed=st.integers(0, 2**31))
def test_prices_out_of_the_table_are_found_all_the_same(seed):
    slope = SLOPES[1]
    computed, snr = problem(slope, seed, local=(-6, 12), ratio=(-16, 14))
    np.testing.assert_allclose(
        PriceCurve(slope).rate(computed, snr), split_time(computed, snr, slope).rate, rtol=1e-9
    )


def test_a_user_without_local_computing_has_a_rate():
    slope = SLOPES[1]
    computed, snr = np.zeros(3), np.array([[1e3, 0.0], [0.0, 20.0], [1e4, 1e5]])
    np.testing.assert_allclose(
        PriceCurve(slope).rate(computed, snr), split_time(computed, snr, slope).rate, rtol=1e-9
    )


def test_leading_dimensions_and_tensors_give_the_same():
    slope = SLOPES[1]
    computed, snr = problem(slope, 0, rows=2 * CACHED + 4, local=(4, 6), ratio=(0, 5))
    curve = PriceCurve(slope)
    rate = curve.rate(computed, snr)
    np.testing.assert_allclose(
        curve.rate(computed.reshape(4, -1), snr.reshape(4, -1, 2)).ravel(), rate, rtol=1e-12
    )
    tensors = PriceCurve(slope, "cpu").rate(torch.from_numpy(computed), torch.from_numpy(snr))
    np.testing.assert_allclose(tensors.numpy(), rate, rtol=1e-12)
