"""The class of the published DDLO program (Huang, Feng, Feng, Huang and Qian 2018), in TensorFlow."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from ..checks import size
from ..networks.interface import dtype_of
from . import droo
from .droo import cost_figure, vector_of
from .tensorflow_adam import TensorFlowAdam

ADAM = (0.09, 0.999), 1e-8
"""Betas, and epsilon hat."""
WARM_UP = 512
"""`memory_counter` from which on it learns."""


class MemoryDNN(droo.MemoryDNN):
    """Drop-in for `MemoryDNN` of the published DDLO program: several networks that share one memory.

    Each network proposes one decision and learns from minibatches of its own, from the 512th row on, with an Adam
    (betas 0.09 and 0.999) that is kept. Initial weights are N(0, 1 / net[0]), the second number being the standard
    deviation; biases 0.

    Args:
        net: width of each layer, inputs first and outputs last; any number of layers.
        net_num: networks.
        learning_rate, training_interval, batch_size, memory_size, output_graph: of `agent.compat.droo.MemoryDNN`.

    Attributes:
        models: the networks, from inputs to logits; any may be replaced.
        cost_his: the losses of each network, a list for each.
        net_num, and the others of `agent.compat.droo.MemoryDNN` but for `model`, `knm`, `knn` and their like.

    Raises:
        InputError: as there.
    """

    modes: ClassVar[dict[str, str]] = {}

    def __init__(
        self,
        net: Sequence[int],
        net_num: int,
        learning_rate: float = 0.01,
        training_interval: int = 10,
        batch_size: int = 128,
        memory_size: int = 1024,
        output_graph: bool = False,
    ) -> None:
        self.net_num = size("net_num", net_num)
        super().__init__(net, learning_rate, training_interval, batch_size, memory_size, output_graph)
        self.cost_his = [[] for _ in range(net_num)]
        self._optimizers: list[TensorFlowAdam] = []

    def _build_net(self) -> None:
        """Make `models`, each of linear layers with ReLU between them."""
        self.models: list[nn.Module] = []
        for _ in range(self.net_num):
            layers: list[nn.Module] = []
            for before, after in itertools.pairwise(self.net):
                layer = nn.Linear(before, after)
                nn.init.normal_(layer.weight, std=1 / self.net[0])
                nn.init.zeros_(layer.bias)
                layers += [layer, nn.ReLU()]
            self.models.append(nn.Sequential(*layers[:-1]))

    def encode(self, h: ArrayLike, m: ArrayLike) -> None:
        """Remember; learn when `memory_counter` is a multiple of `training_interval`, from 512 on."""
        self.remember(h, m)
        if self.memory_counter >= WARM_UP and self.memory_counter % self.training_interval == 0:
            self.learn()

    def learn(self) -> None:
        """One step of each network on a minibatch of its own; the losses are appended to `cost_his`.

        Raises FloatingPointError when a loss is not finite.
        """
        drawn = [self._drawn() for _ in self.models]
        self.cost_his += [[] for _ in self.models[len(self.cost_his) :]]  # a subclass may have more
        self._optimizers += [TensorFlowAdam(*ADAM) for _ in self.models[len(self._optimizers) :]]
        each = zip(self.models, drawn, self._optimizers, self.cost_his, strict=False)
        for model, places, optimizer, costs in each:
            rows = torch.as_tensor(self.memory[places], dtype=dtype_of(model))
            logits = model.train()(rows[:, : self.net[0]])
            loss = nn.functional.binary_cross_entropy_with_logits(logits, rows[:, self.net[0] :])
            costs.append(optimizer.step(model, self.lr, loss))

    def decode(self, h: ArrayLike) -> list[NDArray[np.int64]]:  # type: ignore[override]
        """A list of the decisions (N,) of all networks for an input `h` (net[0],).

        Raises InputError for another shape of `h`.
        """
        inputs = torch.as_tensor(vector_of("h", h, self.net[0])[None], dtype=dtype_of(self.models[0]))
        return [1 * (model.eval()(inputs)[0].detach().numpy() > 0) for model in self.models]

    def plot_cost(self, path_name: str | Path | None = None) -> None:
        """Show the training losses over the learning steps, or save the picture as the file `path_name`."""
        with cost_figure(path_name, "Cost of MemoryDNN", "training steps") as plt:
            for costs in self.cost_his:
                plt.plot(np.arange(len(costs)), costs)
