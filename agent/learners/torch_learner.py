"""Learning with torch's autograd: one gradient step of any network on a minibatch."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..decisions import Kind
from ..networks.interface import dtype_of
from .rule import LearningRule

_PLAIN = nn.Module.train, nn.Module.__setattr__


class TorchLearner:
    """Trains any `torch.nn.Module` that maps (..., N, F) to logits.

    Args:
        network: trained in place.
        rule: loss, optimiser and their settings.
        kind: of decision.
        seed: of the random numbers that the network itself draws while it learns, such as dropout's; None leaves
            them to torch's global generator.
    """

    def __init__(self, network: nn.Module, rule: LearningRule, kind: Kind, seed: int | None = None) -> None:
        self.network = network.eval()
        self._average = deepcopy(self.network) if rule.weight_averaging else self.network
        self._steps = 0
        self._random_state = None if seed is None else torch.Generator().manual_seed(seed).get_state()
        self.rule = rule
        self._kind = kind
        self._dtype = dtype_of(network)
        self._optimizer = self._new_optimizer()

    def predict(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of observations (..., N, F)."""
        with torch.inference_mode():
            logits: NDArray[np.float32] = self._average(self._tensor(observations)).numpy()
        return logits

    def deciding(self) -> dict[str, NDArray[np.floating]]:
        """The weights that `predict` takes, by their names in the network."""
        return {name: weight.detach().numpy() for name, weight in self._average.named_parameters()}

    def learn(
        self,
        observations: NDArray[np.float32],
        decisions: NDArray[np.float32],
        replicas: NDArray[np.intp] | None = None,
    ) -> float:
        """One step on observations (B, N, F) and decisions (B, N); returns the loss before it."""
        if self.rule.renewed:
            self._optimizer = self._new_optimizer()
        outer_state = torch.get_rng_state()
        if self._random_state is not None:
            torch.set_rng_state(self._random_state)
        _switch(self.network, training=True)
        for weight in self._weights:
            weight.grad = None
        logits = self.network(self._tensor(observations))
        loss = self._kind.loss(logits, self._tensor(decisions), self.rule.loss)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        _switch(self.network, training=False)
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

    def follow(self, rule: LearningRule) -> None:
        """Take the next steps by another rule, of the same loss, optimizer and averaging."""
        self.rule = rule
        state = self._optimizer.state_dict()
        self._optimizer = self._new_optimizer()
        settings = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": state["state"], "param_groups": settings})

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

    def _tensor(self, array: NDArray[np.float32]) -> Tensor:
        tensor = torch.from_numpy(array)
        return tensor if self._dtype is torch.float32 else tensor.to(self._dtype)

    def _new_optimizer(self) -> torch.optim.Optimizer:
        rule = self.rule
        self._weights = weights = list(self.network.parameters())
        rate = float(np.asarray(rule.learning_rate))
        decay = float(np.asarray(rule.weight_decay))
        if rule.optimizer == "adam":
            beta1, beta2 = rule.betas
            return torch.optim.Adam(weights, lr=rate, betas=(beta1, beta2), weight_decay=decay, fused=True)
        return torch.optim.SGD(weights, lr=rate, weight_decay=decay)


def _switch(network: nn.Module, training: bool) -> None:
    """Set the mode as `network.train(training)` does, faster where no part of it has a way of its own to do so."""
    parts = list(network.modules())
    if any((type(part).train, type(part).__setattr__) != _PLAIN for part in parts):
        network.train(training)
        return
    for part in parts:
        vars(part)["training"] = training
