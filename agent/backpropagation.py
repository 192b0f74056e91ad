"""Learning written out: what a step of `learn` does to a fully connected network, in NumPy.

The readable account of backpropagation, and on a CPU the fastest backend for small networks.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from agent.learner import LearningRule
from agent.network import FullyConnected

ADAM_EPSILON = 1e-8


class NumpyLearner:
    """Forward pass, error terms layer by layer, parameter update, for a `FullyConnected` network.

    The weights start as copies of the network's, so that both backends begin from the same place. All of them
    lie in one vector, of which each layer's weight matrix (out, in) and bias (out,) are views: the optimiser
    treats them at once.

    Args:
        network: sizes, activation and initial weights.
        rule: loss, optimiser and their settings.
        dtype: float32, or float64 to check gradients.
    """

    def __init__(self, network: FullyConnected, rule: LearningRule, dtype: DTypeLike = np.float32) -> None:
        self.rule = rule
        self.activation = network.settings["activation"]
        self._names = [name for name, _ in network.named_parameters()]
        initial = [weight.detach().numpy() for weight in network.parameters()]
        self._shapes = [weight.shape for weight in initial]
        self._weights = np.concatenate([weight.ravel() for weight in initial]).astype(dtype)
        self._gradient = np.zeros_like(self._weights)
        self._first_moment = np.zeros_like(self._weights)
        self._second_moment = np.zeros_like(self._weights)
        self._steps = 0
        self.layers = _pairs(self._views(self._weights))
        """[(weight matrix, bias)] from the first layer to the last."""
        self.gradients = _pairs(self._views(self._gradient))
        """The same for the loss gradient that `backward` last found."""

    def predict(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits (..., N) of observations (..., N, F)."""
        logits: NDArray[np.float32] = self.forward(self._flat(observations))[-1]
        return logits

    def learn(self, observations: NDArray[np.float32], decisions: NDArray[np.float32]) -> float:
        """One step on observations (B, N, F) and decisions (B, N); returns the loss before it."""
        loss = self.backward(self.forward(self._flat(observations)), decisions)
        self.update()
        return loss

    def forward(self, inputs: NDArray[np.floating]) -> list[NDArray[np.floating]]:
        """The input (B, in), each hidden layer's output, and the logits (B, N)."""
        signals = [inputs]
        for weight, bias in self.layers[:-1]:
            weighted = signals[-1] @ weight.T + bias
            signals.append(np.maximum(weighted, 0) if self.activation == "relu" else _sigmoid(weighted))
        weight, bias = self.layers[-1]
        signals.append(signals[-1] @ weight.T + bias)
        return signals

    def backward(self, signals: list[NDArray[np.floating]], decisions: NDArray[np.floating]) -> float:
        """Fill `gradients` for the signals of `forward` and decisions (B, N); returns the loss.

        With the error term d = dL/d(weighted input) of a layer, its weight gradient is d^T times the layer's
        input and its bias gradient the sum of d over the batch; the layer below has d W times the activation's
        derivative (Rumelhart, Hinton and Williams 1986). The mean over the batch enters once, in the last d.
        """
        logits = signals[-1]
        output = _sigmoid(logits)
        if self.rule.loss == "cross_entropy":
            loss = np.mean(np.logaddexp(0, logits) - logits * decisions)
            error = (output - decisions) / logits.size
        else:
            loss = np.mean((output - decisions) ** 2)
            error = 2 * (output - decisions) * output * (1 - output) / logits.size
        for layer in reversed(range(len(self.layers))):
            weight_gradient, bias_gradient = self.gradients[layer]
            np.matmul(error.T, signals[layer], out=weight_gradient)
            np.sum(error, axis=0, out=bias_gradient)
            if layer:
                signal = signals[layer]
                error = error @ self.layers[layer][0]
                error = error * (signal > 0 if self.activation == "relu" else signal * (1 - signal))
        return float(loss)

    def update(self) -> None:
        """Move the weights against `gradients`: Adam (Kingma and Ba 2015, Algorithm 1) or gradient descent."""
        rule = self.rule
        gradient = self._gradient
        if rule.weight_decay:
            gradient = gradient + rule.weight_decay * self._weights
        if rule.optimizer == "gradient_descent":
            self._weights -= rule.learning_rate * gradient
            return
        if rule.fresh_optimizer:
            self._steps = 0
            self._first_moment[:] = 0
            self._second_moment[:] = 0
        self._steps += 1
        beta1, beta2 = rule.betas
        self._first_moment *= beta1
        self._first_moment += (1 - beta1) * gradient
        self._second_moment *= beta2
        self._second_moment += (1 - beta2) * gradient * gradient
        deviation = np.sqrt(self._second_moment) * (1 / np.sqrt(1 - beta2**self._steps)) + ADAM_EPSILON
        self._weights -= rule.learning_rate / (1 - beta1**self._steps) * self._first_moment / deviation

    def state_dict(self) -> dict[str, Any]:
        """Weights by the names they have in the torch network, and optimiser state."""
        weights = zip(self._names, self._views(self._weights), strict=True)
        return {
            "network": {name: weight.copy() for name, weight in weights},
            "first_moment": self._first_moment.copy(),
            "second_moment": self._second_moment.copy(),
            "steps": self._steps,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` of a learner with the same network returned."""
        for name, weight in zip(self._names, self._views(self._weights), strict=True):
            weight[...] = np.asarray(state["network"][name])
        self._first_moment[:] = np.asarray(state["first_moment"])
        self._second_moment[:] = np.asarray(state["second_moment"])
        self._steps = int(state["steps"])

    def _flat(self, observations: NDArray[np.floating]) -> NDArray[np.floating]:
        """Observations (..., N, F) as rows (..., N F) of the weights' type."""
        rows = observations.reshape(*observations.shape[:-2], -1)
        return rows.astype(self._weights.dtype, copy=False)

    def _views(self, vector: NDArray[np.floating]) -> list[NDArray[np.floating]]:
        ends = np.cumsum([int(np.prod(shape)) for shape in self._shapes])
        parts = np.split(vector, ends[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, self._shapes, strict=True)]


def _pairs(
    views: list[NDArray[np.floating]],
) -> list[tuple[NDArray[np.floating], NDArray[np.floating]]]:
    return list(zip(views[::2], views[1::2], strict=True))


def _sigmoid(logits: NDArray[np.floating]) -> NDArray[np.floating]:
    return 0.5 * np.tanh(0.5 * logits) + 0.5
