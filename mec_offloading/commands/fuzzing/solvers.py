"""Random frames of the shipped worlds over their ranges, each solver against a reference."""

import math
from itertools import product
from typing import Any

import numpy as np

from env import AgeMEC, InputError, LyapunovMEC, MultiServerMEC, MultiTaskMEC, PartialMEC, WirelessPoweredMEC
from env.compat import Algo1_NUM, bisection

from . import references as reference
from .tally import Tally

Rng = np.random.Generator
PUBLISHED = {
    "transmit_power": 3.0,
    "cycles_per_bit": 100.0,
    "energy_coefficient": 1e-26,
    "bandwidth": 2e6,
    "noise_power": 1e-10,
}


def decades(rng: Rng, low: float, high: float, size: Any) -> Any:
    """Numbers whose logarithm is uniform, between 10^low and 10^high."""
    return 10 ** rng.uniform(low, high, size)


def every(num_users: int, choices: int = 2) -> Any:
    """All decisions, (C^N, N)."""
    return np.array(list(product(range(choices), repeat=num_users)), dtype=np.int64)


def wireless_powered(rng: Rng, tally: Tally) -> None:
    """All decisions of frames: gains from 1e-30 to 1e6, weights over 12 decades, constants times 1e-9 to 1e9."""
    users, rows = int(rng.choice([1, 2, 3, 4, 5, 7, 8])), 60
    kind = rng.integers(4)
    gains = decades(rng, -8, -5, (rows, users)) if kind % 2 else decades(rng, -30, 6, (rows, users))
    weights = decades(rng, -6, 6, users) if kind > 1 else np.where(np.arange(users) % 2, 1.5, 1.0)
    factor = decades(rng, -9, 9, len(PUBLISHED)) if kind == 1 else np.ones(len(PUBLISHED))
    constants = {name: value * by for (name, value), by in zip(PUBLISHED.items(), factor, strict=True)}
    env = WirelessPoweredMEC(users, channel=gains, weights=weights.tolist(), **constants)
    decisions = every(users)
    tally.inputs["wireless_powered"] += rows * len(decisions)

    c = {name: np.longdouble(value) for name, value in constants.items()}
    w, h = np.longdouble(weights), np.longdouble(gains)[:, None]
    received = np.longdouble(0.7) * c["transmit_power"]
    local = w / c["cycles_per_bit"] * np.cbrt(received * h / c["energy_coefficient"])
    snr = np.broadcast_to(received / c["noise_power"] * h * h, (rows, len(decisions), users))
    slope = np.broadcast_to(w * c["bandwidth"] / (np.longdouble(1.1) * np.log(np.longdouble(2))), snr.shape)
    found = env.allocate(gains[:, None], decisions)
    a, time = found.charging_time, found.transmit_time
    tally.require("time split within the frame", a + time.sum(-1) <= 1 + 1e-12)
    bound = reference.rate_bound(local, snr, slope, decisions, a, time)
    tally.compare("WirelessPoweredMEC.allocate, its times", found.rate, reference.rate_of(
        local, snr, slope, decisions, a, time), 1e-11)  # fmt: skip
    for row, place in np.argwhere(abs(found.rate / bound - 1) > 1e-9)[:20]:  # a bound that is not tight
        bound[row, place] = _exact_rate(gains[row], weights, constants, decisions[place] == 1)
    tally.compare("WirelessPoweredMEC.allocate, by duality", found.rate, bound, 1e-9)
    best = env.optimum(gains)
    tally.compare("WirelessPoweredMEC.optimum", best.rate, found.rate.max(-1), 1e-9)
    tally.require("bound of the optimum", best.upper_bound >= found.rate.max(-1) * (1 - 1e-14))

    row = int(rng.integers(rows))
    decision = decisions[int(rng.integers(len(decisions)))]
    on = decision == 1
    right = _exact_rate(gains[row], weights, constants, on)
    where = f"gains={gains[row].tolist()}, weights={weights.tolist()}, decision={decision.tolist()}, {constants}"
    tally.compare(
        "WirelessPoweredMEC.allocate, 50 digits", env.allocate(gains[row], decision).rate, right, 1e-12, where
    )
    if kind != 1:
        rate = bisection(gains[row], decision, weights)[0]
        tally.compare("compat bisection, 50 digits", rate, right, 1e-12, where)
    for frame in range(rows):
        rates = env.evaluate(decisions)
        tally.compare("WirelessPoweredMEC.evaluate", rates, found.rate[frame], 1e-9)
        if frame == row:
            tally.compare(
                "WirelessPoweredMEC.evaluate, 50 digits",
                rates[(decisions == decision).all(-1)],
                right,
                1e-9,
                where,
            )
        env.step(decisions[0])

    import torch

    together = 4
    device = WirelessPoweredMEC(
        users, channel=list(gains.reshape(-1, together, users).swapaxes(0, 1)), weights=weights.tolist(),
        replicas=together, device="cpu", **constants,
    )  # fmt: skip
    tensor = torch.from_numpy(np.broadcast_to(decisions, (together, *decisions.shape)).copy())
    for frame in range(rows // together):
        rates = device.evaluate(tensor).numpy()
        tally.compare(
            "WirelessPoweredMEC.evaluate on 'cpu'",
            rates,
            found.rate.reshape(-1, together, len(decisions))[frame],
            1e-9,
        )
        device.step(tensor[:, 0])


def _exact_rate(gains: Any, weights: Any, constants: dict[str, float], on: Any) -> Any:
    from mpmath import cbrt, log, mpf, workdps

    with workdps(50):
        c = {name: mpf(value) for name, value in constants.items()}
        received = mpf(0.7) * c["transmit_power"]
        h, w = [mpf(float(one)) for one in gains], [mpf(float(one)) for one in weights]
        local = [
            w_i / c["cycles_per_bit"] * cbrt(received * h_i / c["energy_coefficient"])
            for h_i, w_i in zip(h, w, strict=True)
        ]
        places = [place for place in range(len(on)) if on[place]]
        snr = [received / c["noise_power"] * h[place] ** 2 for place in places]
        slope = [w[place] * c["bandwidth"] / (mpf(1.1) * log(2)) for place in places]
        stay = sum((local[place] for place in range(len(on)) if not on[place]), mpf(0))
        return float(reference.best_rate(stay, snr, slope))


def lyapunov(rng: Rng, tally: Tally) -> None:
    """Random decisions of random frames, queues over 30 decades and empty ones, by a dual bound."""
    users, rows = int(rng.integers(1, 6)), 300
    wide = rng.random() < 0.5
    gains = decades(rng, -12, -5, (rows, users)) if wide else decades(rng, -10, -7, (rows, users))
    data = decades(rng, -15, 15, (rows, users)) if wide else decades(rng, -2, 3, (rows, users))
    energy = decades(rng, -15, 15, (rows, users)) if wide else decades(rng, -2, 4, (rows, users))
    data[rng.random(data.shape) < 0.05] = 0.0
    energy[rng.random(energy.shape) < 0.2] = 0.0
    decisions = rng.integers(2, size=(rows, users))
    env = LyapunovMEC(users)
    tally.inputs["lyapunov"] += rows
    found = env.allocate(gains, decisions, data, energy)

    h, q, y = (np.longdouble(array) for array in (gains, data, energy))
    worth, price = q + 20 * np.longdouble(np.where(np.arange(users) % 2, 1.0, 1.5)), 10 * y
    scale = np.longdouble(2) / (np.longdouble(1.1) * np.log(np.longdouble(2)))
    noise = np.longdouble(2e6) * np.longdouble(10**-20.4) / h
    most = np.log1p(np.longdouble(0.1) / noise)
    on = decisions > 0
    objective = (worth * found.rate - price * found.energy).sum(-1)
    tally.require("LyDROO frame not exceeded", found.transmit_time.sum(-1) <= 1 + 1e-9)
    tally.require("LyDROO data not exceeded", found.rate <= q * (1 + 1e-12))
    with np.errstate(all="ignore"):
        sent = scale * found.transmit_time * np.log1p(found.energy / (noise * found.transmit_time))
    sends = on & (found.transmit_time > 0)
    rate = np.where(sends, found.rate, 0)
    tally.compare("LyapunovMEC.allocate, rate of its energy", rate, np.where(sends, sent, 0), 1e-9)
    with np.errstate(all="ignore"):
        capped = np.minimum(1e8 * q, 3e8)
        frequency = np.where(
            price > 0, np.minimum(np.sqrt(worth / (3e8 * np.longdouble(1e-26) * price)), capped), capped
        )
        locally = np.where(on, 0, worth * frequency / 1e8 - price * np.longdouble(1e-26) * frequency**3).sum(-1)
        value, cost, left = worth * scale, price * noise, q / scale
        best = np.clip(np.where(cost > 0, np.log(value / cost), np.inf), 0, most)
        x = np.where(found.transmit_time > 0, found.rate / (scale * found.transmit_time), best)
        prices = np.concatenate(
            [value * best - cost * np.expm1(best), cost * reference.price_of(x), 1e-30 * value], -1
        )
        prices = np.maximum(np.where(np.isfinite(prices), prices, 1e-200), 1e-200)
    pays = (on & (q > 0) & (value * best > cost * np.expm1(best))).any(-1)
    right = locally + np.where(pays, reference.offloading_bound(value, cost, left, most, decisions, prices), 0)
    tally.compare("LyapunovMEC.allocate", found.objective, right, 1e-9)
    tally.compare("LyapunovMEC.allocate, its rates", found.objective, objective, 1e-9)
    for row in range(10):
        there = Algo1_NUM(decisions[row], gains[row] * 1e10, env.weights, data[row], energy[row])[0]
        tally.compare("compat Algo1_NUM", there, found.objective[row], 1e-9)


def multi_server(rng: Rng, tally: Tally) -> None:
    """All decisions of a frame by their definition, and the least cost of those that keep the limits."""
    users, servers = int(rng.integers(1, 7)), int(rng.integers(1, 4))
    weight = float(rng.choice([0.0, 0.5, 0.9, 1.0]))
    capacities = int(rng.integers(1, users + 1)) if rng.random() < 0.5 else None
    env = MultiServerMEC(users, servers, delay_weight=weight, capacities=capacities)
    decisions = every(users, servers + 1)
    fits = np.ones(len(decisions), dtype=bool)
    if capacities is not None:
        fits = (np.eye(servers + 1, dtype=int)[decisions].sum(1)[:, 1:] <= capacities).all(-1)
    for _ in range(3):
        gains = decades(rng, -14, -6, (users, servers))
        bits, cycles = decades(rng, 4, 8, users), decades(rng, 7, 11, users)
        env.set_frame(gains, bits, cycles)
        tally.inputs["multi_server"] += int(fits.sum())
        power, noise = env.transmit_power[:, None], env.noise_power
        rate = env.bandwidth * np.log2(1 + power * gains / noise) if (power * gains / noise > 1e-3).all() else (
            env.bandwidth * np.log1p(power * gains / noise) / np.log(2))  # fmt: skip
        t, e = cycles / env.local_frequency, env.energy_coefficient * env.local_frequency**2 * cycles
        sending = np.sqrt((weight / t + (1 - weight) * env.transmit_power / e)[:, None] * bits[:, None] / rate)
        computing = np.sqrt((weight / t * cycles)[:, None] / env.server_frequency)
        cost = (decisions == 0).sum(-1).astype(float)
        for server in range(servers):
            on = decisions == server + 1
            cost += (on * sending[:, server]).sum(-1) ** 2 + (on * computing[:, server]).sum(-1) ** 2
        tally.compare("MultiServerMEC.evaluate", users - env.evaluate(decisions[fits]), cost[fits], 1e-9)
        found = env.optimum()
        tally.compare("MultiServerMEC.optimum", found.cost, cost[fits].min(), 1e-9)
        tally.require("MultiServerMEC bound", found.lower_bound <= cost[fits].min() * (1 + 1e-12))


def partial_offloading(rng: Rng, tally: Tally) -> None:
    """Decisions of small frames by SciPy's general solver, and their optimum by trying all."""
    users, servers = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    env, slow = (
        PartialMEC(users, servers, critic=critic, seed=int(rng.integers(10**6))) for critic in ("batched", "scipy")
    )
    slow.set_frame(env.gains, env.task_bits, env.task_cycles)
    decisions = every(users, servers + 1)
    values = env.evaluate(decisions)
    some = rng.permutation(len(decisions))[:4]
    tally.inputs["partial_offloading"] += len(some)
    right = users - slow.evaluate(decisions[some])
    tally.require("PartialMEC.evaluate, no worse than SciPy", users - values[some] <= right + 1e-9 * users)
    tally.compare("PartialMEC.evaluate against SciPy", users - values[some], right, 1e-5)
    tally.compare("PartialMEC.optimum", env.optimum().cost, users - values.max(), 1e-9)


def multi_task(rng: Rng, tally: Tally) -> None:
    """All decisions of frames by their definition."""
    devices, tasks = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    shares = rng.dirichlet(np.ones(devices)) * rng.uniform(0.1, 1) + 1e-12
    weight, bandwidth = float(decades(rng, -9, 9, ())), float(decades(rng, -9, 9, ()))
    env = MultiTaskMEC(devices, tasks, bandwidth_shares=(shares / max(shares.sum(), 1)).tolist(),
                       delay_weight=weight, bandwidth=bandwidth)  # fmt: skip
    shares = env.bandwidth_shares
    sizes = decades(rng, -9, 9, (20, devices, tasks))
    decisions = every(devices * tasks).reshape(-1, devices, tasks)
    tally.inputs["multi_task"] += len(sizes) * len(decisions)
    mb = sizes[:, None] * 8 * 2**20
    away, home = (mb * decisions).sum(-1), (mb * (1 - decisions)).sum(-1)
    sending = away / (8 * 2**20) / (bandwidth * shares)
    delay = np.maximum(4.75e-7 * home, sending + away * 1900 / 10e9)
    cost = (3.25e-7 * home + (1.42e-7 + 1.5e-7) * away + weight * delay).sum(-1)
    tally.compare("MultiTaskMEC.cost", env.cost(sizes[:, None], decisions), cost, 1e-12)
    found = env.optimum(sizes)
    tally.compare("MultiTaskMEC.optimum", found.cost, cost.min(-1), 1e-12)


def age(rng: Rng, tally: Tally) -> None:
    """All decisions of some frames by their definition."""
    users = int(rng.integers(1, 8))
    places = int(rng.integers(1, users + 1))
    bits, weights = float(decades(rng, 0, 4, ())), decades(rng, -6, 6, users)
    env = AgeMEC(users, places=places, packet_bits=bits, weights=weights.tolist(), seed=int(rng.integers(10**6)))
    decisions = every(users)
    for _ in range(8):
        able = env.battery >= env.transmit_energy
        fits = (decisions.sum(-1) <= places) & ~(decisions.astype(bool) & ~able).any(-1)
        kept = decisions[fits]
        tally.inputs["age"] += len(kept)
        value = []
        for decision in kept:
            m, total = int(decision.sum()), 0.0
            for user in range(users):
                chance = 0.0
                if decision[user]:
                    g = m * 1e-3 * env.gains[user] / (10**-20.4 * 20e3)
                    n = 20e3 * 0.01 / m
                    spread = g * (g + 2) / (g + 1) ** 2
                    chance = (
                        math.erfc(-math.sqrt(n / spread) * (math.log1p(g) - bits / n * math.log(2)) / math.sqrt(2))
                        / 2
                    )
                after = chance + (1 - chance) * (env.age[user] + 1) ** 2
                total += 30.0 * weights[user] * after / 2 + (50.0 - env.battery[user]) * 10.0 * decision[user]
            value.append(-total)
        tally.compare("AgeMEC.evaluate", env.evaluate(kept), value, 1e-10)
        tally.compare("AgeMEC.frame_optimum", env.frame_optimum(), max(value), 1e-10)
        env.step(kept[int(rng.integers(len(kept)))])


SOLVERS = {
    "wireless_powered": wireless_powered,
    "lyapunov": lyapunov,
    "multi_server": multi_server,
    "partial_offloading": partial_offloading,
    "multi_task": multi_task,
    "age": age,
}
__all__ = ["SOLVERS", "InputError"]
