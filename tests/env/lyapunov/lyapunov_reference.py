"""The LyDROO frame problem written once more, for a general solver and for a bound by duality.

Constants and formulas are repeated here, so that a slip in `env` cannot hide in a shared helper: Mbit, J, s.
"""

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import lambertw

RATE = 2 / (1.1 * np.log(2))  # Mbit/s at exponent 1
NOISE = 2e6 * 10**-20.4  # W
POWER, FREQUENCY = 0.1, 3e8
CYCLES, COEFFICIENT = 1e8, 1e-26  # a Mbit


def values(weights, data_queue, energy_queue, rate_weight=20.0):
    """What a Mbit is worth and a J costs, (N,)."""
    return data_queue + rate_weight * weights, 10 * energy_queue


def local_objective(weights, data_queue, energy_queue):
    """Of each user's best CPU frequency by a fine search, (N,)."""
    value, price = values(weights, data_queue, energy_queue)
    most = np.minimum(CYCLES * data_queue, FREQUENCY)
    frequency = most * np.linspace(0, 1, 100_001)[:, None]
    return (value * frequency / CYCLES - price * COEFFICIENT * frequency**3).max(0)


def dual_bound(gains, decision, weights, data_queue, energy_queue):
    """No allocation of the offloading users is worth more: min over mu of mu + sum of their best profits at mu."""
    on = (decision == 1) & (data_queue > 0)
    value, price = values(weights[on], data_queue[on], energy_queue[on])
    noise, data = NOISE / gains[on], data_queue[on]
    most = np.log1p(POWER / noise)
    with np.errstate(divide="ignore"):
        best = np.clip(np.log(value * RATE / (price * noise)), 0, most)
    alone = value * RATE * best - price * noise * np.expm1(best)

    def bound(log_mu):
        mu = np.exp(log_mu)
        with np.errstate(divide="ignore", over="ignore"):
            argument = np.minimum((mu / (price * noise) - 1) / np.e, 1e300)
        lambert = np.nan_to_num(lambertw(argument).real, nan=-1.0)  # SciPy's has none at the branch point, -1/e
        x = np.clip(1 + lambert, 1e-12, np.maximum(best, 1e-12))
        profit = (value * RATE * x - price * noise * np.expm1(x) - mu) * data / (RATE * x)
        return mu + np.where(alone > mu, np.maximum(profit, 0), 0).sum()

    starts = np.append(np.linspace(-90, 25, 1500), np.log(alone[alone > 0]))
    found = [bound(start) for start in starts]
    start = starts[np.argmin(found)]
    polished = minimize_scalar(
        bound, bounds=(start - 0.1, start + 0.1), method="bounded", options={"xatol": 1e-12}
    )
    return min(polished.fun, *found)


def slsqp(gains, decision, weights, data_queue, energy_queue, transmit_time, rate):
    """The offloading users' best objective that SciPy's general solver finds from one start, (N,) and (N,).

    In times tau and data r the problem is concave; both are scaled by their largest sensible values, and the
    answer is made feasible before it is valued.
    """
    on = (decision == 1) & (data_queue > 0)
    count = int(on.sum())
    if not count:
        return 0.0
    value, price = values(weights[on], data_queue[on], energy_queue[on])
    noise, data = NOISE / gains[on], data_queue[on]
    most = np.log1p(POWER / noise) * RATE  # Mbit/s
    scale = (value * data).sum()

    def parts(z):
        tau, sent = np.maximum(z[:count], 1e-9), z[count:] * data
        exponent = np.minimum(sent / (RATE * tau), 60)
        return tau, sent, exponent

    def loss(z):
        tau, sent, x = parts(z)
        gradient_tau = price * noise * (np.expm1(x) - x * np.exp(x))
        gradient_sent = price * noise * np.exp(x) / RATE - value
        total = price @ (noise * np.expm1(x) * tau) - value @ sent
        return total / scale, np.append(gradient_tau, gradient_sent * data) / scale

    time_left = {"type": "ineq", "fun": lambda z: 1 - z[:count].sum()}
    time_left["jac"] = lambda z: np.append(-np.ones(count), np.zeros(count))
    power_left = {"type": "ineq", "fun": lambda z: most * z[:count] / data - z[count:]}
    power_left["jac"] = lambda z: np.hstack([np.diag(most / data), -np.eye(count)])
    found = minimize(
        loss,
        np.append(transmit_time[on], rate[on] / data),
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * (2 * count),
        constraints=[time_left, power_left],
        options={"maxiter": 100, "ftol": 1e-10},
    ).x
    found = np.where(np.isfinite(found), np.clip(found, 0, 1), 0)
    found[:count] /= max(1.0, found[:count].sum())
    found[count:] = np.minimum(found[count:], most * found[:count] / data)
    tau, sent = found[:count], found[count:] * data
    x = np.where(tau > 0, sent / (RATE * np.where(tau > 0, tau, 1)), 0)
    return float(value @ sent - price @ (noise * np.expm1(x) * tau))
