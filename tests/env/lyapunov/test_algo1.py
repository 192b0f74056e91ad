import numpy as np
import pytest

from env import LyapunovMEC
from env.compat import Algo1_NUM

WEIGHTS = [1.5, 1] * 5


def test_algo1_answers_the_recorded_run_as_published(published):
    data = published("lydroo_result_10")
    for row in range(0, 500, 5):
        objective, rate, energy = Algo1_NUM(
            data["off_mode"][row],
            data["input_h"][row] * 1e10,
            WEIGHTS,
            data["data_queue"][row],
            data["energy_queue"][row],
            V=20,
        )
        recorded = data["objective"][0, row]
        assert recorded * (1 - 1e-6) <= objective <= recorded * (1 + 1e-4)
        value = data["data_queue"][row] + 20 * np.array(WEIGHTS)
        assert objective == pytest.approx(value @ rate - 10 * data["energy_queue"][row] @ energy, rel=1e-9)


def test_algo1_takes_published_defaults():
    gains, mode, data, energy = np.array([1e-11, 3e-12, 2e-11]), [1, 0, 1], [4.0, 9.0, 2.0], [30.0, 5.0, 0.0]
    objective, rate, spent = Algo1_NUM(mode, gains * 1e10, [], data, energy)
    expected = LyapunovMEC(3, weights=[1.0] * 3).allocate(gains, mode, data, energy)
    assert objective == pytest.approx(float(expected.objective))
    np.testing.assert_allclose(rate, expected.rate)
    np.testing.assert_allclose(spent, expected.energy)
    expected = LyapunovMEC(3, weights=[3.0, 2.0, 1.0], rate_weight=50).allocate(gains, mode, data, energy)
    assert Algo1_NUM(mode, gains * 1e10, [3, 2, 1], data, energy, 50)[0] == pytest.approx(
        float(expected.objective)
    )


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="h must be positive"):
        Algo1_NUM([1], [-1.0], [], [1.0], [1.0])
    with pytest.raises(ValueError, match=r"h must have shape \(N,\), got \(\)"):
        Algo1_NUM([1], 1.0, [], [1.0], [1.0])
    with pytest.raises(ValueError, match="decisions must hold only 0 and 1"):
        Algo1_NUM([2], [1.0], [], [1.0], [1.0])
    with pytest.raises(ValueError, match=r"weights must have shape \(1,\), got \(2,\)"):
        Algo1_NUM([1], [1.0], [1, 2], [1.0], [1.0])
