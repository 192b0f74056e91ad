"""The small problems: what is worth what, and that their optimum is the best of all."""

import itertools
import warnings

import numpy as np
import pytest

from env import InputError, check_environment, problems
from env.problems import REPORTED, TUNED

ALL = (*TUNED, *REPORTED)


def value_by_loops(world, decision):
    """One decision's value, user by user."""
    taken = [user for user, bit in enumerate(decision) if bit]
    name = type(world).__name__
    if name in ("SeparablePrices", "AtMost", "NoisyPrices", "Exactly", "OneOf", "UselessFeatures"):
        if (name in ("AtMost", "NoisyPrices") and len(taken) > world.most) or (
            name in ("Exactly", "OneOf") and len(taken) != world.number
        ):
            return -np.inf
        return sum(world.prices[user] for user in taken)
    if name == "Knapsack":
        fits = sum(world.sizes[user] for user in taken) <= sum(world.sizes) / 3
        return sum(world.worth[user] for user in taken) if fits else -np.inf
    if name == "Coverage":
        places = {place for user in taken for place in np.flatnonzero(world.reached[user])}
        return sum(world.weights[place] for place in places) - sum(world.costs[user] for user in taken)
    if name in ("PairwiseCoupling", "NoisyCoupling"):
        pairs = sum(world.coupling[pair] for pair in itertools.combinations(taken, 2))
        return sum(world.prices[user] for user in taken) + pairs
    if name == "MaxCut":
        pairs = itertools.combinations(range(world.num_users), 2)
        return sum(world.weights[pair] for pair in pairs if decision[pair[0]] != decision[pair[1]])
    if name == "SharedChannel":
        rates = [np.log2(1 + 10 * world.gains[user]) for user in taken]
        return 3 * float(np.mean(rates or [0.0])) + 0.5 * (world.num_users - len(taken))
    if name == "Changing":
        return sum(world.seen[u] * np.cos(world.angles[u] + 2 * np.pi * world.frame / world.period) for u in taken)
    if name == "AgreeingGroups":
        for group in range(world.num_users // 3):
            if len({decision[user] for user in np.flatnonzero(world.groups == group)}) > 1:
                return -np.inf
        return sum(world.prices[user] for user in taken)
    if name == "Conflicts":
        at_odds = [pair for pair in itertools.combinations(taken, 2) if world.conflicts[pair]]
        return -np.inf if at_odds else sum(world.prices[user] for user in taken)
    if name == "Precedence":
        missing = [user for user in taken if world.needs[user] not in taken]
        return -np.inf if missing else sum(world.prices[user] for user in taken)
    if name == "Jumping":
        return sum(world.signs[user] * world.prices[user] for user in taken)
    if name == "HiddenOrder":
        served = [user for user in world.order if decision[user]]
        worth = sum(world.worth[user] * 0.75**place for place, user in enumerate(served))
        return worth - 0.3 * len(served)
    if name == "ServersAsBits":
        total, servers = 0.0, world.num_servers
        for server in range(servers):
            rates = [np.log2(1 + 10 * world.gains[bit]) for bit in taken if bit % servers == server]
            total += float(np.mean(rates or [0.0]))
        for user in range(world.num_users // servers):
            bits = int(sum(decision[user * servers : (user + 1) * servers]))
            if bits > 1:
                return -np.inf
            total += 0.5 * (bits == 0)
        return total
    assert name == "LargeCosts"
    size = 1e7 * world.sizes
    own = sum(size[user] * world.local[user] for user in range(world.num_users) if user not in taken)
    return -1e9 * (own + sum(size[user] for user in taken) ** 2 / sum(size))


@pytest.mark.parametrize("problem", ALL)
def test_values_are_those_found_one_user_after_another(problem):
    world, rng = problem(seed=3), np.random.default_rng(0)
    for _ in range(5):
        decisions = rng.integers(2, size=(40, world.num_users))
        decisions[0] = 0
        decisions[1:9] = np.eye(world.num_users)[rng.integers(world.num_users, size=8)]
        expected = [value_by_loops(world, decision) for decision in decisions]
        np.testing.assert_allclose(world.evaluate(decisions), expected, rtol=1e-9, atol=1e-12)
        assert world.frame_optimum() >= max(expected) * (1 - 1e-12 * np.sign(max(expected)))
        world.step(np.zeros(world.num_users))


@pytest.mark.parametrize("problem", ALL)
def test_they_are_environments(problem):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if problem is problems.OneOf:  # of 2^16 decisions 16 are feasible
            warnings.filterwarnings("ignore", message="OneOf.evaluate returned -inf for all")
        check_environment(problem())


def test_the_halves_share_no_problem():
    assert len(set(ALL)) == len(ALL) >= 12
    assert min(len(TUNED), len(REPORTED)) >= 6
    sizes = {problem().num_users for problem in ALL}
    assert max(sizes) == 16


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: problems.SeparablePrices(17), "num_users must be 1 to 16, got 17"),
        (lambda: problems.SeparablePrices(0), "num_users must be a whole number, 1 or more, got 0"),
        (lambda: problems.AgreeingGroups(10), "num_users must be a multiple of 3, got 10"),
        (lambda: problems.ServersAsBits(15, 4), "num_users must be a multiple of 4, got 15"),
        (lambda: problems.AtMost(5, 0), "most must be a whole number"),
        (lambda: problems.Changing(5, period=0.5), "period must be a whole number"),
    ],
)
def test_bad_settings_are_named(make, message):
    with pytest.raises(InputError, match=message):
        make()
