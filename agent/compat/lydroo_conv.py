"""The class of the published LyDROO program's convolutional variant, which is written in TensorFlow."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from ..checks import InputError
from . import lydroo
from .tensorflow_adam import TensorFlowAdam

FEATURES = 3
"""Of each user: gain, data queue, energy queue."""
KERNEL = 3
CHANNELS = FEATURES, 32, 64, 64
HIDDEN = 64
KERAS_BATCH = 32
"""Rows of a step: Keras' `fit` goes once through a minibatch in such parts."""


class MemoryDNN(lydroo.MemoryDNN):
    """Drop-in for `MemoryDNN` of the published LyDROO program's convolutional variant.

    Three convolutions along the users, two dense layers, Glorot's uniform initial weights, biases 0. A learning
    step goes once through the minibatch in parts of 32 rows, in an order from torch's global generator, with one
    Adam (betas 0.9 and 0.999) that is kept. Inputs are a user's gain, data queue and energy queue, then the next
    user's.

    Args:
        net: inputs first, three for each user, and users last, at least 7; widths between are ignored, as there.
        learning_rate, training_interval, batch_size, memory_size, output_graph: of `agent.compat.droo.MemoryDNN`.

    Attributes:
        model: maps (B, N, 3) to (B, N), with its sigmoid. The others of `agent.compat.droo.MemoryDNN`.

    Raises:
        InputError: as there; when `net` has other inputs than three a user, or too few users.
    """

    def __init__(self, net: Sequence[int], *arguments: Any, **settings: Any) -> None:
        self._optimizer = TensorFlowAdam((0.9, 0.999), 1e-7)
        super().__init__(net, *arguments, **settings)

    def _build_net(self) -> None:
        num_users = self.net[0] // FEATURES
        left = num_users - (len(CHANNELS) - 1) * (KERNEL - 1)
        if self.net[0] % FEATURES or left < 1:
            raise InputError(f"net must begin with {FEATURES} inputs a user, of 7 users or more, got {self.net!r}")
        layers: list[nn.Module] = [_SwapUsersAndChannels()]
        for before, after in itertools.pairwise(CHANNELS):
            layers += [nn.Conv1d(before, after, KERNEL), nn.ReLU()]
        layers += [_SwapUsersAndChannels(), nn.Flatten(), nn.Linear(left * CHANNELS[-1], HIDDEN), nn.ReLU()]
        self.model = nn.Sequential(*layers, nn.Linear(HIDDEN, self.net[-1]), nn.Sigmoid())
        for layer in self.model:
            if isinstance(layer, nn.Conv1d | nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def learn(self) -> None:
        """Once through a minibatch of the memory; the mean loss of its parts is appended to `cost_his`.

        Raises FloatingPointError when the loss is not finite.
        """
        inputs, targets = self._minibatch()
        inputs = inputs.reshape(len(inputs), -1, FEATURES)
        self.model.train()
        total = 0.0
        for rows in torch.split(torch.randperm(len(inputs)), KERAS_BATCH):
            loss = self._loss(inputs[rows], targets[rows])
            total += len(rows) * self._optimizer.step(self.model, self.lr, loss)
        self.cost = total / len(inputs)
        self.cost_his.append(self.cost)

    def opn(self, m: NDArray[np.floating], k: int = 1) -> list[NDArray[np.int64]]:
        """`k` order-preserving candidates of a relaxed decision (N,), and `k` of it with noise, N(0, 1), added."""
        return self.knm(m, k) + self.knm(m + np.random.normal(0, 1, len(m)), k)

    def _input(self, h: ArrayLike) -> NDArray[np.float64]:
        """An input as the model takes it, (1, N, 3)."""
        return super()._input(h).reshape(1, -1, FEATURES)

    def _loss(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Cross entropy; of the logits where the model shows them, as Keras does."""
        if isinstance(self.model, nn.Sequential) and isinstance(self.model[-1], nn.Sigmoid):
            return nn.functional.binary_cross_entropy_with_logits(self.model[:-1](inputs), targets)
        return nn.functional.binary_cross_entropy(self.model(inputs), targets)


class _SwapUsersAndChannels(nn.Module):
    """(B, N, C) to (B, C, N), or back: Keras has channels last, in what it flattens too."""

    def forward(self, signal: torch.Tensor) -> torch.Tensor:
        return signal.transpose(-1, -2)
