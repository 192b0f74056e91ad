import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from agent.decisions.limits import cheapest_within
from agent.decisions.ranked_assignment import ranked_decisions
from agent.machine_code import without_machine_code
from env import Categorical, Limited


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    num_users, num_choices = draw(st.integers(1, 5)), draw(st.integers(2, 4))
    cost = rng.normal(size=(num_users, num_choices))
    if draw(st.booleans()):
        cost = cost.round()  # many that cost the same
    mask = rng.random(cost.shape) < 0.8
    mask[:, 0] = True
    capacities = draw(st.lists(st.integers(0, num_users), min_size=num_choices - 1, max_size=num_choices - 1))
    return cost, Limited(Categorical(num_users, num_choices), capacities, mask), draw(st.integers(1, 300))


@given(problem=problems())
def test_the_k_best_are_those_of_all_decisions_that_keep_the_limits(problem):
    cost, limits, k = problem
    users = np.arange(len(cost))
    every = np.array(list(itertools.product(range(limits.num_choices), repeat=len(cost))))
    best = np.sort(cost[users, every[limits.feasible(every)]].sum(-1))
    for found in (
        ranked_decisions(np.where(limits.mask, cost, np.inf), k, limits.capacities),
        cheapest_within(cost, k, limits),
    ):
        assert len(found) == min(k, len(best))
        assert limits.feasible(found).all()
        assert len(np.unique(found, axis=0)) == len(found)
        np.testing.assert_allclose(cost[users, found].sum(-1), best[:k], atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_best_of_many_users_is_that_of_the_assignment_problem(seed):
    rng = np.random.default_rng(seed)
    cost = rng.normal(size=(40, 5)) - [0, 2, 1, 1, 0]
    capacities = np.array([40, 5, 5, 3, 0])
    places = np.repeat(np.arange(5), capacities)
    least = cost[:, places][linear_sum_assignment(cost[:, places])].sum()
    found = ranked_decisions(cost, 20, capacities)
    costs = cost[np.arange(40), found].sum(-1)
    assert costs[0] == pytest.approx(least)
    assert (np.diff(costs) >= -1e-9).all()
    assert (np.bincount(found.ravel(), minlength=5) <= 20 * capacities).all()


@given(seed=st.integers(0, 2**32 - 1), few_costs=st.booleans())
def test_machine_code_ranks_the_same_also_of_equal_costs(seed, few_costs):
    rng = np.random.default_rng(seed)
    num_users, num_choices = rng.integers(1, 8), rng.integers(2, 5)
    shape = num_users, num_choices
    cost = rng.integers(3, size=shape) * 1.0 if few_costs else rng.random(shape)
    cost[:, 1:][rng.random((num_users, num_choices - 1)) < 0.2] = np.inf
    capacities = np.append(num_users, rng.integers(4, size=num_choices - 1))
    found = ranked_decisions(cost, 30, capacities)
    with without_machine_code():
        np.testing.assert_array_equal(found, ranked_decisions(cost, 30, capacities))
