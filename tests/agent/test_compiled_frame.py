"""A frame in one call of machine code decides as its steps do, and asks nobody but the critic it was given."""

import copy
import functools
import pickle

import numpy as np
import pytest

from agent import OffloadingAgent, SetNetwork
from agent.checks import InputError as OfAgent
from agent.critics import critic_in_machine_code
from agent.simulation import simulate
from env import InputError, LyapunovMEC, MultiServerMEC, WirelessPoweredMEC

pytest.importorskip("numba")
import numba


class Asked:
    """A world's critic that counts what is asked of it in Python, machine code and all."""

    def __init__(self, world):
        self.world, self.count = world, 0

        def says():
            return critic_in_machine_code(world.evaluate)

        says.of = self
        self.in_machine_code = says

    def __call__(self, decisions):
        self.count += len(decisions)
        return self.world.evaluate(decisions)


def played(agent, world, frames, critic_of):
    """Decisions, values and figures of so many frames."""
    told = []
    for _ in range(frames):
        decision, value = agent.decide(world.observe(), critic_of(world))
        told.append((decision.tolist(), value, agent.best_candidate, agent.loss, agent.accuracy))
        world.step(decision)
    return told


@pytest.mark.parametrize("num_users", [1, 2, 3, 5, 10, 70])
@pytest.mark.parametrize("calls", [None, 1, 3])
@pytest.mark.parametrize("network", [None, SetNetwork])
def test_a_frame_decides_as_its_steps_do(num_users, calls, network):
    sees = "log_gain" if network is None else "user"
    worlds = [WirelessPoweredMEC(num_users, seed=1, observation=sees) for _ in range(2)]
    made = {} if calls is None or num_users < 3 else {"local_search": calls}
    if network is not None:
        made["network"] = network(num_users)
    agents = [
        OffloadingAgent(num_users, 1 if network is None else 3, seed=2, **copy.deepcopy(made)) for _ in worlds
    ]
    whole = played(agents[0], worlds[0], 250, lambda world: world.evaluate)
    steps = played(agents[1], worlds[1], 250, lambda world: lambda decisions: world.evaluate(decisions))
    assert whole == steps


@pytest.mark.parametrize("num_users", [5, 10])  # of the former, neighbours are soon known
def test_the_critic_is_not_called_but_in_frames_with_probes(num_users):
    world, agent = WirelessPoweredMEC(num_users), OffloadingAgent(num_users)
    critic = Asked(world)
    for frame in range(1, 201):
        before = critic.count
        world.step(agent.decide(world.observe(), critic)[0])
        assert (critic.count > before) == (frame % agent.probe_interval == 0)


@pytest.mark.parametrize(
    "settings",
    [
        {"max_evaluations": 20},
        {"patience": 5},
        {"local_search": 0},
        {"quantizer": "OP"},
        {"learned_value": True},
        {"num_networks": 2},
        {"published": True},
    ],
)
def test_settings_that_need_the_critic_ask_it(settings):
    world, agent = WirelessPoweredMEC(10), OffloadingAgent(10, **settings)
    critic = Asked(world)
    agent.decide(world.observe(), critic)
    assert critic.count > 0


def test_a_run_counts_its_candidates():
    runs = []
    for hidden in (False, True):
        world = WirelessPoweredMEC(6)
        if hidden:
            world.evaluate = lambda decisions, world=world: WirelessPoweredMEC.evaluate(world, decisions)
        runs.append([frame.candidates for frame in simulate(world, OffloadingAgent(6), 205)])
    assert runs[0] == runs[1]


class Dearer(WirelessPoweredMEC):
    """Whoever offloads pays."""

    @functools.wraps(WirelessPoweredMEC.evaluate)  # which copies attributes
    def evaluate(self, decisions):
        return super().evaluate(decisions) - 1e9 * np.asarray(decisions).sum(-1)


def test_values_of_its_own_are_those_of_a_subclass_and_of_a_wrapper():
    world, agent = Dearer(5), OffloadingAgent(5)
    assert critic_in_machine_code(world.evaluate) is None
    assert critic_in_machine_code(functools.wraps(world.evaluate)(lambda decisions: -decisions.sum(-1))) is None
    decision, value = agent.decide(world.observe(), world.evaluate)
    assert decision.sum() == 0
    assert value == world.evaluate(decision[None])[0]


@pytest.mark.parametrize("duplicate", [copy.deepcopy, copy.copy, lambda world: pickle.loads(pickle.dumps(world))])
def test_a_copied_world_goes_on_by_itself(duplicate):
    world, agent, other = WirelessPoweredMEC(8, seed=3), OffloadingAgent(8), OffloadingAgent(8)
    assert critic_in_machine_code(world.evaluate) is not None
    second = duplicate(world)
    for _ in range(20):
        second.step(np.zeros(8, dtype=np.int64))
    for _ in range(20):
        world.step(np.zeros(8, dtype=np.int64))
    for each in (agent, other):
        each.load_state_dict(OffloadingAgent(8).state_dict())
    assert played(agent, world, 30, lambda world: world.evaluate) == played(
        other, second, 30, lambda world: world.evaluate
    )


def test_what_changes_in_a_world_is_seen():
    worlds = [WirelessPoweredMEC(6, seed=4) for _ in range(2)]
    agents = [OffloadingAgent(6, seed=4) for _ in range(2)]
    critics = (lambda world: world.evaluate), (lambda world: lambda decisions: world.evaluate(decisions))
    for change in (
        lambda world: world.set_weights([1, 2, 1, 2, 1, 2]),
        lambda world: world.set_active([1, 0, 1, 1, 0, 1]),
        lambda world: world.reset(seed=9),
        lambda world: world.set_weights(np.arange(1.0, 7.0)),  # a group each: no table
    ):
        for world in worlds:
            change(world)
        told = [played(*each, 15, critic) for *each, critic in zip(agents, worlds, critics, strict=True)]
        assert told[0] == told[1]


def test_an_agent_of_other_users_is_told_so():
    world, agent = WirelessPoweredMEC(5), OffloadingAgent(4)
    with pytest.raises(InputError, match="decisions"):
        agent.decide(world.observe()[:4], world.evaluate)


@pytest.mark.parametrize(
    "world",
    [
        LyapunovMEC(4),
        MultiServerMEC(4),
        WirelessPoweredMEC(4, cpu_frequency=1e8),
        WirelessPoweredMEC(4, replicas=2),
    ],
)
def test_worlds_without_a_critic_in_machine_code_are_called(world):
    assert critic_in_machine_code(world.evaluate) is None


@numba.cfunc("i8(CPointer(f8), CPointer(i8), i8, i8, CPointer(f8))")
def _worth(given, decisions, count, users, values):
    """A user's own critic: what each user's offloading is worth; where that of the first is -1, not to be had."""
    worth, listed, valued = (
        numba.carray(given, users),
        numba.carray(decisions, (count, users)),
        numba.carray(values, count),
    )
    for row in range(count):
        valued[row] = 0.0
        for user in range(users):
            valued[row] += listed[row, user] * worth[user] if listed[row, user] else 0.0
    return 1 if worth[0] != -1 else 0


class Own:
    """A critic with a C function of its own."""

    def __init__(self, worth):
        self.calls, self.told, self.worth = 0, 0, np.array(worth)

        def says():
            return _worth.address, self.worth.ctypes.data

        def valued(count):
            self.told += count

        says.of, says.valued = self, valued
        self.in_machine_code = says

    def __call__(self, decisions):
        self.calls += len(decisions)
        return np.where(decisions, self.worth, 0.0).sum(-1)


@pytest.mark.parametrize(
    ("worth", "calls"),
    [
        ([2.0, -3.0, 4.0, -5.0, 6.0, 1.0, 2.0, 3.0], 0),
        ([-1.0, -3.0, 4.0, -5.0, 6.0, 1.0, 2.0, 3.0], 32),  # the function says no
        ([-np.inf, -3.0, 4.0, -5.0, 6.0, 1.0, 2.0, 3.0], 0),  # some decisions are not feasible
    ],
)
def test_a_critic_of_ones_own_in_machine_code(worth, calls):
    critic, agent = Own(worth), OffloadingAgent(8)
    decision, value = agent.decide(np.zeros((8, 1)), critic)
    assert (critic.calls, critic.told) == (calls, 32 - calls)
    assert value == critic(decision[None])[0]
    other, expected = OffloadingAgent(8).decide(np.zeros((8, 1)), lambda decisions: critic(decisions))
    np.testing.assert_array_equal(decision, other)
    assert value == expected


def test_nan_and_infeasible_frames_are_those_of_the_critic():
    critic = Own([np.nan] * 5)
    with pytest.raises(OfAgent, match="got nan for candidate"):
        OffloadingAgent(5).decide(np.zeros((5, 1)), critic)
    critic = Own([-np.inf] * 5)
    decision, value = OffloadingAgent(5).decide(np.zeros((5, 1)), critic)
    assert (decision.sum(), value) == (0, 0)
