"""Every random process goes on from its state, and so does a world that it is in."""

import numpy as np
import pytest

from env import (
    TR38901,
    AlternatingWeights,
    Arrivals,
    Channel,
    ConstantArrivals,
    ExponentialArrivals,
    GaussMarkov,
    GaussMarkovMobility,
    InH,
    Line,
    LyapunovMEC,
    MultiTaskMEC,
    MyopicMEC,
    Presence,
    PresenceSchedule,
    Process,
    RandomPresence,
    RandomWaypoint,
    Rayleigh,
    RecordedTaskSizes,
    RecordedTrace,
    Rician,
    RMa,
    TaskSizes,
    UMa,
    UniformTaskSizes,
    Weights,
    WeightSchedule,
    WirelessPoweredMEC,
)

USERS = 4


class Bursty(Arrivals):
    """Each user receives data in bursts; written without a word about state."""

    def reset(self, num_users, rng):
        self.on = rng.random(num_users) < 0.5

    def sample(self, rng):
        self.on = np.where(rng.random(self.on.size) < 0.2, ~self.on, self.on)
        return 5.0 * self.on


class Drifting(Channel):
    """A gain that wanders, from a generator of its own besides."""

    def reset(self, num_users, rng):
        self.level, self.own = np.zeros(num_users), np.random.default_rng(7)

    def sample_frames(self, frames, rng):
        rows = []
        for _ in range(frames):
            self.level = 0.9 * self.level + self.own.normal(size=self.level.size)
            rows.append(1e-6 * np.exp(self.level) * (1 + rng.random(self.level.size)))
        return np.array(rows)


class InTurn(Presence):
    """One user after another is off."""

    def reset(self, num_users, rng):
        self.size, self.turn = num_users, 0

    def sample(self, rng):
        self.turn = (self.turn + 1) % self.size
        return np.arange(self.size) != self.turn


class Growing(TaskSizes):
    def reset(self, num_users, rng):
        self.size = np.full(num_users, 10.0)

    def sample(self, rng):
        self.size = np.minimum(self.size + rng.random(self.size.size), 30)
        return self.size


class Ratchet(Weights):
    """Weights that rise a little each time that they are asked for."""

    def __init__(self):
        self.times = 0

    def at(self, frame, weights):
        self.times += 1
        return weights * (1 + self.times / 100)


def among_two():
    """Two access points."""
    return TR38901(UMa(user_height=20.0), RandomWaypoint([300, 300], [5, 20]), [[100, 100], [200, 250]])


def indoors():
    return TR38901(indoor=0.5, building="high", frame_length=0.01)


def in_traffic():
    return TR38901(RMa(), Line(speed=[20, 30]), [[200, 30]], frame_length=0.001)


def wandering():
    return TR38901(InH(), GaussMarkovMobility([50, 30], memory=1.0), frame_length=0.1)


def trace(kind, name, **more):
    def make(folder):
        path = folder / f"{name}.npz"
        np.savez(path, **{name: 1e-6 * (1 + np.random.default_rng(0).random((11, USERS)))})
        return kind(path, **more)

    make.__name__ = kind.__name__
    return make


PROCESSES = [
    Rayleigh, Rician, GaussMarkov, Drifting, trace(RecordedTrace, "input_h", start=3),
    ConstantArrivals, ExponentialArrivals, Bursty,
    UniformTaskSizes, Growing, trace(RecordedTaskSizes, "task_size"),
    TR38901, among_two, indoors, in_traffic, wandering,
    RandomPresence, InTurn, lambda: PresenceSchedule({5: [0], 20: [1, 2]}),
]  # fmt: skip


def made(make, folder):
    return make(folder) if make.__name__.startswith("Recorded") else make()


@pytest.mark.parametrize("make", PROCESSES, ids=lambda make: make.__name__)
def test_a_process_goes_on_from_its_state(make, tmp_path):
    process, rng = made(make, tmp_path), np.random.default_rng(1)
    assert isinstance(process, Process)
    process.reset(USERS, rng)
    process.sample_frames(13, rng)
    state, numbers = process.state_dict(), rng.bit_generator.state
    expected = process.sample_frames(40, rng)
    other, rng = made(make, tmp_path), np.random.default_rng(2)
    other.reset(USERS, rng)
    other.load_state_dict(state)
    rng.bit_generator.state = numbers
    np.testing.assert_array_equal(other.sample_frames(40, rng), expected)


@pytest.mark.parametrize("make", PROCESSES, ids=lambda make: make.__name__)
def test_a_block_of_frames_is_frame_after_frame(make, tmp_path):
    rows = []
    for blockwise in (True, False):
        process, rng = made(make, tmp_path), np.random.default_rng(4)
        process.reset(USERS, rng)
        if blockwise:
            rows.append(np.concatenate([process.sample_frames(frames, rng) for frames in (1, 30, 9)]))
        else:
            rows.append(np.array([process.sample(rng) for _ in range(40)]))
    np.testing.assert_array_equal(*rows)


WORLDS = {
    "bursty arrivals": lambda seed: LyapunovMEC(USERS, arrivals=Bursty(), seed=seed),
    "drifting gains": lambda seed: LyapunovMEC(USERS, channel=Drifting(), seed=seed),
    "myopic": lambda seed: MyopicMEC(USERS, arrivals=Bursty(), seed=seed),
    "gains a block ahead": lambda seed: WirelessPoweredMEC(USERS, channel=Drifting(), seed=seed),
    "correlated gains": lambda seed: WirelessPoweredMEC(USERS, channel=GaussMarkov(), seed=seed),
    "users that walk": lambda seed: WirelessPoweredMEC(USERS, channel=TR38901(), seed=seed),
    "vehicles and queues": lambda seed: LyapunovMEC(USERS, channel=in_traffic(), seed=seed),
    "users in turn": lambda seed: WirelessPoweredMEC(USERS, presence=InTurn(), seed=seed),
    "users at random": lambda seed: WirelessPoweredMEC(USERS, presence=RandomPresence(5, 5), seed=seed),
    "weights of ones own": lambda seed: WirelessPoweredMEC(USERS, weight_schedule=Ratchet(), seed=seed),
    "swapped weights": lambda seed: WirelessPoweredMEC(USERS, weight_schedule=AlternatingWeights(7), seed=seed),
    "scheduled weights": lambda seed: WirelessPoweredMEC(
        USERS, weight_schedule=WeightSchedule({5: [1, 2, 3, 4], 160: [4, 3, 2, 1]}), seed=seed
    ),
    "growing tasks": lambda seed: MultiTaskMEC(2, 2, task_sizes=Growing(), seed=seed),
}  # fmt: skip


def values(world, frames):
    decisions = np.array([[0, 1, 0, 1], [1, 1, 1, 1], [0, 0, 0, 0]])
    seen = []
    for frame in range(frames):
        seen.append(world.evaluate(decisions))
        world.step(decisions[frame % 3])
    return np.array(seen)


@pytest.mark.parametrize("name", WORLDS)
def test_a_world_goes_on_with_its_processes(name):
    world = WORLDS[name](3)
    values(world, 150)
    state = world.state_dict()
    expected = values(world, 150)
    for seed in (3, 4):
        other = WORLDS[name](seed)
        other.load_state_dict(state)
        np.testing.assert_array_equal(values(other, 150), expected)


def test_a_process_without_numbers_is_told():
    class Nothing(Arrivals):
        pass

    with pytest.raises(TypeError, match="Nothing must have a method sample or sample_frames"):
        LyapunovMEC(3, arrivals=Nothing())


def test_two_worlds_share_no_process():
    arrivals, weights = Bursty(), Ratchet()
    worlds = [LyapunovMEC(USERS, arrivals=arrivals) for _ in range(2)]
    np.testing.assert_array_equal(values(worlds[0], 20), values(worlds[1], 20))
    worlds = [WirelessPoweredMEC(USERS, weight_schedule=weights) for _ in range(2)]
    np.testing.assert_array_equal(values(worlds[0], 20), values(worlds[1], 20))


def test_a_world_reset_has_its_schedule_from_the_start():
    world = WirelessPoweredMEC(USERS, weight_schedule=Ratchet())
    first = values(world, 10)
    world.reset()
    np.testing.assert_array_equal(values(world, 10), first)


def test_a_process_without_a_state_is_in_the_way_of_saving_only():
    class Opaque(Rayleigh):
        def reset(self, num_users, rng):
            super().reset(num_users, rng)
            self.source = iter(range(10**9))

    world = WirelessPoweredMEC(USERS, channel=Opaque())
    values(world, 140)
    with pytest.raises(ValueError, match="Opaque.source cannot be saved"):
        world.state_dict()
