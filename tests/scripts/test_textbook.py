"""The benchmark's textbook loop decides as this project does, only slower."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.decisions.quantizer import OrderPreserving
from env import WirelessPoweredMEC
from mec_offloading.commands.common import textbook


@given(seed=st.integers(0, 2**32), num_users=st.integers(1, 12), share=st.floats(0, 1))
def test_its_rate_is_the_allocation_s(seed, num_users, share):
    env = WirelessPoweredMEC(num_users, seed=seed)
    decision = (np.random.default_rng(seed).random(num_users) < share).astype(np.int64)
    expected = env.allocate(env.gains, decision).rate
    rate = textbook.rate(env.gains, decision, env.weights)
    assert rate == pytest.approx(expected, rel=1e-6)
    assert rate <= expected * (1 + 1e-12)


@given(seed=st.integers(0, 2**32), num_users=st.integers(1, 12))
def test_its_candidates_are_the_quantizer_s(seed, num_users):
    relaxed = np.random.default_rng(seed).random(num_users, dtype=np.float32)
    expected = OrderPreserving()(relaxed, num_users)
    np.testing.assert_array_equal(textbook.order_preserving(relaxed, num_users), expected)


def test_it_decides_for_the_best_candidate_and_learns():
    env = WirelessPoweredMEC(4, seed=1)
    loop = textbook.Textbook(4, seed=1)
    before = [weight.detach().clone() for weight in loop.network.parameters()]
    for _ in range(loop.training_interval):
        relaxed = textbook.relax(loop.network, textbook.GAIN_SCALE * env.gains)
        candidates = OrderPreserving()(relaxed, 4)
        decided = loop.decide(env.gains)
        assert decided.rate == pytest.approx(env.evaluate(candidates).max(), rel=1e-6)
        assert env.evaluate(decided.decision[None])[0] == pytest.approx(decided.rate, rel=1e-6)
        env.step(decided.decision)
    after = list(loop.network.parameters())
    assert all((new != old).any() for new, old in zip(after, before, strict=True))
