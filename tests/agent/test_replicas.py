from functools import cache

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from agent import OffloadingAgent
from agent.run.folder import BAND
from agent.run.loop import simulate
from agent.run.record import FIXED, confidence_band, means_of, rates_of
from agent.run.replicas import Group, advance, split
from agent.run.side_by_side import SideBySide
from env import GaussMarkov, LyapunovMEC, MultiTaskMEC, Rayleigh, WirelessPoweredMEC

USERS, FRAMES = 6, 400


@cache
def single(seed, channel=None, **settings):
    agent = OffloadingAgent(USERS, seed=seed, **settings)
    history = simulate(WirelessPoweredMEC(USERS, seed=seed, channel=channel), agent, FRAMES)
    return np.array([frame.normalized_rate for frame in history])


def side_by_side(replicas, channel=None, seed=0, device=None, frames=FRAMES, **settings):
    environment = WirelessPoweredMEC(USERS, replicas=replicas, seed=seed, channel=channel, device=device)
    agent = OffloadingAgent(USERS, replicas=replicas, seed=seed, device=device, **settings)
    return Group(environment, agent, replicas), frames


@pytest.mark.parametrize("device", [None, "cpu"])
@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"published": True},
        {"published": True, "quantizer": "OPN", "adaptive_interval": 8, "num_candidates": 9},
        {"quantizer": "OPN", "adaptive_interval": None},
        {"learning_starts": 60},
    ],
)
def test_a_replica_is_the_single_run_of_its_seed(backend, device, settings):
    if device is not None and backend == "numpy":
        pytest.skip("the NumPy backend has no device")
    if device is not None and not settings.keys() & {"published", "quantizer"}:
        settings = {**settings, "quantizer": "OP"}  # the default on a device
    together = rates_of(advance([side_by_side(3, backend=backend, device=device, **settings)[0]], FRAMES))
    for replica in range(3):
        alone = single(replica, backend=backend, **settings)
        np.testing.assert_allclose(together[:50, replica], alone[:50], rtol=1e-9)
        if backend == "numpy":
            np.testing.assert_allclose(together[:, replica], alone, rtol=1e-9)
        elif "published" not in settings:  # Adam made anew turns the sign of a gradient of 0 into a whole step
            assert together[:, replica].mean() == pytest.approx(alone.mean(), abs=1e-4)


def test_replicas_may_differ_in_rate_interval_and_channel():
    settings = {"learning_rate": [0.01, 0.003, 0.03], "training_interval": [10, 3, 5]}
    channels = [Rayleigh(), GaussMarkov(), Rayleigh()]
    together = rates_of(advance([side_by_side(3, channels, backend="numpy", **settings)[0]], FRAMES))
    stacked = rates_of(advance([side_by_side(3, channels, backend="torch", **settings)[0]], FRAMES))
    for replica, channel in enumerate(channels):
        own = {name: values[replica] for name, values in settings.items()}
        alone = single(replica, channel, backend="numpy", **own)
        assert together[:, replica].mean() == pytest.approx(alone.mean(), abs=1e-4)
        assert stacked[:, replica].mean() == pytest.approx(alone.mean(), abs=1e-4)


def test_more_replicas_than_a_cache_holds_learn_alike():
    many = rates_of(advance([side_by_side(20, backend="numpy")[0]], 100))
    few = rates_of(advance([side_by_side(2, seed=9, backend="numpy")[0]], 100))
    np.testing.assert_allclose(many[:, 9:11], few, rtol=1e-9)


def test_groups_in_threads_change_nothing():
    whole = rates_of(advance([side_by_side(35, backend="numpy")[0]], 100))
    places = split(35, 2)
    assert [list(part) for part in places] == [list(range(17)), list(range(17, 35))]
    parts = [side_by_side(len(part), seed=part.start, backend="numpy")[0] for part in places]
    np.testing.assert_allclose(rates_of(advance(parts, 100)), whole, rtol=1e-9)


def test_few_replicas_stay_in_one_thread():
    assert split(20, 4) == [range(20)]
    assert [len(part) for part in split(64, 3)] == [21, 21, 22]


def test_any_environments_run_side_by_side():
    native = rates_of(advance([side_by_side(3, backend="numpy")[0]], 60))
    world = SideBySide([WirelessPoweredMEC(USERS) for _ in range(3)])
    world.reset([0, 1, 2])
    agent = OffloadingAgent(USERS, replicas=3, backend="numpy")
    np.testing.assert_allclose(rates_of(advance([Group(world, agent, 3)], 60)), native, rtol=1e-9)


@pytest.mark.parametrize("kind", [LyapunovMEC, MultiTaskMEC])
def test_costs_and_metrics_are_those_of_the_single_runs(kind):
    world = SideBySide([kind(3) for _ in range(2)])
    world.reset([0, 1])
    users, features = world.observe().shape[1:]
    agent = OffloadingAgent(users, features, replicas=2, backend="numpy")
    block = advance([Group(world, agent, 2)], 40)
    means = means_of(block)
    histories = []
    for seed in range(2):
        alone = OffloadingAgent(users, features, backend="numpy", seed=seed)
        histories.append(list(simulate(kind(3, seed=seed), alone, 40)))
        expected = [frame.normalized_rate for frame in histories[-1]]
        np.testing.assert_allclose(rates_of(block)[:, seed], expected, rtol=1e-6)
    metrics = histories[0][-1].metrics
    assert set(means) == {*FIXED, *BAND, *metrics}
    for name in metrics:
        expected = np.mean([history[-1].metrics[name] for history in histories])
        assert means[name][-1] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("backend", "device"), [("numpy", None), ("torch", None), ("torch", "cpu")])
def test_a_saved_agent_goes_on(tmp_path, backend, device):
    group, _ = side_by_side(3, backend=backend, device=device, training_interval=[3, 4, 3])
    advance([group], 50)
    group.agent.save(tmp_path / "agent.pt")
    world = group.environment.state_dict()
    expected = advance([group], 80)
    again = WirelessPoweredMEC(USERS, replicas=3, device=device, seed=7)
    again.load_state_dict(world)
    block = advance([Group(again, OffloadingAgent.load(tmp_path / "agent.pt"), 3)], 80)
    for name in block.keys() - {"decide_seconds"}:
        np.testing.assert_array_equal(block[name], expected[name])


def test_one_that_diverges_does_not_stop_the_others():
    settings = {"optimizer": "gradient_descent", "loss": "squared_error", "learning_rate": [1e3, 0.01]}
    with np.errstate(all="ignore"):
        block = advance([side_by_side(2, backend="torch", **settings)[0]], 100)
    assert np.isfinite(rates_of(block)).all()


def test_means_and_bands():
    block = advance([side_by_side(4, backend="numpy")[0]], 20, first_frame=100)
    means, each = means_of(block), rates_of(block)
    assert means["frame"].tolist() == list(range(100, 120))
    assert means["normalized_rate"][3] == pytest.approx(each[3].mean())
    assert means["low"][3] <= each[3].mean() <= means["high"][3]
    assert np.isnan(means["loss"]).tolist() == ([True] * 9 + [False]) * 2
    low, high = confidence_band(np.array([[1.0, 2.0, 3.0]]))
    assert high - low == pytest.approx(2 * 4.302653 / np.sqrt(3), rel=1e-6)  # Student's t with 2 degrees


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"device": "cpu"}, "device must be None without replicas"),
        (
            {"replicas": 2, "device": "cpu", "backend": "numpy"},
            "device must be None without replicas and the 'torch'",
        ),
        ({"replicas": 0}, "replicas must be a whole number, 1 or more, got 0"),
        (
            {"replicas": 3, "learning_rate": [0.1, 0.2]},
            "learning_rate must be one number, or with replicas one for",
        ),
        ({"training_interval": [1, 2]}, "training_interval must be one number, or with replicas one for each"),
        ({"replicas": 2, "training_interval": [1, 0]}, "training_interval must be a whole number"),
        ({"replicas": 2, "learning_rate": [0.1, -1.0]}, "learning_rate must be positive"),
        ({"replicas": 2, "seed": [1]}, "seed must be one number, or with replicas one for each"),
        (
            {"replicas": 2, "quantizer": "OPN", "adaptive_interval": 32},
            "adaptive_interval must be None for replicas",
        ),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        OffloadingAgent(USERS, **settings)


def test_a_quantizer_without_tensors_is_refused_on_a_device():
    group, _ = side_by_side(2, device="cpu", quantizer="KNN")
    with pytest.raises(ValueError, match="quantizer must be 'OP' or 'OPN' on a device, got KNearest"):
        advance([group], 1)


class BlockingCopies(TorchDispatchMode):
    """Notes the operations that bring an array from the host and wait for it."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, torch.Tensor)]
        from_host = any(tensor.device.type == "cpu" and tensor.ndim for tensor in tensors)
        on_device = any(tensor.device.type != "cpu" for tensor in tensors)
        if from_host and on_device and not (kwargs or {}).get("non_blocking"):
            self.found.append(operation)
        return result


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"published": True, "adaptive_interval": 5},
        {"training_interval": [3, 4, 3], "learning_rate": [0.01, 0.02, 0.03]},
        {"quantizer": "OPN", "adaptive_interval": None},
        {"published": True, "quantizer": "OPN", "adaptive_interval": 5},
        {"weight_averaging": 0.9, "optimizer": "gradient_descent"},
    ],
)
def test_a_device_is_never_waited_for(settings, monkeypatch):
    """On torch's meta device, which holds no numbers: whatever would read one from a device fails there."""
    for module in ("env.processes.stream", "env.wireless_powered.world"):
        monkeypatch.setattr(f"{module}.BLOCK", 8)
    environment, agent, _ = side_by_side(3, device="meta", **settings)[0]
    with BlockingCopies() as copies:
        for _ in range(20):
            decision, value = agent.decide(environment.observe(), environment.evaluate)
            environment.step(decision)
    assert (decision.device.type, value.device.type) == ("meta", "meta")
    assert agent.learning_steps >= 2
    assert copies.found == []


def test_the_meta_device_finds_what_waits():
    with BlockingCopies() as copies:
        torch.zeros(3, device="meta")[np.array([0, 1])]
    assert len(copies.found) == 1
    with pytest.raises(RuntimeError, match="meta"):
        torch.zeros(3, device="meta").sum().item()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device at hand")
def test_a_cuda_device_gives_the_same_rates_and_is_not_waited_for():
    expected = rates_of(advance([side_by_side(4, backend="numpy")[0]], FRAMES))
    group, _ = side_by_side(4, device="cuda")
    given = rates_of(advance([group], FRAMES))
    np.testing.assert_allclose(given.mean(0), expected.mean(0), atol=1e-4)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(30):
            decision, _ = group.agent.decide(group.environment.observe(), group.environment.evaluate)
            group.environment.step(decision)
    finally:
        torch.cuda.set_sync_debug_mode("default")
