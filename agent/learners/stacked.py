"""Learning of many replicas at once: one network, R sets of weights stacked in front, on any device."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, stack_module_state, vmap

from ..arrays import Array
from ..decisions import Kind
from ..networks.interface import dtype_of
from .rule import ADAM_EPSILON, LearningRule


class StackedLearner:
    """Trains R networks of one architecture, each on its own minibatches, with `torch.func`.

    A replica's results do not depend on the others: nothing is summed over replicas. The network must be a
    function of its weights and input alone; one that draws random numbers or keeps running statistics is refused
    by `torch.func`.

    Args:
        networks: R of them; their weights are copied.
        rule: loss, optimiser and their settings.
        kind: of decision.
        device: None for NumPy arrays in and out, on the CPU; else where weights live and tensors come from.
    """

    def __init__(
        self, networks: Sequence[nn.Module], rule: LearningRule, kind: Kind, device: str | None = None
    ) -> None:
        self._kind = kind
        self._dtype = dtype_of(networks[0])
        self._numpy = device is None
        self._device = torch.device(device or "cpu")
        self._base = deepcopy(networks[0]).to(self._device).train()
        parameters, self._buffers = stack_module_state([network.to(self._device) for network in networks])
        self.weights = {name: weight.detach().clone() for name, weight in parameters.items()}
        """(R, ...) each."""
        self._first = {name: torch.zeros_like(weight) for name, weight in self.weights.items()}
        self._second = {name: torch.zeros_like(weight) for name, weight in self.weights.items()}
        self._average = {name: weight.clone() for name, weight in self.weights.items()}
        """The running mean that decides; with `rule.weight_averaging` 0 the weights themselves."""
        self._steps = torch.zeros(len(networks), dtype=torch.float64, device=self._device)
        self._rate = torch.ones_like(self._steps)
        self.follow(rule)

    def follow(self, rule: LearningRule) -> None:
        """Take the next steps by another rule, of the same loss, optimizer and averaging."""
        self.rule = rule
        rate = torch.tensor(rule.learning_rate, dtype=torch.float32, device=self._device)
        self._rate = torch.ones_like(self._steps) * rate

    def predict(self, observations: Array) -> Array:
        """Logits (R, B, N) of observations (R, B, N, F)."""
        with torch.no_grad():
            logits = vmap(self._call)(self._average, self._buffers, self._tensor(observations))
        return self._array(logits)

    def learn(self, observations: Array, decisions: Array, replicas: Array | None = None) -> Array:
        """One step on observations (R, B, N, F) and decisions (R, B, N); returns the losses (R,) before it.

        With `replicas`, the places of some of them, only those learn, and the arrays hold only theirs.
        """
        rows = slice(None) if replicas is None else torch.as_tensor(replicas, device=self._device)
        observations, decisions = self._tensor(observations), self._tensor(decisions)
        weights = {name: weight[rows] for name, weight in self.weights.items()}
        buffers = {name: buffer[rows] for name, buffer in self._buffers.items()}
        gradients, loss = vmap(grad_and_value(self._loss))(weights, buffers, observations, decisions)
        rule = self.rule
        if rule.renewed:
            self._steps[rows] = 0
        self._steps[rows] += 1
        for name, gradient in gradients.items():
            weight = weights[name]
            if rule.weight_decay:
                gradient = gradient + rule.weight_decay * weight
            each = (-1, *[1] * (weight.ndim - 1))  # a number a replica beside its weights
            rate, steps = self._rate[rows].reshape(each), self._steps[rows].reshape(each)
            if rule.optimizer == "gradient_descent":
                self._move(name, rows, weight - rate.to(weight.dtype) * gradient, steps)
                continue
            beta1, beta2 = rule.betas
            old = 0.0 if rule.renewed else 1.0
            first = old * beta1 * self._first[name][rows] + (1 - beta1) * gradient
            second = old * beta2 * self._second[name][rows] + (1 - beta2) * gradient * gradient
            deviation = second.sqrt() / (1 - beta2**steps).sqrt().to(weight.dtype) + ADAM_EPSILON
            step = (rate / (1 - beta1**steps)).to(weight.dtype)
            self._move(name, rows, weight - step * first / deviation, steps)
            self._first[name][rows], self._second[name][rows] = first, second
        return self._array(loss)

    def _move(self, name: str, rows: Any, weight: Tensor, steps: Tensor) -> None:
        self.weights[name][rows] = weight
        share = 1 - ((1 + steps) / (10 + steps)).clamp(max=self.rule.weight_averaging)
        average = self._average[name][rows]
        self._average[name][rows] = average + share.to(weight.dtype) * (weight - average)

    def state_dict(self) -> dict[str, Any]:
        """Stacked weights and optimiser state."""
        kept = {
            "network": self.weights,
            "average": self._average,
            "first_moment": self._first,
            "second_moment": self._second,
            "steps": self._steps,
        }
        return deepcopy(kept)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` of a learner with the same networks returned."""
        parts = {
            "network": self.weights,
            "average": self._average,
            "first_moment": self._first,
            "second_moment": self._second,
        }
        for name, own in parts.items():
            for part, tensor in own.items():
                tensor.copy_(state[name][part])
        self._steps.copy_(state["steps"])

    def _call(self, weights: dict[str, Tensor], buffers: dict[str, Tensor], observations: Tensor) -> Tensor:
        logits: Tensor = functional_call(self._base, (weights, buffers), (observations,))
        return logits

    def _loss(
        self, weights: dict[str, Tensor], buffers: dict[str, Tensor], observations: Tensor, decisions: Tensor
    ) -> Tensor:
        return self._kind.loss(self._call(weights, buffers, observations), decisions, self.rule.loss)

    def _tensor(self, array: Array) -> Tensor:
        tensor = torch.from_numpy(array) if self._numpy else array
        return tensor if self._dtype is torch.float32 else tensor.to(self._dtype)

    def _array(self, tensor: Tensor) -> Array:
        return tensor.numpy() if self._numpy else tensor
