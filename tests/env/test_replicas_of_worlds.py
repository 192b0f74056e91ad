"""Worlds of replicas: R worlds as one, each the world of its seed to the last digit."""

import numpy as np
import pytest

from env import (
    TR38901,
    AgeMEC,
    Arrivals,
    Cells,
    ConstantArrivals,
    GaussMarkov,
    LyapunovMEC,
    MultiServerMEC,
    MultiTaskMEC,
    MyopicMEC,
    PartialMEC,
    PathLoss,
    Rayleigh,
    UniformTaskSizes,
)
from env.age.world import erfc

FAR = PathLoss([120.0, 150.0, 200.0, 250.0], exponent=3.0)
SEEDS = [5, 0, 9]


class Faded(Rayleigh):
    """A user's channel, of a class that knows many replicas: it knows nothing of them."""

    def fading(self, shape, rng):
        frames = [np.concatenate([rng.exponential(size=2), [1.0, 2.0]]) for _ in range(shape[0])]
        return np.array(frames)


class Bursts(Arrivals):
    """A user's arrivals, which remember."""

    def reset(self, num_users, rng):
        self._last = np.ones(num_users)

    def sample(self, rng):
        self._last = (self._last + rng.random(len(self._last))) % 4
        return self._last


def gains(rows, links):
    return np.random.default_rng(0).uniform(1e-10, 1e-8, (rows, links))


RECORDED = gains(5, 4) * 1e9

WORLDS = {
    "queues": (LyapunovMEC, {"num_users": 4}),
    "queues, gains as published": (LyapunovMEC, {"num_users": 4, "observation": "gain", "channel": Rayleigh(FAR)}),
    "queues, prices": (
        LyapunovMEC,
        {"observation": "price", "channel": gains(7, 4), "arrivals": RECORDED},
    ),
    "queues, memory": (LyapunovMEC, {"channel": GaussMarkov(FAR), "arrivals": ConstantArrivals(1.0)}),
    "queues, walking": (LyapunovMEC, {"num_users": 4, "channel": TR38901()}),
    "queues, own processes": (LyapunovMEC, {"channel": Faded(FAR), "arrivals": Bursts()}),
    "tasks": (MultiTaskMEC, {}),
    "tasks, delays": (
        MultiTaskMEC,
        {"observation": "delay", "task_sizes": UniformTaskSizes(1, 9)},
    ),
    "tasks, recorded": (MultiTaskMEC, {"num_tasks": 2, "task_sizes": gains(7, 6) * 1e9}),
    "servers": (MultiServerMEC, {"num_users": 6}),
    "one server": (MultiServerMEC, {"num_users": 6, "num_servers": 1}),
    "servers, places": (MultiServerMEC, {"num_users": 6, "capacities": 2}),
    "servers, down": (MultiServerMEC, {"num_users": 6, "outage": 0.3, "least_snr": 2.0}),
    "servers, staying": (MultiServerMEC, {"num_users": 6, "channel": Cells(3, stay=4)}),
    "servers, recorded": (MultiServerMEC, {"channel": gains(7, 12).reshape(7, 6, 2)}),
    "ages": (AgeMEC, {}),
    "ages, one place": (AgeMEC, {"places": 1, "channel": GaussMarkov(FAR), "harvest": ConstantArrivals(2.0)}),
    "ages, own processes": (AgeMEC, {"places": 7, "channel": Faded(FAR), "harvest": Bursts()}),
}


def same(together, alone):
    np.testing.assert_array_equal(together, np.stack(list(alone)))


@pytest.mark.parametrize("name", WORLDS)
def test_each_replica_is_the_world_of_its_seed_to_the_last_digit(name):
    make, settings = WORLDS[name]
    alone = [make(seed=seed, **settings) for seed in SEEDS]
    together = make(seed=SEEDS, replicas=3, **settings)
    rng = np.random.default_rng(1)
    for frame in range(12):
        same(together.observe(), (world.observe() for world in alone))
        kinds = [world.decisions for world in alone]
        if hasattr(kinds[0], "mask"):
            same([kind.mask for kind in together.decisions.each], (kind.mask for kind in kinds))
        decisions = np.stack([kind.random(5, rng) for kind in kinds])
        if frame < 2:
            same(together.frame_optimum(), (world.frame_optimum() for world in alone))
        pairs = list(zip(alone, decisions, strict=True))
        same(together.evaluate(decisions), (world.evaluate(each) for world, each in pairs))
        if frame == 5:
            state = together.state_dict()
            together = make(seed=17, replicas=3, **settings)
            together.load_state_dict(state)
        carried = decisions[:, frame % 5]
        if frame % 3 == 0:  # not among those that were valued
            carried = np.stack([world.decisions.random(1, rng)[0] for world in alone])
        together.step(carried)
        for world, decision in zip(alone, carried, strict=True):
            world.step(decision)
        metrics = [world.frame_metrics() for world in alone]
        for figure, values in together.frame_metrics().items():
            same(values, (of_one[figure] for of_one in metrics))
    together.reset(seed=[0, 1, 2])
    same(together.observe(), (make(seed=seed, **settings).observe() for seed in range(3)))


def test_queues_are_the_same_without_machine_code(monkeypatch):
    monkeypatch.setattr("env.lyapunov.allocation.machine_code", lambda module: None)
    test_each_replica_is_the_world_of_its_seed_to_the_last_digit("queues, prices")


def test_the_error_function_is_the_same_without_machine_code(monkeypatch):
    x = np.random.default_rng(0).normal(scale=4, size=(50, 4, 10))
    compiled = erfc(x)
    monkeypatch.setattr("env.age.world.machine_code", lambda module: None)
    np.testing.assert_array_equal(compiled, erfc(x))


def test_shares_of_replicas_are_those_of_each():
    alone, together = [MultiServerMEC(5, seed=seed) for seed in SEEDS], MultiServerMEC(5, seed=SEEDS, replicas=3)
    decisions = np.random.default_rng(0).integers(4, size=(3, 6, 5))
    for chosen in (decisions, decisions[:, 0]):
        each = [world.allocate(one) for world, one in zip(alone, chosen, strict=True)]
        for name, values in together.allocate(chosen)._asdict().items():
            same(values, (getattr(one, name) for one in each))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LyapunovMEC(4, replicas=0), "replicas must be a whole number, 1 or more, got 0"),
        (lambda: AgeMEC(4, replicas=2, seed=[1]), "seed must be one number or 2, one a replica, got 1"),
        (lambda: MultiTaskMEC(seed=[1, 2]), r"seed must be a whole number, 0 or more, got \[1, 2\]"),
        (lambda: PartialMEC(4, replicas=2), "replicas must be None, for frames are solved one by one, got 2"),
        (lambda: MyopicMEC(4, replicas=2), "replicas must be None, for frames are solved one by one, got 2"),
        (lambda: LyapunovMEC(4, replicas=2).step(np.zeros(4)), r"decision must have shape \(2, 4\), got \(4,\)"),
        (lambda: MultiTaskMEC(replicas=2).step(np.full((2, 9), 2)), "decision must hold only 0 and 1, got 2"),
        (
            lambda: AgeMEC(4, replicas=2, places=2).evaluate(np.ones((2, 3, 4))),
            "decisions must have at most 2 users take choice 1, got 4",
        ),
        (
            lambda: LyapunovMEC(4, replicas=2).load_state_dict(LyapunovMEC(4).state_dict()),
            r"gains must have shape \(2, 4\), got \(4,\)",
        ),
    ],
)
def test_bad_settings_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
