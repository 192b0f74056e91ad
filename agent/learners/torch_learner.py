"""Learning: one gradient step of a network on a minibatch, with torch's autograd."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agent.arrays import Array

ADAM_EPSILON = 1e-8


@dataclass(frozen=True)
class LearningRule:
    """How a step is taken; the same for every backend.

    Args:
        loss: 'cross_entropy' (binary, mean over users and batch; DROO, eq. 10) or 'squared_error' (of the
            sigmoid of the logits).
        optimizer: 'adam' (Kingma and Ba 2015, Algorithm 1) or 'gradient_descent'.
        learning_rate: step size, positive and at most 1,000; for replicas also one for each.
        betas: Adam's decay rates of the two moments, each in [0, 1).
        weight_decay: added to the gradient times the weights (L2), 0 or more.
        fresh_optimizer: forget Adam's moments before each step, as the published code does.
        weight_averaging: decide by a running mean of the weights instead of the last ones: the share of the old
            mean that each step keeps (Polyak and Juditsky 1992), less in the first steps; 0 for the last ones.

    Raises:
        ValueError: for a setting out of range, naming it.
    """

    loss: Literal["cross_entropy", "squared_error"] = "cross_entropy"
    optimizer: Literal["adam", "gradient_descent"] = "adam"
    learning_rate: float | tuple[float, ...] = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    fresh_optimizer: bool = False
    weight_averaging: float = 0.0

    def __post_init__(self) -> None:
        if self.loss not in ("cross_entropy", "squared_error"):
            raise ValueError(f"loss must be 'cross_entropy' or 'squared_error', got {self.loss!r}")
        if self.optimizer not in ("adam", "gradient_descent"):
            raise ValueError(f"optimizer must be 'adam' or 'gradient_descent', got {self.optimizer!r}")
        rates = self.learning_rate if isinstance(self.learning_rate, tuple) else (self.learning_rate,)
        if not all(_number(rate) and 0 < rate <= 1000 for rate in rates):
            raise ValueError(f"learning_rate must be positive and at most 1000, got {self.learning_rate!r}")
        if len(self.betas) != 2 or not all(_number(beta) and 0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas must be two numbers in [0, 1), got {self.betas}")
        if not _number(self.weight_averaging) or not 0 <= self.weight_averaging < 1:
            raise ValueError(f"weight_averaging must be 0 or a number below 1, got {self.weight_averaging!r}")
        if self.weight_averaging and self.fresh_optimizer:
            raise ValueError(
                f"weight_averaging must be 0 with the published optimizer, got {self.weight_averaging}"
            )
        if not _number(self.weight_decay) or not 0 <= self.weight_decay <= 1000:
            raise ValueError(f"weight_decay must be 0 to 1000, got {self.weight_decay!r}")

    def loss_of(self, logits: Tensor, decisions: Tensor) -> Tensor:
        """The loss of logits against decisions, a mean over all entries."""
        if self.loss == "cross_entropy":
            return nn.functional.binary_cross_entropy_with_logits(logits, decisions)
        return nn.functional.mse_loss(torch.sigmoid(logits), decisions)


def _number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


class Learner(Protocol):
    """What the agent asks of a learning backend; with replicas all arrays have R as first dimension."""

    def predict(self, observations: Array) -> Array:
        """Logits (..., N) of observations (..., N, F)."""

    def learn(self, observations: Array, decisions: Array, replicas: Array | None = None) -> Any:
        """One step on observations (B, N, F) and decisions (B, N); returns the loss before it.

        Where `replicas` names the places of some, only those learn, and the arrays are theirs.
        """

    def state_dict(self) -> dict[str, Any]:
        """Weights and optimiser state."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` of the same kind of learner returned."""


class TorchLearner:
    """Trains any `torch.nn.Module` that maps (..., N, F) to logits (..., N).

    Args:
        network: trained in place.
        rule: loss, optimiser and their settings.
        seed: of the random numbers that the network itself draws while it learns, such as dropout's; None leaves
            them to torch's global generator.
    """

    def __init__(self, network: nn.Module, rule: LearningRule, seed: int | None = None) -> None:
        self.network = network.eval()
        self._average = deepcopy(self.network) if rule.weight_averaging else self.network
        self._steps = 0
        self._random_state = None if seed is None else torch.Generator().manual_seed(seed).get_state()
        self.rule = rule
        self._optimizer = self._new_optimizer()

    def predict(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits (..., N) of observations (..., N, F)."""
        with torch.inference_mode():
            logits: NDArray[np.float32] = self._average(torch.from_numpy(observations)).numpy()
        return logits

    def learn(
        self,
        observations: NDArray[np.float32],
        decisions: NDArray[np.float32],
        replicas: NDArray[np.intp] | None = None,
    ) -> float:
        """One step on observations (B, N, F) and decisions (B, N); returns the loss before it."""
        if self.rule.fresh_optimizer:
            self._optimizer = self._new_optimizer()
        outer_state = torch.get_rng_state()
        if self._random_state is not None:
            torch.set_rng_state(self._random_state)
        self.network.train()
        self._optimizer.zero_grad()
        loss = self.rule.loss_of(self.network(torch.from_numpy(observations)), torch.from_numpy(decisions))
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self.network.eval()
        self._steps += 1
        if self.rule.weight_averaging:
            share = 1 - min(self.rule.weight_averaging, (1 + self._steps) / (10 + self._steps))
            with torch.no_grad():
                for mean, weight in zip(self._average.parameters(), self.network.parameters(), strict=True):
                    mean.lerp_(weight, share)
        if self._random_state is not None:
            self._random_state = torch.get_rng_state()
            torch.set_rng_state(outer_state)
        return float(loss.item())

    def state_dict(self) -> dict[str, Any]:
        """Copies of weights, optimiser state and random state."""
        return deepcopy(
            {
                "network": self.network.state_dict(),
                "average": self._average.state_dict() if self.rule.weight_averaging else None,
                "optimizer": self._optimizer.state_dict(),
                "steps": self._steps,
                "random_state": self._random_state,
            }
        )

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` of a learner with the same network returned."""
        self.network.load_state_dict(state["network"])
        if self.rule.weight_averaging:
            self._average.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._steps = int(state["steps"])
        self._random_state = state["random_state"]

    def _new_optimizer(self) -> torch.optim.Optimizer:
        rule = self.rule
        weights = self.network.parameters()
        assert not isinstance(rule.learning_rate, tuple)
        if rule.optimizer == "adam":
            return torch.optim.Adam(
                weights, lr=rule.learning_rate, betas=rule.betas, weight_decay=rule.weight_decay
            )
        return torch.optim.SGD(weights, lr=rule.learning_rate, weight_decay=rule.weight_decay)
