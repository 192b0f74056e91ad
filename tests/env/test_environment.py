"""The base class of worlds, and the state of whatever inherits it."""

from collections import UserList, deque, namedtuple
from copy import deepcopy
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import pytest
import torch
from servers import Servers

from agent import OffloadingAgent, checkpoint
from agent.run.loop import simulate
from env import Binary, ConstantArrivals, Environment, GaussMarkov, LyapunovMEC, WirelessPoweredMEC, baselines
from env.state import Stateful

Pair = namedtuple("Pair", "first second")


@dataclass(frozen=True)
class Setting:
    size: int


class Meter:
    """An object without a word about state."""

    def __init__(self):
        self.total = 0.0


class Everything(Environment):
    """A world that holds one of everything."""

    def __init__(self, num_users=3, seed=0):
        self.num_users = num_users
        self.setting = Setting(3)
        self.rule = np.tanh
        self.meter = Meter()
        self.meter.world = self
        super().__init__(seed)

    def start(self):
        self.second = np.random.default_rng(self._seed + 1)
        self.queue = np.zeros(self.num_users)
        self.last = None
        self.recent = deque(maxlen=3)
        self.meter.total = 0.0
        self.pair = Pair(0.0, np.zeros(2))
        self.seen, self.counts = set(), {"a": 0, 3: [1, 2]}

    def begin_frame(self):
        self.queue = self.queue + self.rng.exponential(size=self.num_users)
        news = float(self.second.normal())
        self.recent.append(news)
        self.pair = Pair(news, np.full(2, news))
        self.meter.total += news
        self.seen.add(self.frame)
        self.counts["a"] += np.int64(1)

    def carry_out(self, decision):
        self.last = decision
        self.queue = self.queue * (1 - decision)

    def observe(self):
        last = np.zeros(self.num_users) if self.last is None else self.last
        extra = sum(self.recent) + self.pair.second.sum() + self.meter.total + len(self.seen) + self.counts["a"]
        return np.stack([self.queue, last + extra], -1)

    def evaluate(self, decisions):
        return decisions @ self.queue


def history(world, frames):
    seen = []
    for _ in range(frames):
        seen.append(world.observe())
        world.step(np.arange(world.num_users) % 2)
    return np.array(seen)


@pytest.mark.parametrize("make", [Everything, Servers])
def test_a_world_goes_on_from_its_state_as_written_and_read(make, tmp_path):
    world = make(seed=3)
    history(world, 7)
    checkpoint.write(tmp_path / "state.pt", {"agent": {}, "environment": world.state_dict()})
    state = checkpoint.to_arrays(checkpoint.read(tmp_path / "state.pt")["environment"])
    other = make(seed=8)
    history(other, 2)
    other.load_state_dict(state)
    np.testing.assert_array_equal(history(other, 9), history(world, 9))
    if make is Everything:
        assert isinstance(other.recent, deque)
        assert isinstance(other.pair, Pair)
        assert isinstance(other.seen, set)
        assert other.counts[3] == [1, 2]


def test_a_state_is_a_copy():
    world = Everything()
    state = world.state_dict()
    before = state["queue"].copy()
    history(world, 3)
    np.testing.assert_array_equal(state["queue"], before)


class Slotted:
    __slots__ = ("x",)


@pytest.mark.parametrize("thing", [torch.zeros(2), Slotted(), object(), {1: b"x"}, np.array(["a"])])
def test_what_would_be_lost_is_named(thing):
    class Holder(Stateful):
        def __init__(self):
            self.thing = thing

    with pytest.raises(ValueError, match=r"Holder.thing.* cannot be saved, a \w+: write state_dict"):
        Holder().state_dict()


@dataclass
class Job:
    size: float
    owner: object = None


@dataclass(frozen=True)
class Done:
    when: int


@dataclass(slots=True)
class Packed:
    level: float
    other: int = 0


class Mode(IntEnum):
    IDLE = 0
    BUSY = 1


VALUES = {
    "jobs": [Job(1.0), Job(2.5, "me")],
    "done": [Done(3)],
    "tuples": [(1, 2.0), (3, "x")],
    "deque of tuples": deque([(1, 2)], maxlen=4),
    "set of tuples": {(1, 2), (3, 4)},
    "frozen": frozenset({1}),
    "numbered": {1: "a", (2, 3): [4], np.int64(5): 6},
    "bool": np.True_,
    "float32": np.float32(0.1),
    "mode": Mode.BUSY,
    "modes": {Mode.BUSY: Mode.IDLE},
    "pair": Pair(1.0, np.arange(2)),
    "packed": Packed(2.0),
    "nothing": None,
    "nested": {"a": {"b": (np.arange(3), [np.float64(1)])}},
    "generator": np.random.default_rng(4),
    "looks like a kind": {"__kind__": "tuple", "x": 1},
}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("there", ["nothing", "another"])
def test_every_value_comes_back_as_it_was(name, there, tmp_path):
    class Holder(Stateful):
        def __init__(self, value):
            self.value = value

    Holder.__module__ = __name__
    value = VALUES[name]
    checkpoint.write(tmp_path / "state.pt", {"agent": {}, "environment": Holder(value).state_dict()})
    other = Holder(None if there == "nothing" else deepcopy(value))
    other.load_state_dict(checkpoint.to_arrays(checkpoint.read(tmp_path / "state.pt")["environment"]))
    assert type(other.value) is type(value)
    if isinstance(value, np.random.Generator):
        assert other.value.random() == deepcopy(value).random()
        return
    assert repr(other.value) == repr(value)
    if isinstance(value, list):
        assert [type(entry) for entry in other.value] == [type(entry) for entry in value]


def test_a_class_from_elsewhere_is_not_made_again():
    class Holder(Stateful):
        def __init__(self):
            self.meter = None

    holder = Holder()
    holder.meter = Job(1.0)
    state = holder.state_dict()
    state["meter"]["module"] = "subprocess"
    state["meter"]["class"] = "Popen"
    with pytest.raises(ValueError, match="an object of subprocess.Popen cannot be made again"):
        Holder().load_state_dict(state)


class Lagging(LyapunovMEC):
    """A world of this project, and one thing more."""

    def begin_frame(self):
        super().begin_frame()
        self.lag = getattr(self, "lag", 0.0) * 0.5 + float(self.gains[0] * 1e9)

    def evaluate(self, decisions):
        return super().evaluate(decisions) + self.lag


class Shifted(WirelessPoweredMEC):
    def step(self, decision):
        self.moves = [*getattr(self, "moves", []), int(np.sum(decision))]
        super().step(decision)

    def evaluate(self, decisions):
        return super().evaluate(decisions) + sum(getattr(self, "moves", []))


class Slow(GaussMarkov):
    def reset(self, num_users, rng):
        super().reset(num_users, rng)
        self.drift = 1.0

    def sample_frames(self, frames, rng):
        rows = []
        for _ in range(frames):
            self.drift *= 1.001
            rows.append(self.drift * super().sample_frames(1, rng)[0])
        return np.array(rows)


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: Lagging(4, seed=seed),
        lambda seed: Shifted(4, seed=seed),
        lambda seed: LyapunovMEC(4, channel=Slow(), seed=seed),
        lambda seed: WirelessPoweredMEC(4, channel=Slow(), seed=seed),
    ],
    ids=["queues", "rates", "channel", "channel drawn ahead"],
)
def test_subclasses_of_this_projects_classes_go_on_too(make):
    def values(world, frames):
        seen = []
        for frame in range(frames):
            seen.append(world.evaluate(np.array([[0, 1, 0, 1], [1, 1, 1, 1]])))
            world.step(np.array([0, 1, 1, frame % 2]))
        return np.array(seen)

    world = make(3)
    values(world, 150)
    state = world.state_dict()
    expected = values(world, 300)
    other = make(8)
    other.load_state_dict(state)
    np.testing.assert_array_equal(values(other, 300), expected)


def test_what_refers_back_is_saved_once():
    class Back(Everything):
        def __init__(self):
            self.process = ConstantArrivals()
            self.process.world = self
            super().__init__()

    world = Back()
    history(world, 3)
    state = world.state_dict()
    other = Back()
    other.load_state_dict(state)
    assert other.process.world is other
    np.testing.assert_array_equal(history(other, 3), history(world, 3))


def test_a_network_in_a_world_is_saved():
    class Holder(Stateful):
        def __init__(self):
            self.network = torch.nn.Linear(2, 1)
            self.rules, self.names = [np.tanh, len], UserList(["a"])

    one, other = Holder(), Holder()
    state = one.state_dict()
    before = one.network.weight.detach().clone()
    with torch.no_grad():
        one.network.weight += 1
    other.load_state_dict(state)
    assert torch.equal(other.network.weight, before)
    assert other.rules == [np.tanh, len]
    assert other.names == UserList(["a"])


def test_what_cannot_be_saved_is_named():
    class Holder(Stateful):
        def __init__(self):
            self.things = [1, {"file": iter([1])}]

    with pytest.raises(ValueError, match=r"Holder.things\[1\]\['file'\] cannot be saved, a list_iterator"):
        Holder().state_dict()


def test_frames_seeds_and_resets():
    world = Everything(seed=5)
    first = history(world, 4)
    assert world.frame == 4
    np.testing.assert_array_equal(world.reset(), first[0])
    assert world.frame == 0
    assert not np.array_equal(world.reset(seed=6), first[0])
    assert world.decisions == Binary(3)
    assert world.frame_optimum() is None
    assert world.frame_metrics() == {}
    assert world.best_of_all(8) == pytest.approx(world.queue.sum())
    assert world.best_of_all(7) is None


def test_a_refused_decision_leaves_the_frame():
    world = Servers()
    before = world.observe()
    with pytest.raises(ValueError, match="decision must hold only whole numbers 0 to 2"):
        world.step([0, 1, 2, 3])
    with pytest.raises(ValueError, match=r"decision must have shape \(4,\)"):
        world.step([0, 1])
    np.testing.assert_array_equal(world.observe(), before)
    assert world.frame == 0


def test_a_world_that_leaves_out_what_it_must_have_is_told():
    class Empty(Environment):
        num_users = 2

    with pytest.raises(TypeError, match="Empty must have a method observe"):
        Empty()


def test_baselines_search_choices():
    world = Servers(4, 3)
    rng = np.random.default_rng(0)
    best = baselines.exhaustive(world)
    assert best.value == world.frame_optimum()
    assert best.evaluations == 4**4
    descended = baselines.coordinate_descent(world, rng)
    near = world.evaluate(world.decisions.neighbours(descended.decision))
    assert near.max() <= descended.value <= best.value
    assert baselines.best_of_random(world, rng, 20).value <= best.value
    assert baselines.all_local(world).value == pytest.approx(2.0)
    for method in (baselines.greedy, baselines.all_offload):
        with pytest.raises(ValueError, match="decisions must be bits for"):
            method(world)


def test_agents_decide_in_it():
    frames = list(simulate(Servers(), OffloadingAgent(4, 2, num_choices=3), 5))
    assert all(0 < frame.normalized_rate <= 1 for frame in frames)
