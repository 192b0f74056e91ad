"""Frames with a critic that takes long: methods in worlds of one seed, which take turns frame by frame."""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent import OffloadingAgent, PairNetwork
from agent.run.comparison import BaselineAgent
from env import PartialMEC
from env.baselines import coordinate_descent
from env.multi_server.baselines import descent_from_greedy

PAIR = {"network": PairNetwork, "learning_rate": 0.01, "weight_decay": 0.0}
LEARNED = {"backend": "numpy", "learned_value": True}
METHODS: dict[str, Any] = {
    "coordinate descent": coordinate_descent,
    "descent from greedy": descent_from_greedy,
    "32 candidates": {"backend": "numpy"},
    "learned value": LEARNED,
    "learned value, patience 2": {**LEARNED, "patience": 2},
    "learned value, 2 workers": {**LEARNED, "workers": 2},
    "pair network, 32 candidates": PAIR,
    "pair network, patience 2": {**PAIR, "patience": 2},
    "pair network, patience 1": {**PAIR, "patience": 1},
}
"""Baselines, and settings of agents."""


class DearFrames:
    """A method in a `PartialMEC` of its own; an agent has learned from the batched critic's values before.

    Args:
        method: of `METHODS`.
        seed: of the world and the agent.
        warmup: frames before the first that is timed.
    """

    def __init__(self, method: str, seed: int, warmup: int) -> None:
        self.world = PartialMEC(seed=seed)
        made = METHODS[method]
        if callable(made):
            self._agent: Any = BaselineAgent(made, self.world, seed)
            for _ in range(warmup):
                self.world.step(self.world.decisions.idle())
        else:
            quick = {**made, "workers": None}
            self._agent = OffloadingAgent(*self.world.observe().shape, num_choices=4, seed=seed, **quick)
            for _ in range(warmup):
                self.world.step(self._agent.decide(self.world.observe(), self.world.evaluate)[0])
            self._agent.change(workers=made.get("workers"))
        self.world.critic = "scipy"
        self._calls = 0

    def _evaluate(self, decisions: NDArray[Any]) -> NDArray[np.float64]:
        self._calls += len(decisions)
        return self.world.evaluate(decisions)

    def play(self, optimum: float) -> tuple[float, float, float]:
        """Seconds, critic calls and normalised rate of a frame; nan for calls in other processes."""
        spread = getattr(self._agent, "workers", None) is not None
        self._calls = 0
        start = time.perf_counter()
        decision, value = self._agent.decide(
            self.world.observe(), self.world.evaluate if spread else self._evaluate
        )
        seconds = time.perf_counter() - start
        self.world.step(decision)
        return seconds, np.nan if spread else self._calls, value / optimum


def race(seeds: int, warmup: int, frames: int) -> NDArray[np.float64]:
    """Seconds, calls and normalised rates, (3, seeds, frames, methods), after one frame more."""
    figures = np.empty((3, seeds, frames, len(METHODS)))
    for seed in range(seeds):
        players = [DearFrames(method, seed, warmup) for method in METHODS]
        for player in players:
            player.play(np.inf)  # processes start
        for frame in range(frames):
            optimum = players[0].world.frame_optimum()
            for place, player in enumerate(players):
                figures[:, seed, frame, place] = player.play(optimum)
    return figures
