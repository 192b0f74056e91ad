"""Backpropagation written out for the set network: shared layers, and the power sums that tie the users together.

The users of all frames are rows of one array. A sum c_k = ln sum_i exp(A_k f_i) passes its error on to user i in
proportion to that user's share of the sum, exp(A_k f_i - c_k).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent.learners.backpropagation import Weights
from agent.networks.set_network import CENTRE, NOBODY, OFF, SCALE, SPREAD, SetNetwork

Float = NDArray[np.floating]


class Signals(NamedTuple):
    """What the forward pass leaves for the backward pass."""

    users: Float
    """(..., B N, O) the users' own features."""
    inputs: list[Float]
    """(..., B N, width) of each layer, then of the head."""
    shares: Float
    """(..., B, N, S) of each user in each sum."""
    on: NDArray[np.bool_]
    """(..., B, N)."""


class SetPasses:
    """Forward and backward pass of `SetNetwork`, for any leading dimensions (...) of replicas.

    Args:
        network: its sizes; not its weights.
    """

    def __init__(self, network: SetNetwork) -> None:
        self._masked = network.masked
        self._layers = [(f"layers.{layer}.weight", f"layers.{layer}.bias") for layer in range(len(network.layers))]

    def forward(self, weights: Weights, observations: Float) -> tuple[Float, Signals]:
        """Logits (..., B, N) of observations (..., B, N, F), and what `backward` needs."""
        *lead, batch, num_users, num_features = observations.shape
        rows = (*lead, batch * num_users)
        own = num_features - self._masked
        on = observations[..., -1] > 0 if self._masked else np.ones(observations.shape[:-1], dtype=bool)
        users = observations[..., :own].reshape(*rows, own)
        exponents = (users @ weights["exponents"]).reshape(*lead, batch, num_users, -1)
        if not on.all():
            exponents[~on] = NOBODY
        top = exponents.max(-2, keepdims=True)
        exponents -= top
        shares = np.exp(exponents, out=exponents)
        total = shares.sum(-2, keepdims=True)
        shares /= total
        seen = np.empty((*lead, batch, num_users, own + shares.shape[-1]), observations.dtype)
        seen[..., :own] = observations[..., :own]
        seen[..., own:] = (np.log(total) + (top - CENTRE)) * (1 / SPREAD)
        inputs = [seen.reshape(*rows, -1)]
        for weight, bias in self._layers:
            signal = inputs[-1] @ weights[weight].swapaxes(-1, -2)
            signal += weights[bias][..., None, :]
            inputs.append(np.maximum(signal, 0, out=signal))
        logits = inputs[-1] @ weights["head.weight"].swapaxes(-1, -2)
        logits += inputs[0] @ weights["skip.weight"].swapaxes(-1, -2)
        logits += weights["skip.bias"][..., None, :]
        logits *= SCALE
        logits = logits.reshape(on.shape)
        if not on.all():
            logits[~on] = OFF
        return logits, Signals(users, inputs, shares, on)

    def backward(self, weights: Weights, gradients: Weights, signals: Signals, error: Float) -> None:
        """Fill `gradients`, arrays like the weights, for the error term (..., B, N) of the logits."""
        users, inputs, shares, on = signals
        if not on.all():
            error = error * on
        each = (SCALE * error).reshape(*users.shape[:-1], 1)
        np.matmul(each.swapaxes(-1, -2), inputs[-1], out=gradients["head.weight"])
        np.matmul(each.swapaxes(-1, -2), inputs[0], out=gradients["skip.weight"])
        np.sum(each, axis=-2, out=gradients["skip.bias"])
        crowd = slice(users.shape[-1], None)  # the part of what a user sees that depends on weights
        back = each * weights["head.weight"]
        for layer in reversed(range(len(self._layers))):
            weight, bias = self._layers[layer]
            back *= inputs[layer + 1] > 0
            np.matmul(back.swapaxes(-1, -2), inputs[layer], out=gradients[weight])
            np.sum(back, axis=-2, out=gradients[bias])
            back = back @ (weights[weight] if layer else weights[weight][..., crowd])
        if not self._layers:
            back = back[..., crowd]
        back = back + each * weights["skip.weight"][..., crowd]
        sums = back.reshape(shares.shape).sum(-2, keepdims=True) * (1 / SPREAD)
        to_exponents = shares * sums
        if not on.all():
            to_exponents *= on[..., None]
        flat = to_exponents.reshape(*users.shape[:-1], -1)
        np.matmul(users.swapaxes(-1, -2), flat, out=gradients["exponents"])
