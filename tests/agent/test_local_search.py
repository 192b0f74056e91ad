"""Local search around the best candidate, and what an agent does where nothing is feasible."""

import itertools
import warnings

import numpy as np
import pytest
import torch

from agent import KNearest, MostProbable, OffloadingAgent
from agent.decisions.nested import Nested
from agent.local_search import Found, LocalSearch, anyhow
from agent.run.loop import simulate
from agent.run.side_by_side import SideBySide
from agent.simulation import InfeasibleError
from env.problems import AgreeingGroups, AtMost, Exactly, OneOf, PairwiseCoupling, SmallProblem


def searched(relaxed, candidates, value_of, calls, num_choices=2, frame=0):
    """What the search finds, and all that it valued, (calls, N)."""
    valued = []

    def evaluate(near):
        valued.extend(near[0])
        return np.array([[value_of(one) for one in near[0]]])

    values = [value_of(one) for one in candidates]
    best = int(np.argmax(values))
    start = Found(candidates[best][None], np.array([values[best]]), np.array([best]))
    rngs = [np.random.default_rng(0)]
    search = LocalSearch(num_choices, MostProbable(3) if num_choices == 3 else KNearest(), calls)
    return search(relaxed[None], candidates[None], start, evaluate, rngs, frame), np.array(valued)


def is_neighbour(one, other):
    (differing,) = np.nonzero(one != other)
    exchange = len(differing) == 2 and (one[differing] == other[differing[::-1]]).all()
    return len(differing) == 1 or exchange


@pytest.mark.parametrize("num_choices", [2, 3])
def test_neighbours_change_one_user_or_exchange_two(num_choices):
    rng = np.random.default_rng(0)
    for trial in range(30):
        relaxed = rng.uniform(size=(7,) if num_choices == 2 else (7, 3))
        if num_choices == 3:
            relaxed /= relaxed.sum(-1, keepdims=True)
        candidates = rng.integers(num_choices, size=(4, 7))
        best = candidates[1].copy()

        def value_of(one, best=best):  # nothing else is better, so both rounds are around it
            return float((one == best).all())

        _, valued = searched(relaxed, candidates, value_of, 6, num_choices, trial)
        assert len(valued) == 6
        assert all(is_neighbour(one, best) for one in valued)
        known = {one.tobytes() for one in (*candidates, *valued)}
        assert len(known) == 6 + len({one.tobytes() for one in candidates})


def test_the_likeliest_come_first_and_every_user_has_its_turn():
    relaxed = np.array([0.99, 0.01, 0.6, 0.2, 0.9, 0.05])
    best = (relaxed > 0.5).astype(int)
    first = []
    for frame in range(6):
        _, valued = searched(relaxed, best[None], lambda one: float((one == best).all()), 4, frame=frame)
        changed = [np.flatnonzero(one != best).tolist() for one in valued]
        assert [2] in changed  # the least certain
        first.append(changed[0])
    assert sorted(first) == [[user] for user in range(6)]


def test_the_second_half_goes_on_from_the_best_of_the_first():
    target = np.array([1, 1, 0, 0, 0, 0, 0, 0])
    found, _ = searched(np.full(8, 0.4), np.zeros((1, 8), int), lambda one: -float(abs(one - target).sum()), 24)
    np.testing.assert_array_equal(found.decision[0], target)
    assert found.value[0] == 0
    assert found.place[0] > 12


def test_few_users_have_all_decisions_valued_or_repeated():
    found, valued = searched(np.array([0.4]), np.zeros((1, 1), int), lambda one: float(one[0]), 5)
    assert found.decision.tolist() == [[1]]
    assert set(valued.ravel().tolist()) <= {0, 1}


def test_nested_candidates_are_known_by_their_codes():
    search = LocalSearch(2, KNearest(), 4)
    search._settle_for(9)
    rng = np.random.default_rng(0)
    nested = Nested(np.array([rng.permutation(9) for _ in range(3)]), rng.integers(10, size=(3, 5)))
    np.testing.assert_array_equal(search._codes(nested), search._codes(nested.expand()))


def test_tensors_are_searched_as_arrays_are():
    rng = np.random.default_rng(0)
    worth = rng.normal(size=(3, 8))
    relaxed, candidates = rng.uniform(size=(3, 8)), rng.integers(2, size=(3, 4, 8))

    def best_of(make, device):
        weights = make(worth)

        def evaluate(near):
            return (near * weights[:, None]).sum(-1)

        values = evaluate(make(candidates))
        best = values.argmax(-1)
        rows = np.arange(3)
        start = Found(make(candidates)[rows, best], values[rows, best], best)
        return LocalSearch(2, KNearest(), 12, device)(make(relaxed), make(candidates), start, evaluate, None, 5)

    host = best_of(lambda array: array, None)
    device = best_of(torch.from_numpy, "cpu")
    for one, other in zip(host, device, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_any_number_of_users_offloads_alike():
    decisions = anyhow(5000, 6, 3, np.random.default_rng(0))
    assert not decisions[0].any()
    counts = np.bincount((decisions > 0).sum(-1), minlength=7)
    assert counts.min() > 0.8 * 5000 / 7
    assert set(decisions.ravel().tolist()) == {0, 1, 2}


@pytest.mark.parametrize("problem", [AtMost, Exactly, OneOf, AgreeingGroups])
def test_what_is_not_feasible_is_never_learned(problem):
    world, agent = problem(seed=0), OffloadingAgent(problem().num_users, seed=0, num_candidates=12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        history = list(simulate(world, agent, 300))
    remembered = agent.memory.decisions[: len(agent.memory)]
    feasible = sum(frame.value > -np.inf for frame in history)
    assert agent.memory.stored == feasible
    assert agent.memory.counter == 300
    replayed = problem(seed=0)
    kept = iter(remembered)
    for frame in history:
        if frame.value > -np.inf:
            assert replayed.evaluate(next(kept)[None])[0] == pytest.approx(frame.value)
        replayed.step(np.zeros(replayed.num_users))


class Nothing(SmallProblem):
    """No decision is feasible until a frame."""

    def __init__(self, num_users=5, *, until=10**9, seed=0):
        self.until = until
        super().__init__(num_users, seed=seed)

    def begin_frame(self):
        self.prices = self.rng.normal(size=self.num_users)

    def observe(self):
        return self.prices[:, None]

    def values(self, decisions):
        return np.where(self.frame >= self.until, decisions @ self.prices, -np.inf)


@pytest.mark.parametrize("settings", [{}, {"local_search": 0}, {"published": True}, {"replicas": 2}])
def test_an_agent_without_a_feasible_decision_goes_on_and_says_so(settings):
    agent = OffloadingAgent(5, seed=0, **settings)
    replicas = "replicas" in settings
    world = SideBySide([Nothing(), Nothing(seed=1)]) if replicas else Nothing()

    def frame():
        decision, value = agent.decide(world.observe(), world.evaluate)
        world.step(decision)
        return value

    with pytest.warns(RuntimeWarning, match="all candidates were worth -inf in .* of the last 100 frames"):
        value = [frame() for _ in range(120)][-1]
    assert np.all(np.asarray(value) == -np.inf)
    assert agent.loss is None or "published" in settings  # whose memory begins with an all-zero pair


def test_it_learns_as_soon_as_something_is_feasible():
    agent = OffloadingAgent(8, seed=0, backend="numpy")
    history = list(simulate(Nothing(8, until=60), agent, 400))
    assert agent.memory.stored == 340
    last = history[-100:]
    assert sum(frame.value for frame in last) > 0.99 * sum(frame.optimum for frame in last)


@pytest.mark.parametrize("settings", [{}, {"standardize": False}, {"num_candidates": 10, "training_interval": 3}])
def test_replicas_that_find_nothing_are_those_alone(settings):
    """Their memories then differ in length."""
    seeds, until = range(3), (0, 15, 40)

    def one(seed):
        return Nothing(6, until=until[seed], seed=seed)

    together = OffloadingAgent(6, replicas=3, seed=0, backend="numpy", **settings)
    world = SideBySide([one(seed) for seed in seeds])
    values = []
    for _ in range(120):
        decision, value = together.decide(world.observe(), world.evaluate)
        world.step(decision)
        values.append(value)
    for seed in seeds:
        alone = OffloadingAgent(6, seed=seed, backend="numpy", **settings)
        history = list(simulate(one(seed), alone, 120))
        np.testing.assert_allclose([row[seed] for row in values], [frame.value for frame in history], rtol=1e-9)
    assert together.memory.stored.tolist() == [120, 105, 80]


def test_replicas_with_memories_of_different_length_are_saved(tmp_path):
    def world():
        return SideBySide([Nothing(6, until=until, seed=until) for until in (0, 15)])

    agent, environment = OffloadingAgent(6, replicas=2, seed=0, memory_size=20), world()
    for _ in range(50):
        environment.step(agent.decide(environment.observe(), environment.evaluate)[0])
    agent.save(tmp_path / "agent.pt")
    other = OffloadingAgent.load(tmp_path / "agent.pt")
    for one, twin in itertools.pairwise((agent, other)):
        assert one.memory.stored.tolist() == twin.memory.stored.tolist() == [50, 35]
    observation = environment.observe()
    first, second = (one.decide(observation, environment.evaluate) for one in (agent, other))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(agent.learn(), other.learn())


class Strict(Nothing):
    feasible_only = True


def test_a_world_may_demand_feasible_decisions():
    world = Strict()
    with pytest.raises(InfeasibleError, match=r"in frame 0, and Strict carries out no other \(feasible_only\)"):
        list(simulate(world, OffloadingAgent(5), 10))
    assert world.frame == 0


def test_where_no_neighbour_is_feasible_the_quantizer_proposes_more():
    best, pairs = np.array([1, 1, 0, 0, 0, 0]), np.array([0, 0, 1, 1, 2, 2])

    def value_of(one):  # pairs must agree: a single change never does, an exchange of unlike ones neither
        agreeing = all(len(set(one[pairs == pair])) == 1 for pair in range(3))
        return float(one.sum()) if agreeing else -np.inf

    found, valued = searched(np.array([0.9, 0.9, 0.45, 0.44, 0.1, 0.1]), best[None], value_of, 24)
    assert found.decision[0].tolist() == [1, 1, 1, 1, 0, 0]
    assert len({one.tobytes() for one in valued}) >= 20


def test_nan_among_neighbours_is_named():
    agent, calls = OffloadingAgent(5), itertools.count()

    def evaluate(decisions):
        return np.full(len(decisions), np.nan if next(calls) else 0.0)

    with pytest.raises(ValueError, match="evaluate must return numbers, got nan for candidate 0"):
        agent.decide(np.zeros((5, 1)), evaluate)


def test_it_pays():
    """On pairwise couplings, with as many critic calls."""

    def reached(**settings):
        world = PairwiseCoupling(seed=4)
        agent = OffloadingAgent(10, seed=4, backend="numpy", num_candidates=11, **settings)
        history = list(simulate(world, agent, 600))[-200:]
        return sum(frame.value for frame in history) / sum(frame.optimum for frame in history)

    assert reached() > reached(local_search=0) + 0.01
