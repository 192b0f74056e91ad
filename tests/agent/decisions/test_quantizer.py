from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agent import (
    KNearest,
    MostProbableBits,
    NoisyOrderPreserving,
    NoisyProbabilities,
    OrderPreserving,
    OrderPreservingAndNearest,
)
from agent.adaptive_k import AdaptiveK
from agent.decisions.quantizer import shift_logits


def relaxed_decision(num_users, seed):
    return np.random.default_rng(seed).random(num_users)


decisions = st.builds(relaxed_decision, st.integers(1, 9), st.integers(0, 2**32 - 1))
RNG = np.random.default_rng(0)


def textbook_order_preserving(relaxed, k):
    """Equations 8 and 9 of the DROO paper, entry by entry."""
    candidates = [[int(x > 0.5) for x in relaxed]]
    closest = sorted(range(len(relaxed)), key=lambda user: abs(relaxed[user] - 0.5))
    for pivot in closest[: k - 1]:
        threshold = relaxed[pivot]
        candidates.append([int(x > threshold) if threshold > 0.5 else int(x >= threshold) for x in relaxed])
    return candidates


@given(decisions)
def test_order_preserving_is_the_papers(relaxed):
    k = relaxed.size + 1
    candidates = OrderPreserving()(relaxed, k)
    np.testing.assert_array_equal(candidates, textbook_order_preserving(relaxed, k))
    assert len({tuple(candidate) for candidate in candidates}) == k


@pytest.mark.parametrize("quantizer", [OrderPreserving(), OrderPreserving(distinct=False)])
def test_order_preserving_takes_batches(quantizer):
    relaxed = np.random.default_rng(1).random((3, 2, 6)).round(1)  # with equal entries
    batch = quantizer(relaxed, 5)
    assert batch.shape == (3, 2, 5, 6)
    for index in np.ndindex(3, 2):
        np.testing.assert_array_equal(batch[index], quantizer(relaxed[index], 5))
    tensors = quantizer(torch.tensor(relaxed), 5)
    assert [len(set(map(tuple, row.tolist()))) for row in tensors.reshape(6, 5, 6)] == [
        len(set(map(tuple, row))) for row in batch.reshape(6, 5, 6)
    ]


@given(st.lists(st.sampled_from([0.0, 0.2, 0.5, 0.7, 1.0]), min_size=1, max_size=8))
def test_equal_entries_change_sides_together_or_one_by_one(entries):
    relaxed, k = np.array(entries), len(entries) + 1
    together = OrderPreserving(distinct=False)(relaxed, k)
    np.testing.assert_array_equal(np.sort(together, 0), np.sort(textbook_order_preserving(relaxed, k), 0))
    for value in set(entries):
        assert (together[:, relaxed == value].std(1) == 0).all()
    assert len({tuple(candidate) for candidate in OrderPreserving()(relaxed, k)}) == k


@given(decisions, st.integers(1, 512))
def test_k_nearest_are_the_nearest_of_all(relaxed, k):
    everything = np.array(list(product([0, 1], repeat=relaxed.size)))
    k = min(k, len(everything))
    candidates = KNearest()(relaxed, k)
    assert len({tuple(candidate) for candidate in candidates}) == k
    distances = np.sort(((everything - relaxed) ** 2).sum(1))
    np.testing.assert_allclose(((candidates - relaxed) ** 2).sum(1), distances[:k], rtol=0, atol=1e-12)


@given(decisions, st.integers(1, 512))
def test_the_most_probable_bits_are_those_of_all(relaxed, k):
    everything = np.array(list(product([0, 1], repeat=relaxed.size)))
    k = min(k, len(everything))
    candidates = MostProbableBits()(relaxed, k)
    assert len({tuple(candidate) for candidate in candidates}) == k

    def log_probability(decisions):
        return np.log(np.where(decisions == 1, relaxed, 1 - relaxed)).sum(-1)

    best = -np.sort(-log_probability(everything))
    np.testing.assert_allclose(log_probability(candidates), best[:k], rtol=1e-9, atol=1e-9)


def test_two_doubtful_users_before_a_certain_one():
    relaxed = np.array([0.999, 0.8, 0.8, 0.99])
    assert KNearest()(relaxed, 4)[3].tolist() == [1, 1, 1, 0]  # costs 0.98 against 2 * 0.6
    assert MostProbableBits()(relaxed, 4)[3].tolist() == [1, 0, 0, 1]  # 2 ln 4 against ln 99


def test_k_nearest_needs_no_list_of_all_decisions():
    relaxed = relaxed_decision(1000, 0)
    candidates = KNearest()(relaxed, 64)
    np.testing.assert_array_equal(candidates[0], relaxed > 0.5)
    easiest = np.argmin(np.abs(relaxed - 0.5))
    assert (candidates[1] != candidates[0]).nonzero()[0].tolist() == [easiest]
    distances = ((candidates - relaxed) ** 2).sum(1)
    assert (np.diff(distances) >= -1e-9).all()


@given(decisions, st.integers(1, 512))
def test_order_preserving_and_nearest_are_both_there_and_distinct(relaxed, k):
    k = min(k, 2**relaxed.size)
    candidates = OrderPreservingAndNearest()(relaxed, k)
    assert candidates.shape == (k, relaxed.size)
    assert len({tuple(candidate) for candidate in candidates}) == k
    first = min((k + 1) // 2, relaxed.size + 1)
    np.testing.assert_array_equal(candidates[:first], OrderPreserving()(relaxed, first))
    proposed = {tuple(candidate) for candidate in candidates}
    assert k == first or all(tuple(near) in proposed for near in KNearest()(relaxed, k - first))


def test_noise_is_added_to_the_logits():
    relaxed = np.array([0.1, 0.5, 0.9])
    shifted = shift_logits(relaxed, np.array([0.3, -1.0, 2.0]))
    np.testing.assert_allclose(np.log(shifted / (1 - shifted)), np.log(relaxed / (1 - relaxed)) + [0.3, -1, 2])
    rng = np.random.default_rng(0)
    quantizer = NoisyOrderPreserving(noise=0.5)
    candidates = quantizer(relaxed, 7, rng)
    np.testing.assert_array_equal(candidates[:4], OrderPreserving()(relaxed, 4))
    noise = 0.5 * np.random.default_rng(0).normal(size=3)
    np.testing.assert_array_equal(candidates[4:], OrderPreserving()(shift_logits(relaxed, noise), 3))


def test_published_noise_is_added_to_the_probabilities():
    relaxed = np.array([0.1, 1.0, 1.0, 0.6])
    candidates = NoisyProbabilities()(relaxed, 7, np.random.default_rng(0))
    np.testing.assert_array_equal(candidates[:4], OrderPreserving(distinct=False)(relaxed, 4))
    noisy = 1 / (1 + np.exp(-relaxed - np.random.default_rng(0).normal(size=4)))
    np.testing.assert_array_equal(candidates[4:], OrderPreserving()(noisy, 3))


@pytest.mark.parametrize("of_replicas", [False, True])
def test_k_of_two_lists_adapts_by_the_place_in_the_best_ones_list(of_replicas):
    adaptive = AdaptiveK(20, 2, lists=2)
    if of_replicas:
        adaptive.k = np.array([20, 20])
    for best in (11, 3):  # the second of the noisy ones, the fourth of the others
        adaptive.update(np.array([best, 3]) if of_replicas else best)
    assert np.all(adaptive.k == 2 * (3 + 2))
    adaptive.limit(7, lists=2)  # four and three
    for best in (3, 4):
        adaptive.update(np.array([best, best]) if of_replicas else best)
    assert np.all(adaptive.k == 7)
    for best in (0, 4):
        adaptive.update(np.array([best, best]) if of_replicas else best)
    assert np.all(adaptive.k == 4)


@pytest.mark.parametrize(
    "quantizer",
    [
        OrderPreserving(),
        OrderPreserving(distinct=False),
        KNearest(),
        MostProbableBits(),
        NoisyOrderPreserving(),
        NoisyProbabilities(),
        OrderPreservingAndNearest(),
    ],
)
def test_certain_decisions_are_quantized_too(quantizer):
    relaxed = np.array([0.0, 1.0, 1.0, 0.5])
    for k in range(1, quantizer.max_candidates(4) + 1):
        candidates = quantizer(relaxed, k, RNG)
        assert candidates.shape == (k, 4)
        assert np.isin(candidates, [0, 1]).all()
        np.testing.assert_array_equal(candidates[0], [0, 1, 1, 0])


def test_noise_must_be_positive():
    with pytest.raises(ValueError, match="noise must be positive and finite, got 0"):
        NoisyOrderPreserving(noise=0.0)
