import os
import pickle
import signal
import sys
import time

import numpy as np
import pytest
from servers import Servers

from agent import InputError, NoisyOrderPreserving, OffloadingAgent
from agent.simulation import simulate
from agent.workers import RemoteError, WorkerError, Workers
from env import Environment

QUIET = {"probe_interval": 0, "backend": "numpy", "seed": 0}


class Prices(Environment):
    """Prices add up; every call is counted."""

    def __init__(self, num_users=8, *, seed=0):
        self.num_users = num_users
        super().__init__(seed)

    def begin_frame(self):
        self.prices = self.rng.normal(size=self.num_users)
        self.calls = []

    def observe(self):
        return self.prices[:, None]

    def evaluate(self, decisions):
        self.calls.append(len(decisions))
        if decisions.ndim != 2 or not len(decisions):
            raise ValueError("nothing to value")
        return (decisions * self.prices).sum(-1)


class Counting:
    """A critic that keeps what it was given, call by call."""

    def __init__(self, evaluate):
        self.evaluate = evaluate
        self.given = []

    def __call__(self, decisions):
        self.given.append(np.array(decisions))
        return self.evaluate(decisions)

    @property
    def valued(self):
        return np.concatenate(self.given)


def frames(agent, world, count):
    """What was decided, and the critic's calls, frame by frame."""
    for _ in range(count):
        critic = Counting(world.evaluate)
        decision, value = agent.decide(world.observe(), critic)
        yield decision, value, critic
        world.step(decision)


def distinct(decisions):
    return len(np.unique(decisions, axis=0)) == len(decisions)


class Repeating:
    """Proposes k decisions of which only three differ, and k more than it was asked for."""

    def max_candidates(self, num_users):
        return 100

    def __call__(self, relaxed, k, rng):
        likely = relaxed > 0.5
        three = np.stack([likely, np.zeros_like(likely), np.ones_like(likely)]).astype(np.int64)
        return three[np.arange(2 * k) % 3]


AGENTS = {
    "OPN": {"quantizer": NoisyOrderPreserving(0.1), "num_candidates": 18},
    "several networks": {"num_networks": 3, "num_candidates": 6},
    "one's own quantizer": {"quantizer": Repeating(), "num_candidates": 9, "local_search": 4},
    "defaults and probes": {"probe_interval": 2, "num_candidates": 24},
    "nothing feasible": {"num_candidates": 16, "local_search": 8},
}


@pytest.mark.parametrize("name", AGENTS)
def test_no_decision_is_valued_twice_and_nothing_else_changes(name):
    def nothing(decisions):
        return np.full(len(decisions), -np.inf)

    agent = OffloadingAgent(8, **{**QUIET, **AGENTS[name]})
    world, coincided = Prices(), 0
    for _ in range(40):
        critic = Counting(nothing if name == "nothing feasible" else world.evaluate)
        proposed = agent.decode(world.observe())
        _, value = agent.decide(world.observe(), critic)
        coincided += not distinct(proposed)
        assert distinct(critic.valued)
        own = critic.valued if name != "defaults and probes" else critic.valued[:24]
        assert value == critic.evaluate(own).max()
        world.step(np.zeros(8))
    assert coincided > 0 or name in ("defaults and probes", "nothing feasible")


def test_what_coincides_is_decided_as_if_all_were_valued():
    """The same decisions, places of the best, and so K, as those of the published agent, which values all."""
    given = {**QUIET, "num_networks": 2, "num_candidates": 5, "adaptive_interval": 4, "standardize": False}
    given |= {"learning_rate": 0.01, "weight_decay": 0.0, "learning_starts": 10}
    agent, published = OffloadingAgent(8, **given), OffloadingAgent(8, published=True, **given)
    published.memory.load_state_dict(agent.memory.state_dict())  # without its blank row
    published._adaptive_k._last = agent._adaptive_k._last
    fewer = 0
    for one, other in zip(frames(agent, Prices(), 100), frames(published, Prices(), 100), strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        fewer += len(other[2].valued) - len(one[2].valued)
        assert agent.num_candidates == published.num_candidates
    assert fewer > 0
    assert agent.learning_steps > 5


@pytest.mark.parametrize("most", [1, 5, 12])
@pytest.mark.parametrize("name", AGENTS)
def test_a_budget_holds_whatever_is_proposed(name, most):
    settings = {**QUIET, **AGENTS[name]} | {"local_search": min(AGENTS[name].get("local_search", 4), most - 1)}
    settings |= {"local_search": 0} if name == "several networks" else {}
    agent = OffloadingAgent(8, max_evaluations=most, **settings)
    counts = [len(critic.valued) for _, _, critic in frames(agent, Prices(), 30)]
    assert max(counts) <= most
    assert most > 3 or min(counts) == most


def test_a_budget_alone_shares_its_calls():
    agent = OffloadingAgent(8, max_evaluations=10)
    assert (agent.num_candidates, agent.settings.local_search) == (10, 3)
    assert OffloadingAgent(8, max_evaluations=64).num_candidates == 32
    with pytest.raises(InputError, match="local_search must be below max_evaluations, 4, got 6"):
        OffloadingAgent(8, num_candidates=20, max_evaluations=4, local_search=6)


@pytest.mark.parametrize("patience", [1, 3])
def test_patience_values_what_one_by_one_would(patience):
    """Calls of several decisions at once, and none that valuing one after another would have spared."""
    agent = OffloadingAgent(8, patience=patience, quantizer="KNN", num_candidates=20, local_search=0, **QUIET)
    world, several = Prices(), 0
    for _ in range(60):
        candidates = agent.decode(world.observe())
        values = world.evaluate(candidates)
        best, needed = 0, len(values)
        for place, value in enumerate(values):
            best = place if value > values[best] else best
            if place - best == patience:
                needed = place + 1
                break
        critic = Counting(world.evaluate)
        decision, value = agent.decide(world.observe(), critic)
        np.testing.assert_array_equal(critic.valued, candidates[:needed])
        assert value == values[:needed].max()
        assert agent.best_candidate == values[:needed].argmax()
        several += len(critic.given) < needed
        world.step(decision)
    assert several > 0 or patience == 1


def test_patience_goes_on_while_nothing_is_feasible():
    def only(decisions):
        return np.where(decisions.sum(-1) == 8, 1.0, -np.inf)

    agent = OffloadingAgent(8, patience=1, quantizer="OP", num_candidates=9, local_search=0, **QUIET)
    critic = Counting(only)
    _, value = agent.decide(np.zeros((8, 1)), critic)
    assert value == 1
    place = int(critic.valued.sum(-1).argmax())
    assert len(critic.valued) == min(place + 2, 9) > 3


def test_patience_ends_local_search_too():
    settings = {**QUIET, "num_candidates": 32, "local_search": 20, "quantizer": "OP+KNN"}
    patient, world = OffloadingAgent(8, patience=2, **settings), Prices()
    counts = [len(critic.valued) for *_, critic in frames(patient, world, 300)]
    assert min(counts) == 5  # the first, two that are no better, and two neighbours
    assert np.mean(counts[-50:]) < 10


def test_settings_are_saved_and_may_change(tmp_path):
    agent = OffloadingAgent(4, max_evaluations=9, patience=3, workers=2)
    agent.save(tmp_path / "agent.pt")
    loaded = OffloadingAgent.load(tmp_path / "agent.pt")
    assert (loaded.max_evaluations, loaded.patience, loaded.workers) == (9, 3, 2)
    loaded.patience, loaded.workers = None, None
    assert loaded.settings.patience is None


@pytest.mark.parametrize("name", ["max_evaluations", "patience", "workers"])
def test_what_is_refused_says_why(name):
    with pytest.raises(InputError, match=f"{name} must be a whole number, 1 or more, got 0"):
        OffloadingAgent(4, **{name: 0})
    with pytest.raises(InputError, match=f"{name} must be None for replicas"):
        OffloadingAgent(4, replicas=2, **{name: 3})


def test_without_loky_one_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "loky", None)
    with pytest.raises(
        InputError, match="workers must be None without the package loky: install the 'dear' extra"
    ):
        OffloadingAgent(4, workers=2)


class SolverError(RuntimeError):
    """An error that cannot be pickled as it is."""

    def __init__(self, first, second):
        super().__init__(first, second)
        self.second = second


class Dear(Servers):
    """A critic that tells its process and can fail."""

    def evaluate(self, decisions):
        if self.frame == 30:
            raise SolverError("no solution", self.frame)
        if self.frame == 40:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().evaluate(decisions)


@pytest.fixture(scope="module")
def pool():
    """Workers are started once for the tests that use them."""
    workers = Workers(2)
    yield workers
    workers.close()


def with_pool(pool, **settings):
    agent = OffloadingAgent(4, 2, num_choices=3, workers=2, **settings)
    agent._valuing._workers = pool
    return agent


def test_workers_value_what_this_process_would(pool):
    settings = {"num_candidates": 12, "patience": 4, "probe_interval": 5, "backend": "numpy"}
    alone = list(simulate(Dear(), OffloadingAgent(4, 2, num_choices=3, **settings), 25))
    spread = list(simulate(Dear(), with_pool(pool, **settings), 25))
    for one, other in zip(alone, spread, strict=True):
        assert one._replace(decide_seconds=0) == other._replace(decide_seconds=0)


def test_a_critic_without_a_state_is_sent_as_it_is(pool):
    prices = np.arange(4.0)

    def evaluate(decisions):
        return decisions @ prices + 0 * os.getpid()

    agent = with_pool(pool)
    for _ in range(3):
        prices = prices[::-1] - 1
        decision, value = agent.decide(np.zeros((4, 2)), evaluate)
        assert value == decision @ prices


def test_an_error_is_shown_as_it_was_raised(pool):
    world, agent = Dear(), with_pool(pool)
    world._frame = 30
    with pytest.raises(SolverError, match="no solution") as raised:
        agent.decide(world.observe(), world.evaluate)
    assert raised.value.second == 30
    assert isinstance(raised.value.__cause__, RemoteError)
    assert "in evaluate" in str(raised.value.__cause__)
    with pytest.raises(InputError, match=r"evaluate must return shape \(\d+,\), got \(\)"):
        agent.decide(world.observe(), lambda decisions: 1.0)


def test_a_worker_that_is_killed_gives_one_error_and_the_next_frame_goes_on(pool):
    world, agent = Dear(), with_pool(pool)
    world._frame = 40
    with pytest.raises(WorkerError, match="a worker process ended"):
        agent.decide(world.observe(), world.evaluate)
    world._frame = 41
    decision, value = agent.decide(world.observe(), world.evaluate)
    assert value == world.evaluate(decision[None])[0]


def test_processes_are_not_pickled(pool):
    agent = with_pool(pool)
    world = Servers()
    agent.decide(world.observe(), world.evaluate)
    copy = pickle.loads(pickle.dumps(agent))
    assert copy._valuing._workers._executor is None
    assert agent.decide(world.observe(), world.evaluate)[1] == copy.decide(world.observe(), world.evaluate)[1]
    copy._valuing._workers.close()


def test_what_cannot_be_sent_is_said(pool):
    lock = __import__("threading").Lock()
    with pytest.raises(InputError, match="workers must be None for what cannot be sent to other processes"):
        with_pool(pool).decide(np.zeros((4, 2)), lambda decisions: lock and decisions.sum(-1))


def test_ctrl_c_leaves_workers_alone(pool):
    world, agent = Servers(), with_pool(pool)
    agent.decide(world.observe(), world.evaluate)
    for process in pool._executor._processes:
        os.kill(process, signal.SIGINT)
    time.sleep(0.1)
    assert agent.decide(world.observe(), world.evaluate)[1] > 0
