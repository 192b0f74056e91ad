"""Learning rates that change over the frames of a run."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..checks import InputError, number_between, positive_number, whole_number
from .callbacks import Callback, Run
from .record import Frame


class LearningRateSchedule(Callback):
    """After each learning step the agent's learning rate becomes its first one times a factor.

    The rate of each frame is the column `learning_rate` of `metrics.csv`; it is saved with the agent.

    Args:
        factor: of the number of the frame that comes next, from 0; positive.

    Raises:
        InputError: when an agent has no `learning_rate`, or a factor is out of range.
    """

    metrics = ("learning_rate",)
    metric_labels: Mapping[str, str] = {"learning_rate": "Learning rate"}

    def __init__(self, factor: Callable[[int], float]) -> None:
        self._factor = factor
        self._base: list[Any] | None = None
        self._rate: Any = None

    def on_start(self, run: Run) -> None:
        without = [type(agent).__name__ for agent in run.agents if not hasattr(agent, "learning_rate")]
        if without:
            raise InputError(f"agents must have a learning_rate for a schedule, {without[0]} has none")
        if run.first_frame == 0 or self._base is None:
            self._base = [np.asarray(agent.learning_rate).tolist() for agent in run.agents]
            self._set(run, run.first_frame)
        self._look(run)

    def on_frame(self, run: Run, frame: Frame) -> Mapping[str, Any]:
        return {"learning_rate": self._rate}

    def on_learn(self, run: Run, frame: Frame) -> None:
        self._set(run, frame.frame + 1)
        self._look(run)

    def _set(self, run: Run, frame: int) -> None:
        factor = float(self._factor(frame))
        for agent, base in zip(run.agents, self._base or (), strict=True):
            rate = (np.array(base) * factor).tolist()
            if rate != agent.learning_rate:
                agent.learning_rate = rate

    def _look(self, run: Run) -> None:
        rates = [
            np.broadcast_to(agent.learning_rate, getattr(agent, "replicas", None) or 1) for agent in run.agents
        ]
        rate = np.concatenate(rates)
        self._rate = rate if len(rate) > 1 else float(rate[0])

    def state_dict(self) -> dict[str, Any]:
        return {"base": self._base}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._base = state["base"]


class StepDecay(LearningRateSchedule):
    """The learning rate times `factor` once in every so many frames.

    Args:
        every: frames.
        factor: positive, such as 0.5.

    Raises:
        InputError: for an argument out of range, naming it.
    """

    def __init__(self, every: int, factor: float = 0.1) -> None:
        whole_number("every", every)
        positive_number("factor", factor)
        super().__init__(lambda frame: factor ** (frame // every))


class CosineDecay(LearningRateSchedule):
    """The learning rate falls over so many frames by half a cosine, then stays (Loshchilov and Hutter 2017, eq. 5,
    without restarts).

    Args:
        frames: in which it falls.
        least: the part of the first rate that it falls to, in (0, 1].

    Raises:
        InputError: for an argument out of range, naming it.
    """

    def __init__(self, frames: int, least: float = 0.01) -> None:
        whole_number("frames", frames)
        number_between("least", least, math.ulp(0), 1, "be above 0 and at most 1")
        super().__init__(
            lambda frame: least + (1 - least) * (1 + math.cos(math.pi * min(frame / frames, 1.0))) / 2
        )
