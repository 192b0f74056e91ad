"""Arguments of wrong types, shapes and values: each is taken, or refused with one clear `InputError`."""

import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

import agent
import env
import env.age.baselines
import env.multi_server.baselines
from agent import OffloadingAgent
from agent.checks import InputError as AgentInputError
from agent.compat import MemoryDNN
from env import baselines
from env.compat import MUMT, Algo1_NUM, bisection, cd_method

from .tally import Tally

BAD: list[Any] = [
    None, True, "", "x", "1", b"1", 0, -1, 0.5, 3, 10**18, 2**63, 2**70, -(2**70), 10**400, float("nan"),
    float("inf"), -0.0, 1e-320, 1e-300, 1e300, 1e308, 1j, [], [[]], [1], [1, 2, 3], [0.0] * 3,
    [1.0, float("nan"), 2.0], ["a", "b", "c"], [[1, 2], [3]], [2**70], [10**400], [{1: 2}], [[[1.0]]], {}, {1: 2},
    {1, 2}, (), (1, 2), object(), int, len, lambda *given: "x", range(3), slice(3), Ellipsis, np.array(3.0),
    np.ones(3), np.ones((3, 1)), np.ones((2, 3)), np.ones((2, 2, 2, 2)), np.zeros((0, 3)), np.array([None] * 3),
    np.array(["a"] * 3), np.ones(3, complex), np.ones(3, "datetime64[s]"), np.ones(3, dtype=bool),
    np.full(3, np.inf), np.array([2, 0, 1]), np.ones(3, dtype=np.float16), np.ma.ones(3),
    np.ones(3)[::-1], np.ones((3, 3), order="F"),
    np.float64(2), np.int8(3), np.bool_(True), torch.ones(3), torch.ones(3, requires_grad=True), "nowhere.csv",
    Path("nowhere.npz"), "a" * 300, "a/" * 3000, "/", "a\x00b", "\ud800", "\u03b1\u4e2d", b"\x00" * 8, "potato",
    "cpu",
]  # fmt: skip
Target = Callable[[Any], Any]
REFUSALS = env.InputError, AgentInputError, FileNotFoundError, ImportError


@cache
def targets() -> dict[str, Target]:
    """Public constructors and functions, one argument each."""
    found: dict[str, Target] = {}

    def add(name: str, function: Callable[..., Any], argument: str, **others: Any) -> None:
        found[f"{name}({argument}=...)"] = lambda value: function(**{**others, argument: value})

    def add_all(name: str, function: Callable[..., Any], signature: Any = None, **needed: Any) -> None:
        for argument, one in inspect.signature(function if signature is None else signature).parameters.items():
            if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL):
                add(name, function, argument, **needed)

    for kind, needed in _worlds().items():
        add_all(kind.__name__, lambda kind=kind, **given: _lived_in(kind(**given)), kind, **needed)
    for kind, needed in _parts().items():
        add_all(kind.__name__, kind, **needed)
    for kind, needed in _networks().items():
        add_all(kind.__name__, lambda kind=kind, **given: _asked(kind(**given)), kind, **needed)
    learner, many = OffloadingAgent(3), OffloadingAgent(3, replicas=2)
    folder = Path(_folder().name)
    saved = folder / "agent.pt"
    learner.save(saved)
    add_all("OffloadingAgent", _agent, OffloadingAgent, num_users=3)
    for argument in ("replicas", "device"):
        add("OffloadingAgent", OffloadingAgent, argument, num_users=3)
    add("OffloadingAgent on a device", OffloadingAgent, "device", num_users=3, replicas=2)
    for argument in ("path", "quantizer", "num_users", "device"):
        add("OffloadingAgent.load", OffloadingAgent.load, argument, path=saved)
    add_all("OffloadingAgent.pretrained", OffloadingAgent.pretrained, num_users=3)
    _add_worlds(found, add_all)
    observation, decision = np.zeros((3, 1)), np.array([0, 1, 1])
    powered = env.WirelessPoweredMEC(3)
    found["OffloadingAgent.relax"] = learner.relax
    found["OffloadingAgent.save"] = lambda value: _saved(learner, value)
    found["OffloadingAgent.load_state_dict"] = learner.load_state_dict
    for name in ("encode", "remember"):
        add_all(f"OffloadingAgent.{name}", getattr(learner, name), observation=observation, decision=decision)
    add_all("OffloadingAgent.decode", learner.decode, observation=observation)
    for argument in ("observation", "decisions"):
        add("OffloadingAgent.decide", learner.decide, argument, observation=observation, evaluate=powered.evaluate)
    found["OffloadingAgent.decide(evaluate=...)"] = lambda value: (
        None if callable(value) else learner.decide(observation, value)  # whose own errors are not ours
    )
    found["AgentReplicas.decode"] = many.decode
    found["MemoryDNN.decode"] = lambda value: MemoryDNN([3, 4, 3]).decode(value)
    for quantizer in (agent.OrderPreserving(), agent.KNearest(), agent.MostProbableBits(),
                      agent.NoisyOrderPreserving(), agent.OrderPreservingAndNearest()):  # fmt: skip
        name = type(quantizer).__name__
        add_all(name, quantizer, relaxed=np.array([0.2, 0.6, 0.7]), k=2, rng=np.random.default_rng(0))
        found[f"{name}.max_candidates"] = quantizer.max_candidates
    return found


@cache
def _folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory()


def _agent(**given: Any) -> OffloadingAgent | None:
    """An agent; what a function of the user's own raises, that makes its network, is not ours."""
    return None if callable(given.get("network")) else OffloadingAgent(**given)


def _saved(learner: OffloadingAgent, value: Any) -> None:
    """Written within a folder that is removed, where it names a file at all."""
    if isinstance(value, str | Path):
        value = f"{_folder().name}/{value}"
    learner.save(value)


def _lived_in(world: Any) -> Any:
    """A world that was looked at for two frames."""
    for _ in range(2):
        if isinstance(world, env.Environment):
            world.evaluate(world._beside(world.decisions.idle()[None]) if world.replicas is None else
                           np.zeros((world.replicas, 1, world.num_users)))  # fmt: skip
            world.step(np.zeros((*world._lead, world.num_users), dtype=np.int64))
    return world


def _asked(network: Any) -> Any:
    """A network that has seen the observations that it says it is for."""
    settings = network.settings
    users, features = settings["num_users"] or 3, settings["num_features"]
    if users * features < 10**6:
        network(torch.zeros(2, users, features))
    return network


def _worlds() -> dict[Any, dict[str, Any]]:
    """Constructors of worlds, and what they need besides."""
    return {
        env.WirelessPoweredMEC: {"num_users": 3},
        env.LyapunovMEC: {"num_users": 3},
        env.MultiServerMEC: {"num_users": 3},
        env.PartialMEC: {"num_users": 3},
        env.MultiTaskMEC: {},
        env.AgeMEC: {"num_users": 3},
        env.MyopicMEC: {"num_users": 3},
    }


def _parts() -> dict[Any, dict[str, Any]]:
    """Constructors and functions of what worlds and agents are made of, and what they need besides."""
    rows = np.ones((4, 3))
    return {
        **{kind: {} for kind in (
            env.PathLoss, env.Rayleigh, env.Rician, env.ConstantArrivals, env.ExponentialArrivals,
            env.RandomPresence, env.UniformTaskSizes, env.RandomWaypoint, env.GaussMarkov, env.Cells,
            env.GaussMarkovMobility, env.AlternatingWeights, env.InF, env.InH, env.Line, env.RMa, env.UMa,
            env.UMi, env.TR38901, agent.OrderPreserving, agent.NoisyOrderPreserving, agent.EarlyStopping,
        )},
        env.Binary: {"num_users": 3},
        env.Categorical: {"num_users": 3, "num_choices": 3},
        env.Limited: {"kind": env.Binary(3)},
        env.Places: {"places": [[0.0, 1.0]] * 3},
        env.PresenceSchedule: {"off": {1: [0]}},
        env.WeightSchedule: {"weights": {1: [1.0, 2.0, 3.0]}},
        env.RecordedArrivals: {"path": rows},
        env.RecordedTaskSizes: {"path": rows},
        env.RecordedTrace: {"path": rows},
        env.RecordedTrack: {"path": "nowhere.csv"},
        env.deepmimo_gains: {"data": rows},
        env.sionna_gains: {"data": rows},
        env.check_environment: {"env": env.WirelessPoweredMEC(3), "frames": 2},
        MUMT: {"N": 2, "M": 2},
        MemoryDNN: {"net": [3, 4, 3]},
        agent.MostProbable: {"num_choices": 3},
        agent.CosineDecay: {"frames": 10},
        agent.StepDecay: {"every": 10},
        agent.LearningRateSchedule: {"factor": float},
        agent.ReplayMemory: {"capacity": 4, "num_users": 3},
    }  # fmt: skip


def _networks() -> dict[Any, dict[str, Any]]:
    """Constructors of networks."""
    return {
        agent.FullyConnected: {"num_users": 3},
        agent.Convolutional: {"num_users": 3},
        agent.PairNetwork: {},
        agent.SetNetwork: {},
    }


def _add_worlds(found: dict[str, Target], add_all: Callable[..., None]) -> None:
    """Methods of worlds, baselines in them, and the published functions."""
    gains, decision, queues = np.full(3, 1e-6), np.array([0, 1, 1]), np.ones(3)
    frame = {"gains": np.full((3, 3), 1e-9), "task_bits": np.full(3, 1e6), "task_cycles": np.full(3, 1e9)}
    powered, queued, served = env.WirelessPoweredMEC(3), env.LyapunovMEC(3), env.MultiServerMEC(3)
    tasks, aged = env.MultiTaskMEC(1, 3), env.AgeMEC(3)
    for world in (powered, queued, served, tasks, aged, env.PartialMEC(3)):
        name = type(world).__name__
        found[f"{name}.evaluate"] = world.evaluate
        found[f"{name}.step"] = world.step
        found[f"{name}.reset"] = lambda value, world=world: world.reset(seed=value)
        found[f"{name}.load_state_dict"] = world.load_state_dict
        found[f"{name}.best_of_all"] = world.best_of_all
    add_all("WirelessPoweredMEC.allocate", powered.allocate, gains=gains, decisions=decision)
    add_all("WirelessPoweredMEC.optimum", powered.optimum, gains=gains)
    found["set_weights"], found["set_active"] = powered.set_weights, powered.set_active
    found["label_report"] = powered.label_report
    add_all("LyapunovMEC.allocate", queued.allocate, gains=gains, decisions=decision, data_queue=queues,
            energy_queue=queues)  # fmt: skip
    add_all("LyapunovMEC.serve", queued.serve, rate=queues, energy=queues)
    add_all("MultiServerMEC.set_frame", served.set_frame, **frame)
    found["MultiServerMEC.allocate"] = served.allocate
    add_all("MultiServerMEC.optimum", served.optimum)
    add_all("MultiTaskMEC.cost_of", tasks.cost_of, sizes=np.ones((1, 3)), decisions=np.ones((1, 3)))
    add_all("MultiTaskMEC.cost", tasks.cost, task_sizes=np.ones((1, 3)), decisions=np.ones((1, 3)))
    found["MultiTaskMEC.optimum"] = tasks.optimum
    known = [
        (powered, baselines.all_local, baselines.all_offload, baselines.best_of_random, baselines.random,
         baselines.coordinate_descent, baselines.exhaustive, baselines.greedy, baselines.linear_relaxation,
         baselines.recorded),
        (aged, *_functions_of(env.age.baselines)),
        (served, *_functions_of(env.multi_server.baselines)),
    ]  # fmt: skip
    for world, *methods in known:
        for method in methods:
            add_all(method.__name__, method, environment=world, rng=np.random.default_rng(0))
    add_all("bisection", bisection, h=gains, M=decision)
    add_all("cd_method", cd_method, h=gains)
    add_all("Algo1_NUM", Algo1_NUM, mode=decision, h=gains, w=queues, Q=queues, Y=queues)
    add_all(
        "MUMT.compute_Q", MUMT(2, 2).compute_Q, **dict(zip(("task_size", "M"), ([1] * 4, [0] * 4), strict=True))
    )


def _functions_of(module: Any) -> list[Callable[..., Any]]:
    return [
        one for name, one in vars(module).items()
        if inspect.isfunction(one) and one.__module__ == module.__name__ and name[0] != "_"
    ]  # fmt: skip


def bad_inputs(rng: np.random.Generator, tally: Tally) -> None:
    """Some arguments of some functions."""
    known = targets()
    names = list(known)
    for _ in range(60):
        name, value = names[int(rng.integers(len(names)))], BAD[int(rng.integers(len(BAD)))]
        tally.inputs["bad inputs"] += 1
        try:
            known[name](value)
        except REFUSALS:
            pass
        except Exception as error:
            said = f"{type(error).__name__}: {str(error)[:150]!r}, given {value!r:.80}"
            tally.find("undocumented exceptions", name, said)
