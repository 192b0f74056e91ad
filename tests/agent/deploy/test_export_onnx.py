import functools
import subprocess
import sys
from copy import deepcopy

import numpy as np
import pytest
from torch import nn

from agent import (
    Convolutional,
    InputError,
    MostProbable,
    OffloadingAgent,
    OrderPreserving,
    PairNetwork,
    SetNetwork,
)
from agent.deploy import export_onnx

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

CROWDS = functools.partial(SetNetwork, masked=False, slopes=[], group=2, relative=True, embedding=[4])
PLACES = functools.partial(PairNetwork, capacities=2, rounds=3)
ANY = (1, 3, 17, 60)


def own_module(num_users, num_features):
    return nn.Sequential(nn.Flatten(), nn.Linear(num_users * num_features, 8), nn.Tanh(), nn.Linear(8, num_users))


def normalized(num_users, num_features):
    return nn.Sequential(nn.Flatten(), nn.LayerNorm(num_users * num_features), nn.Linear(num_users, num_users))


def made(num_users=10, num_features=1, seen=40, **settings):
    """An agent that has seen and learned something."""
    agent, rng = OffloadingAgent(num_users, num_features, **settings), np.random.default_rng(5)
    for _ in range(seen):
        choices = rng.integers(agent.settings.num_choices, size=num_users)
        agent.encode(3 * rng.normal(size=(num_users, num_features)) + 2, choices)
    return agent


def session_of(agent, path, **options):
    export_onnx(agent, path, **options)
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(
    ("settings", "sizes"),
    [
        *(({"quantizer": name}, [10]) for name in ("OP", "KNN", "OP+KNN", "MP", "OPN")),
        *(({"quantizer": name, "published": True}, [10]) for name in ("OP", "KNN", "OP+KNN", "MP", "OPN")),
        *(({"quantizer": name, "network": SetNetwork, "num_features": 3}, ANY) for name in ("OP", "KNN", "MP")),
        ({"network": SetNetwork, "num_features": 3}, ANY),
        ({"network": SetNetwork, "num_features": 3, "quantizer": "OPN"}, ANY),
        ({"num_users": 1}, [1]),
        ({"num_users": 70}, [70]),
        ({"quantizer": "OP", "num_candidates": 1, "local_search": 0}, [10]),
        ({"quantizer": "OPN", "num_candidates": 1, "local_search": 0}, [10]),
        ({"num_choices": 4, "num_features": 3}, [10]),
        ({"num_choices": 4, "num_features": 3, "published": True}, [10]),
        ({"quantizer": OrderPreserving(), "published": True}, [10]),
        ({"quantizer": MostProbable(2)}, [10]),
        ({"num_networks": 3, "quantizer": "OPN"}, [10]),
        ({"network": Convolutional, "num_features": 2}, [10]),
        ({"network": CROWDS, "num_features": 2}, [10]),
        ({"network": PairNetwork, "num_features": 6, "num_choices": 4}, ANY),
        ({"network": PLACES, "num_features": 4, "num_choices": 3}, ANY),
        ({"network": own_module}, [10]),
        ({"backend": "torch", "weight_averaging": 0.9}, [10]),
        ({"weight_averaging": 0.9, "seen": 1}, [10]),
    ],
)
def test_the_candidates_are_the_agents(settings, sizes, tmp_path):
    agent = made(**settings)
    session, rng = session_of(agent, tmp_path / "agent.onnx"), np.random.default_rng(3)
    noisy = len(session.get_inputs()) > 1
    different = 0
    for frame in range(60):
        observation = 3 * rng.normal(size=(sizes[frame % len(sizes)], agent.num_features)) + 2
        if agent.num_features == 3 and agent.num_choices == 2:
            observation[:, -1] = rng.random(len(observation)) < 0.7  # users that are off have equal logits
        relaxed, before = agent.relax(observation), deepcopy(agent._rng)
        feeds = {"observation": observation}
        if noisy:
            feeds["noise"] = deepcopy(before).normal(size=relaxed.shape)
        given, candidates = session.run(["relaxed", "candidates"], feeds)
        own = agent.decode(observation)
        different += not np.array_equal(candidates, own)
        np.testing.assert_allclose(given, relaxed, rtol=1e-4, atol=1e-6)
        agent._rng = before
        of_given = given.astype(relaxed.dtype)
        k = len(own) // agent.num_networks
        np.testing.assert_array_equal(candidates, agent._propose(of_given, k, None))
    assert different <= 1  # which rounding in the network may turn


def test_a_model_says_what_it_is(tmp_path):
    path = tmp_path / "folder" / "agent.onnx"
    session = session_of(OffloadingAgent.pretrained(20), path, num_candidates=7)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert (model.ir_version, model.opset_import[0].version) == (8, 17)
    assert session.get_modelmeta().custom_metadata_map == {
        "version": model.producer_version,
        "network": "SetNetwork",
        "quantizer": "OrderPreserving",
        "num_users": "any",
        "num_features": "3",
        "num_choices": "2",
        "num_candidates": "7",
    }
    assert [(one.name, one.shape, one.type) for one in session.get_inputs()] == [
        ("observation", ["N", 3], "tensor(double)")
    ]
    assert [one.name for one in session.get_outputs()] == ["relaxed", "candidates"]
    (few,) = session.run(["candidates"], {"observation": np.ones((2, 3))})
    assert few.shape == (3, 2)  # all that two users have
    assert [file.name for file in path.parent.iterdir()] == ["agent.onnx"]


def test_it_runs_without_torch_and_this_library(tmp_path):
    agent, observation = made(), np.linspace(0, 5, 10)[:, None]
    export_onnx(agent, tmp_path / "agent.onnx")
    np.save(tmp_path / "observation.npy", observation)
    code = """
import sys
for name in ("torch", "agent", "env", "mec_offloading", "onnx"):
    sys.modules[name] = None
import numpy as np
import onnxruntime
session = onnxruntime.InferenceSession("agent.onnx", providers=["CPUExecutionProvider"])
(candidates,) = session.run(["candidates"], {"observation": np.load("observation.npy")})
np.save("candidates.npy", candidates)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "candidates.npy"), agent.decode(observation))


class Own(OrderPreserving):
    """Who knows what it proposes."""


@pytest.mark.parametrize(
    ("settings", "options", "message"),
    [
        ({"network": normalized}, {}, "network must be FullyConnected, .* got Sequential: it calls layer_norm"),
        ({"quantizer": Own()}, {}, "quantizer must be OrderPreserving, .* got Own"),
        ({"quantizer": "OP"}, {"num_candidates": 12}, "num_candidates must be 1 to 11 for 10 users, got 12"),
        ({"quantizer": "OP"}, {"num_candidates": 0}, "num_candidates must be a whole number, 1 or more, got 0"),
        ({"quantizer": "KNN"}, {"num_candidates": 600}, "num_candidates must be at most 512 .* got 600"),
        ({"seen": 0}, {}, "agent must have seen an observation"),
    ],
)
def test_what_cannot_be_exported_is_said(settings, options, message, tmp_path):
    with pytest.raises(InputError, match=message):
        export_onnx(made(**settings), tmp_path / "agent.onnx", **options)
    assert not list(tmp_path.iterdir())


def test_replicas_are_refused(tmp_path):
    with pytest.raises(InputError, match="agent must be one OffloadingAgent to be exported, got AgentReplicas"):
        export_onnx(OffloadingAgent(4, replicas=2), tmp_path / "agent.onnx")


def test_a_path_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(OSError, match="file"):
        export_onnx(made(), tmp_path / "file" / "agent.onnx")
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_without_onnx_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"exporting needs onnx: .* 'mec-offloading\[deploy\]'"):
        export_onnx(made(), tmp_path / "agent.onnx")
