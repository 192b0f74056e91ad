import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agent.decisions.quantizer import OrderPreserving
from env import WirelessPoweredMEC
from env.wireless_powered.allocation import split_time
from env.wireless_powered.price_curve import CACHED, PriceCurve, nested_sums
from env.wireless_powered.weight_groups import WeightGroups

SLOPES = [np.array([1.0]), np.array([2.6e6, 3.9e6]), 2.6e6 * np.geomspace(0.1, 10, 16)]


def compiled(slope):
    """The curve in machine code; skips where Numba is missing."""
    return pytest.importorskip(
        "env.wireless_powered.compiled_curve", reason="the extra `fast` is not installed"
    ).CompiledCurve(slope)


def test_processes_that_start_at_once_share_what_one_of_them_compiles(tmp_path):
    """Else the files of a function and of one that calls it come from different processes."""
    pytest.importorskip("env.wireless_powered.compiled_curve", reason="the extra `fast` is not installed")
    compile_it = "from env.machine_code import machine_code; machine_code('wireless_powered.compiled_curve')"
    command = [sys.executable, "-c", compile_it]
    empty = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    processes = [subprocess.Popen(command, env=empty, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sum("compiling env.wireless_powered.compiled_curve" in each for each in said) == 1


both_curves = pytest.mark.parametrize("curve_of", [PriceCurve, compiled])


def problem(slope, seed, rows=50, local=(1, 7), ratio=(-4, 6)):
    """S and H as they occur, the exponents of 10 uniform; some groups empty."""
    rng = np.random.default_rng(seed)
    computed = slope.min() / 2.6e6 * 10 ** rng.uniform(*local, rows)
    snr = 10 ** rng.uniform(*ratio, (rows, slope.size)) * (rng.random((rows, slope.size)) < 0.7)
    return computed, snr


@both_curves
@pytest.mark.parametrize("slope", SLOPES, ids=len)
@given(seed=st.integers(0, 2**31))
def test_rates_are_those_of_the_exact_split_and_never_above(curve_of, slope, seed):
    computed, snr = problem(slope, seed)
    exact = split_time(computed, snr, slope).rate
    rate = curve_of(slope).rate(computed, snr)
    np.testing.assert_allclose(rate, exact, rtol=1e-9)
    assert (rate <= exact * (1 + 1e-12)).all()


@both_curves
@given(seed=st.integers(0, 2**31))
def test_prices_out_of_the_table_are_found_all_the_same(curve_of, seed):
    slope = SLOPES[1]
    computed, snr = problem(slope, seed, local=(-6, 12), ratio=(-16, 14))
    np.testing.assert_allclose(
        curve_of(slope).rate(computed, snr), split_time(computed, snr, slope).rate, rtol=1e-9
    )


@both_curves
def test_a_user_without_local_computing_has_a_rate(curve_of):
    slope = SLOPES[1]
    computed, snr = np.zeros(3), np.array([[1e3, 0.0], [0.0, 20.0], [1e4, 1e5]])
    np.testing.assert_allclose(
        curve_of(slope).rate(computed, snr), split_time(computed, snr, slope).rate, rtol=1e-9
    )


@both_curves
@given(seed=st.integers(0, 2**31), users=st.integers(4, 40))
def test_nested_decisions_have_the_rates_that_each_has_by_itself(curve_of, seed, users):
    rng = np.random.default_rng(seed)
    local, snr = 10 ** rng.uniform(4, 6, (3, users)), 10 ** rng.uniform(0, 5, (3, users))
    groups = WeightGroups(np.where(np.arange(users) % 2, 1.5, 1.0), 2.6e6)
    nested = OrderPreserving().nested(rng.random((3, users)), users)
    rate = curve_of(groups.slope).nested_rate(groups.columns(local, snr), nested.order, nested.counts)
    for frame, decisions in enumerate(nested.expand()):
        sums = groups.sums(local[frame], snr[frame], decisions.astype(float))
        np.testing.assert_allclose(rate[frame], split_time(*sums, groups.slope).rate, rtol=1e-9)


@both_curves
def test_nested_decisions_out_of_the_table_are_found_all_the_same(curve_of):
    slope, order, counts = SLOPES[1], np.array([1, 2, 0]), np.array([0, 1, 2, 3])
    columns = np.array([[1e12, 1e14, 0.0], [1e-6, 0.0, 1e-16], [1e5, 0.0, 1e3]])
    exact = split_time(*nested_sums(columns, order, counts), slope).rate
    np.testing.assert_allclose(curve_of(slope).nested_rate(columns, order, counts), exact, rtol=1e-9)


@both_curves
@pytest.mark.parametrize("kind", [np.uint64, np.int32])
def test_places_may_be_any_whole_numbers_and_none(curve_of, kind):
    curve, columns, order = curve_of(SLOPES[1]), np.ones((3, 3)), np.arange(3)
    rate = curve.nested_rate(columns, order, np.array([1, 2]))
    np.testing.assert_array_equal(curve.nested_rate(columns, order.astype(kind), np.array([1, 2], kind)), rate)
    assert curve.nested_rate(columns, order, np.array([], kind)).shape == (0,)


@both_curves
@pytest.mark.parametrize(("order", "counts"), [([0, 5, 1], [1]), ([0, 2, 1], [1, 4]), ([0, -9, 1], [1])])
def test_places_that_no_user_has_are_an_error(curve_of, order, counts):
    with pytest.raises(IndexError, match="out of bounds"):
        curve_of(SLOPES[1]).nested_rate(np.ones((3, 3)), np.array(order), np.array(counts))


@pytest.mark.parametrize(
    "obstacle",
    [
        "import sys; sys.modules['numba'] = None",  # as where it is not installed
        "from numba.core.caching import CacheImpl; CacheImpl._locator_classes = []",  # as in a read-only system
        "import os; os.environ['NUMBA_DISABLE_JIT'] = '1'",
    ],
)
def test_an_environment_without_numba_gives_the_same_rates(obstacle):
    pytest.importorskip("numba")
    script = f"""
{obstacle}
import numpy as np
from agent.decisions.quantizer import OrderPreserving
from env import WirelessPoweredMEC
env = WirelessPoweredMEC(10, seed=3)
candidates = OrderPreserving().nested(np.linspace(0.1, 0.8, 10), 10)
print([env.evaluate(each).tolist() for each in (candidates, candidates.expand())])
assert type(env._groups.curve).__name__ == "PriceCurve"
"""
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    candidates = OrderPreserving().nested(np.linspace(0.1, 0.8, 10), 10)
    rates = [WirelessPoweredMEC(10, seed=3).evaluate(each) for each in (candidates, candidates.expand())]
    np.testing.assert_allclose(json.loads(printed), rates, rtol=1e-10)


@both_curves
def test_leading_dimensions_give_the_same(curve_of):
    slope = SLOPES[1]
    computed, snr = problem(slope, 0, rows=2 * CACHED + 4, local=(4, 6), ratio=(0, 5))
    curve = curve_of(slope)
    rate = curve.rate(computed, snr)
    np.testing.assert_allclose(
        curve.rate(computed.reshape(4, -1), snr.reshape(4, -1, 2)).ravel(), rate, rtol=1e-12
    )


def test_tensors_give_the_same():
    slope = SLOPES[1]
    computed, snr = problem(slope, 0, local=(4, 6), ratio=(0, 5))
    rate = PriceCurve(slope).rate(computed, snr)
    tensors = PriceCurve(slope, "cpu").rate(torch.from_numpy(computed), torch.from_numpy(snr))
    np.testing.assert_allclose(tensors.numpy(), rate, rtol=1e-12)
