"""Train the set network that the package ships: 10 to 30 users, random distances and weights, own candidates only.

python scripts/pretrain.py
"""

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from agent.decisions.quantizer import OrderPreserving
from env import InputError, PathLoss, WirelessPoweredMEC

from .common.errors import explained
from .common.progress import tqdm
from .common.shipped import CHECKOUT

if TYPE_CHECKING:
    import torch

    from agent import SetNetwork

USERS = range(10, 31)
DISTANCES = 2.5, 11.0
"""Metres, uniform."""
FRAMES = 32
"""In a batch, all of one number of users."""


def draw(rng: np.random.Generator, num_users: int, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Gains and weights (frames, N): Rayleigh fading; a third of the frames with weights 1 and 1.5 at random.

    In the others the weights differ up to a hundredfold, so that the rule carries over to far larger crowds: a
    light user among heavy ones sees what a user among many sees.
    """
    average = [PathLoss(rng.uniform(*DISTANCES, num_users)).average_gain(num_users) for _ in range(frames)]
    gains = np.array(average) * rng.exponential(size=(frames, num_users))
    spread = rng.uniform(0, math.log(10), (frames, 1))
    weights = np.exp(rng.uniform(-1, 1, (frames, num_users)) * spread)
    published = rng.random(frames) < 1 / 3
    weights[published] = rng.choice([1.0, 1.5], weights[published].shape)
    return np.maximum(gains, 1e-12), weights


def observe(gains: np.ndarray, weights: np.ndarray) -> "torch.Tensor":
    """Observations (..., N, 3) as `WirelessPoweredMEC(observation='user')` shows them."""
    import torch

    return torch.from_numpy(np.stack([np.log(1e6 * gains), np.log(weights), np.ones_like(gains)], -1)).float()


def train(steps: int, seed: int, rate: float = 0.03, averaging: float = 0.99) -> "SetNetwork":
    """The running mean of the network's weights over `steps` batches, each labelled by its own best candidate."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    from agent import SetNetwork

    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = SetNetwork()
    average = SetNetwork()
    average.load_state_dict(network.state_dict())
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: 0.5 * (1 + math.cos(math.pi * step / steps)) + 0.02
    )
    for step in tqdm(range(steps), unit="batch"):
        num_users = int(rng.choice(USERS))
        gains, weights = draw(rng, num_users, FRAMES)
        observations = observe(gains, weights)
        with torch.no_grad():
            relaxed = torch.sigmoid(average(observations).double()).numpy()
        candidates = OrderPreserving()(relaxed, num_users + 1 if step < 10 else 5)
        critic = WirelessPoweredMEC(num_users)
        rates = critic.allocate(gains[:, None], candidates, weights[:, None]).rate
        best = torch.from_numpy(candidates[np.arange(FRAMES), rates.argmax(1)]).float()
        optimizer.zero_grad()
        binary_cross_entropy_with_logits(network(observations), best).backward()
        optimizer.step()
        schedule.step()
        share = 1 - min(averaging, (2 + step) / (11 + step))
        with torch.no_grad():
            for mean, weight in zip(average.parameters(), network.parameters(), strict=True):
                mean.lerp_(weight, share)
    return average


def assess(network: "SetNetwork", num_users: int, frames: int, seed: int, published: bool = True) -> float:
    """Mean normalised rate, without training, of at most 5 candidates on new frames."""
    import torch

    rng = np.random.default_rng([seed, num_users])
    gains, _ = draw(rng, num_users, frames)
    weights = rng.choice([1.0, 1.5], gains.shape) if published else rng.uniform(0.5, 2, gains.shape)
    with torch.no_grad():
        relaxed = torch.sigmoid(network(observe(gains, weights)).double()).numpy()
    candidates = OrderPreserving()(relaxed, min(5, num_users + 1))
    world = WirelessPoweredMEC(num_users)
    normalized = [
        world.allocate(gain, choices, weight).rate.max() / world.optimum(gain, weight).rate
        for gain, weight, choices in zip(gains, weights, candidates, strict=True)
    ]
    return float(np.mean(normalized))


def main() -> None:
    """Train, save, and print what the network does with crowds that it has not seen."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--steps", type=int, default=4000, help="batches")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--output",
        type=Path,
        default=(CHECKOUT / "agent" / "networks" if CHECKOUT else Path()) / "pretrained.npz",
        help="of the weights; in a checkout, by default, the file that ships",
    )
    parser.add_argument("--frames", type=int, default=200, help="of each size to assess it on")
    arguments = parser.parse_args()
    with explained():
        if arguments.steps < 1 or arguments.frames < 1:
            raise InputError(f"steps and frames must be 1 or more, got {arguments.steps} and {arguments.frames}")
        network = train(arguments.steps, arguments.seed)
        np.savez(arguments.output, **{name: weight.numpy() for name, weight in network.state_dict().items()})
    print(f"{'users':>6} {'weights 1, 1.5':>15} {'0.5 to 2':>10}")
    for num_users in (5, 10, 30, 60, 100, 300, 1000):
        shares = [assess(network, num_users, arguments.frames, 10_000, kind) for kind in (True, False)]
        print(f"{num_users:>6} {shares[0]:>15.6f} {shares[1]:>10.6f}")
