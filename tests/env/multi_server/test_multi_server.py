import itertools

import numpy as np
import pytest
from scipy.optimize import minimize

from agent import OffloadingAgent
from agent.simulation import simulate
from env import Cells, InputError, Limited, MultiServerMEC, Rayleigh, check_environment
from env.baselines import exhaustive
from env.multi_server.baselines import descent_from_greedy, greedy_by_gain
from env.multi_server.costs import marginal_costs

WORLDS = [
    {"num_users": 6, "num_servers": 3},
    {"num_users": 7, "num_servers": 3, "bandwidth": 4e6, "server_frequency": [3e9, 5e9, 2e9]},
    {"num_users": 8, "num_servers": 2, "capacities": 2, "delay_weight": 0.9},
    {"num_users": 6, "num_servers": 3, "capacities": [0, None, 1], "least_snr": 10.0, "outage": 0.3},
    {"num_users": 9, "num_servers": 1, "delay_weight": 0.0, "bandwidth": 2e5},
    {"num_users": 1, "num_servers": 4},
]
worlds = pytest.mark.parametrize("settings", WORLDS)


def solved(env, decision):
    """The cost of a decision from delays and energies, with shares that a general solver has found."""
    users = np.flatnonzero(decision)
    cost = float(len(decision) - len(users))
    delay = env.task_cycles / env.local_frequency
    energy = env.energy_coefficient * env.local_frequency**2 * env.task_cycles
    for server in np.unique(decision[users]) - 1:
        here = users[decision[users] == server + 1]
        snr = env.transmit_power[here] * env.gains[here, server] / env.noise_power
        rate = env.bandwidth[server] * np.log2(1 + snr)

        def relative(shares, here=here, server=server, rate=rate):
            beta, gamma = np.split(np.exp(shares), 2)
            beta, gamma = beta / beta.sum(), gamma / gamma.sum()
            sending = env.task_bits[here] / (beta * rate)
            total = sending + env.task_cycles[here] / (gamma * env.server_frequency[server])
            weight = env.delay_weight[here]
            spent = env.transmit_power[here] * sending / energy[here]
            return float((weight * total / delay[here] + (1 - weight) * spent).sum())

        start = np.zeros(2 * len(here))
        cost += minimize(relative, start, method="BFGS", options={"gtol": 1e-9}).fun
    return cost


@worlds
def test_values_are_those_of_shares_that_a_general_solver_finds(settings):
    env = MultiServerMEC(**settings, seed=1)
    rng = np.random.default_rng(0)
    for _ in range(6):
        decisions = env.decisions.random(3, rng)
        expected = [env.num_users - solved(env, decision) for decision in decisions]
        np.testing.assert_allclose(env.evaluate(decisions), expected, rtol=1e-9, atol=1e-9)
        env.step(decisions[0])


@worlds
def test_allocated_shares_add_up_and_cost_what_the_decision_does(settings):
    env = MultiServerMEC(**settings, seed=2)
    decisions = env.decisions.random(5, np.random.default_rng(0))
    shares = env.allocate(decisions)
    for server in range(1, env.num_servers + 1):
        served = decisions == server
        for share in (shares.bandwidth, shares.cpu):
            total = np.where(served, share, 0).sum(-1)
            used = served.any(-1) & (total > 0)
            np.testing.assert_allclose(total[used], 1)
    local = env.allocate(env.decisions.idle())
    weight = env.delay_weight
    relative = weight * shares.delay / local.delay + (1 - weight) * shares.energy / local.energy
    np.testing.assert_allclose(relative.sum(-1), shares.cost)
    np.testing.assert_allclose(env.num_users - shares.cost, env.evaluate(decisions))
    assert local.cost == env.num_users


@worlds
def test_the_optimum_is_the_best_of_all_decisions(settings):
    env = MultiServerMEC(**settings, seed=3)
    for _ in range(8):
        best = env.evaluate(env.decisions.all()).max()
        found = env.optimum()
        assert env.decisions.check_one("decision", found.decision) is not None
        assert env.evaluate(found.decision[None])[0] == pytest.approx(best, abs=1e-9)
        assert env.num_users - found.cost == pytest.approx(best, abs=1e-9)
        assert found.lower_bound <= env.num_users - best + 1e-9
        assert found.cost - found.lower_bound <= 1e-7
        assert env.frame_optimum() == pytest.approx(best, abs=1e-7)
        env.step(found.decision)


def test_the_bound_holds_where_the_search_is_cut_short(monkeypatch):
    monkeypatch.setattr("env.multi_server.optimum.WIDEST", 2)
    env = MultiServerMEC(8, 3, bandwidth=2e6, server_frequency=4e9, seed=4)
    gaps = []
    for _ in range(15):
        best = env.num_users - env.evaluate(env.decisions.all()).max()
        found = env.optimum()
        assert found.lower_bound <= best + 1e-9
        assert found.cost >= best - 1e-9
        assert env.frame_optimum() >= env.num_users - best - 1e-9
        gaps.append(found.cost - found.lower_bound)
        assert env.optimum(time_limit=1e-9).lower_bound <= best + 1e-9
        env.step(found.decision)
    assert max(gaps) > 1e-6


@pytest.mark.parametrize("looks", [1, 2, 3, 5, 8, 13])
def test_a_search_that_runs_out_of_time_ends_at_once_with_a_bound_that_holds(monkeypatch, looks):
    env = MultiServerMEC(10, 2)
    rng = np.random.default_rng(looks)
    env.set_frame(
        gains=1e-9 * (1 + 0.01 * rng.random((10, 2))),
        task_bits=1e6 * (1 + rng.random(10)),
        task_cycles=1e9 * (1 + rng.random(10)),
    )
    exact = env.optimum()
    assert exact.cost - exact.lower_bound <= 1e-8
    looked = []

    def clock():
        looked.append(None)
        return 0.0 if len(looked) <= looks else 10.0

    monkeypatch.setattr("env.multi_server.optimum.time.monotonic", clock)
    monkeypatch.setattr("env.multi_server.optimum.PIECE", 1)  # a look at the clock for each decision so far
    monkeypatch.setattr("env.multi_server.optimum.WIDEST", 4)
    found = env.optimum(tolerance=1e-15, time_limit=1.0)
    assert found.lower_bound <= exact.cost + 1e-9 <= found.cost + 2e-9
    assert len(looked) <= looks + 10 + 2  # then one decision goes on, user by user


def test_marginal_costs_are_differences_of_costs():
    env = MultiServerMEC(5, 3, seed=5)
    for decision in env.decisions.random(4, np.random.default_rng(0)):
        change = marginal_costs(env.costs, decision)
        for user, choice in itertools.product(range(5), range(4)):
            other = decision.copy()
            other[user] = choice
            before, after = env.num_users - env.evaluate(np.stack([decision, other]))
            assert change[user, choice] == pytest.approx(after - before, abs=1e-12)


@worlds
def test_rules_of_thumb_keep_the_limits_and_descent_improves_on_greedy(settings):
    env = MultiServerMEC(**settings, seed=6)
    for _ in range(5):
        greedy, better = greedy_by_gain(env), descent_from_greedy(env, np.random.default_rng(0))
        assert env.decisions.check_one("decision", greedy.decision) is not None
        assert 0 <= greedy.value <= better.value <= exhaustive(env).value + 1e-12
        assert better.evaluations > greedy.evaluations == env.num_users + 1
        env.step(better.decision)


@worlds
def test_the_world_is_one_that_agents_learn_in(settings):
    env = MultiServerMEC(**settings)
    check_environment(env)
    features, choices = env.observe().shape[1], env.decisions.num_choices
    agent = OffloadingAgent(env.num_users, features, num_choices=choices, seed=0)
    frames = list(simulate(env, agent, 30))
    assert all(frame.value <= frame.optimum + 1e-9 for frame in frames)


def test_servers_out_of_reach_or_down_are_masked_and_observed_as_far():
    env = MultiServerMEC(6, 3, least_snr=100.0, outage=0.4, seed=7)
    assert isinstance(env.decisions, Limited)
    far = env.transmit_power[:, None] * env.gains / env.noise_power < 100
    assert (~env.decisions.mask[:, 1:][far]).all()
    assert (env.observe()[:, :3][far] == 3).all()
    env.set_frame(env.gains, env.task_bits, env.task_cycles, up=[1, 0, 1])
    assert not env.decisions.mask[:, 2].any()
    free = MultiServerMEC(6, 3)
    assert not isinstance(free.decisions, Limited)
    with pytest.raises(InputError, match="must hold only whole numbers 0 to 3"):
        free.evaluate([[0, 0, 0, 0, 0, 4]])


def test_users_stay_at_their_places_as_long_as_is_said():
    rng = np.random.default_rng(0)
    for stay, places in ((1, 6), (3, 2), (None, 1)):
        cells = Cells(2, stay=stay)
        cells.reset(8, rng)
        seen = []
        for _ in range(6):
            assert (cells.sample(rng) > 0).all()
            seen.append(cells.users.tobytes())
        assert len(set(seen)) == places
    apart = np.linalg.norm(cells.users[:, None] - cells.servers, axis=-1)
    assert (apart.min(-1) <= 150).all()
    assert np.linalg.norm(cells.servers[0] - cells.servers[1]) == pytest.approx(300)


def test_any_channel_of_so_many_links_will_do():
    from env import PathLoss

    distances = [50.0, 90.0, 120.0, 30.0, 60.0, 80.0]
    env = MultiServerMEC(3, 2, channel=Rayleigh(PathLoss(distances)), noise_power=1e-12)
    assert env.gains.shape == (3, 2)
    with pytest.raises(InputError, match="distances must have shape"):
        MultiServerMEC(4, 2, channel=Rayleigh(PathLoss(distances)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_servers": 0}, "num_servers must be a whole number"),
        ({"task_bits": (2.0, 1.0)}, "task_bits must be the least and the most"),
        ({"task_cycles": 1e9}, "task_cycles must be the least and the most"),
        ({"bandwidth": [1e6, 1e6]}, r"bandwidth must be one number or have shape \(3,\)"),
        ({"local_frequency": 0.0}, "local_frequency must be positive"),
        ({"delay_weight": 1.5}, "delay_weight must be at most 1"),
        ({"outage": 2.0}, "outage must be from 0 to 1, got 2.0"),
        ({"capacities": [1, 2]}, "capacities must be one number, or one for each of 3 choices"),
        ({"channel": 3}, "channel must be a Channel or the path of a trace"),
        ({"channel": Cells(4), "num_servers": 3}, "num_servers must be 4, to which Cells has links, got 3"),
    ],
)
def test_settings_out_of_range_are_named(settings, message):
    with pytest.raises(InputError, match=message):
        MultiServerMEC(**settings)


def test_frames_that_do_not_fit_are_refused_and_change_nothing():
    env = MultiServerMEC(3, 2)
    before = env.observe()
    ones = np.ones(3)
    for arguments, message in (
        ((np.ones((2, 3)), ones, ones), "gains must have shape"),
        ((np.ones((3, 2)), np.ones(2), ones), "task_bits must have shape"),
        ((np.ones((3, 2)), ones, -ones), "task_cycles must be positive"),
        ((np.full((3, 2), 1e-320), ones, ones), "gains must give finite costs"),
    ):
        with pytest.raises(InputError, match=message):
            env.set_frame(*arguments)
    np.testing.assert_array_equal(env.observe(), before)
