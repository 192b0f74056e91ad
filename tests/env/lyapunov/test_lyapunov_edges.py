"""LyDROO's critic at the edges of its range, against 50 digits, with machine code and without."""

from contextlib import ExitStack
from unittest.mock import patch

import numpy as np
import pytest
from mpmath import exp, expm1, log, log1p, mp, mpf, sqrt, workdps

from env import LyapunovMEC
from env.compat import Algo1_NUM


def exponent_at(ratio):
    """x of (x - 1) e^x + 1 = ratio, by Newton's method with as many digits as the difference costs."""
    x = sqrt(2 * ratio) if ratio < 1 else log(ratio + 1) + 1
    with workdps(60 + int(max(0, -2 * log(ratio, 10)))):
        for _ in range(300):
            step = ((x - 1) * exp(x) + 1 - ratio) / (x * exp(x))
            x = x - step if x > step else x / 2
            if abs(step) <= abs(x) * mpf(10) ** -45:
                break
    return +x


def local_best(world, data, value, price):
    """Of a user that computes, by its closed form (LyDROO, section IV-B)."""
    cycles, k = mpf(world.cycles_per_mbit), mpf(world.energy_coefficient)
    frequency = min(cycles * data, mpf(world.cpu_frequency))
    if price:
        frequency = min(frequency, sqrt(value / (3 * cycles * k * price)))
    return value * frequency / cycles - price * k * frequency**3


def best_objective(world, rate_value, gains, decision, data_queue, energy_queue):
    """The best objective of a decision: its price of time by bisection, to 1e-40 of it."""
    total, senders = mpf(0), []
    for i, offloads in enumerate(decision):
        data, price = mpf(float(data_queue[i])), 10 * mpf(float(energy_queue[i]))
        value, noise = data + mpf(float(rate_value[i])), mpf(world.noise_power) / mpf(float(gains[i]))
        if not offloads:
            total += local_best(world, data, value, price)
            continue
        worth, cost = value * mpf(world.rate_scale), price * noise
        fastest = log1p(mpf(world.transmit_power) / noise)
        if cost:
            fastest = min(max(log(worth / cost), 0), fastest)
        threshold = worth * fastest - cost * expm1(fastest)
        if data > 0 and threshold > 0:
            senders.append((threshold, worth, cost, data / mpf(world.rate_scale), fastest))
    senders.sort(reverse=True)

    def at(price, users):
        """Time asked for and objective at a price of time."""
        time, earned = mpf(0), mpf(0)
        for _, worth, cost, data, fastest in users:
            x = min(exponent_at(price / cost), fastest) if cost else fastest
            time += data / x
            earned += (worth * x - cost * expm1(x)) * data / x
        return time, earned

    for place, (threshold, _, _, data, fastest) in enumerate(senders):
        time, earned = at(threshold, senders[:place])
        if time < 1 <= time + data / fastest:
            return total + earned + threshold * (1 - time)
        if time >= 1:
            senders = senders[:place]
            break
    if not senders:
        return total
    high = log(senders[-1][0])
    width = mpf(1)
    while at(exp(high - width), senders)[0] < 1 and width < 5000:
        width *= 2
    low = high - width
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if at(exp(middle), senders)[0] > 1 else (low, middle)
    return total + at(exp(low), senders)[1]


@pytest.fixture(params=["as installed", "NumPy"])
def code(request):
    """With machine code, where there is some, and without."""
    with ExitStack() as stack:
        if request.param == "NumPy":
            stack.enter_context(patch("env.lyapunov.allocation.machine_code", return_value=None))
        yield


def instance(decades, rng):
    num_users = int(rng.integers(2, 6))
    gains = 10 ** rng.uniform(-12, -8, num_users)
    data_queue, energy_queue = 10 ** rng.uniform(-decades, decades, (2, num_users))
    if rng.random() < 0.2:
        energy_queue[0] = 0
    if rng.random() < 0.5:
        data_queue = 10 ** rng.uniform(-3, 3, num_users)
    return gains, (rng.random(num_users) < 0.7).astype(np.int64), data_queue, energy_queue


@pytest.mark.parametrize("decades", [3, 15, 300])
def test_objectives_at_the_edges(code, decades):
    """Queues from 10^-decades to 10^decades, and no energy spent at all, each within 1e-9; nothing warns."""
    for seed in range(12):
        gains, decision, data_queue, energy_queue = instance(decades, np.random.default_rng(seed))
        world = LyapunovMEC(len(gains), weights=np.ones(len(gains)))
        with mp.workdps(50):
            right = float(
                best_objective(world, np.full(len(gains), 20), gains, decision, data_queue, energy_queue)
            )
        assert world.allocate(gains, decision, data_queue, energy_queue).objective == pytest.approx(
            right, rel=1e-9
        )
        assert Algo1_NUM(decision, gains * 1e10, [], data_queue, energy_queue)[0] == pytest.approx(right, rel=1e-9)


def test_a_long_energy_queue_of_a_user_that_computes(code):
    """The energy is too little for a number, but not what it costs."""
    world = LyapunovMEC(1, weights=[1.0])
    right = float(local_best(world, mpf(5), mpf(25), mpf("1e300") * 10))
    assert world.allocate([1e-9], [0], [5.0], [1e300]).objective == pytest.approx(right, rel=1e-12)
    assert Algo1_NUM([0], [10.0], [], [5.0], [1e300])[0] == pytest.approx(right, rel=1e-12)


def test_all_of_the_frame_is_used(code):
    """Who sends all of its data and could send it slower does so: the frame is full."""
    rng = np.random.default_rng(5)
    world = LyapunovMEC(10)
    for _ in range(100):
        gains, (data_queue, energy_queue) = 10 ** rng.uniform(-12, -8, 10), 10 ** rng.uniform(-3, 3, (2, 10))
        decisions = rng.integers(0, 2, (20, 10))
        decisions[:, 0] = 1
        found = world.allocate(gains, decisions, data_queue, energy_queue)
        assert found.transmit_time.sum(-1) == pytest.approx(1, abs=1.1e-9)
