"""Machine code of many replicas: each of them, to the last bit, as it is alone; and as NumPy does it."""

import numpy as np
import pytest
import torch

from agent import (
    FullyConnected,
    KNearest,
    MostProbableBits,
    OffloadingAgent,
    OrderPreserving,
    OrderPreservingAndNearest,
    SetNetwork,
)
from agent.decisions import Binary
from agent.learners.numpy_learner import NumpyLearner
from agent.learners.rule import LearningRule
from agent.local_search import Found, LocalSearch
from agent.machine_code import without_machine_code

pytest.importorskip("numba")
QUANTIZERS = OrderPreserving, KNearest, MostProbableBits, OrderPreservingAndNearest


@pytest.mark.parametrize(
    "quantizer", [OrderPreserving(), KNearest(), MostProbableBits(), OrderPreservingAndNearest()]
)
@pytest.mark.parametrize(("num_users", "k"), [(1, 2), (5, 6), (12, 13), (40, 20), (80, 20)])
def test_candidates_of_each(quantizer, num_users, k):
    rng = np.random.default_rng(num_users)
    relaxed = 1 / (1 + np.exp(-rng.normal(0, 3, (7, num_users))))
    together = quantizer(relaxed, k)
    np.testing.assert_array_equal(together, [quantizer(one, k) for one in relaxed])
    with without_machine_code():
        np.testing.assert_array_equal(together, quantizer(relaxed, k))


@pytest.mark.parametrize("num_choices", [2, 4])
@pytest.mark.parametrize("num_users", [2, 5, 10, 40])
@pytest.mark.parametrize("feasible", [1.0, 0.3, 0.0])
def test_local_search_of_each(num_choices, num_users, feasible):
    rng = np.random.default_rng(num_users)
    quantizer = OffloadingAgent(num_users, num_choices=num_choices).quantizer
    search, replicas = LocalSearch(num_choices, quantizer, 12), 5
    shape = (replicas, num_users, num_choices) if num_choices > 2 else (replicas, num_users)
    worth = rng.normal(size=(replicas, num_users, num_choices))

    def streams(frame):
        return [np.random.default_rng([frame, of]) for of in range(replicas)]

    def evaluate(near):
        return np.stack([value(near[of], of) for of in range(replicas)])

    def value(decisions, of):
        values = worth[of][np.arange(num_users), decisions].sum(-1)
        hashed = (decisions * (7 * np.arange(num_users) + 3)).sum(-1) + of
        return np.where(hashed % 10 < 10 * feasible, values, -np.inf)

    for frame in range(10):
        relaxed = rng.random(shape)
        relaxed = relaxed / relaxed.sum(-1, keepdims=True) if num_choices > 2 else relaxed
        k = min(20, quantizer.max_candidates(num_users))
        candidates = np.stack([quantizer(one, k, rng) for one in relaxed])
        values = evaluate(candidates)
        best = values.argmax(-1)
        rows = np.arange(replicas)
        found = Found(candidates[rows, best], values[rows, best], best)

        each = search(relaxed, candidates, found, evaluate, streams(frame), frame)
        for of, rng_of in enumerate(streams(frame)):
            alone = search.around(
                relaxed[of],
                candidates[of],
                (found.decision[of], float(found.value[of]), int(best[of])),
                lambda near, new, of=of: value(near, of),
                rng_of,
                frame,
                None,
            )
            np.testing.assert_array_equal(each.decision[of], alone[0])
            assert (each.value[of], each.place[of]) == alone[1:]
        with without_machine_code():
            expected = search(relaxed, candidates, found, evaluate, streams(frame), frame)
        for compiled, reference in zip(each, expected, strict=True):
            np.testing.assert_array_equal(compiled, reference)


@pytest.mark.parametrize("make", [lambda: FullyConnected(6, 3, hidden=[20, 9]), lambda: SetNetwork(6)])
def test_learning_of_each(make):
    torch.manual_seed(0)
    rule = LearningRule(weight_decay=0.1, betas=(0.5, 0.9), weight_averaging=0.9)
    networks = [make() for _ in range(3)]
    together = NumpyLearner(networks, rule, Binary())
    singles = [NumpyLearner(network, rule, Binary()) for network in networks]
    rng = np.random.default_rng(0)
    for _ in range(20):
        observations = rng.normal(size=(3, 16, 6, 3)).astype(np.float32)
        observations[..., 2] = 1.0
        decisions = (observations[..., 0] > 0).astype(np.float32)
        together.learn(observations, decisions)
        for one, *pair in zip(singles, observations, decisions, strict=True):
            one.learn(*pair)
        seen = observations[:, :1]
        logits = together.predict(seen)
        np.testing.assert_array_equal(
            logits, [one.predict(single) for one, single in zip(singles, seen, strict=True)]
        )
        with without_machine_code():
            np.testing.assert_array_equal(logits, together.predict(seen))
