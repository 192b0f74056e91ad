"""Backpropagation written out for the set network: shared layers, and the power sums that tie the users together.

The users of all frames are rows of one array. A sum c_k = ln sum_i exp(A_k f_i) passes its error on to user i in
proportion to that user's share of the sum, exp(A_k f_i - c_k).
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..checks import InputError
from ..networks.set_network import CENTRE, NOBODY, OFF, SCALE, SPREAD, SetNetwork
from .backpropagation import Weights

Float = NDArray[np.floating]
_CONSTANTS = np.array([NOBODY, CENTRE, SPREAD, SCALE, OFF])


class Signals(NamedTuple):
    """What the forward pass leaves for the backward pass."""

    embedded: list[Float]
    """(..., B N, width) the users' own features, then each layer of the embedding."""
    inputs: list[Float]
    """(..., B N, width) of each layer, then of the head."""
    shares: Float
    """(..., crowds, G, S) of each user in each sum of its crowd."""
    on: NDArray[np.bool_]
    """(..., B, N)."""


class SetPasses:
    """Forward and backward pass of `SetNetwork`, for any leading dimensions (...) of replicas.

    Args:
        network: its sizes; not its weights.
    """

    compiled = "learners.compiled_set_pass"
    """Machine code of one network; for many `_of_each` is added."""

    def __init__(self, network: SetNetwork) -> None:
        self._masked, self._group, self._relative = network.masked, network.group, network.relative
        self._embedding = _names("embedding", len(network.embedding))
        self._layers = _names("layers", len(network.layers))
        self._widths = [
            np.array([layer.out_features for layer in layers], dtype=np.int64)
            for layers in (network.embedding, network.layers)
        ]
        self._sums = network.exponents.shape[1]

    def forward_one(self, code: Any, vector: NDArray[np.float32], observation: NDArray[np.float32]) -> Any:
        """Logits (1, N) of one observation (1, N, F) in machine code; `vector` is all weights."""
        one = np.ascontiguousarray(observation[0])
        return code.set_network(vector, *self._sizes(len(one)), one)[None]

    def forward_each(self, code: Any, vectors: NDArray[np.float32], observations: NDArray[np.float32]) -> Any:
        """The same of R networks, one observation each, (R, 1, N, F); `vectors` are all their weights."""
        each = np.ascontiguousarray(observations[:, 0])
        return code.set_network_of_each(vectors, *self._sizes(each.shape[1]), each)[:, None]

    def _sizes(self, num_users: int) -> tuple[Any, ...]:
        """What machine code is told of the network."""
        group = self._group or num_users
        if num_users % group:
            raise InputError(f"num_users must be a multiple of group, {group}, got {num_users}")
        return (*self._widths, self._sums, self._masked, self._relative, group, _CONSTANTS)

    def forward(self, weights: Weights, observations: Float) -> tuple[Float, Signals]:
        """Logits (..., B, N) of observations (..., B, N, F), and what `backward` needs."""
        *lead, batch, num_users, num_features = observations.shape
        rows = (*lead, batch * num_users)
        own = num_features - self._masked
        on = observations[..., -1] > 0 if self._masked else np.ones(observations.shape[:-1], dtype=bool)
        embedded = _through(weights, self._embedding, observations[..., :own].reshape(*rows, own))
        terms: Float = embedded[-1] @ weights["exponents"]
        if not on.all():
            terms[~on.reshape(rows)] = NOBODY
        terms = terms.reshape(*lead, -1, self._group or num_users, terms.shape[-1])
        top = terms.max(-2, keepdims=True)
        terms -= top
        shares = np.exp(terms) if self._relative else np.exp(terms, out=terms)
        total = shares.sum(-2, keepdims=True)
        shares /= total
        crowd = terms - np.log(total) if self._relative else (np.log(total) + (top - CENTRE)) * (1 / SPREAD)
        seen = np.empty((*shares.shape[:-1], own + shares.shape[-1]), observations.dtype)
        seen[..., :own] = embedded[0].reshape(*shares.shape[:-1], own)
        seen[..., own:] = crowd
        inputs = _through(weights, self._layers, seen.reshape(*rows, -1))
        logits = inputs[-1] @ weights["head.weight"].swapaxes(-1, -2)
        logits += inputs[0] @ weights["skip.weight"].swapaxes(-1, -2)
        logits += weights["skip.bias"][..., None, :]
        logits *= SCALE
        logits = logits.reshape(on.shape)
        if not on.all():
            logits[~on] = OFF
        return logits, Signals(embedded, inputs, shares, on)

    def backward(self, weights: Weights, gradients: Weights, signals: Signals, error: Float) -> None:
        """Fill `gradients`, arrays like the weights, for the error term (..., B, N) of the logits."""
        embedded, inputs, shares, on = signals
        if not on.all():
            error = error * on
        users = embedded[0]
        each = (SCALE * error).reshape(*users.shape[:-1], 1)
        np.matmul(each.swapaxes(-1, -2), inputs[-1], out=gradients["head.weight"])
        np.matmul(each.swapaxes(-1, -2), inputs[0], out=gradients["skip.weight"])
        np.sum(each, axis=-2, out=gradients["skip.bias"])
        crowd = slice(users.shape[-1], None)  # the part of what a user sees that depends on weights
        back: Float = each * weights["head.weight"]
        if self._layers:
            back = _back_through(weights, gradients, self._layers, inputs, back)
            back = back @ weights[self._layers[0][0]][..., crowd]
        else:
            back = back[..., crowd]
        back = back + each * weights["skip.weight"][..., crowd]
        back = back.reshape(shares.shape)
        if self._relative:
            to_terms = back - shares * back.sum(-2, keepdims=True)
        else:
            to_terms = shares * (back.sum(-2, keepdims=True) * (1 / SPREAD))
        flat = to_terms.reshape(*users.shape[:-1], -1)
        if not on.all():
            flat *= on.reshape(flat.shape[:-1])[..., None]
        np.matmul(embedded[-1].swapaxes(-1, -2), flat, out=gradients["exponents"])
        if self._embedding:
            back = flat @ weights["exponents"].swapaxes(-1, -2)
            _back_through(weights, gradients, self._embedding, embedded, back)


def _names(module: str, count: int) -> list[tuple[str, str]]:
    return [(f"{module}.{layer}.weight", f"{module}.{layer}.bias") for layer in range(count)]


def _through(weights: Weights, layers: list[tuple[str, str]], signal: Float) -> list[Float]:
    """What goes into each of the layers, which end with ReLU, and what comes out of the last."""
    signals = [signal]
    for weight, bias in layers:
        signal = signals[-1] @ weights[weight].swapaxes(-1, -2)
        signal += weights[bias][..., None, :]
        signals.append(np.maximum(signal, 0, out=signal))
    return signals


def _back_through(
    weights: Weights, gradients: Weights, layers: list[tuple[str, str]], signals: list[Float], back: Float
) -> Float:
    """Fill the layers' gradients for an error of what comes out; returns that of the first before its ReLU."""
    for layer in reversed(range(len(layers))):
        weight, bias = layers[layer]
        back = back * (signals[layer + 1] > 0)
        np.matmul(back.swapaxes(-1, -2), signals[layer], out=gradients[weight])
        np.sum(back, axis=-2, out=gradients[bias])
        if layer:
            back = back @ weights[weight]
    return back
