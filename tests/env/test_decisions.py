import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from env import Binary, Categorical, WirelessPoweredMEC
from env.decisions import decisions_of

KINDS = [Binary(3), Categorical(3, 2), Categorical(3, 4), Categorical(1, 3)]
kinds = pytest.mark.parametrize("kind", KINDS)


def every(kind):
    return [list(decision) for decision in itertools.product(range(kind.num_choices), repeat=kind.num_users)]


@kinds
def test_all_are_listed_once_in_the_order_of_their_digits(kind):
    assert kind.all().tolist() == every(kind)
    with pytest.raises(ValueError, match="read-only"):
        kind.all()[0, 0] = 1


@kinds
def test_neighbours_are_those_that_differ_in_one_user(kind):
    for decision in kind.all():
        near = kind.neighbours(decision).tolist()
        expected = [other for other in every(kind) if np.sum(np.array(other) != decision) == 1]
        assert sorted(near) == sorted(expected)


@kinds
def test_random_ones_are_decisions_and_all_come_up(kind):
    drawn = kind.random(2000, np.random.default_rng(0))
    np.testing.assert_array_equal(kind.check("decisions", drawn), drawn)
    assert len(np.unique(drawn, axis=0)) == kind.num_choices**kind.num_users
    assert kind.idle().tolist() == [0] * kind.num_users


@given(choices=st.lists(st.integers(0, 4), min_size=3, max_size=3))
def test_what_is_checked_is_what_was_given(choices):
    kind = Categorical(3, 5)
    for form in (choices, np.array(choices, dtype=np.float32), np.array([choices, choices], dtype=np.uint8)):
        np.testing.assert_array_equal(kind.check("decisions", form), form)
        assert kind.check("decisions", form).dtype == np.int64


@pytest.mark.parametrize(
    ("kind", "decision", "message"),
    [
        (Binary(3), [0, 1, 2], r"d must hold only 0 and 1, got 2.0 at \[2\]"),
        (Binary(3), [0, 1], r"d must have shape"),
        (Categorical(3, 3), [0, 1, 3], r"d must hold only whole numbers 0 to 2, got 3.0 at \[2\]"),
        (Categorical(3, 3), [0, -1, 2], r"got -1.0 at \[1\]"),
        (Categorical(3, 3), [0, 0.5, 2], r"got 0.5 at \[1\]"),
        (Categorical(3, 3), [0, np.nan, 2], r"got nan at \[1\]"),
        (Categorical(3, 3), [0, 1], "d must have shape"),
        (Categorical(3, 3), "abc", "d must be an array of real numbers"),
    ],
)
def test_what_is_no_decision_is_named(kind, decision, message):
    for check in (kind.check, kind.check_one):
        with pytest.raises(ValueError, match=message):
            check("d", decision)
    with pytest.raises(ValueError, match="d must have shape"):
        kind.check_one("d", np.zeros((2, kind.num_users)))


@pytest.mark.parametrize("sizes", [(0, 3), (3, 1), (2.5, 3)])
def test_sizes_are_checked(sizes):
    with pytest.raises(ValueError, match="must be a whole number"):
        Categorical(*sizes)


def test_an_environment_that_says_nothing_decides_bits():
    class Plain:
        num_users = 4

    assert decisions_of(Plain()) == Binary(4) == decisions_of(WirelessPoweredMEC(4))
