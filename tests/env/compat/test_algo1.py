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


GAINS, DATA, ENERGY = np.array([1e-11, 3e-12, 2e-11]) * 1e10, np.array([4.0, 9.0, 2.0]), np.array([30.0, 5.0, 0.0])


def same(one, other):
    assert one[0] == pytest.approx(other[0])
    np.testing.assert_allclose(one[1], other[1], atol=1e-12)
    np.testing.assert_allclose(one[2], other[2], atol=1e-12)


def test_answers_are_those_of_their_own_arguments():
    """Frames are kept for their other decisions: none is taken for another."""
    rng = np.random.default_rng(0)
    for _ in range(30):
        gains, data = rng.exponential(size=3), rng.exponential(5, 3)
        for rate_weight, weights in ((20, [1.0, 2.0, 1.0]), (5, [1.0, 1.0, 3.0])):
            mode = rng.integers(0, 2, 3)
            world = LyapunovMEC(3, weights=weights, rate_weight=rate_weight)
            expected = world.allocate(gains / 1e10, mode, data, ENERGY)
            same(Algo1_NUM(mode, gains, weights, data, ENERGY, rate_weight), (expected.objective, *expected[1:3]))


def test_users_that_are_absent_do_nothing():
    objective, rate, energy = Algo1_NUM(np.array([1, -1, 0]), GAINS, [1, 2, 3], DATA, ENERGY)
    others = Algo1_NUM(np.array([1, 0]), GAINS[[0, 2]], [1, 3], DATA[[0, 2]], ENERGY[[0, 2]])
    same((objective, rate[[0, 2]], energy[[0, 2]]), others)
    assert rate[1] == energy[1] == 0


def test_what_is_longer_than_the_queues_is_left_over():
    longer = Algo1_NUM([1, 0], GAINS, [1, 2, 3], DATA[:2], ENERGY)
    same(longer, Algo1_NUM([1, 0], GAINS[:2], [1, 2], DATA[:2], ENERGY[:2]))


def test_a_rate_that_counts_for_nothing():
    """V = 0: the queues alone decide; a user without data does nothing."""
    objective, rate, energy = Algo1_NUM([1, 0, 1], GAINS, [], [4.0, 9.0, 0.0], ENERGY, V=0)
    assert objective == pytest.approx([4.0, 9.0, 0.0] @ rate - 10 * ENERGY @ energy)
    assert (rate[:2] > 0).all()
    assert rate[2] == 0
    for none, hardly in (({"V": 0}, {"V": 1e-9}), ({"w": [0, 1, 1]}, {"w": [1e-9, 1, 1]})):
        same(
            Algo1_NUM([1, 0, 1], GAINS, **{"w": [], "Q": DATA, "Y": ENERGY, **none}),
            Algo1_NUM([1, 0, 1], GAINS, **{"w": [], "Q": DATA, "Y": ENERGY, **hardly}),
        )


@pytest.mark.parametrize("mode", [[0, 1, 1], [1, 1, 1]])
def test_a_user_without_gain_cannot_send(mode):
    objective, rate, energy = Algo1_NUM(mode, [0.0, *GAINS[1:]], [], DATA, ENERGY)
    others = Algo1_NUM(mode[1:], GAINS[1:], [], DATA[1:], ENERGY[1:])
    np.testing.assert_allclose(rate[1:], others[1], rtol=1e-6)
    if mode[0]:
        assert (rate[0], energy[0]) == pytest.approx((0, 0), abs=1e-9)
        assert objective == pytest.approx(others[0], rel=1e-6)
    else:
        assert rate[0] > 0


def test_queues_below_nothing_by_rounding_are_empty():
    same(
        Algo1_NUM([1, 0, 1], GAINS, [], [-1e-12, 9.0, 2.0], [30.0, -1e-12, 0.0]),
        Algo1_NUM([1, 0, 1], GAINS, [], [0.0, 9.0, 2.0], [30.0, 0.0, 0.0]),
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1], [-1.0], [], [1.0], [1.0]), "h must be 0 or more and finite, got -1.0"),
        (([1], 1.0, [], [1.0], [1.0]), r"h must hold 1 entries, one for each of Q, got shape \(\)"),
        (([1, 0], [1.0, 1.0], [], [1.0], [1.0]), r"mode and Q must have one shape \(N,\), got \(2,\) and \(1,\)"),
        (([1], [1.0], [-1.0], [1.0], [1.0]), "w must be 0 or more"),
        (([1, 1], [1.0, 1.0], [1.0], [1.0, 1.0], [1.0, 1.0]), "w must hold 2 entries"),
        (([1], [1.0], [], [-1.0], [1.0]), "Q must be 0 or more and finite"),
        (([1], [1.0], [], [1.0], [np.inf]), "Y must be 0 or more and finite"),
        (([1], [1.0], [], [1.0], [1.0], -1), "V must be 0 or more"),
        (([1], [1.0], [], [1.0], [1.0], [1, 2]), "V must be one number"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        Algo1_NUM(*arguments)
