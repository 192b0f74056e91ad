import numpy as np
import pytest

from env import MultiTaskMEC
from env.compat import MUMT

PUBLISHED_NEXT = {1: 0.9139620245792329, 7: 0.26258377004339706}


def test_costs_are_the_recorded_ones(published):
    data = published("MUMT_data_3x3")
    env = MUMT(3, 3)
    for row in range(0, 20000, 400):
        cost = env.compute_Q(data["task_size"][row], data["gain_mode"][row])
        assert cost == pytest.approx(data["gain_min"][0, row], rel=1e-9)


def test_costs_are_those_of_the_environment_for_any_numbers():
    rng = np.random.default_rng(0)
    sizes, decision = rng.uniform(5, 40, 8), rng.integers(0, 2, 8)
    expected = MultiTaskMEC(4, 2).cost(sizes.reshape(4, 2), decision.reshape(4, 2))
    assert MUMT(4, 2).compute_Q(sizes, decision) == pytest.approx(float(expected))
    assert MUMT(4, 2).compute_Q(np.zeros(8), decision) == 0


def test_making_one_leaves_numpys_random_state_as_the_published_class_does():
    """The numbers that follow there, with seeds 1 (its default) and 7."""
    MUMT(3, 3, rand_seed=1)
    assert np.random.random() == pytest.approx(PUBLISHED_NEXT[1], abs=1e-15)
    MUMT(3, 3, 7)
    assert np.random.random() == pytest.approx(PUBLISHED_NEXT[7], abs=1e-15)


@pytest.mark.parametrize(
    ("sizes", "decision", "message"),
    [
        ([1, 2, 3], [0] * 9, r"task_size and M must hold 3 x 3 entries, got \(3,\) and \(9,\)"),
        ([-1] * 9, [0] * 9, "task_size must be 0 or more"),
        ([1] * 9, [0] * 8 + ["x"], "M must be an array of real numbers"),
    ],
)
def test_bad_arguments_are_named(sizes, decision, message):
    with pytest.raises(ValueError, match=message):
        MUMT(3, 3).compute_Q(sizes, decision)


def test_numbers_of_users_and_tasks_are_checked():
    with pytest.raises(ValueError, match="M must be a whole number"):
        MUMT(3, 0)
