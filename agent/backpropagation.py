"""Learning written out: what a step of `learn` does to a fully connected network, in NumPy.

The readable account of backpropagation, and on a CPU the fastest backend for small networks.
"""

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from agent.learner import LearningRule
from agent.network import FullyConnected

ADAM_EPSILON = 1e-8
CACHED_REPLICAS = 8
"""Replicas that learn together: the signals of so many stay in a processor's cache."""


class NumpyLearner:
    """Forward pass, error terms layer by layer, parameter update, for a `FullyConnected` network.

    The weights start as copies of the network's, so that both backends begin from the same place. All of them
    lie in one vector, of which each layer's weight matrix (..., out, in) and bias (..., out) are views: the
    optimiser treats them at once.

    Args:
        network: sizes, activation and initial weights; or one network for each of R replicas, all of one size. All
            arrays then have R as first dimension, written (...) below.
        rule: loss, optimiser and their settings.
        dtype: float32, or float64 to check gradients.
    """

    def __init__(
        self,
        network: FullyConnected | Sequence[FullyConnected],
        rule: LearningRule,
        dtype: DTypeLike = np.float32,
    ) -> None:
        networks = [network] if isinstance(network, FullyConnected) else network
        self.rule = rule
        self.activation = networks[0].settings["activation"]
        self._names = [name for name, _ in networks[0].named_parameters()]
        self._shapes = [tuple(weight.shape) for weight in networks[0].parameters()]
        vectors = [
            np.concatenate([weight.detach().numpy().ravel() for weight in one.parameters()]) for one in networks
        ]
        weights = np.array(vectors, dtype=dtype)
        rates = np.full((len(networks), 1), np.reshape(rule.learning_rate, (-1, 1)), dtype=np.float64)
        if isinstance(network, FullyConnected):
            weights, rates = weights[0], rates[0]
        self._state = {
            "weights": weights,
            "gradient": np.zeros_like(weights),
            "first_moment": np.zeros_like(weights),
            "second_moment": np.zeros_like(weights),
            "steps": np.zeros_like(rates),
            "rate": rates,
        }
        self._look()
        self._chunks: list[tuple[slice, NumpyLearner]] = []
        if len(networks) > CACHED_REPLICAS:
            for first in range(0, len(networks), CACHED_REPLICAS):
                replicas = slice(first, first + CACHED_REPLICAS)
                self._chunks.append((replicas, self._part(replicas)))

    def _look(self) -> None:
        self._weights, self._gradient = self._state["weights"], self._state["gradient"]
        self.layers = _pairs(self._views(self._weights))
        """[(weight matrix, bias)] from the first layer to the last."""
        self.gradients = _pairs(self._views(self._gradient))
        """The same for the loss gradient that `backward` last found."""
        self._forward_layers = [(weight.swapaxes(-1, -2), bias[..., None, :]) for weight, bias in self.layers]

    def _part(self, replicas: Any) -> "NumpyLearner":
        """A learner of some replicas; for a slice its arrays are views of this one's."""
        part = copy(self)
        part._state = {name: array[replicas] for name, array in self._state.items()}
        part._chunks = []
        part._look()
        return part

    def predict(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits (..., B, N) of observations (..., B, N, F)."""
        logits: NDArray[np.float32] = self.forward(self._flat(observations))[-1]
        return logits

    def learn(
        self,
        observations: NDArray[np.float32],
        decisions: NDArray[np.float32],
        replicas: NDArray[np.intp] | None = None,
    ) -> Any:
        """One step on observations (..., B, N, F) and decisions (..., B, N); returns the loss (...) before it.

        With `replicas`, the places of some of them, only those learn, and the arrays hold only theirs.
        """
        if replicas is not None:
            part = self._part(replicas)
            loss = part.learn(observations, decisions)
            for name, array in part._state.items():
                self._state[name][replicas] = array
            return loss
        if self._chunks:
            return np.concatenate([part.learn(observations[at], decisions[at]) for at, part in self._chunks])
        loss = self.backward(self.forward(self._flat(observations)), decisions)
        self.update()
        return loss

    def forward(self, inputs: NDArray[np.floating]) -> list[NDArray[np.floating]]:
        """The input (..., B, in), each hidden layer's output, and the logits (..., B, N)."""
        signals = [inputs]
        last = len(self.layers) - 1
        for layer, (weight_t, bias_row) in enumerate(self._forward_layers):
            weighted = signals[layer] @ weight_t
            weighted += bias_row
            if layer < last and self.activation == "relu":
                np.maximum(weighted, 0, out=weighted)
            signals.append(_sigmoid(weighted) if layer < last and self.activation == "sigmoid" else weighted)
        return signals

    def backward(self, signals: list[NDArray[np.floating]], decisions: NDArray[np.floating]) -> Any:
        """Fill `gradients` for the signals of `forward` and decisions (..., B, N); returns the loss (...).

        With the error term d = dL/d(weighted input) of a layer, its weight gradient is d^T times the layer's
        input and its bias gradient the sum of d over the batch; the layer below has d W times the activation's
        derivative (Rumelhart, Hinton and Williams 1986). The mean over the batch enters once, in the last d.
        """
        logits = signals[-1]
        count = logits.shape[-1] * logits.shape[-2]
        output = _sigmoid(logits)
        if self.rule.loss == "cross_entropy":
            softplus = np.maximum(logits, 0) + np.log(1 + np.exp(-np.abs(logits)))
            loss = (softplus - logits * decisions).mean((-1, -2))
            error = (output - decisions) / count
        else:
            loss = np.mean((output - decisions) ** 2, axis=(-1, -2))
            error = 2 * (output - decisions) * output * (1 - output) / count
        for layer in reversed(range(len(self.layers))):
            weight_gradient, bias_gradient = self.gradients[layer]
            np.matmul(error.swapaxes(-1, -2), signals[layer], out=weight_gradient)
            np.sum(error, axis=-2, out=bias_gradient)
            if layer:
                signal = signals[layer]
                error = error @ self.layers[layer][0]
                error *= signal > 0 if self.activation == "relu" else signal * (1 - signal)
        return float(loss) if loss.ndim == 0 else loss

    def update(self) -> None:
        """Move the weights against `gradients`: Adam (Kingma and Ba 2015, Algorithm 1) or gradient descent."""
        rule, state = self.rule, self._state
        gradient = self._gradient
        if rule.weight_decay:
            gradient = gradient + rule.weight_decay * self._weights
        if rule.optimizer == "gradient_descent":
            self._weights -= state["rate"].astype(gradient.dtype) * gradient
            return
        first, second, steps = state["first_moment"], state["second_moment"], state["steps"]
        if rule.fresh_optimizer:
            for array in (first, second, steps):
                array[...] = 0
        steps += 1
        beta1, beta2 = rule.betas
        first *= beta1
        first += (1 - beta1) * gradient
        second *= beta2
        second += (1 - beta2) * gradient * gradient
        deviation = np.sqrt(second)
        deviation *= (1 / np.sqrt(1 - beta2**steps)).astype(second.dtype)
        deviation += ADAM_EPSILON
        self._weights -= (state["rate"] / (1 - beta1**steps)).astype(first.dtype) * first / deviation

    def state_dict(self) -> dict[str, Any]:
        """Weights by the names they have in the torch network, and optimiser state."""
        weights = zip(self._names, self._views(self._weights), strict=True)
        kept = ("first_moment", "second_moment", "steps")
        return {
            "network": {name: weight.copy() for name, weight in weights},
            **{name: self._state[name].copy() for name in kept},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` of a learner with the same network returned."""
        for name, weight in zip(self._names, self._views(self._weights), strict=True):
            weight[...] = np.asarray(state["network"][name])
        for name in ("first_moment", "second_moment", "steps"):
            self._state[name][...] = np.asarray(state[name])

    def _flat(self, observations: NDArray[np.floating]) -> NDArray[np.floating]:
        """Observations (..., N, F) as rows (..., N F) of the weights' type."""
        rows = observations.reshape(*observations.shape[:-2], -1)
        return rows.astype(self._weights.dtype, copy=False)

    def _views(self, vector: NDArray[np.floating]) -> list[NDArray[np.floating]]:
        ends = np.cumsum([int(np.prod(shape)) for shape in self._shapes])
        parts = np.split(vector, ends[:-1], axis=-1)
        views = [part.reshape(*vector.shape[:-1], *shape) for part, shape in zip(parts, self._shapes, strict=True)]
        assert all(np.shares_memory(view, vector) for view in views)
        return views


def _pairs(
    views: list[NDArray[np.floating]],
) -> list[tuple[NDArray[np.floating], NDArray[np.floating]]]:
    return list(zip(views[::2], views[1::2], strict=True))


def _sigmoid(logits: NDArray[np.floating]) -> NDArray[np.floating]:
    return 0.5 * np.tanh(0.5 * logits) + 0.5
