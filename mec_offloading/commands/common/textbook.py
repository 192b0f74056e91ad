"""The published DROO loop as a textbook would write it: what the benchmark holds this project against.

One candidate at a time, its price of time by bisection, each user's answer to a price by the Lambert W function,
Adam made anew at each learning step (Huang, Bi, Zhang, IEEE Trans. Mobile Computing 2020, and its released code).
It uses nothing of `agent` and `env`.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import lambertw
from torch import nn

FloatArray = NDArray[np.float64]

HIDDEN = 120, 80
LEARNING_RATE, BETAS, WEIGHT_DECAY = 0.01, (0.09, 0.999), 1e-4
BATCH_SIZE, MEMORY_SIZE, TRAINING_INTERVAL = 128, 1024, 10
GAIN_SCALE = 1e6

ETA1 = (0.7 * 3) ** (1 / 3) / 100
ETA2 = 0.7 * 3 / 1e-10
EPSILON = 2e6 / (1.1 * np.log(2))
CPU_ENERGY = 1e-26
HIGHEST_PRICE, PRICE_TOLERANCE = 1e9, 0.005


class Decided(NamedTuple):
    """The decision (N,) of a frame, and its rate, bit/s."""

    decision: NDArray[np.int64]
    rate: float


class Memory:
    """The last `MEMORY_SIZE` pairs of observation and decision, one a row, (MEMORY_SIZE, 2 N)."""

    def __init__(self, num_users: int) -> None:
        self.rows = np.zeros((MEMORY_SIZE, 2 * num_users))
        self.stored = 0

    def remember(self, observation: FloatArray, decision: NDArray[np.int64]) -> None:
        """Store one pair, over the oldest where all rows are taken."""
        self.rows[self.stored % MEMORY_SIZE] = np.hstack((observation, decision))
        self.stored += 1

    def sample(self, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Observations and decisions of a minibatch, each (BATCH_SIZE, N)."""
        rows = self.rows[rng.integers(min(self.stored, MEMORY_SIZE), size=BATCH_SIZE)]
        num_users = rows.shape[1] // 2
        return torch.Tensor(rows[:, :num_users]), torch.Tensor(rows[:, num_users:])


class Textbook:
    """The published agent: K = N candidates a frame, a learning step every `training_interval` frames.

    Args:
        num_users: N.
        seed: of the network's weights and the minibatches.
        training_interval: frames between learning steps.
    """

    def __init__(self, num_users: int, seed: int = 0, training_interval: int = TRAINING_INTERVAL) -> None:
        self.weights = np.where(np.arange(num_users) % 2, 1.5, 1.0)
        self.network = make_network(num_users, seed)
        self.memory = Memory(num_users)
        self.training_interval = training_interval
        self._rng = np.random.default_rng(seed)

    def decide(self, gains: FloatArray) -> Decided:
        """One frame: propose candidates for gains (N,), value each, learn from the best."""
        candidates = order_preserving(relax(self.network, GAIN_SCALE * gains), len(gains))
        rates = [rate(gains, candidate, self.weights) for candidate in candidates]
        best = int(np.argmax(rates))
        self.encode(gains, candidates[best])
        return Decided(candidates[best], rates[best])

    def encode(self, gains: FloatArray, decision: NDArray[np.int64]) -> None:
        """Remember a decision for gains (N,), and learn when it is time."""
        self.memory.remember(GAIN_SCALE * gains, decision)
        if self.memory.stored % self.training_interval == 0:
            learn(self.network, *self.memory.sample(self._rng))


def make_network(num_users: int, seed: int = 0) -> nn.Sequential:
    """N-120-80-N with ReLU and a sigmoid, its weights drawn without touching torch's global generator."""
    first, second = HIDDEN
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Linear(num_users, first),
            nn.ReLU(),
            nn.Linear(first, second),
            nn.ReLU(),
            nn.Linear(second, num_users),
            nn.Sigmoid(),
        )


def relax(network: nn.Module, observation: FloatArray) -> NDArray[np.float32]:
    """The relaxed decision in (0,1)^N for an observation (N,)."""
    relaxed: NDArray[np.float32] = network(torch.Tensor(observation[None])).detach().numpy()[0]
    return relaxed


def learn(network: nn.Module, observations: torch.Tensor, decisions: torch.Tensor) -> float:
    """One step of an Adam without a past on a minibatch (B, N); returns the loss before it."""
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, betas=BETAS, weight_decay=WEIGHT_DECAY)
    optimizer.zero_grad()
    loss = nn.BCELoss()(network(observations), decisions)
    loss.backward()
    optimizer.step()
    return float(loss.item())


def order_preserving(relaxed: NDArray[np.float32], k: int) -> list[NDArray[np.int64]]:
    """K candidates: the relaxed decision rounded, then cut at its entries closest to 1/2 (DROO, eqs. 8 and 9)."""
    candidates = [(relaxed > 0.5).astype(np.int64)]
    for user in np.argsort(abs(relaxed - 0.5))[: k - 1]:
        threshold = relaxed[user]
        above = relaxed > threshold if threshold > 0.5 else relaxed >= threshold
        candidates.append(above.astype(np.int64))
    return candidates


def rate(gains: FloatArray, decision: NDArray[np.int64], weights: FloatArray) -> float:
    """The rate of a decision with its best time split, bit/s; gains, decision and weights are (N,).

    One price v of time rules all offloading users. Each step of the bisection asks every one of them for its
    answer to the price where an equation names it, as the published code does.
    """
    local = np.sum((weights * ETA1 * (gains / CPU_ENERGY) ** (1 / 3))[decision == 0])
    snr = ETA2 * gains[decision == 1] ** 2
    slope = EPSILON * weights[decision == 1]
    users = range(len(snr))

    def inverse_snr(v: float, user: int) -> float:
        """1 / y of ln(1 + y) - y / (1 + y) = v / slope."""
        return 1 / (-1 - 1 / lambertw(-np.exp(-1 - v / slope[user])).real)

    def charging_time(v: float) -> float:
        return 1 / (1 + sum(snr[user] * inverse_snr(v, user) for user in users))

    def excess(v: float) -> float:
        """What one more unit of time earns above its price; falls in v."""
        offloaded = sum(slope[user] * snr[user] / (1 + 1 / inverse_snr(v, user)) for user in users)
        return local * charging_time(v) ** (-2 / 3) / 3 + offloaded - v

    low, high = 0.0, HIGHEST_PRICE
    while high - low > PRICE_TOLERANCE:
        v = (low + high) / 2
        if excess(v) > 0:
            low = v
        else:
            high = v
    a = charging_time(v)
    total = local * a ** (1 / 3)
    for user in users:
        tau = snr[user] * inverse_snr(v, user) * a
        total += slope[user] * tau * np.log(1 + snr[user] * a / tau)
    return float(total)
