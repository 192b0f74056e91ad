"""Fields of shadowing: normal at a place, exponentially correlated along a track, the same when one comes back."""

import numpy as np
import pytest
from scipy import stats

from env import InputError
from env.machine_code import machine_code
from env.processes.shadowing import LATTICES, SpatialField

D = 13.0


def field(seed, distance=D):
    return SpatialField(distance, np.random.default_rng(seed))


def test_a_place_is_normal_over_fields_and_a_field_over_places():
    places = np.random.default_rng(0).uniform(-1e4, 1e4, (2, 100))
    over_fields = np.array([field(seed).at(*places) for seed in range(1000)]).ravel()  # 1e5 draws
    one_field = field(7).at(*np.random.default_rng(1).uniform(-1e6, 1e6, (2, 100_000)))
    for draws in (over_fields, one_field):
        assert draws.std() == pytest.approx(1, abs=0.02)
        assert draws.mean() == pytest.approx(0, abs=0.02)
        assert stats.kstest(draws, stats.norm.cdf).pvalue > 0.01
        assert stats.jarque_bera(draws).pvalue > 0.01


@pytest.mark.parametrize("direction", [0.0, 0.4, 1.1, 2.2])
def test_along_a_track_the_correlation_is_exponential(direction):
    way = np.arange(0, 4000.0, D / 10)
    lags = np.array([1, 2, 3, 5, 8, 10, 15, 20, 30, 50, 80])
    total = np.zeros(len(lags))
    for seed in range(60):
        along = field(seed).at(way * np.cos(direction), way * np.sin(direction))
        total += [np.mean(along[:-lag] * along[lag:]) for lag in lags]
    np.testing.assert_allclose(total / 60, np.exp(-lags / 10), atol=0.02)


def test_the_mixture_of_lattices_is_exponential_at_every_distance():
    """Over all turns and shifts: of bilinear weights, cubic B-splines of the distance in either direction."""

    def spline(t):
        t = np.abs(t)
        return np.where(t < 1, 1 - 1.5 * t**2 + 0.75 * t**3, np.where(t < 2, (2 - t).clip(0) ** 3 / 4, 0))

    distance = np.concatenate([np.linspace(0, 1, 201), np.linspace(1, 12, 401)])[:, None]
    angle = np.linspace(0, np.pi / 2, 400, endpoint=False) + np.pi / 1600
    correlation = sum(
        share * (spline(distance * np.cos(angle) / spacing) * spline(distance * np.sin(angle) / spacing)).mean(1)
        for spacing, share in LATTICES
    )
    assert LATTICES[:, 1].sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(correlation, np.exp(-distance[:, 0]), atol=0.003)


def test_who_comes_back_finds_what_it_left_however_it_is_asked():
    one = field(3)
    x, y = np.random.default_rng(0).uniform(-500, 500, (2, 20, 30))
    values = one.at(x, y)
    np.testing.assert_array_equal(one.at(x, y), values)
    np.testing.assert_array_equal(one.at(x[4:5, 2], y[4:5, 2]), values[4:5, 2])
    other = field(4)
    assert np.abs(np.corrcoef(other.at(x, y).ravel(), values.ravel())[0, 1]) < 0.2
    other.load_state_dict(one.state_dict())
    np.testing.assert_array_equal(other.at(x, y), values)


@pytest.mark.skipif(machine_code("processes.compiled_shadowing") is None, reason="needs Numba")
def test_machine_code_gives_the_same_numbers(monkeypatch):
    x, y = np.random.default_rng(0).uniform(-5e4, 5e4, (2, 5000))
    compiled = field(5).at(x, y)
    monkeypatch.setattr("env.processes.shadowing.machine_code", lambda module: None)
    np.testing.assert_allclose(field(5).at(x, y), compiled, rtol=1e-9, atol=1e-9)


def test_a_distance_must_be_positive():
    with pytest.raises(InputError, match="correlation_distance must be positive"):
        field(0, 0.0)
