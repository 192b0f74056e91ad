import itertools

import numpy as np
import pytest

from env import Binary, Categorical, InputError, Limited

MASK = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1], [1, 1, 0]])
LIMITS = [
    Limited(Categorical(4, 3), [1, 2]),
    Limited(Categorical(4, 3), 2, MASK),
    Limited(Categorical(4, 3), None, MASK),
    Limited(Categorical(4, 3), [0, None]),
    Limited(Binary(4), 2),
    Limited(Binary(4), 3, MASK[:, :2]),
]
limited = pytest.mark.parametrize("limits", LIMITS)


def keeps(limits, decision):
    taken = [sum(chosen == choice for chosen in decision) for choice in range(limits.num_choices)]
    there = all(limits.mask[user, chosen] for user, chosen in enumerate(decision))
    return there and all(count <= most for count, most in zip(taken, limits.capacities, strict=True))


def feasible(limits):
    every = itertools.product(range(limits.num_choices), repeat=limits.num_users)
    return [list(decision) for decision in every if keeps(limits, decision)]


@limited
def test_all_and_random_ones_are_those_that_keep_the_limits(limits):
    expected = feasible(limits)
    assert limits.all().tolist() == expected
    drawn = limits.random(3000, np.random.default_rng(0))
    np.testing.assert_array_equal(limits.check("decisions", drawn), drawn)
    assert np.unique(drawn, axis=0).tolist() == expected
    assert limits.idle().tolist() == [0] * 4


@limited
def test_neighbours_keep_the_limits_and_include_exchanges_where_a_server_is_full(limits):
    for decision in limits.all():
        near = {tuple(other) for other in limits.neighbours(decision).tolist()}
        assert len(near) == len(limits.neighbours(decision))
        taken = [np.sum(decision == choice) for choice in range(limits.num_choices)]
        full = any(count >= most for count, most in list(zip(taken, limits.capacities, strict=True))[1:])
        for other in map(tuple, feasible(limits)):
            changed = np.flatnonzero(np.array(other) != decision)
            exchange = full and len(changed) == 2 and sorted(other) == sorted(decision)
            assert (other in near) == (len(changed) == 1 or exchange)


@pytest.mark.parametrize(
    ("limits", "decision", "message"),
    [
        (LIMITS[0], [1, 1, 0, 0], "d must have at most 1 users take choice 1, got 2"),
        (LIMITS[1], [0, 1, 0, 0], "d must take choices that are there, but user 1 takes 1"),
        (LIMITS[0], [0, 3, 0, 0], "d must hold only whole numbers 0 to 2"),
        (LIMITS[4], [1, 1, 1, 0], "d must have at most 2 users take choice 1, got 3"),
    ],
)
def test_what_does_not_keep_the_limits_is_refused(limits, decision, message):
    with pytest.raises(InputError, match=message):
        limits.check_one("d", decision)
    with pytest.raises(InputError, match=message):
        limits.check("d", [[0, 0, 0, 0], decision])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((Categorical(4, 3), [1]), "capacities must be one number, or one for each of 2 choices"),
        ((Categorical(4, 3), [1, -1]), r"capacities\[1\] must be a whole number, 0 or more"),
        ((Categorical(4, 3), None, np.ones((4, 2))), r"mask must have shape \(4, 3\)"),
        (
            (Categorical(4, 3), None, 1 - np.eye(4, 3)),
            "mask must leave each user choice 0, .* got none for user 0",
        ),
        ((Categorical(4, 3), None, np.full((4, 3), 0.5)), "mask must hold only 0 and 1"),
        ((4, None), "kind must be Binary or Categorical, got 4"),
    ],
)
def test_limits_that_are_none_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        Limited(*arguments)


def test_a_mask_changes_and_the_places_stay():
    limits = LIMITS[0].masked(MASK)
    assert limits.capacities.tolist() == [4, 1, 2]
    assert limits.mask.tolist() == MASK.astype(bool).tolist()
    assert limits.masked(None).mask.all()
    with pytest.raises(ValueError, match="read-only"):
        limits.mask[0, 1] = False
