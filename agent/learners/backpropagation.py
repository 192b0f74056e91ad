"""Backpropagation written out: what autograd does for a fully connected network, in NumPy.

With the error term d = dL/d(weighted input) of a layer, its weight gradient is d^T times the layer's input and its
bias gradient the sum of d over the batch; the layer below has d W times the activation's derivative (Rumelhart,
Hinton and Williams 1986). The mean over the batch enters once, in the last d.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ..arrays import sigmoid
from ..machine_code import machine_code
from ..networks.fully_connected import FullyConnected
from ..standardization import Standardization

COMPILED = "learners.compiled_passes"
"""Machine code of one network's pass and Adam's step; for many `_of_each` is added."""
Float = NDArray[np.floating]
Weights = Mapping[str, Float]
"""Arrays by the names they have in the torch network; of R replicas, with R as first dimension."""


class Activation(NamedTuple):
    """A function of each entry by itself, and its derivative as a function of what comes out."""

    apply: Callable[[Float, float], Float]
    """Of weighted inputs, which it may overwrite, and the slope below 0."""
    derivative: Callable[[Float, float], Any]


ACTIVATIONS = {
    "none": Activation(lambda signal, slope: signal, lambda signal, slope: 1),
    "relu": Activation(lambda signal, slope: np.maximum(signal, 0, out=signal), lambda signal, slope: signal > 0),
    "leaky_relu": Activation(
        lambda signal, slope: np.maximum(signal, slope * signal, out=signal),
        lambda signal, slope: np.where(signal > 0, signal.dtype.type(1), signal.dtype.type(slope)),
    ),
    "sigmoid": Activation(lambda signal, slope: sigmoid(signal), lambda signal, slope: signal * (1 - signal)),
    "tanh": Activation(
        lambda signal, slope: np.tanh(signal, out=signal), lambda signal, slope: 1 - signal * signal
    ),
}
"""In the order of their numbers in machine code."""
LINEAR_IN_PARTS = ("none", "relu", "leaky_relu")


class Layer(NamedTuple):
    """A linear layer, and the activation after it; the last has none."""

    weight: str
    """Its name in the network; (outputs, inputs)."""
    bias: str | None
    activation: str = "none"
    slope: float = 0.0
    """Of 'leaky_relu' below 0, from 0 to 1."""


class FullyConnectedPasses:
    """Forward and backward pass of linear layers one after another, for any leading dimensions (...) of replicas.

    Args:
        network: whose parameters they are, and no others; not its weights.
        layers: first to last.
        output: shape of the logits of one observation, (N,) or (N, C).
    """

    compiled = COMPILED
    """Machine code of one network; for many `_of_each` is added."""

    def __init__(self, network: nn.Module, layers: Sequence[Layer], output: tuple[int, ...]) -> None:
        self.layers = list(layers)
        self._output, self._one = output, (1, *output)
        shapes = {name: weight.shape for name, weight in network.named_parameters()}
        ends = np.cumsum([shape.numel() for shape in shapes.values()]).tolist()
        begins: dict[str | None, int] = dict(zip(shapes, [0, *ends[:-1]], strict=True))
        begins[None] = -1
        self._widths = np.array(
            [shapes[self.layers[0].weight][1], *(shapes[layer.weight][0] for layer in layers)], dtype=np.int64
        )
        self._begins = np.array([(begins[layer.weight], begins[layer.bias]) for layer in layers], dtype=np.int64)
        names = list(ACTIVATIONS)
        self._activations = np.array([names.index(layer.activation) for layer in layers], dtype=np.int64)
        self._slopes = np.array([layer.slope for layer in layers])

    def alike(self, other: "FullyConnectedPasses") -> bool:
        """Whether both are of networks of the same layers, whose weights may be stacked."""
        return self.layers == other.layers and all(
            np.array_equal(*pair) for pair in ((self._widths, other._widths), (self._begins, other._begins))
        )

    def forward_one(self, code: Any, vector: NDArray[np.float32], observation: NDArray[np.float32]) -> Any:
        """Logits (1, N) or (1, N, C) of one observation (1, N, F) in machine code; `vector` is all weights."""
        logits = code.fully_connected(
            vector, self._widths, self._begins, self._activations, self._slopes, observation.ravel()
        )
        return logits.reshape(self._one)

    def relax_one(self, vector: NDArray[np.float32], observation: Float, standardization: Standardization) -> Any:
        """The relaxed decision (N,) of bits of one observation (1, N, F); None without machine code for it."""
        code, how = machine_code(COMPILED), standardization.settled
        if code is None or how is None:
            return None
        relaxed = np.empty(self._output)
        layers = self._widths, self._begins, self._activations, self._slopes
        code.relax(vector, *layers, observation, *how, relaxed)
        return relaxed

    def forward_each(self, code: Any, vectors: NDArray[np.float32], observations: NDArray[np.float32]) -> Any:
        """The same of R networks, one observation each, (R, 1, N, F); `vectors` are all their weights."""
        flat = observations.reshape(len(observations), -1)
        logits = code.fully_connected_of_each(
            vectors, self._widths, self._begins, self._activations, self._slopes, np.ascontiguousarray(flat)
        )
        return logits.reshape(len(logits), 1, *self._output)

    def forward(self, weights: Weights, observations: Float) -> tuple[Float, list[Float]]:
        """Logits (..., B, N) or (..., B, N, C) of observations (..., B, N, F), and each layer's input."""
        signal = observations.reshape(*observations.shape[:-2], observations.shape[-2] * observations.shape[-1])
        signals = []
        code = _between_products(signal)
        for place, layer in enumerate(self.layers):
            signals.append(signal)
            signal = signal @ weights[layer.weight].swapaxes(-1, -2)
            if code is not None and layer.bias is not None:
                bias = np.ascontiguousarray(weights[layer.bias])
                code.finish(signal, bias, self._activations[place], layer.slope)
                if layer.activation in LINEAR_IN_PARTS:
                    continue
            elif layer.bias is not None:
                signal += weights[layer.bias][..., None, :]
            signal = ACTIVATIONS[layer.activation].apply(signal, layer.slope)
        if len(self._output) > 1:
            signal = signal.reshape(*signal.shape[:-1], *self._output)
        return signal, signals

    def backward(self, weights: Weights, gradients: Weights, signals: list[Float], error: Float) -> None:
        """Fill `gradients`, arrays like the weights, for the error term of the logits, of their shape."""
        if len(self._output) > 1:
            error = error.reshape(*error.shape[:-2], -1)
        code, output = _between_products(error), error
        for place in reversed(range(len(self.layers))):
            layer, signal = self.layers[place], signals[place]
            if code is not None and layer.bias is not None and error.shape[-1] > 1:
                sums = np.empty(gradients[layer.bias].shape, np.float32)
                code.pass_back(error, output, self._activations[place], layer.slope, sums)
                gradients[layer.bias][...] = sums
            else:
                if layer.activation != "none":
                    error *= ACTIVATIONS[layer.activation].derivative(output, layer.slope)
                if layer.bias is not None:
                    np.sum(error, axis=-2, out=gradients[layer.bias])
            np.matmul(error.swapaxes(-1, -2), signal, out=gradients[layer.weight])
            if place:
                error, output = error @ weights[layer.weight], signal


def _between_products(signal: Float) -> Any:
    """Machine code for what is done to minibatches (..., B, width) between products; None where NumPy does it."""
    fits = signal.ndim in (2, 3) and signal.dtype == np.float32 and signal.flags.c_contiguous
    return machine_code(COMPILED if signal.ndim == 2 else f"{COMPILED}_of_each") if fits else None


def of_fully_connected(network: FullyConnected) -> FullyConnectedPasses:
    """The passes of the project's own."""
    last, activation = len(network.layers) - 1, network.settings["activation"]
    layers = [
        Layer(f"layers.{place}.weight", f"layers.{place}.bias", "none" if place == last else activation)
        for place in range(last + 1)
    ]
    return FullyConnectedPasses(network, layers, network.output)
