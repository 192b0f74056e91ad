"""Exported agents beside the agents themselves: whether their candidates are the same, and how long they take."""

import importlib.util
import tempfile
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np

from agent import OffloadingAgent, SetNetwork
from agent.deploy import export_onnx
from env import WirelessPoweredMEC

LEARNT = 300
"""Frames that an agent learns in before it is exported."""
WARMUP = 20
"""Frames that are not counted."""
QUANTIZERS = ("OP+KNN", "OP", "KNN", "MP", "OPN")


def missing() -> str | None:
    """The package of the extra `deploy` that is not installed; None where both are."""
    absent = [name for name in ("onnx", "onnxruntime") if importlib.util.find_spec(name) is None]
    return absent[0] if absent else None


def session_of(agent: OffloadingAgent) -> Any:
    """ONNX Runtime's session of an agent that is exported to a file and read again, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "agent.onnx"
        export_onnx(agent, path)
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def learnt(num_users: int, frames: int = LEARNT, **settings: Any) -> tuple[OffloadingAgent, WirelessPoweredMEC]:
    """An agent that has learnt the wireless powered problem, and its world."""
    shared = settings.get("network") is SetNetwork
    env = WirelessPoweredMEC(num_users, observation="user" if shared else "gain")
    observation = env.observe()
    agent = OffloadingAgent(num_users, np.asarray(observation).shape[-1], **settings)
    for _ in range(frames):
        decision, _ = agent.decide(env.observe(), env.evaluate)
        env.step(decision)
    return agent, env


class Differences:
    """How often an exported agent's candidates are not its own.

    Attributes:
        observations, different: how many there were, and of how many the candidates differ.
        by_quantizer: of how many they are not what the agent's quantizer makes of the model's `relaxed`.
        off: the largest difference of relaxed decisions.
        margin: the largest difference of relaxed decisions where candidates differ.
    """

    def __init__(self) -> None:
        self.observations = self.different = self.by_quantizer = 0
        self.off = self.margin = 0.0

    def compare(self, agent: OffloadingAgent, session: Any, observations: Iterator[np.ndarray]) -> None:
        """Take observations (N, F) of any N that the agent takes into account."""
        noisy = any(one.name == "noise" for one in session.get_inputs())
        for observation in observations:
            before = deepcopy(agent._rng.bit_generator.state)
            relaxed, own = agent.relax(observation), agent.decode(observation)
            feeds = {"observation": observation}
            if noisy:  # as the agent has drawn it
                rng = np.random.default_rng()
                rng.bit_generator.state = before
                feeds["noise"] = rng.normal(size=relaxed.shape)
            model, candidates = session.run(["relaxed", "candidates"], feeds)
            off = float(abs(model - relaxed).max())
            self.observations += 1
            self.off = max(self.off, off)
            if not np.array_equal(own, candidates):
                self.different += 1
                self.margin = max(self.margin, off)
            agent._rng.bit_generator.state = before
            if not np.array_equal(agent._propose(model, len(own), None), candidates):
                self.by_quantizer += 1


def random_observations(rng: np.random.Generator, num_users: int, count: int) -> Iterator[np.ndarray]:
    """Gains (N, 1), as Rayleigh fading has them, of a hundredfold in their means."""
    for _ in range(count):
        means = 1e-6 * 10 ** rng.uniform(0, 2, num_users)
        yield (means * rng.exponential(size=num_users))[:, None]


def random_sets(rng: np.random.Generator, count: int) -> Iterator[np.ndarray]:
    """Of 1 to 100 users: log-gains and log-weights, and a mask that leaves out a fifth of them."""
    for _ in range(count):
        num_users = int(rng.integers(1, 101))
        mask = rng.random(num_users) < 0.8
        yield np.column_stack([rng.normal(size=(num_users, 2)), mask])


def compare_all(count: int, sizes: int = 100) -> dict[str, Differences]:
    """`count` observations in all: half of the set network with each quantizer, half of a network for each N."""
    found: dict[str, Differences] = {}
    each = max(1, count // 2 // len(QUANTIZERS))
    for quantizer in QUANTIZERS:
        rng = np.random.default_rng(1)
        agent, _ = learnt(10, network=SetNetwork, quantizer=quantizer)
        one = found[f"set network, {quantizer}"] = Differences()
        one.compare(agent, session_of(agent), random_sets(rng, each))
    for place, quantizer in enumerate(QUANTIZERS):
        one = found[f"for each N, {quantizer}"] = Differences()
        counts = [1 + number * 99 // max(1, sizes - 1) for number in range(sizes)]
        rng = np.random.default_rng(2 + place)
        for row, num_users in enumerate(counts):
            share = each * (row + 1) // sizes - each * row // sizes
            if not share:
                continue
            agent, _ = learnt(num_users, 20, quantizer=quantizer)
            one.compare(agent, session_of(agent), random_observations(rng, num_users, share))
    return found


def latencies(num_users: int, network: Any, frames: int) -> tuple[int, dict[str, np.ndarray]]:
    """K, and microseconds (frames,) of candidates and of whole decisions, exported and not, in turns."""
    settings = {} if network is None else {"network": network}
    agent, env = learnt(num_users, **settings)
    session = session_of(agent)

    def model(observation: np.ndarray) -> Any:
        return session.run(["candidates"], {"observation": observation})[0]

    def decision(propose: Callable[[np.ndarray], Any]) -> Callable[[np.ndarray], Any]:
        def decide(observation: np.ndarray) -> Any:
            candidates = propose(observation)
            return candidates[env.evaluate(candidates).argmax()]

        return decide

    ways = {
        "model": model,
        "decode": agent.decode,
        "model, decision": decision(model),
        "decode, decision": decision(agent.decode),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for frame in range(frames + WARMUP):
        observation = np.asarray(env.observe(), dtype=np.float64)
        best: Any = None
        for name, way in ways.items():
            start = time.perf_counter()
            best = way(observation)
            if frame >= WARMUP:
                seconds[name].append(time.perf_counter() - start)
        env.step(best)
    return agent.num_candidates, {name: 1e6 * np.array(taken) for name, taken in seconds.items()}
