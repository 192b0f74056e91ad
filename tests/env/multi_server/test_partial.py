import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from env import InputError, PartialMEC, check_environment
from env.baselines import exhaustive
from env.multi_server.splitting import Worth, split_batched, split_by_scipy
from env.multi_server.subsets import best_partition, subsets


def random_worth(rng, num_users, num_servers):
    shape = (num_users, num_servers)
    saved = rng.uniform(0.05, 1, shape) * (rng.random(shape) < 0.9)
    return Worth(np.exp(rng.uniform(-3.5, 2, shape)), np.exp(rng.uniform(-2.5, 1, shape)), saved)


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 3))
def test_two_solvers_agree(seed, num_users, num_servers):
    rng = np.random.default_rng(seed)
    worth = random_worth(rng, num_users, num_servers)
    on = rng.random((2, num_users, num_servers)) < 0.7
    batched, general = split_batched(worth, on), split_by_scipy(worth, on)
    np.testing.assert_allclose(batched.value, general.value, atol=1e-7)


@given(st.integers(0, 10_000), st.integers(1, 30))
def test_splits_are_feasible_worth_what_is_said_and_certified_by_the_prices(seed, num_users):
    """The value is the dual's, which no split exceeds, and the split has it: so both are right."""
    rng = np.random.default_rng(seed)
    worth = random_worth(rng, num_users, 2)
    on = rng.random((num_users, 2)) < 0.8
    split = split_batched(worth, on)
    for shares in (split.bandwidth, split.cpu):
        assert (shares >= 0).all()
        assert (shares.sum(0) <= 1 + 1e-9).all()
    used = split.share > 0
    assert not (used & ~on).any()
    times = worth.saved * (
        worth.bandwidth**2 / np.where(used, split.bandwidth, 1) + worth.cpu**2 / np.where(used, split.cpu, 1)
    )
    np.testing.assert_allclose(
        np.where(used, split.share * (1 + times), 1), 1, atol=1e-9
    )  # both parts end together
    np.testing.assert_allclose((worth.saved * split.share).sum(0), split.value, atol=1e-9)


def test_no_random_split_is_better():
    rng = np.random.default_rng(0)
    worth = random_worth(rng, 5, 1)
    best = split_batched(worth, np.ones((5, 1), dtype=bool)).value[0]
    for _ in range(2000):
        beta, gamma = rng.dirichlet(np.ones(5), 2)
        share = 1 / (1 + worth.saved[:, 0] * (worth.bandwidth[:, 0] ** 2 / beta + worth.cpu[:, 0] ** 2 / gamma))
        assert worth.saved[:, 0] @ share <= best + 1e-12


def test_values_are_those_of_delays_and_energies():
    """What `allocate` says, put into the cost's definition, from the tasks and gains themselves."""
    env = PartialMEC(7, 3, seed=2, delay_weight=0.4)
    decisions = env.decisions.random(20, np.random.default_rng(0))
    shares, rho = env.allocate(decisions), env.offloaded(decisions)
    delay = env.task_cycles / env.local_frequency
    energy = env.energy_coefficient * env.local_frequency**2 * env.task_cycles
    cost = (0.4 * shares.delay / delay + 0.6 * shares.energy / energy).sum(-1)
    np.testing.assert_allclose(7 - cost, env.evaluate(decisions), atol=1e-9)
    server = np.maximum(decisions - 1, 0)
    snr = env.transmit_power * env.gains[np.arange(7), server] / env.noise_power
    rate = env.bandwidth[server] * np.log2(1 + snr)
    sends = rho > 0
    beta, gamma = np.where(sends, shares.bandwidth, 1), np.where(sends, shares.cpu, 1)
    there = rho * (env.task_bits / (beta * rate) + env.task_cycles / (gamma * env.server_frequency[server]))
    np.testing.assert_allclose(there[sends], ((1 - rho) * delay)[sends], rtol=1e-8)
    assert (rho[decisions == 0] == 0).all()
    np.testing.assert_allclose(shares.energy, (1 - rho) * energy + env.transmit_power * rho * env.task_bits / rate)


def test_critics_of_a_frame_agree():
    for seed in range(4):
        one, other = (PartialMEC(8, 3, critic=critic, seed=seed) for critic in ("scipy", "batched"))
        decisions = one.decisions.random(6, np.random.default_rng(seed))
        np.testing.assert_allclose(one.evaluate(decisions), other.evaluate(decisions), atol=1e-7)


@pytest.mark.parametrize("more", [{}, {"capacities": [1, 2], "outage": 0.4, "least_snr": 3.0}])
def test_the_optimum_is_that_of_all_decisions(more):
    env = PartialMEC(6, 2, seed=1, **more)
    for _ in range(8):
        best = exhaustive(env)
        found = env.optimum()
        assert env.num_users - found.cost == pytest.approx(best.value, abs=1e-12)
        assert env.evaluate(found.decision[None])[0] == pytest.approx(best.value, abs=1e-12)
        assert env.frame_optimum() == pytest.approx(best.value, abs=1e-12)
        env.step(found.decision)


def test_many_users_have_no_known_optimum():
    env = PartialMEC(13, 2)
    assert env.frame_optimum() is None
    with pytest.raises(InputError, match="num_users must be at most 12 for the optimum, got 13"):
        env.optimum()


def test_a_partition_is_the_best_of_all():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(16, 3))
    values[0] = 0
    values[5, 1] = -np.inf
    decision = best_partition(values)
    table = subsets(4)

    def worth(choice):
        parts = [int((table == (choice == server + 1)).all(-1).argmax()) for server in range(3)]
        return sum(values[part, server] for server, part in enumerate(parts))

    every = np.stack(np.meshgrid(*[np.arange(4)] * 4, indexing="ij"), -1).reshape(-1, 4)
    assert worth(decision) == pytest.approx(max(worth(choice) for choice in every))


def test_a_server_that_saves_nothing_is_worth_nothing():
    env = PartialMEC(3, 2, seed=0, delay_weight=0.1)
    gains = np.full((3, 2), 1e-12)
    gains[0] = 1e-19  # sending takes more energy than it saves
    env.set_frame(gains, np.full(3, 3e6), np.full(3, 1e9))
    assert (env.worth.saved[0] == 0).all()
    assert env.evaluate([[1, 0, 0]])[0] == 0
    assert env.offloaded([1, 0, 0])[0] == 0
    assert env.evaluate([[0, 1, 0]])[0] > 0
    assert np.isfinite(env.observe()).all()


def test_it_is_a_sound_environment_and_refuses_other_critics():
    check_environment(PartialMEC(5, 2, seed=1))
    with pytest.raises(InputError, match=r"critic must be 'scipy' or 'batched', got 'exact'"):
        PartialMEC(critic="exact")


def test_a_run_goes_on_where_it_was():
    env, other = PartialMEC(5, 2, seed=4), PartialMEC(5, 2, seed=9)
    env.step(np.ones(5))
    other.load_state_dict(env.state_dict())
    decisions = env.decisions.all()[:20]
    np.testing.assert_array_equal(env.evaluate(decisions), other.evaluate(decisions))
    env.step(np.ones(5))
    other.step(np.ones(5))
    np.testing.assert_array_equal(env.observe(), other.observe())
