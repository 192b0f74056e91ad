"""The class of the published DROO program (Huang, Bi, Zhang, IEEE Trans. Mobile Computing 2020), in PyTorch."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from ..checks import InputError, real_array, size, whole_number
from ..decisions.quantizer import KNearest, OrderPreserving
from ..networks.interface import dtype_of, first_weights

LISTED_USERS = 12
"""Up to here KNN sorts all 2^N decisions, so that equal distances come in the published order."""


class MemoryDNN:
    """Drop-in for `MemoryDNN` of the published DROO program.

    It keeps that program's habits: Adam (betas 0.09 and 0.999, weight decay 1e-4) made anew at each step, an
    all-zero row at the start of the memory, relaxed decisions in single precision, where saturated ones are equal
    and lead to equal candidates, NumPy's global random state for minibatches. All it does it does by the methods
    and attributes named here, looked up at each call: a subclass may override them, a script may set them.

    Args:
        net: width of each layer, inputs first and outputs last; any number of layers.
        learning_rate: of Adam.
        training_interval: `encode` learns whenever `memory_counter` is a multiple of it.
        batch_size: rows in a minibatch, drawn with replacement.
        memory_size: rows of the memory.
        output_graph: accepted for the published signature; it had no effect there either.

    Attributes:
        net, lr, training_interval, batch_size, memory_size: the arguments.
        model: the network with its sigmoid, made by `_build_net`.
        memory: (memory_size, net[0] + net[-1]). memory_counter: rows ever stored, from 1.
        enumerate_actions: the decisions that `knn` chooses from, (..., N); where it is empty, all there are.
        cost_his: the loss of each step. cost: the last one.

    Raises:
        InputError: when `net` has fewer than two layers or a number is below 1.
    """

    modes: ClassVar[dict[str, str]] = {"OP": "knm", "KNN": "knn"}
    """The method that proposes candidates in each mode."""
    enumerate_actions: Any

    def __init__(
        self,
        net: Sequence[int],
        learning_rate: float = 0.01,
        training_interval: int = 10,
        batch_size: int = 100,
        memory_size: int = 1000,
        output_graph: bool = False,
    ) -> None:
        if not isinstance(net, Sequence | np.ndarray) or getattr(net, "ndim", 1) != 1 or len(net) < 2:
            raise InputError(f"net must hold two or more widths, got {net!r}")
        for layer, width in enumerate(net):
            size(f"net[{layer}]", width)
        if not (isinstance(training_interval, int | float | np.integer | np.floating) and training_interval > 0):
            raise InputError(f"training_interval must be positive, got {training_interval!r}")
        size("batch_size", batch_size)
        whole_number("memory_size", memory_size)
        self.net = net
        self.training_interval = training_interval
        self.lr = learning_rate
        self.batch_size = batch_size
        self.memory_size = memory_size
        if not hasattr(type(self), "enumerate_actions"):  # a subclass may have its own
            self.enumerate_actions = []
        self.memory_counter = 1
        self.cost_his: list[Any] = []
        try:
            self.memory = np.zeros((memory_size, net[0] + net[-1]))
        except (MemoryError, ValueError) as error:
            raise InputError(f"memory_size must be such that all pairs fit, got {memory_size}") from error
        with first_weights():
            self._build_net()

    def _build_net(self) -> None:
        """Make `model`: linear layers with ReLU between them, and a sigmoid."""
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(self.net):
            layers += [nn.Linear(before, after), nn.ReLU()]
        self.model: nn.Module = nn.Sequential(*layers[:-1], nn.Sigmoid())

    def remember(self, h: ArrayLike, m: ArrayLike) -> None:
        """Store an input `h` (net[0],) and its target `m` (net[-1],): a decision, or what `learn` takes.

        Raises InputError for another shape or for what is not finite; nothing is then stored.
        """
        row = np.hstack((vector_of("h", h, self.net[0]), vector_of("m", m, self.net[-1])))
        self.memory[self.memory_counter % self.memory_size, :] = row
        self.memory_counter += 1

    def encode(self, h: ArrayLike, m: ArrayLike) -> None:
        """Remember, and learn when `memory_counter` is a multiple of `training_interval`."""
        self.remember(h, m)
        if self.memory_counter % self.training_interval == 0:
            self.learn()

    def learn(self) -> None:
        """One step on a minibatch of the memory; its loss is appended to `cost_his`.

        Raises InputError for targets outside of 0..1.
        """
        inputs, targets = self._minibatch()
        if not (within := (targets >= 0) & (targets <= 1)).all():
            raise InputError(
                f"targets must lie from 0 to 1 for the binary cross entropy, got {targets[~within][0]}: "
                "a subclass's `learn` may take others"
            )
        optimizer = torch.optim.Adam(self.model.parameters(), lr=self.lr, betas=(0.09, 0.999), weight_decay=1e-4)
        self.model.train()
        optimizer.zero_grad()
        loss = nn.functional.binary_cross_entropy(self.model(inputs), targets)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        self.cost = loss.item()
        self.cost_his.append(self.cost)

    def decode(self, h: ArrayLike, k: int = 1, mode: str = "OP") -> Any:
        """Candidates for an input `h` (net[0],), each (N,), likeliest first: what the method of the mode returns.

        Raises InputError for another mode or another shape of `h`.
        """
        if not isinstance(mode, str) or mode not in self.modes:
            known = ", ".join(repr(one) for one in self.modes)
            raise InputError(f"mode must be one of {known}, got {mode!r}")
        return getattr(self, self.modes[mode])(self._relaxed(h), k)

    def knm(self, m: NDArray[np.floating], k: int = 1) -> list[NDArray[np.int64]]:
        """A list of `k` order-preserving candidates of a relaxed decision (N,); N + 1 at most, 1 at least."""
        return list(OrderPreserving(distinct=False)(np.asarray(m), min(max(k, 1), len(m) + 1)))

    def knn(self, m: NDArray[np.floating], k: int = 1) -> NDArray[np.int64]:
        """The `k` decisions nearest to a relaxed one (N,), as an array (k, N); 2^N at most."""
        if not len(self.enumerate_actions):
            if len(m) > LISTED_USERS:
                return KNearest()(np.asarray(m), min(k, 2 ** len(m))) if k > 0 else np.empty((0, len(m)), int)
            self.enumerate_actions = np.array(list(itertools.product([0, 1], repeat=len(m))))
        nearest = np.argsort(((self.enumerate_actions - m) ** 2).sum(1))
        chosen: NDArray[np.int64] = self.enumerate_actions[nearest[: max(k, 0)]]
        return chosen

    def plot_cost(self, path_name: str | Path | None = None) -> None:
        """Show the training loss over the frames, or save the picture as the file `path_name`."""
        with cost_figure(path_name, "Training Loss", "Time Frames") as plt:
            plt.plot(np.arange(len(self.cost_his)) * self.training_interval, self.cost_his)

    def _relaxed(self, h: ArrayLike) -> NDArray[np.floating]:
        """The model's output (N,) for one input."""
        inputs = torch.as_tensor(self._input(h), dtype=self._precision())
        model = self.model  # a fork's may be anything that can be called
        if not isinstance(model, nn.Module) or any(part.training for part in model.modules()):
            model.eval()  # takes longer than to look whether it must be
        relaxed: NDArray[np.floating] = (
            model(inputs).detach().numpy()[0]
        )  # with a graph, of which it may keep some
        return relaxed

    def _precision(self) -> torch.dtype:
        return dtype_of(self.model) if hasattr(self.model, "parameters") else torch.float32

    def _input(self, h: ArrayLike) -> NDArray[np.float64]:
        """An input as the model takes it, (1, net[0])."""
        return vector_of("h", h, self.net[0])[None]

    def _drawn(self) -> NDArray[np.int64]:
        """Places of a minibatch in the memory, (batch_size,)."""
        return np.random.choice(min(self.memory_counter, self.memory_size), size=self.batch_size)

    def _minibatch(self) -> tuple[Tensor, Tensor]:
        """Inputs (batch_size, net[0]) and targets (batch_size, net[-1])."""
        rows = torch.as_tensor(self.memory[self._drawn()], dtype=self._precision())
        return rows[:, : self.net[0]], rows[:, self.net[0] :]


def vector_of(name: str, value: ArrayLike, size: int) -> NDArray[np.float64]:
    """`value` as a vector (size,); raises InputError for another size or for what is not finite."""
    try:
        vector = np.ravel(real_array(name, value, np.float64))
    except InputError as error:
        raise InputError(f"{name} must hold {size} finite numbers, got {value!r}") from error
    if vector.size != size:
        raise InputError(f"{name} must hold {size} finite numbers, got {vector.size}")
    if not (finite := np.isfinite(vector)).all():
        place = int(finite.argmin())
        raise InputError(f"{name} must hold {size} finite numbers, got {vector[place]} at [{place}]")
    return vector


@contextmanager
def cost_figure(path_name: str | Path | None, ylabel: str, xlabel: str) -> Iterator[Any]:
    """Matplotlib's pyplot, to draw what is then shown, or saved where there is a path."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("plot_cost needs matplotlib: install the 'sim' extra") from error
    yield plt
    plt.ylabel(ylabel)
    plt.xlabel(xlabel)
    if path_name is None:
        plt.show()
    else:
        plt.savefig(path_name)
        plt.close()
