"""The allocation of one LyDROO frame as the paper tells it, one decision at a time; timed against `allocate`.

For each decision a bisection finds the price of time (Bi, Huang, Wang, Zhang, IEEE Trans. Wireless Comm. 2021,
Algorithm 1), in each of its steps one Lambert W function a user; a linear program then splits the time.

python scripts/textbook_lyapunov.py
"""

import argparse
import time
from typing import Any

import numpy as np

from env import LyapunovMEC

BANDWIDTH, OVERHEAD, NOISE = 2.0, 1.1, 2e6 * 10**-20.4  # MHz, 1, W
POWER, FREQUENCY = 0.1, 3e8  # W, Hz
CYCLES, COEFFICIENT = 100 * 1e6, 1e-26  # a Mbit, 1
EXPONENT = OVERHEAD * np.log(2) / BANDWIDTH  # of the signal-to-noise ratio, a Mbit/s
PRICE_ACCURACY = 1e-3


def textbook_allocate(
    gains: Any, decision: Any, data_queue: Any, energy_queue: Any, weights: Any, rate_weight: float = 20.0
) -> float:
    """The objective of one decision (N,) in a frame of gains, data queues (Mbit) and energy queues (N,)."""
    from scipy.optimize import linprog
    from scipy.special import lambertw

    value, energy_price = data_queue + rate_weight * weights, 10 * energy_queue
    objective = 0.0
    for user in np.flatnonzero(decision == 0):
        frequency = min(CYCLES * data_queue[user], FREQUENCY)
        if energy_price[user] > 0:
            cheapest = np.sqrt(value[user] / (3 * CYCLES * COEFFICIENT * energy_price[user]))
            frequency = min(frequency, cheapest)
        objective += value[user] * frequency / CYCLES - energy_price[user] * COEFFICIENT * frequency**3
    offloading = [user for user in np.flatnonzero(decision == 1) if data_queue[user] > 0]
    if not offloading:
        return objective

    def power(user: int, rate: float) -> float:
        return NOISE / gains[user] * np.expm1(EXPONENT * rate)

    def best_rate(user: int, price: float) -> float:
        largest = np.log1p(POWER * gains[user] / NOISE) / EXPONENT
        if energy_price[user] == 0:
            return largest
        lambert = lambertw((price * gains[user] / (energy_price[user] * NOISE) - 1) / np.e).real
        return min((1 + lambert) / EXPONENT, largest)

    def air_time(user: int, price: float) -> float:
        rate = best_rate(user, price)
        profit = value[user] - (energy_price[user] * power(user, rate) + price) / rate
        return data_queue[user] / rate if profit > 0 else 0.0

    low, high = 0.0, max(value[user] * best_rate(user, np.inf) for user in offloading)
    while high - low > PRICE_ACCURACY:
        price = (low + high) / 2
        if sum(air_time(user, price) for user in offloading) > 1:
            low = price
        else:
            high = price
    rates = np.array([best_rate(user, (low + high) / 2) for user in offloading])
    powers = np.array([power(user, rate) for user, rate in zip(offloading, rates, strict=True)])
    earnings = value[offloading] * rates - energy_price[offloading] * powers
    bounds = [(0, data_queue[user] / rate) for user, rate in zip(offloading, rates, strict=True)]
    split = linprog(-earnings, A_ub=np.ones((1, len(rates))), b_ub=[1.0], bounds=bounds)
    return objective - split.fun


def measure(users: int = 10, candidates: int = 10, frames: int = 200) -> dict[str, float]:
    """Median microseconds of a frame's K candidates: by the textbook, by `evaluate`, by `evaluate` and `step`.

    Beside them, `least_shortfall` and `largest_shortfall`: by how much the textbook's objectives are below the
    exact ones, relative.
    """
    env = LyapunovMEC(users)
    rng = np.random.default_rng(0)
    seconds: dict[str, list[float]] = {"textbook": [], "evaluate": [], "evaluate and step": []}
    played = []
    for _ in range(frames):
        decisions = rng.integers(2, size=(candidates, users))
        state = env.gains, env.data_queue, env.energy_queue
        start = time.perf_counter()
        values = env.evaluate(decisions)
        seconds["evaluate"].append(time.perf_counter() - start)
        env.step(decisions[values.argmax()])
        seconds["evaluate and step"].append(time.perf_counter() - start)
        played.append((state, decisions, values))
    shortfall = []
    for (gains, data_queue, energy_queue), decisions, values in played:
        start = time.perf_counter()
        textbook = [
            textbook_allocate(gains, decision, data_queue, energy_queue, env.weights) for decision in decisions
        ]
        seconds["textbook"].append(time.perf_counter() - start)
        shortfall.append(1 - np.array(textbook) / values)
    medians = {name: 1e6 * float(np.median(times)) for name, times in seconds.items()}
    return {
        **medians,
        "least_shortfall": float(np.min(shortfall)),
        "largest_shortfall": float(np.max(shortfall)),
    }


def main() -> None:
    """Print the median time of a frame's K candidates, by the textbook and by `LyapunovMEC`."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--users", type=int, default=10)
    parser.add_argument("--candidates", type=int, default=10)
    parser.add_argument("--frames", type=int, default=200)
    arguments = parser.parse_args()
    measured = measure(arguments.users, arguments.candidates, arguments.frames)
    print(f"{arguments.users} users, {arguments.candidates} candidates, {arguments.frames} frames: median a frame")
    for name in ("textbook", "evaluate", "evaluate and step"):
        times = measured["textbook"] / measured[name]
        print(f"{name:>18} {measured[name]:>10.1f} microseconds, textbook {times:.0f} times")
    least, largest = measured["least_shortfall"], measured["largest_shortfall"]
    print(f"textbook objective below the exact one by {least:.1e} to {largest:.1e}")
