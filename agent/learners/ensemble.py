"""Several networks that share one memory and each propose candidates (DDLO)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .rule import Learner, LearningRule


class Ensemble:
    """M learners as one: each predicts on its own and learns from its own part of the pairs drawn.

    Huang, Feng, Feng, Huang and Qian (Mobile Networks and Applications 2018), Algorithm 1: the networks differ in
    their initial weights and their minibatches; the best of what they propose is the target of all.

    Args:
        learners: M of them.
    """

    def __init__(self, learners: Sequence[Learner]) -> None:
        self.learners = learners

    def predict(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of each, (M, ..., N) or (M, ..., N, C), of observations (..., N, F)."""
        return np.stack([learner.predict(observations) for learner in self.learners])

    def learn(
        self,
        observations: NDArray[np.float32],
        decisions: NDArray[np.float32],
        replicas: NDArray[np.intp] | None = None,
    ) -> float:
        """One step of each on its own B of observations (M B, N, F) and decisions (M B, N).

        Returns the mean of the losses before it.
        """
        count = len(self.learners)
        minibatches = zip(np.split(observations, count), np.split(decisions, count), strict=True)
        losses = [learner.learn(*pairs) for learner, pairs in zip(self.learners, minibatches, strict=True)]
        return float(np.mean(losses))

    def follow(self, rule: LearningRule) -> None:
        """Let each take its next steps by another rule."""
        for learner in self.learners:
            learner.follow(rule)

    def state_dict(self) -> dict[str, Any]:
        """Of every learner."""
        return {"learners": [learner.state_dict() for learner in self.learners]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` of as many learners of the same kind returned."""
        for learner, saved in zip(self.learners, state["learners"], strict=True):
            learner.load_state_dict(saved)
