"""Arguments of wrong types, shapes and values: each is taken, or refused with one clear `InputError`."""

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch

import agent
import env
from agent import OffloadingAgent
from agent.checks import InputError as AgentInputError
from env.compat import Algo1_NUM, bisection

from .tally import Tally

BAD: list[Any] = [
    None, True, "", "x", "1", b"1", 0, -1, 0.5, 3, 10**18, 2**63, -(2**70), float("nan"), float("inf"), -0.0,
    1e-320, 1e308, 1j, [], [[]], [1], [1, 2, 3], [0.0] * 3, [1.0, float("nan"), 2.0], ["a", "b", "c"], [[1,
    2], [3]], {}, {1: 2}, {1, 2}, (), (1, 2), object(), int, len, range(3), np.array(3.0), np.ones(3),
    np.ones((3, 1)), np.ones((2, 3)), np.zeros((0, 3)), np.array([None] * 3), np.array(["a"] * 3), np.ones(3,
    complex), np.ones(3, "datetime64[s]"), np.ones(3, dtype=bool), np.full(3, np.inf), np.array([2, 0, 1]),
    np.ones(3, dtype=np.float16), np.ma.ones(3), torch.ones(3), torch.ones(3, requires_grad=True),
    np.ones(3)[::-1], np.ones((3, 3), order="F"), "nowhere.csv", "a" * 300, [10**400], np.float64(2),
    np.int8(3), np.bool_(True), slice(3), Ellipsis, b"\x00" * 8, "a\x00b",
]  # fmt: skip


@cache
def targets() -> dict[str, Callable[[Any], Any]]:
    """Public constructors, one argument each, and public functions."""
    found: dict[str, Callable[[Any], Any]] = {}

    def add(name: str, function: Callable[..., Any], argument: str, **others: Any) -> None:
        found[f"{name}({argument}=...)"] = lambda value: function(**{**others, argument: value})

    needed: dict[Any, dict[str, Any]] = {
        env.MyopicMEC: {"num_users": 3},
        OffloadingAgent: {"num_users": 3},
        agent.MostProbable: {"num_choices": 3},
    }
    worlds = (
        env.WirelessPoweredMEC,
        env.LyapunovMEC,
        env.MultiServerMEC,
        env.PartialMEC,
        env.MultiTaskMEC,
        env.AgeMEC,
    )
    parts = (env.PathLoss, env.Rayleigh, env.Rician, env.ConstantArrivals, env.ExponentialArrivals,
             env.RandomPresence, env.UniformTaskSizes, env.RandomWaypoint, env.GaussMarkov, env.Cells)  # fmt: skip
    learners = (
        OffloadingAgent,
        agent.MostProbable,
        agent.OrderPreserving,
        agent.NoisyOrderPreserving,
        agent.EarlyStopping,
    )
    for kind in (*worlds, env.MyopicMEC, *parts, *learners):
        signature = inspect.signature(kind)
        for name, parameter in signature.parameters.items():
            if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                others = dict(needed.get(kind, {}))
                required = [
                    one.name for one in signature.parameters.values()
                    if one.default is one.empty and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
                ]  # fmt: skip
                if set(required) - set(others) - {name}:
                    continue
                add(kind.__name__, kind, name, **others)
    gains, decision, queues = np.full(3, 1e-6), np.array([0, 1, 1]), np.ones(3)
    for world in (
        env.WirelessPoweredMEC(3),
        env.LyapunovMEC(3),
        env.MultiServerMEC(3),
        env.AgeMEC(3),
        env.MultiTaskMEC(1, 3),
    ):
        name = type(world).__name__
        found[f"{name}.evaluate"] = world.evaluate
        found[f"{name}.step"] = world.step
        found[f"{name}.reset"] = lambda value, world=world: world.reset(seed=value)
    powered, queued, served, tasks = (
        env.WirelessPoweredMEC(3),
        env.LyapunovMEC(3),
        env.MultiServerMEC(3),
        env.MultiTaskMEC(1, 3),
    )
    for argument in ("gains", "decisions", "weights"):
        add("allocate", powered.allocate, argument, gains=gains, decisions=decision)
    for argument in ("gains", "weights", "tolerance", "time_limit"):
        add("optimum", powered.optimum, argument, gains=gains)
    found["set_weights"], found["set_active"] = powered.set_weights, powered.set_active
    found["label_report"] = powered.label_report
    for argument in ("gains", "decisions", "data_queue", "energy_queue"):
        given = {"gains": gains, "decisions": decision, "data_queue": queues, "energy_queue": queues}
        add("LyapunovMEC.allocate", queued.allocate, argument, **given)
    for argument in ("gains", "task_bits", "task_cycles", "up"):
        frame = {"gains": np.full((3, 3), 1e-9), "task_bits": np.full(3, 1e6), "task_cycles": np.full(3, 1e9)}
        add("MultiServerMEC.set_frame", served.set_frame, argument, **frame)
    found["MultiServerMEC.allocate"] = served.allocate
    for argument in ("tolerance", "time_limit"):
        add("MultiServerMEC.optimum", served.optimum, argument)
    for argument in ("task_sizes", "decisions"):
        add("cost", tasks.cost, argument, task_sizes=np.ones((1, 3)), decisions=np.ones((1, 3)))
    found["MultiTaskMEC.optimum"] = tasks.optimum
    for argument in ("h", "M", "weights"):
        add("bisection", bisection, argument, h=gains, M=decision)
    for argument in ("mode", "h", "w", "Q", "Y", "V"):
        add("Algo1_NUM", Algo1_NUM, argument, mode=decision, h=gains, w=queues, Q=queues, Y=queues)
    learner = OffloadingAgent(3)
    observation = np.zeros((3, 1))
    found["OffloadingAgent.relax"] = learner.relax
    for argument in ("observation", "decision"):
        add("OffloadingAgent.encode", learner.encode, argument, observation=observation, decision=decision)
    found["OffloadingAgent.decide"] = lambda value: learner.decide(value, powered.evaluate)
    found["OffloadingAgent.load"] = OffloadingAgent.load
    return found


def bad_inputs(rng: np.random.Generator, tally: Tally) -> None:
    """Some arguments of some functions."""
    known = targets()
    names = list(known)
    for _ in range(60):
        name, value = names[int(rng.integers(len(names)))], BAD[int(rng.integers(len(BAD)))]
        tally.inputs["bad inputs"] += 1
        try:
            known[name](value)
        except (env.InputError, AgentInputError, FileNotFoundError, ImportError):
            pass
        except Exception as error:
            said = f"{type(error).__name__}: {str(error)[:150]!r}, given {value!r:.80}"
            tally.find("undocumented exceptions", name, said)
