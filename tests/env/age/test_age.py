import math

import numpy as np
import pytest
from scipy.stats import norm

from env import (
    AgeMEC,
    Channel,
    ConstantArrivals,
    ExponentialArrivals,
    GaussMarkov,
    InputError,
    PathLoss,
    baselines,
    check_environment,
)
from env.age.baselines import (
    best_channel,
    best_of_32_random,
    max_weight,
    oldest_as_many_as_best,
    oldest_first,
    one_by_one,
    round_robin,
)
from env.state import generator_state

RULES = [
    round_robin,
    oldest_first,
    best_channel,
    oldest_as_many_as_best,
    one_by_one,
    max_weight,
    best_of_32_random,
]
NOISE, POWER, LENGTH, BANDWIDTH, BITS = 10**-20.4, 1e-3, 0.01, 20e3, 256


class Fixed(Channel):
    """The same gains in every frame."""

    def __init__(self, gains):
        self.gains = np.array(gains)

    def sample(self, rng):
        return self.gains


def world(seed, num_users=None):
    """A world of random size and settings, played at random for some frames."""
    rng = np.random.default_rng(seed)
    num_users = num_users or int(rng.integers(1, 13))
    env = AgeMEC(
        num_users,
        places=int(rng.integers(1, num_users + 2)),
        harvest=ExponentialArrivals(rng.choice([0.5, 3.0, 8.0])),
        weights=rng.uniform(0.5, 3, num_users),
        age_weight=rng.choice([0.3, 30.0, 1000.0]),
        battery_capacity=rng.choice([10.0, 25.0, 50.0]),
        packet_bits=rng.choice([64, 256]),
        seed=seed,
    )
    for _ in range(rng.integers(1, 40)):
        env.step(env.decisions.random(1, rng)[0])
    return env


def probability(gain, together):
    """Of a report's being received, in bits instead of nats."""
    snr = together * POWER * gain / (NOISE * BANDWIDTH)
    uses = BANDWIDTH * LENGTH / together
    capacity = math.log2(1 + snr)
    dispersion = (1 - 1 / (1 + snr) ** 2) * math.log2(math.e) ** 2
    return norm.cdf((capacity - BITS / uses) / math.sqrt(dispersion / uses))


def cost(env, decision, age_weight=30.0):
    """Of default settings, sensor by sensor."""
    total = 0.0
    for sensor in range(env.num_users):
        age, battery = env.age[sensor], env.battery[sensor]
        received = probability(env.gains[sensor], decision.sum()) if decision[sensor] else 0.0
        total += age_weight * (received * 1 + (1 - received) * (age + 1) ** 2) / 2
        total += (50 - battery) * 10 * decision[sensor]
    return total


@pytest.mark.parametrize("gain", [1e-14, 4e-13, 2e-12, 1e-10])
def test_reports_are_received_as_the_normal_approximation_says(gain):
    env = AgeMEC(3, places=3, channel=Fixed([gain, 2 * gain, 3 * gain]))
    expected = [[probability(g, m) for g in env.gains] for m in (1, 2, 3)]
    np.testing.assert_allclose(env.success_probability(), expected, rtol=1e-9, atol=1e-300)


def test_values_are_negated_costs_of_the_stated_formula():
    rng = np.random.default_rng(0)
    env = AgeMEC(6, seed=1)
    for _ in range(60):
        decisions = env.decisions.random(8, rng)
        expected = [-cost(env, decision) for decision in decisions]
        np.testing.assert_allclose(env.evaluate(decisions), expected, rtol=1e-9)
        env.step(decisions[0])
    assert env.decisions.mask[:, 1].any()


def test_a_cost_is_what_the_next_ages_cost_on_average():
    env = AgeMEC(4, seed=2, channel=Fixed([2e-12, 1e-12, 6e-13, 4e-13]))
    for _ in range(3):
        env.step([0, 0, 0, 1])
    state, decision = env.state_dict(), np.array([1, 1, 0, 1])
    chance = env.success_probability()[2]
    assert ((chance > 0.02) & (chance < 0.98)).any()
    price = ((50 - env.battery) * 10 * decision).sum()
    expected = env.evaluate([decision])[0]
    costs = []
    for draw in range(3000):
        env.load_state_dict(state | {"rng": generator_state(np.random.default_rng(draw))})
        env.step(decision)
        costs.append(30 * (env.age**2).sum() / 2 + price)
    assert np.mean(costs) == pytest.approx(-expected, abs=4 * np.std(costs) / math.sqrt(3000))


@pytest.mark.parametrize("seed", range(40))
def test_the_optimum_is_the_best_of_all_decisions(seed):
    env = world(seed)
    best = env.evaluate(env.decisions.all()).max()
    assert env.frame_optimum() == pytest.approx(best, rel=1e-12)
    choice = max_weight(env)
    assert choice.value == pytest.approx(best, rel=1e-12)
    assert choice.evaluations <= env.decisions.capacities[1] + 1
    assert env.evaluate([choice.decision])[0] == choice.value


@pytest.mark.parametrize("seed", range(5))
def test_the_optimum_of_many_is_reached_and_not_exceeded(seed):
    env = world(seed, 60)
    assert max_weight(env).value == pytest.approx(env.frame_optimum(), rel=1e-12)
    found = baselines.coordinate_descent(env, np.random.default_rng(seed), max_weight(env).decision)
    assert found.value <= env.frame_optimum() * (1 - 1e-12)


def test_who_transmits_together_matters():
    """The best two are not the best one and another: sensor 0 is only received alone."""
    ages = np.array([8.0, 6.0, 6.0])
    env = AgeMEC(3, places=2, channel=Fixed([5.5e-13, 1e-11, 1e-11]), packet_bits=400)
    env.load_state_dict(env.state_dict() | {"age": ages})
    worth = env.worth()
    assert worth[1].argmax() == 0
    assert worth[2].argmin() == 0
    assert max_weight(env).decision.tolist() == [0, 1, 1]


def test_ages_and_batteries_by_hand():
    """Sensor 0 is always received, sensor 1 never; 10 microjoules a transmission, 4 harvested."""
    env = AgeMEC(2, places=2, channel=Fixed([1e-9, 1e-16]), harvest=ConstantArrivals(4.0), battery_capacity=25.0)
    seen = []
    for decision in ([0, 0], [1, 1], [1, 1], [0, 1], [0, 0], [1, 0]):
        seen.append((env.age.tolist(), env.battery.tolist(), env.decisions.mask[:, 1].tolist()))
        env.step(decision)
        seen[-1] += (env.delivered.tolist(),)
    assert seen == [
        ([1, 1], [25, 25], [True, True], [False, False]),
        ([2, 2], [25, 25], [True, True], [True, False]),
        ([1, 3], [19, 19], [True, True], [True, False]),
        ([1, 4], [13, 13], [True, True], [False, False]),
        ([2, 5], [17, 7], [True, False], [False, False]),
        ([3, 6], [21, 11], [True, True], [True, False]),
    ]
    assert env.frame_metrics() == {"age": 4.0, "delivery_rate": 0.5, "outage": 0.0, "battery": 15.0}
    env.step([1, 1])
    assert env.battery.tolist() == [9, 9]
    assert env.frame_metrics()["outage"] == 1.0


def test_what_does_not_keep_the_limits_is_refused_and_changes_nothing():
    env = AgeMEC(3, places=2, harvest=ConstantArrivals(0.1), battery_capacity=10.0)
    env.step([1, 0, 0])
    before = env.state_dict()
    for decision, message in (
        ([1, 0, 0], "must take choices that are there, but user 0 takes 1"),
        ([2, 0, 0], "must hold only 0 and 1"),
        ([0, 0], "must have shape"),
    ):
        with pytest.raises(InputError, match=message):
            env.step(decision)
    with pytest.raises(InputError, match="must have at most 2 users take choice 1, got 3"):
        AgeMEC(3, places=2).evaluate([[0, 0, 0], [1, 1, 1]])
    after = env.state_dict()
    assert all(np.array_equal(before[name], after[name]) for name in ("frame", "age", "battery", "rng"))


@pytest.mark.parametrize("rule", RULES)
def test_rules_keep_the_limits_and_say_what_they_are_worth(rule):
    for seed in range(30):
        env = world(seed)
        state = env.state_dict()
        choice = rule(env, np.random.default_rng(0))
        np.testing.assert_array_equal(env.decisions.check_one("decision", choice.decision), choice.decision)
        assert env.evaluate([choice.decision])[0] == choice.value <= env.frame_optimum() + 1e-9
        assert env.state_dict()["rng"] == state["rng"]


def test_rules_choose_whom_they_say():
    env = AgeMEC(5, places=2, channel=Fixed([1e-11, 5e-11, 2e-11, 4e-11, 3e-11]))
    env.load_state_dict(env.state_dict() | {"age": np.array([4.0, 1.0, 5.0, 3.0, 2.0])})
    assert oldest_first(env).decision.tolist() == [1, 0, 1, 0, 0]
    assert best_channel(env).decision.tolist() == [0, 1, 0, 1, 0]
    env.load_state_dict(env.state_dict() | {"battery": np.array([50.0, 50.0, 9.0, 50.0, 50.0])})
    assert oldest_first(env).decision.tolist() == [1, 0, 0, 1, 0]
    tried = env.evaluate([[0, 0, 0, 0, 0], [1, 0, 0, 0, 0], [1, 0, 0, 1, 0]])
    assert oldest_as_many_as_best(env).value == tried.max() > tried[0]
    assert oldest_as_many_as_best(env).evaluations == 3
    env.load_state_dict(env.state_dict() | {"battery": np.full(5, 9.0)})
    assert all(rule(env, np.random.default_rng(0)).decision.tolist() == [0] * 5 for rule in RULES)


def test_one_by_one_stops_where_no_other_helps():
    for seed in range(30):
        env = world(seed)
        choice = one_by_one(env)
        more = [other for other in env.decisions.neighbours(choice.decision) if (other >= choice.decision).all()]
        assert not more or env.evaluate(more).max() <= choice.value
        tried = 1 + sum(env.decisions.mask[:, 1].sum() - taken for taken in range(int(choice.decision.sum()) + 1))
        assert choice.evaluations <= tried
        assert choice.value >= env.evaluate([env.decisions.idle()])[0]


def test_round_robin_takes_turns():
    env = AgeMEC(5, places=2, harvest=ConstantArrivals(50.0))
    turns = []
    for _ in range(5):
        decision = round_robin(env).decision
        turns.append(np.flatnonzero(decision).tolist())
        env.step(decision)
    assert turns == [[0, 1], [2, 3], [0, 4], [1, 2], [3, 4]]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "env",
    [
        AgeMEC(),
        AgeMEC(1, places=1),
        AgeMEC(8, places=8, harvest=ExponentialArrivals(0.5), battery_capacity=10.0),
        AgeMEC(channel=GaussMarkov(PathLoss([100.0, 200.0, 300.0]))),
    ],
    ids=["defaults", "one", "poor", "memory"],
)
def test_nothing_is_to_be_said_of_it(env):
    check_environment(env)


def test_a_run_that_goes_on_is_the_run_uninterrupted():
    one = AgeMEC(6, channel=GaussMarkov(PathLoss(np.linspace(150, 400, 6).tolist())), seed=3)
    rng = np.random.default_rng(0)
    for _ in range(30):
        one.step(one.decisions.random(1, rng)[0])
    other = AgeMEC(6, channel=GaussMarkov(PathLoss(np.linspace(150, 400, 6).tolist())), seed=9)
    other.load_state_dict(one.state_dict())
    for _ in range(30):
        np.testing.assert_array_equal(one.observe(), other.observe())
        np.testing.assert_array_equal(one.decisions.mask, other.decisions.mask)
        assert (one.frame, one.frame_optimum()) == (other.frame, other.frame_optimum())
        assert one.frame_metrics() == other.frame_metrics()
        decision = one.decisions.random(1, rng)[0]
        one.step(decision)
        other.step(decision)
    with pytest.raises(InputError, match="state must be of a world with weights"):
        AgeMEC(5).load_state_dict(one.state_dict())


def test_a_seed_fixes_what_no_decision_changes():
    idle, busy, other = AgeMEC(seed=4), AgeMEC(seed=4), AgeMEC(seed=5)
    assert not np.array_equal(idle.gains, other.gains)
    for _ in range(10):
        np.testing.assert_array_equal(idle.gains, busy.gains)
        idle.step(np.zeros(10))
        busy.step(oldest_first(busy).decision)
    assert busy.age.mean() < idle.age.mean() == 11
    np.testing.assert_array_equal(idle.reset(seed=5), other.observe())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"places": 0}, "places must be a whole number, 1 or more, got 0"),
        ({"num_users": 0}, "num_users must be a whole number"),
        ({"weights": [1.0]}, r"weights must have shape \(10,\)"),
        ({"age_weight": -1}, "age_weight must be positive"),
        ({"battery_capacity": 9.0}, "battery_capacity must hold the energy of a transmission, 10.0 microjoules"),
        ({"channel": 3}, "channel must be a Channel"),
        ({"harvest": 3.0}, "harvest must be an Arrivals"),
        ({"packet_bits": 0}, "packet_bits must be positive"),
        ({"num_users": 2, "channel": Fixed([1e300, 1e-12])}, "signal-to-noise ratios must be positive and finite"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow")
def test_settings_out_of_range_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        AgeMEC(**arguments)
