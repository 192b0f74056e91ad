"""An agent that notices: what goes wrong without an error is said once, as a warning.

Every `probe_interval` frames some decisions are valued beside the candidates, half of them random, half neighbours
of the best one. They are not carried out; an agent that has learned its problem is seldom worse than they are.
"""

import warnings
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import generators, seeds
from .decisions.limits import Limited
from .local_search import anyhow

PROBES = 8
"""Decisions that a probe values."""
RECENT = 16
"""Observations for which the network is asked what it would propose."""
LAST = 10
"""Probes that are looked at together."""
WINDOW = 100
"""Frames, and learning steps, that are looked at together."""
SATURATED = 15.0
"""A logit beyond this is a probability within 3e-7 of 0 or 1."""


class AgentWarning(RuntimeWarning):
    """Something that an agent has noticed about its own learning; each kind is said once by an agent."""


class Diagnostics:
    """What has been noticed in the last frames, of one agent or of the first of several.

    Args:
        num_choices: C.
        interval: frames between probes; 0 for none.
        adaptive: whether K adapts.
        seed: of the random generator of the probes, their own, so that they change nothing.
        said: the kinds of warnings that were given, where several agents share them.

    Attributes:
        gain: of the last frame's probe, by how much its best decision was better, as a part of the larger of the
            two values, 0 where it was not; None in frames without a probe.
        saturated: the share of saturated logits in that frame; likewise.
    """

    def __init__(
        self,
        num_choices: int,
        interval: int,
        adaptive: bool,
        seed: int,
        said: set[str] | None = None,
    ) -> None:
        self._num_choices = num_choices
        self._interval = interval
        self._adaptive = adaptive
        self._rng = np.random.default_rng(seeds.stream(seed, seeds.PROBES))
        self.gain: float | None = None
        self.saturated: float | None = None
        self._frames = 0
        self._said: set[str] = set() if said is None else said
        self._infeasible: deque[bool] = deque(maxlen=WINDOW)
        self._not_feasible = 0
        self._probes: deque[tuple[float, float, int, bool]] = deque(maxlen=LAST)
        self._steps = 0
        self._loss = 0.0
        self._lowest_loss = np.inf

    @property
    def next_is_due(self) -> bool:
        """Whether the next frame's decision is to be probed."""
        return self._interval > 0 and (self._frames + 1) % self._interval == 0

    def probes(self, decision: NDArray[np.int64], limits: Limited | None = None) -> NDArray[np.int64]:
        """What to value beside a decision (N,), keeping the limits: (8, N)."""
        random = anyhow(PROBES // 2, len(decision), self._num_choices, self._rng, limits)
        near = np.tile(decision, (PROBES - len(random), 1))
        users = self._rng.integers(len(decision), size=len(near))
        shift = self._rng.integers(1, self._num_choices, size=len(near))
        near[np.arange(len(near)), users] = (decision[users] + shift) % self._num_choices
        if limits is not None:
            near[~limits.feasible(near)] = decision
        return np.concatenate([random, near])

    def probed(
        self, best: float, value: float, k: int, relaxed: NDArray[np.floating], recent: NDArray[np.bool_]
    ) -> None:
        """Take in a probe's best value, beside that of the decision.

        K, the relaxed decision, and what the rounded ones of some recent observations are, row after row.
        """
        size = max(abs(best), abs(value))
        self.gain = 0.0 if not best > value else 1.0 if not np.isfinite(value) else (best - value) / size
        edge = np.minimum(relaxed, 1 - relaxed) if self._num_choices == 2 else 1 - relaxed.max(-1)
        self.saturated = float(np.mean(edge < np.exp(-SATURATED)))
        self._probes.append((self.gain, self.saturated, k, bool((recent == recent[:1]).all())))
        if len(self._probes) < LAST:
            return
        gains, saturated, ks, alike = zip(*self._probes, strict=True)
        better = sum(gain > 1e-9 for gain in gains)
        seen = f"probes were better in {better} of the last {LAST}"
        if better < LAST // 3:
            return
        if self._adaptive and np.median(ks) <= 2:
            self._say("adapted", f"K has adapted to {k}, yet {seen}: adaptive_interval=None keeps K as it is")
        elif np.mean(saturated) > 0.9:
            self._say(
                "saturated",
                f"the network's outputs are saturated, so it hardly learns, yet {seen}: a smaller learning_rate, "
                f"or standardize=True, may help",
            )
        elif all(alike):
            self._say(
                "collapsed",
                f"the network proposes the same decision for all observations, yet {seen}: does observe show what "
                f"evaluate depends on? A larger num_candidates, or local_search, may help",
            )

    def decided(self, feasible: bool) -> bool:
        """Count a frame, and whether it had a decision worth more than -inf; whether that is to be probed."""
        self._frames += 1
        self.gain = self.saturated = None
        if len(self._infeasible) == WINDOW:
            self._not_feasible -= self._infeasible[0]
        self._infeasible.append(not feasible)
        self._not_feasible += not feasible
        if self._not_feasible >= 0.9 * WINDOW and len(self._infeasible) == WINDOW:
            self._say(
                "infeasible",
                f"all candidates were worth -inf in {self._not_feasible} of the last {WINDOW} frames: nothing "
                f"was learned in them, and the network's first proposal was carried out; a larger num_candidates "
                f"searches more, a finite penalty in evaluate shows the way",
            )
        return self._interval > 0 and self._frames % self._interval == 0

    def learned(self, loss: float) -> None:
        """Take in the loss of a learning step."""
        self._steps += 1
        self._loss += (loss - self._loss) / min(self._steps, WINDOW)
        if self._steps < WINDOW:
            return
        self._lowest_loss = min(self._loss, self._lowest_loss)
        if self._loss > 2 * self._lowest_loss and self._loss > np.log(self._num_choices):
            self._say(
                "rising",
                f"the loss has risen to {self._loss:.3g}, the running mean of about {WINDOW} learning steps, from "
                f"{self._lowest_loss:.3g}: a smaller learning_rate may help",
            )

    def state_dict(self) -> dict[str, Any]:
        """What decides when the next probes come, and which."""
        return {"frames": self._frames, "rng": generators.save(self._rng)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self._frames = int(state["frames"])
        generators.restore(self._rng, state["rng"])

    def _say(self, kind: str, message: str) -> None:
        if kind not in self._said:
            self._said.add(kind)
            warnings.warn(message, AgentWarning, stacklevel=2)
