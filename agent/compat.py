"""The published class under its published names, built from this project's parts."""

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from agent.checks import InputError, whole_number
from agent.decisions.quantizer import KNearest, OrderPreserving, shift_logits
from agent.networks.interface import dtype_of, first_weights


class MemoryDNN:
    """Drop-in for the `MemoryDNN` of the published DROO and LyDROO code.

    It keeps that code's habits: Adam (betas 0.09 and 0.999, weight decay 1e-4) made anew at each step, an
    all-zero row at the start of the memory, NumPy's global random state for minibatches and noise. It mends
    three faults: 'KNN' does not list 2^N decisions and works for any N, 'OPN' adds its noise to the logits
    where the published code leaves (0,1), and a loss of exactly 0 does not stop the program.

    Args:
        net: width of each layer, inputs first and users last; any number of layers.
        learning_rate: of Adam.
        training_interval: `encode` learns whenever `memory_counter` is a multiple of it.
        batch_size: rows in a minibatch, drawn with replacement.
        memory_size: rows of the memory.
        output_graph: accepted for the published signature; it had no effect there either.

    Attributes:
        net, lr, training_interval, batch_size, memory_size: the arguments; what is set holds from the next step.
        model: the network with its sigmoid; another may take its place.
        memory: (memory_size, net[0] + net[-1]). memory_counter: rows ever stored, from 1.
        cost_his: the loss of each step.

    Raises:
        InputError: when `net` has fewer than two layers or a number is below 1.
    """

    def __init__(
        self,
        net: Sequence[int],
        learning_rate: float = 0.01,
        training_interval: int = 10,
        batch_size: int = 100,
        memory_size: int = 1000,
        output_graph: bool = False,
    ) -> None:
        if not isinstance(net, Sequence | np.ndarray) or len(net) < 2:
            raise InputError(f"net must hold two or more widths, got {net!r}")
        for layer, width in enumerate(net):
            whole_number(f"net[{layer}]", width)
        whole_number("training_interval", training_interval)
        whole_number("batch_size", batch_size)
        whole_number("memory_size", memory_size)
        self.net = net
        self.lr = learning_rate
        self.training_interval = training_interval
        self.batch_size = batch_size
        self.memory_size = memory_size
        self.memory = np.zeros((memory_size, net[0] + net[-1]))
        self.memory_counter = 1
        self.cost_his: list[float] = []

        layers: list[nn.Module] = []
        with first_weights():
            for before, after in itertools.pairwise(net):
                layers += [nn.Linear(before, after), nn.ReLU()]
        self.model: nn.Module = nn.Sequential(*layers[:-1], nn.Sigmoid())

    def remember(self, h: ArrayLike, m: ArrayLike) -> None:
        """Store an input `h` (net[0],) and its decision `m` (net[-1],); raises InputError for other shapes."""
        inputs, decision = self._inputs(h), np.ravel(m)
        if decision.size != self.net[-1] or not np.isin(decision, (0, 1)).all():
            raise InputError(f"m must hold {self.net[-1]} entries, each 0 or 1, got {m!r}")
        self.memory[self.memory_counter % self.memory_size] = np.hstack((inputs, decision))
        self.memory_counter += 1

    def encode(self, h: ArrayLike, m: ArrayLike) -> None:
        """Remember, and learn when `memory_counter` is a multiple of `training_interval`."""
        self.remember(h, m)
        if self.memory_counter % self.training_interval == 0:
            self.learn()

    def learn(self) -> None:
        """One step on a minibatch of the memory; its loss is appended to `cost_his`."""
        stored = min(self.memory_counter, self.memory_size)
        rows = self.memory[np.random.randint(stored, size=self.batch_size)]
        pairs = torch.as_tensor(rows, dtype=dtype_of(self.model))
        # All is looked up anew, the model and the rate too, so that what is set from outside holds from here on.
        optimizer = torch.optim.Adam(self.model.parameters(), lr=self.lr, betas=(0.09, 0.999), weight_decay=1e-4)
        self.model.train()
        optimizer.zero_grad()
        loss = nn.functional.binary_cross_entropy(self.model(pairs[:, : self.net[0]]), pairs[:, self.net[0] :])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        self.model.eval()
        self.cost = loss.item()
        self.cost_his.append(self.cost)

    def decode(self, h: ArrayLike, k: int = 1, mode: str = "OP") -> list[NDArray[np.int64]]:
        """Candidates (N,) for an input `h` (net[0],): `k` of them for 'OP' and 'KNN', 2 k for 'OPN'.

        Raises InputError for another mode, a `k` that is out of range, or another shape of `h`.
        """
        inputs = torch.as_tensor(self._inputs(h), dtype=dtype_of(self.model))
        with torch.inference_mode():
            relaxed = self.model(inputs).numpy().astype(np.float64)
        if mode in {"OP", "KNN"}:
            quantizer = OrderPreserving() if mode == "OP" else KNearest()
            return list(quantizer(relaxed, self._checked(k, quantizer)))
        if mode == "OPN":
            quantizer = OrderPreserving()
            self._checked(k, quantizer)
            noisy = shift_logits(relaxed, np.random.normal(size=relaxed.shape))
            return [*quantizer(relaxed, k), *quantizer(noisy, k)]
        raise InputError(f"mode must be 'OP', 'KNN' or 'OPN', got {mode!r}")

    def plot_cost(self) -> None:
        """Show the training loss over the frames."""
        try:
            import matplotlib.pyplot as plt
        except ImportError as error:
            raise ImportError("plot_cost needs matplotlib: install the 'sim' extra") from error
        plt.plot(np.arange(len(self.cost_his)) * self.training_interval, self.cost_his)
        plt.ylabel("Training Loss")
        plt.xlabel("Time Frames")
        plt.show()

    def _checked(self, k: int, quantizer: OrderPreserving | KNearest) -> int:
        most = quantizer.max_candidates(self.net[-1])
        if whole_number("k", k) > most:
            raise InputError(f"k must be 1 to {most}, got {k}")
        return k

    def _inputs(self, h: ArrayLike) -> NDArray[np.float64]:
        inputs = np.ravel(np.asarray(h, dtype=np.float64))
        if inputs.size != self.net[0] or not np.isfinite(inputs).all():
            raise InputError(f"h must hold {self.net[0]} finite numbers, got {h!r}")
        return inputs
