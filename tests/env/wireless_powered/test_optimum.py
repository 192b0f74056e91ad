import numpy as np
import pytest

from env import PathLoss, Rayleigh, WirelessPoweredMEC
from env.decisions import Binary
from env.wireless_powered import optimum as search


def frames(env, count):
    """The gains of the next `count` frames, (count, N)."""
    gains = np.empty((count, env.num_users))
    for row in gains:
        row[:] = env.gains
        env.step(np.zeros(env.num_users))
    return gains


def spread_out(num_users, seed, low=1.0, high=30.0):
    """Users at random distances, metres, with distinct random weights."""
    rng = np.random.default_rng(seed)
    channel = Rayleigh(PathLoss(distances=rng.uniform(low, high, num_users).tolist()))
    return WirelessPoweredMEC(
        num_users, channel=channel, weights=rng.uniform(0.2, 5, num_users).tolist(), seed=seed
    )


@pytest.mark.parametrize(
    ("name", "first_weights"),
    [("data_6", [1, 1.5]), ("data_7", [1, 1.5]), ("data_10_WeightsAlternated", [1.5, 1])],
)
def test_meets_the_published_optimum_on_every_row(published, name, first_weights):
    data = published(name)
    gains = data["input_h"]
    env = WirelessPoweredMEC(gains.shape[1], weights=np.resize(first_weights, gains.shape[1]))
    optimum = env.optimum(gains)
    np.testing.assert_allclose(optimum.rate, data["output_obj"][:, 0], rtol=1e-9)
    np.testing.assert_array_equal(optimum.decision, data["output_mode"])
    assert (optimum.upper_bound >= optimum.rate).all()
    assert (optimum.upper_bound <= optimum.rate * (1 + 1e-9)).all()


def test_equals_the_exhaustive_optimum_on_two_thousand_random_instances():
    for num_users in range(1, 15):
        count = 143 if num_users > 4 else 150
        env = spread_out(num_users, seed=num_users)
        gains = frames(env, count)
        optimum = env.optimum(gains)
        for row in range(count):
            best = env.allocate(gains[row], Binary(num_users).all()).rate.max()
            assert optimum.rate[row] == pytest.approx(best, rel=1e-9)
            assert optimum.upper_bound[row] >= best


@pytest.mark.parametrize("num_users", [10, 30, 100, 300, 1000])
@pytest.mark.parametrize("published_weights", [True, False])
def test_the_gap_is_closed_at_any_size(num_users, published_weights):
    env = WirelessPoweredMEC(num_users) if published_weights else spread_out(num_users, 0, high=11.0)
    gains = frames(env, 20)
    optimum = env.optimum(gains)
    gap = optimum.upper_bound / optimum.rate - 1
    assert (gap >= 0).all()
    assert (gap <= 1e-9).all()
    np.testing.assert_allclose(env.allocate(gains, optimum.decision).rate, optimum.rate, rtol=1e-12)


@pytest.mark.parametrize("num_users", [40, 200])
def test_no_neighbour_of_the_optimum_is_better(num_users):
    env = spread_out(num_users, seed=3)
    gains = frames(env, 5)
    optimum = env.optimum(gains)
    rng = np.random.default_rng(0)
    for row in range(5):
        singles = optimum.decision[row].astype(int) ^ np.eye(num_users, dtype=int)
        random = optimum.decision[row].astype(int) ^ (rng.random((300, num_users)) < 2 / num_users)
        rates = env.allocate(gains[row], np.vstack([singles, random])).rate
        assert rates.max() <= optimum.upper_bound[row]
        assert rates.max() <= optimum.rate[row] * (1 + 1e-9)


@pytest.mark.parametrize("cap", [None, 3e6])
def test_equal_users_are_interchangeable(cap):
    rng = np.random.default_rng(4)
    env = WirelessPoweredMEC(8, weights=rng.choice([1.0, 1.5, 2.0], 8), cpu_frequency=cap)
    every = Binary(8).all()
    gains = rng.choice([1e-6, 2e-6, 5e-5], (200, 8))
    optimum = env.optimum(gains)
    best = [env.allocate(row, every).rate.max() for row in gains]
    np.testing.assert_allclose(optimum.rate, best, rtol=1e-9)
    np.testing.assert_allclose(env.allocate(gains, optimum.decision).rate, optimum.rate, rtol=1e-9)


def test_many_equal_users_are_solved_too():
    env = WirelessPoweredMEC(60)  # at 3 m in line of sight, all of them
    optimum = env.optimum(PathLoss(distances=[3.0] * 60).average_gain(60), time_limit=60)
    assert optimum.upper_bound <= optimum.rate * (1 + 1e-9)


def test_extreme_gains_and_weights():
    rng = np.random.default_rng(0)
    env = WirelessPoweredMEC(6)
    gains = 10 ** rng.uniform(-12, -2, (300, 6))
    weights = 10 ** rng.uniform(-2, 2, (300, 6))
    optimum = env.optimum(gains, weights)
    everything = env.allocate(gains[:, None], Binary(6).all(), weights[:, None]).rate.max(-1)
    np.testing.assert_allclose(optimum.rate, everything, rtol=1e-9)
    assert (optimum.upper_bound >= everything).all()


def test_leading_dimensions_and_weights_are_kept_apart():
    env = spread_out(7, seed=1)
    gains = frames(env, 6).reshape(3, 2, 7)
    weights = np.random.default_rng(0).uniform(0.5, 2, (3, 1, 7))
    together = env.optimum(gains, weights)
    assert together.decision.shape == (3, 2, 7)
    for index in np.ndindex(3, 2):
        alone = env.optimum(gains[index], weights[index[0], 0])
        np.testing.assert_array_equal(together.decision[index], alone.decision)
        assert together.rate[index] == pytest.approx(float(alone.rate), rel=1e-12)
    assert env.optimum(np.ones((0, 7))).rate.shape == (0,)


def test_a_time_limit_leaves_an_honest_gap():
    env = WirelessPoweredMEC(10)
    gains = frames(env, 200)
    done = env.optimum(gains)
    stopped = env.optimum(gains, time_limit=1e-9)
    gap = stopped.upper_bound / stopped.rate - 1
    assert gap.max() > 1e-4  # after the root nodes alone
    assert (stopped.rate <= done.rate * (1 + 1e-12)).all()
    assert (stopped.upper_bound >= done.rate).all()


def test_a_time_limit_ends_the_search_within_a_level(monkeypatch):
    """With a clock that ticks at each look: so many pieces are solved, and the gap says what is left."""
    env = WirelessPoweredMEC(45)
    gains = PathLoss(distances=[3.0] * 45).average_gain(45) * (1 + 1e-6 * np.random.default_rng(0).random(45))
    solved, relax, ticks = [], search._relax, iter(range(10**6))

    def counted(local, *rest):
        solved.append(len(local))
        return relax(local, *rest)

    monkeypatch.setattr(search, "_relax", counted)
    monkeypatch.setattr(search, "PIECE", 45 * 4)
    monkeypatch.setattr(search.time, "monotonic", lambda: next(ticks))
    limit = 30
    local, snr = env.physics.fold(gains, env.weights)
    slope = env.physics.rate_scale * env.weights
    stopped = search.certified_optimum(local[None], snr[None], slope[None], 1e-9, limit)
    assert len(solved) == 1 + limit
    assert max(solved) == 4
    assert stopped.gap > 1e-3


def test_the_frames_optimum_is_the_certified_one():
    for num_users in (4, 10, 11, 25):
        env = WirelessPoweredMEC(num_users)
        assert env.frame_optimum() == pytest.approx(float(env.optimum(env.gains).rate), rel=1e-9)
