from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import KNearest, NoisyOrderPreserving, OrderPreserving, OrderPreservingAndNearest
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


def test_order_preserving_takes_batches():
    relaxed = np.random.default_rng(1).random((3, 2, 6))
    batch = OrderPreserving()(relaxed, 5)
    assert batch.shape == (3, 2, 5, 6)
    for index in np.ndindex(3, 2):
        np.testing.assert_array_equal(batch[index], OrderPreserving()(relaxed[index], 5))


@given(decisions, st.integers(1, 512))
def test_k_nearest_are_the_nearest_of_all(relaxed, k):
    everything = np.array(list(product([0, 1], repeat=relaxed.size)))
    k = min(k, len(everything))
    candidates = KNearest()(relaxed, k)
    assert len({tuple(candidate) for candidate in candidates}) == k
    distances = np.sort(((everything - relaxed) ** 2).sum(1))
    np.testing.assert_allclose(((candidates - relaxed) ** 2).sum(1), distances[:k], rtol=0, atol=1e-12)


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
    assert all(tuple(near) in proposed for near in KNearest()(relaxed, k - first)) or k == first


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


@pytest.mark.parametrize(
    "quantizer", [OrderPreserving(), KNearest(), NoisyOrderPreserving(), OrderPreservingAndNearest()]
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
