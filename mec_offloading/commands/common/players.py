"""What the benchmark lets play: whole frames, their network alone, the published loop, and many runs at once.

Each has `play(frames)`, the seconds that so many frames take.
"""

import functools
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, ClassVar
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from agent import OffloadingAgent
from agent.compat import MemoryDNN
from agent.machine_code import without_machine_code
from agent.run.contract import world_of
from agent.run.loop import simulate
from agent.run.replicas import Group, advance, split
from agent.run.side_by_side import SideBySide
from env import TR38901, Channel, Rayleigh, WirelessPoweredMEC
from env.compat import bisection
from env.wireless_powered.capped_curve import CappedCurve
from env.wireless_powered.price_curve import PriceCurve

from .settings import knows_replicas, takes
from .textbook import (
    BATCH_SIZE,
    GAIN_SCALE,
    HIDDEN,
    LEARNING_RATE,
    MEMORY_SIZE,
    Decided,
    FloatArray,
    Memory,
    Textbook,
    learn,
    make_network,
    relax,
)


class Stopwatch:
    """Adds up the wall time spent in the calls that it wraps."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def wrap(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function` with the attributes that it has, its time counted under `part`."""

        @functools.wraps(function)
        def timed(*arguments: Any, **keywords: Any) -> Any:
            start = time.perf_counter()
            result = function(*arguments, **keywords)
            self.seconds[part] += time.perf_counter() - start
            return result

        return timed


class TimedQuantizer:
    """A quantizer under a stopwatch."""

    def __init__(self, quantizer: Any, watch: Stopwatch) -> None:
        self.max_candidates = quantizer.max_candidates
        self._call = watch.wrap("quantizer", quantizer)
        if hasattr(quantizer, "nested"):
            self.nested = watch.wrap("quantizer", quantizer.nested)

    def __call__(self, *arguments: Any) -> Any:
        return self._call(*arguments)


class Frames:
    """Whole online frames, one after another: observe, decide, step; K = N fixed."""

    def __init__(self, num_users: int, settings: dict[str, Any], **world: Any) -> None:
        self.env = WirelessPoweredMEC(num_users, **world)
        self.agent = OffloadingAgent(num_users, **settings)

    def play(self, frames: int) -> float:
        """Seconds for `frames` frames."""
        agent, env = self.agent, self.env
        start = time.perf_counter()
        for _ in range(frames):
            decision, _ = agent.decide(env.observe(), env.evaluate)
            env.step(decision)
        return time.perf_counter() - start


class FramesWithoutNumba(Frames):
    """The same by array operations alone."""

    def __init__(self, num_users: int, settings: dict[str, Any], **world: Any) -> None:
        super().__init__(num_users, settings, **world)
        groups = self.env._groups
        groups.curve = PriceCurve(groups.slope)
        if world:
            groups.capped_curve = CappedCurve(groups.slope, groups.group)

    def play(self, frames: int) -> float:
        """Seconds for `frames` frames."""
        with without_machine_code():
            return super().play(frames)


class Links:
    """A channel that draws its gains, a block of frames at a time as in an environment."""

    BLOCK = 128
    KINDS: ClassVar[dict[str, Callable[[], Channel]]] = {
        "UMi, 0.1 s apart": lambda: TR38901(frame_length=0.1),
        "UMi, 1 s apart": TR38901,
        "the first without Numba": lambda: TR38901(frame_length=0.1),
        "Rayleigh": Rayleigh,
    }

    def __init__(self, kind: str, num_users: int) -> None:
        self._compiled = "without Numba" not in kind
        self.channel = self.KINDS[kind]()
        self.rng = np.random.default_rng(0)
        self.channel.reset(num_users, self.rng)

    def play(self, frames: int) -> float:
        """Seconds for `frames` frames."""
        with ExitStack() as stack:
            for module in () if self._compiled else ("shadowing", "tr38901.channel"):
                stack.enter_context(patch(f"env.processes.{module}.machine_code", return_value=None))
            start = time.perf_counter()
            for first in range(0, frames, self.BLOCK):
                self.channel.sample_frames(min(self.BLOCK, frames - first), self.rng)
            return time.perf_counter() - start


class TimedFrames(Frames):
    """The same under a stopwatch, which itself takes about a microsecond a frame and part."""

    def __init__(self, num_users: int, settings: dict[str, Any]) -> None:
        super().__init__(num_users, settings)
        agent, self.watch = self.agent, Stopwatch()
        agent._relaxed = self.watch.wrap("network", agent._relaxed)  # type: ignore[method-assign]
        agent.quantizer = TimedQuantizer(agent.quantizer, self.watch)
        self.env.evaluate = self.watch.wrap("critic", self.env.evaluate)  # type: ignore[method-assign]
        agent._learn = self.watch.wrap("learning", agent._learn)  # type: ignore[method-assign]


class NetworkAlone:
    """What plain torch takes for the network of a frame by itself.

    One forward pass of batch 1, from a NumPy observation to a NumPy relaxed decision, and every
    `training_interval` frames a learning step with an Adam made anew, on a minibatch of a full memory.
    """

    def __init__(self, num_users: int, training_interval: int) -> None:
        rng = np.random.default_rng(0)
        self.network = make_network(num_users)
        self.memory = Memory(num_users)
        for _ in range(MEMORY_SIZE):
            self.memory.remember(rng.exponential(size=num_users), rng.integers(2, size=num_users))
        self.training_interval = training_interval
        self._frame = 0
        self._rng = rng

    def play(self, frames: int) -> float:
        """Seconds for the network of `frames` frames."""
        observations = self._rng.exponential(size=(frames, self.memory.rows.shape[1] // 2))
        start = time.perf_counter()
        for observation in observations:
            relax(self.network, observation)
            self._frame += 1
            if self._frame % self.training_interval == 0:
                learn(self.network, *self.memory.sample(self._rng))
        return time.perf_counter() - start


class DropIn:
    """The published script with its import lines changed: K = N candidates a frame, valued one at a time."""

    def __init__(self, num_users: int, training_interval: int) -> None:
        widths = [num_users, *HIDDEN, num_users]
        self.mem = MemoryDNN(widths, LEARNING_RATE, training_interval, BATCH_SIZE, MEMORY_SIZE)

    def decide(self, gains: FloatArray) -> Decided:
        """One frame: propose candidates for gains (N,), value each, learn from the best."""
        candidates = self.mem.decode(GAIN_SCALE * gains, len(gains), "OP")
        rates = [bisection(gains, candidate)[0] for candidate in candidates]
        best = int(np.argmax(rates))
        self.encode(gains, candidates[best])
        return Decided(candidates[best], rates[best])

    def encode(self, gains: FloatArray, decision: NDArray[np.int64]) -> None:
        """Remember a decision for gains (N,), and learn when it is time."""
        self.mem.encode(GAIN_SCALE * gains, decision)


class PublishedFrames:
    """Frames of the published loop, textbook or drop-in; gains are drawn before the clock runs."""

    def __init__(self, num_users: int, loop: Textbook | DropIn) -> None:
        self.env = WirelessPoweredMEC(num_users)
        self.loop = loop

    def learn_from(self, other: Frames, frames: int) -> None:
        """Warm up on the decisions of `other`: it then values candidates of a network that has learned as much."""
        for _ in range(frames):
            gains = other.env.gains
            decision, _ = other.agent.decide(other.env.observe(), other.env.evaluate)
            other.env.step(decision)
            self.loop.encode(gains, decision)

    def play(self, frames: int) -> float:
        """Seconds for `frames` frames."""
        seconds = 0.0
        for _ in range(frames):
            start = time.perf_counter()
            decided = self.loop.decide(self.env.gains)
            seconds += time.perf_counter() - start
            self.env.step(decided.decision)
        return seconds


class Replicas:
    """Frames of R replicas in groups, one a thread; of one run, without the dimension of replicas.

    Args:
        replicas: R.
        threads: of the groups.
        settings: of the agents.
        world: a class of worlds, made with a keyword `seed`, and with `replicas`
            and `device` where it takes these.
        device: of the worlds and agents.
        **of_world: settings of the worlds.
    """

    def __init__(
        self,
        replicas: int,
        threads: int,
        settings: dict[str, Any],
        world: type = WirelessPoweredMEC,
        device: str | None = None,
        **of_world: Any,
    ) -> None:
        self.replicas = replicas
        self.groups = []
        for places in split(replicas, threads):
            several: dict[str, Any] = {"replicas": len(places), "device": device}
            seeds: Any = list(places)
            if replicas == 1:
                several, seeds = {}, 0
            if replicas == 1 or knows_replicas(world):
                of_all = {name: value for name, value in several.items() if takes(world, name)}
                worlds = world(seed=seeds, **of_all, **of_world)
            else:
                worlds = SideBySide([world(seed=seed, **of_world) for seed in places])
            users, features = worlds.observe().shape[-2:]
            choices = world_of(worlds).num_choices
            agents = OffloadingAgent(users, features, num_choices=choices, seed=seeds, **several, **settings)
            self.groups.append(Group(worlds, agents, len(places)))

    def play(self, frames: int) -> float:
        """Seconds for `frames` frames of all replicas."""
        start = time.perf_counter()
        if self.replicas == 1:
            (group,) = self.groups
            for _ in simulate(group.environment, group.agent, frames, optimum=lambda: None):
                pass
        else:
            advance(self.groups, frames, optimum=False)
        return time.perf_counter() - start
