"""Backpropagation written out: what autograd does for a fully connected network, in NumPy.

With the error term d = dL/d(weighted input) of a layer, its weight gradient is d^T times the layer's input and its
bias gradient the sum of d over the batch; the layer below has d W times the activation's derivative (Rumelhart,
Hinton and Williams 1986). The mean over the batch enters once, in the last d.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.arrays import sigmoid
from agent.networks.fully_connected import FullyConnected

Weights = Mapping[str, NDArray[np.floating]]
"""Arrays by the names they have in the torch network; of R replicas, with R as first dimension."""


class FullyConnectedPasses:
    """Forward and backward pass of `FullyConnected`, for any leading dimensions (...) of replicas.

    Args:
        network: its sizes and activation; not its weights.
    """

    def __init__(self, network: FullyConnected) -> None:
        self._output = network.output
        self._relu = network.settings["activation"] == "relu"
        self._layers = [(f"layers.{layer}.weight", f"layers.{layer}.bias") for layer in range(len(network.layers))]
        widths = [network.layers[0].in_features, *(layer.out_features for layer in network.layers)]
        self._widths = np.array(widths, dtype=np.int64)

    def forward_one(self, code: Any, vector: NDArray[np.float32], observation: NDArray[np.float32]) -> Any:
        """Logits (1, N) or (1, N, C) of one observation (1, N, F) in machine code; `vector` is all weights."""
        logits = code.fully_connected(vector, self._widths, self._relu, observation.ravel())
        return logits.reshape(1, *self._output)

    def forward_each(self, code: Any, vectors: NDArray[np.float32], observations: NDArray[np.float32]) -> Any:
        """The same of R networks, one observation each, (R, 1, N, F); `vectors` are all their weights."""
        flat = observations.reshape(len(observations), -1)
        logits = code.fully_connected_of_each(vectors, self._widths, self._relu, np.ascontiguousarray(flat))
        return logits.reshape(len(logits), 1, *self._output)

    def forward(
        self, weights: Weights, observations: NDArray[np.floating]
    ) -> tuple[NDArray[np.floating], list[NDArray[np.floating]]]:
        """Logits (..., B, N) or (..., B, N, C) of observations (..., B, N, F), and each layer's input."""
        signal = observations.reshape(*observations.shape[:-2], observations.shape[-2] * observations.shape[-1])
        signals = []
        for weight, bias in self._layers:
            signals.append(signal)
            signal = signal @ weights[weight].swapaxes(-1, -2)
            signal += weights[bias][..., None, :]
            if len(signals) < len(self._layers):
                signal = np.maximum(signal, 0, out=signal) if self._relu else sigmoid(signal)
        if len(self._output) > 1:
            signal = signal.reshape(*signal.shape[:-1], *self._output)
        return signal, signals

    def backward(
        self,
        weights: Weights,
        gradients: Weights,
        signals: list[NDArray[np.floating]],
        error: NDArray[np.floating],
    ) -> None:
        """Fill `gradients`, arrays like the weights, for the error term of the logits, of their shape."""
        if len(self._output) > 1:
            error = error.reshape(*error.shape[:-2], -1)
        for layer in reversed(range(len(self._layers))):
            weight, bias = self._layers[layer]
            signal = signals[layer]
            np.matmul(error.swapaxes(-1, -2), signal, out=gradients[weight])
            np.sum(error, axis=-2, out=gradients[bias])
            if layer:
                error = error @ weights[weight]
                error *= signal > 0 if self._relu else signal * (1 - signal)
