import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import KNearest, MostProbable
from agent.decisions.cheapest import cheapest
from agent.machine_code import without_machine_code
from env import Categorical


def log_probability(relaxed, decisions):
    return np.log(np.maximum(np.take_along_axis(relaxed.T, decisions, 0), np.finfo(float).tiny)).sum(-1)


@given(
    seed=st.integers(0, 2**32 - 1),
    num_users=st.integers(1, 6),
    num_choices=st.integers(2, 5),
    spread=st.sampled_from([0.0, 0.1, 1.0, 10.0, 300.0]),
)
def test_they_are_the_k_most_probable_of_all(seed, num_users, num_choices, spread):
    rng = np.random.default_rng(seed)
    logits = spread * rng.normal(size=(num_users, num_choices))
    relaxed = np.exp(logits - logits.max(-1, keepdims=True))
    relaxed /= relaxed.sum(-1, keepdims=True)
    quantizer, every = MostProbable(num_choices), Categorical(num_users, num_choices).all()
    k = min(len(every), 40)
    assert quantizer.max_candidates(num_users) == len(every)
    candidates = quantizer(relaxed, k)
    assert candidates.shape == (k, num_users)
    assert len(np.unique(candidates, axis=0)) == k
    best = np.sort(log_probability(relaxed, every))[::-1][:k]
    np.testing.assert_allclose(log_probability(relaxed, candidates), best, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(candidates[0], relaxed.argmax(-1))


def test_all_of_them_are_each_decision_once():
    relaxed = np.random.default_rng(0).dirichlet(np.ones(3), size=4)
    candidates = MostProbable(3)(relaxed, 81)
    assert len(np.unique(candidates, axis=0)) == 81


def test_of_many_users_without_listing_them():
    relaxed = np.random.default_rng(0).dirichlet(np.ones(4), size=200)
    candidates = MostProbable(4)(relaxed, 500)
    log = log_probability(relaxed, candidates)
    assert (np.diff(log) <= 1e-9).all()
    assert len(np.unique(candidates, axis=0)) == 500


def test_of_two_choices_it_orders_users_as_knn_does():
    logits = np.array([0.1, -3.0, 0.7, -0.4])
    offload = 1 / (1 + np.exp(-logits))
    candidates = MostProbable(2)(np.stack([1 - offload, offload], -1), 3)
    np.testing.assert_array_equal(candidates, KNearest()(offload, 3))


def test_leading_dimensions_are_row_by_row():
    relaxed = np.random.default_rng(1).dirichlet(np.ones(3), size=(2, 3, 5))
    together = MostProbable(3)(relaxed, 7)
    assert together.shape == (2, 3, 7, 5)
    np.testing.assert_array_equal(together[1, 2], MostProbable(3)(relaxed[1, 2], 7))


def test_one_choice_is_none():
    with pytest.raises(ValueError, match="num_choices must be a whole number, 2 or more, got 1"):
        MostProbable(1)


@given(seed=st.integers(0, 2**32 - 1), few_costs=st.booleans())
def test_machine_code_lists_the_same_also_of_equal_costs(seed, few_costs):
    rng = np.random.default_rng(seed)
    num_users, num_choices = rng.integers(1, 8), rng.integers(2, 6)
    shape = (3, num_users, num_choices)
    cost = rng.integers(3, size=shape) * 1.0 if few_costs else rng.random(shape)
    k = int(min(num_choices**num_users, 50))
    found = cheapest(cost, k)
    with without_machine_code():
        np.testing.assert_array_equal(found, cheapest(cost, k))
    np.testing.assert_array_equal(found[1], cheapest(cost[1], k))
