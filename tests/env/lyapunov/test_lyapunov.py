import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lyapunov_reference import (
    COEFFICIENT,
    CYCLES,
    FREQUENCY,
    NOISE,
    POWER,
    RATE,
    dual_bound,
    local_objective,
    slsqp,
    values,
)

from env import ConstantArrivals, ExponentialArrivals, LyapunovMEC, PathLoss, Rayleigh, RecordedTrace, baselines
from env.decisions import Binary
from env.lyapunov.allocation import split_time

ENVIRONMENTS = {num_users: LyapunovMEC(num_users) for num_users in (1, 2, 3, 10, 50)}


def instance(num_users, seed, low=-13, high=-9, idle=0.2, tied=False):
    """Gains log-uniform in 10^[low, high], a decision, data queues and energy queues, of which some are 0."""
    rng = np.random.default_rng(seed)
    gains = 10 ** rng.uniform(low, high, num_users)
    decision = (rng.random(num_users) < rng.choice([0.3, 0.7, 1.0])).astype(int)
    data_queue = (rng.random(num_users) >= idle) * 10 ** rng.uniform(-1, rng.choice([1, 3]), num_users)
    energy_queue = (rng.random(num_users) >= idle) * 10 ** rng.uniform(-1, 3, num_users)
    if tied:
        gains[:], data_queue[:], energy_queue[:] = gains[0], data_queue[0], energy_queue[0]
    return gains, decision, data_queue, energy_queue


instances = st.fixed_dictionaries(
    {
        "num_users": st.sampled_from(sorted(ENVIRONMENTS)),
        "seed": st.integers(0, 2**32 - 1),
        "low": st.sampled_from([-15, -13]),
        "high": st.sampled_from([-9, -2]),
        "idle": st.sampled_from([0.0, 0.3, 1.0]),
        "tied": st.booleans(),
    }
)


def offloaded(env, result, decision, data_queue, energy_queue):
    """What the offloading users add to the objective, from their rates and energies."""
    value, price = values(env.weights, data_queue, energy_queue)
    return ((value * result.rate - price * result.energy) * decision).sum()


def test_meets_the_recorded_run_on_every_row(published):
    data = published("lydroo_result_10")
    result = LyapunovMEC().allocate(
        *(data[name] for name in ("input_h", "off_mode", "data_queue", "energy_queue"))
    )
    recorded = data["objective"][0]
    assert (result.objective >= recorded * (1 - 1e-6)).all()
    np.testing.assert_allclose(result.objective, recorded, rtol=1e-4)
    # The recorded split is that of one price for all; where several are optimal (Y = 0) it may be another one.
    same = np.isclose(result.rate, data["rate"], atol=1e-3).all(-1)
    assert same.mean() > 0.97
    np.testing.assert_allclose(result.energy[same], data["energy_consumption"][same], atol=1e-3)


def test_the_recorded_queues_follow_from_the_recorded_service(published):
    data = published("lydroo_result_10")
    env = LyapunovMEC()
    for row in range(0, 499, 50):
        state = env.state_dict() | {"gains": data["input_h"][row]}
        state |= {name: data[name][row] for name in ("data_queue", "energy_queue")}
        env.load_state_dict(state)
        env.serve(data["rate"][row], data["energy_consumption"][row])
        np.testing.assert_allclose(env.energy_queue, data["energy_queue"][row + 1], atol=1e-9)
        left = data["data_queue"][row + 1] - data["data_arrival"][row]
        assert (env.data_queue >= left - 1e-5).all()


@given(instances)
def test_every_constraint_holds_and_the_objective_is_as_stated(case):
    gains, decision, data_queue, energy_queue = instance(**case)
    env = ENVIRONMENTS[case["num_users"]]
    result = env.allocate(gains, decision, data_queue, energy_queue)
    tau = result.transmit_time
    assert tau.sum() <= 1 + 1e-9
    assert (tau >= 0).all()
    assert (tau[decision == 0] == 0).all()
    assert (result.rate >= 0).all()
    assert (result.rate <= data_queue * (1 + 1e-9)).all()
    assert (result.energy[decision == 1] <= POWER * tau[decision == 1] * (1 + 1e-9)).all()
    assert (result.rate[decision == 0] <= FREQUENCY / CYCLES * (1 + 1e-9)).all()
    np.testing.assert_allclose(
        result.energy[decision == 0], COEFFICIENT * (CYCLES * result.rate[decision == 0]) ** 3, rtol=1e-9
    )
    value, price = values(env.weights, data_queue, energy_queue)
    assert result.objective == pytest.approx((value * result.rate - price * result.energy).sum(), rel=1e-9)
    assert result.objective >= 0


@given(instances)
def test_no_allocation_is_better_by_duality(case):
    gains, decision, data_queue, energy_queue = instance(**case)
    env = ENVIRONMENTS[case["num_users"]]
    result = env.allocate(gains, decision, data_queue, energy_queue)
    mine = offloaded(env, result, decision, data_queue, energy_queue)
    assert mine >= dual_bound(gains, decision, env.weights, data_queue, energy_queue) * (1 - 1e-9) - 1e-30
    local = local_objective(env.weights, data_queue, energy_queue)[decision == 0].sum()
    assert result.objective - mine >= local - 1e-9 * abs(result.objective)


def test_a_general_solver_finds_nothing_better_on_a_thousand_random_instances():
    rng = np.random.default_rng(0)
    close = 0
    for seed in range(1000):
        num_users = [1, 2, 3, 10, 50][seed % 5] if seed % 25 == 4 else [1, 2, 3, 5, 10][seed % 5]
        gains, decision, data_queue, energy_queue = instance(num_users, seed)
        env = ENVIRONMENTS.setdefault(num_users, LyapunovMEC(num_users))
        result = env.allocate(gains, decision, data_queue, energy_queue)
        mine = offloaded(env, result, decision, data_queue, energy_queue)
        problem = gains, decision, env.weights, data_queue, energy_queue
        times = rng.dirichlet(np.ones(num_users), 2)
        rates = np.minimum(data_queue, rng.uniform(0, 10, (2, num_users)) * times)
        starts = [*zip(times, rates, strict=True), (result.transmit_time, result.rate)]
        found = [slsqp(*problem, *start) for start in starts]
        assert max(found) <= mine * (1 + 1e-6)
        close += found[0] >= mine * (1 - 1e-3)
    assert close > 700  # the solver does find optima


def test_energy_that_costs_nothing_is_spent_at_full_power():
    env = LyapunovMEC(2)
    result = env.allocate([1e-11, 2e-11], [1, 1], [1.0, 2.0], [0.0, 0.0])
    np.testing.assert_allclose(result.energy, POWER * result.transmit_time, rtol=1e-9)
    np.testing.assert_allclose(result.rate, [1.0, 2.0], rtol=1e-9)
    assert result.transmit_time.sum() < 0.9


def test_who_is_not_worth_the_energy_sends_nothing():
    env = LyapunovMEC(2)
    result = env.allocate([1e-13, 1e-11], [1, 1], [1.0, 2.0], [1e9, 1.0])
    assert result.rate[0] == result.energy[0] == result.transmit_time[0] == 0
    assert result.rate[1] == pytest.approx(2.0)


def test_users_of_one_threshold_share_what_time_there_is():
    env = LyapunovMEC(4, weights=[1.0] * 4)
    result = env.allocate([1e-12] * 4, [1] * 4, [50.0] * 4, [10.0] * 4)
    assert result.transmit_time.sum() == pytest.approx(1, abs=1e-9)
    one = env.allocate([1e-12] * 4, [1, 0, 0, 0], [50.0] * 4, [10.0] * 4)
    assert result.rate.sum() == pytest.approx(one.rate[0], rel=1e-9)


def test_leading_dimensions_are_independent_problems():
    env = ENVIRONMENTS[10]
    rows = [instance(10, seed) for seed in range(12)]
    gains, decisions, data_queue, energy_queue = (
        np.array(column).reshape(3, 4, 10) for column in zip(*rows, strict=True)
    )
    together = env.allocate(gains, decisions, data_queue, energy_queue)
    assert together.objective.shape == (3, 4)
    for index in np.ndindex(3, 4):
        alone = env.allocate(gains[index], decisions[index], data_queue[index], energy_queue[index])
        for many, one in zip(together, alone, strict=True):
            np.testing.assert_allclose(many[index], one, rtol=1e-14)
    candidates = env.allocate(gains[0, 0], decisions, data_queue[0, 0], energy_queue[0, 0])
    alone = env.allocate(gains[0, 0], decisions[2, 3], data_queue[0, 0], energy_queue[0, 0])
    assert candidates.objective[2, 3] == pytest.approx(float(alone.objective), rel=1e-9)


def test_evaluate_is_allocate_in_this_frame_and_changes_nothing():
    env = LyapunovMEC(8, seed=3)
    decisions = np.random.default_rng(0).integers(2, size=(20, 8))
    for _ in range(20):
        before = json.dumps({name: str(value) for name, value in env.state_dict().items()})
        expected = env.allocate(env.gains, decisions, env.data_queue, env.energy_queue)
        np.testing.assert_allclose(env.evaluate(decisions), expected.objective, rtol=1e-12)
        assert json.dumps({name: str(value) for name, value in env.state_dict().items()}) == before
        env.step(decisions[0])


@pytest.mark.parametrize("evaluated", [True, False])
def test_step_serves_the_queues(evaluated):
    env = LyapunovMEC(5, arrivals=ConstantArrivals(2.5), energy_threshold=0.05, energy_queue_factor=100, seed=1)
    rng = np.random.default_rng(0)
    assert env.data_queue.tolist() == [2.5] * 5
    for frame in range(30):
        decision = rng.integers(2, size=5)
        if evaluated:
            env.evaluate([1 - decision, decision])
        data, energy = env.data_queue, env.energy_queue
        done = env.allocate(env.gains, decision, data, energy)
        env.step(decision)
        np.testing.assert_allclose(env.data_queue, np.maximum(data - done.rate, 0) + 2.5, rtol=1e-12)
        np.testing.assert_allclose(
            env.energy_queue, np.maximum(energy + 100 * (done.energy - 0.05), 0), atol=1e-12
        )
        np.testing.assert_array_equal(env.rate, done.rate)
        assert env.frame == frame + 1
    metrics = env.frame_metrics()
    assert metrics["data_queue"] == pytest.approx(env.data_queue.mean())
    assert metrics["energy_queue"] == pytest.approx(env.energy_queue.mean())
    assert metrics["energy"] == pytest.approx(done.energy.mean())
    assert metrics["rate"] == pytest.approx(done.rate.mean())
    assert metrics["weighted_rate"] == pytest.approx((env.weights * done.rate).mean())


def test_nothing_outside_can_change_an_environment():
    env, twin = LyapunovMEC(3, seed=1), LyapunovMEC(3, seed=1)
    for name in ("gains", "data_queue", "energy_queue"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(env, name)[0] = 5
    for _ in range(5):
        decisions = np.eye(3)
        env.evaluate(decisions)
        decisions[:] = 1 - decisions  # what was evaluated is another decision than what is now in the array
        env.step(decisions[0])
        twin.step([0, 1, 1])
        np.testing.assert_allclose(env.observe(), twin.observe(), rtol=1e-12)


def test_every_setting_enters_as_in_the_paper():
    """A local user and an offloading one with time to spare meet each constant."""
    env = LyapunovMEC(
        1,
        weights=[2.0],
        rate_weight=5.0,
        bandwidth=1e6,
        overhead=1.3,
        noise_density=1e-20,
        transmit_power=0.2,
        cpu_frequency=2e8,
        cycles_per_bit=300.0,
        energy_coefficient=2e-26,
    )
    assert env.allocate([1e-11], [0], [9.0], [0.0]).rate[0] == pytest.approx(2e8 / 300 / 1e6)
    local = env.allocate([1e-11], [0], [9.0], [40.0])
    frequency = np.sqrt((9 + 5 * 2) / (3 * 300e6 * 2e-26 * 400))
    assert local.energy[0] == pytest.approx(2e-26 * frequency**3)
    assert local.objective == pytest.approx(19 * frequency / 300e6 - 400 * 2e-26 * frequency**3)
    full = env.allocate([1e-11], [1], [50.0], [0.0])
    assert full.rate[0] == pytest.approx(1 / 1.3 * np.log2(1 + 0.2 * 1e-11 / (1e6 * 1e-20)))
    assert full.energy[0] == pytest.approx(0.2)


def test_the_default_world_is_the_published_one(published):
    env = LyapunovMEC()
    expected = PathLoss(np.linspace(120, 255, 10), exponent=3.0).average_gain(10)
    np.testing.assert_allclose(env.channel.average_gain, expected)
    np.testing.assert_allclose(published("lydroo_result_10")["input_h"].mean(0), expected, rtol=0.15)
    assert env.weights.tolist() == [1.5, 1] * 5
    assert LyapunovMEC(channel=Rayleigh(PathLoss([100.0, 200.0]))).num_users == 2


def test_observations_are_gains_and_queues_of_order_one(trace_path):
    env = LyapunovMEC(channel=str(trace_path("lydroo_result_10")), observation="gain")
    assert isinstance(env.channel, RecordedTrace)
    for _ in range(200):
        env.step(baselines.coordinate_descent(env, np.random.default_rng(0)).decision)
    published_scale = np.column_stack([1e10 * env.gains, env.data_queue / 1e4, env.energy_queue / 1e4])
    np.testing.assert_allclose(env.observe(), published_scale)
    env = LyapunovMEC(seed=1)
    seen = []
    for _ in range(200):
        env.step(baselines.coordinate_descent(env, np.random.default_rng(0)).decision)
        seen.append(env.observe())
    assert np.shape(seen) == (200, 10, 3)
    assert (np.abs(np.mean(seen, (0, 1))) < 2).all()
    assert (np.std(seen, (0, 1)) > 0.1).all()
    queues = np.column_stack([env.data_queue, env.energy_queue])
    np.testing.assert_allclose(seen[-1], np.column_stack([np.log(1e11 * env.gains), np.log(1 + queues / 10)]))


@given(instances)
def test_at_the_break_even_price_the_queue_earns_as_much_as_at_home(case):
    gains, _, data_queue, energy_queue = instance(**case)
    env = LyapunovMEC(case["num_users"], observation="price")
    state = {"gains": gains, "data_queue": data_queue, "energy_queue": energy_queue}
    env.load_state_dict(env.state_dict() | state)
    seen = env.observe()
    assert seen.shape == (case["num_users"], 4)
    assert (np.abs(seen) <= 5).all()
    value, price = values(env.weights, data_queue, energy_queue)
    home = local_objective(env.weights, data_queue, energy_queue)
    unit = RATE * 20 * env.weights.mean()
    for user in range(case["num_users"]):
        x = np.linspace(0, np.log1p(POWER * gains[user] / NOISE), 200_001)[1:]
        earns = value[user] * RATE * x - price[user] * NOISE / gains[user] * np.expm1(x)  # a unit of time
        per_data = (earns - np.exp(seen[user, 0]) * unit) / x
        best = per_data.argmax()
        if np.abs(seen[user, :2]).max() < 5:
            whole = data_queue[user] / RATE
            assert whole * per_data[best] == pytest.approx(
                home[user], rel=1e-4, abs=1e-4 * whole * earns[best] / x[best]
            )
            assert np.exp(seen[user, 1]) == pytest.approx(whole / x[best], rel=1e-2)
        if data_queue[user] > 0 and abs(seen[user, 2]) < 5:
            assert np.exp(seen[user, 2]) * unit == pytest.approx(max(earns.max(), 0), rel=1e-6)
            assert seen[user, 3] == pytest.approx(min(home[user] / earns.max(), 2), rel=1e-4)


def test_a_user_without_data_has_the_lowest_price():
    env = LyapunovMEC(3, observation="price")
    env.load_state_dict(env.state_dict() | {"data_queue": np.array([0.0, 5.0, 5.0])})
    assert env.observe()[0].tolist() == [-5, 5, -5, 0]
    assert (env.observe()[1:, 0] > 0).all()


def test_a_seed_fixes_gains_and_arrivals():
    def run(env):
        seen = []
        for _ in range(5):
            seen.append(env.observe())
            env.step(np.arange(6) % 2)
        return seen

    env = LyapunovMEC(6, seed=4)
    first = run(env)
    np.testing.assert_array_equal(run(LyapunovMEC(6, seed=4)), first)
    env.reset()
    np.testing.assert_array_equal(run(env), first)
    env.reset(seed=9)
    np.testing.assert_array_equal(run(env), run(LyapunovMEC(6, seed=9)))


def test_state_continues_the_same_frames():
    env = LyapunovMEC(4, seed=2)
    for _ in range(5):
        env.step(np.ones(4))
    other = LyapunovMEC(4, seed=0)
    other.load_state_dict(env.state_dict())
    assert other.frame_metrics() == env.frame_metrics()
    for _ in range(4):
        np.testing.assert_array_equal(other.observe(), env.observe())
        other.step([1, 0, 1, 0])
        env.step([1, 0, 1, 0])
    assert other.frame == 9


def test_the_frames_optimum_is_the_best_of_all_decisions():
    env = LyapunovMEC(6)
    for _ in range(5):
        every = env.allocate(env.gains, Binary(6).all(), env.data_queue, env.energy_queue).objective
        assert env.frame_optimum() == pytest.approx(every.max(), rel=1e-12)
        env.step(np.ones(6))
    assert LyapunovMEC(13).frame_optimum() is None


@pytest.mark.parametrize("mean", [2.5, 3.0])
def test_queues_are_bounded_and_energy_keeps_its_threshold_inside_the_stable_region(mean):
    env = LyapunovMEC(arrivals=ExponentialArrivals(mean), seed=1)
    rng = np.random.default_rng(0)
    history = []
    for _ in range(1500):
        env.step(baselines.coordinate_descent(env, rng).decision)
        history.append(env.frame_metrics())
    queue = np.array([metrics["data_queue"] for metrics in history]).reshape(3, -1)
    assert queue[2].mean() < 1.3 * queue[1].mean()
    assert queue.max() < 80
    energy = [metrics["energy"] for metrics in history]
    assert np.mean(energy) <= 0.08 * 1.001 + env.energy_queue.mean() / 1000 / len(energy)
    assert np.mean([metrics["rate"] for metrics in history]) == pytest.approx(mean, rel=0.05)


def test_queues_grow_without_bound_where_nobody_offloads():
    """At 0.08 J a second a CPU does (0.08 / 1e-26)^(1/3) cycles, 2 Mbit, less than the 3 that arrive."""
    env = LyapunovMEC()
    for _ in range(600):
        env.step(np.zeros(10))
    assert env.data_queue.mean() > 400


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_users": 0}, "num_users must be a whole number, 1 or more, got 0"),
        ({"channel": 3}, "channel must be a Channel or the path of a trace, got 3"),
        ({"arrivals": 3.0}, "arrivals must be an Arrivals, got 3.0"),
        ({"num_users": 2, "weights": [1.0]}, r"weights must have shape \(2,\), got \(1,\)"),
        ({"observation": "db"}, "observation must be 'log_gain', 'gain' or 'price', got 'db'"),
        ({"rate_weight": 0.0}, "rate_weight must be positive and finite, got 0.0"),
        ({"energy_threshold": -1.0}, "energy_threshold must be positive"),
        ({"energy_queue_factor": 0.0}, "energy_queue_factor must be positive"),
        ({"bandwidth": "2"}, "bandwidth must be an array of real numbers"),
        ({"noise_density": 0.0}, "noise_density must be positive"),
        ({"noise_density": 1e-60}, "gains must give signal-to-noise ratios up to 5e21"),
        ({"cpu_frequency": np.nan}, "cpu_frequency must be positive and finite, got nan"),
        ({"seed": -1}, "seed must be a whole number, 0 or more, got -1"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        LyapunovMEC(**settings)


@pytest.mark.parametrize("arrivals", [ConstantArrivals, ExponentialArrivals])
def test_arrivals_are_of_their_mean(arrivals):
    model = arrivals(2.0)
    rng = np.random.default_rng(0)
    model.reset(10, rng)
    assert model.sample_frames(2000, rng).mean() == pytest.approx(2, rel=0.03)
    with pytest.raises(ValueError, match="must be positive and finite, got 0.0"):
        arrivals(0.0)


GAINS, QUEUE = [1e-11] * 3, [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda env: env.allocate([1e-11, np.nan, 1], [0, 1, 0], QUEUE, QUEUE), r"gains .* got nan at \[1\]"),
        (lambda env: env.allocate([1e20] * 3, [0, 1, 0], QUEUE, QUEUE), "signal-to-noise ratios up to 5e21"),
        (lambda env: env.allocate(GAINS, [0, 2, 0], QUEUE, QUEUE), "decisions must hold only 0 and 1"),
        (lambda env: env.allocate(GAINS, [0, 1], QUEUE, QUEUE), r"decisions must have shape \(..., 3\)"),
        (lambda env: env.allocate(GAINS, [0, 1, 0], [-1, 0, 0], QUEUE), "data_queue must be 0 or more and finite"),
        (lambda env: env.allocate(GAINS, [0, 1, 0], QUEUE, [0, 0, np.inf]), "energy_queue must be 0 or more"),
        (
            lambda env: env.allocate([GAINS] * 2, [[0, 1, 1]] * 3, QUEUE, QUEUE),
            "leading dimensions must broadcast",
        ),
        (lambda env: env.evaluate([[0, 1, 2]]), "decisions must hold only 0 and 1"),
        (lambda env: env.evaluate([[0, 1]]), r"decisions must have shape \(..., 3\)"),
        (lambda env: env.step([0, 1]), r"decision must have shape \(3,\), got \(2,\)"),
        (
            lambda env: env.load_state_dict(LyapunovMEC(4).state_dict()),
            r"state must be of a world with weights",
        ),
    ],
)
def test_bad_arguments_are_named_and_change_nothing(call, message):
    env = LyapunovMEC(3)
    before = env.observe()
    with pytest.raises(ValueError, match=message):
        call(env)
    assert env.frame == 0
    np.testing.assert_array_equal(env.observe(), before)


@pytest.mark.parametrize("num_users", [7, 30])
def test_machine_code_computes_a_frame_to_the_last_digit(monkeypatch, num_users):
    pytest.importorskip("env.lyapunov.compiled_allocation", reason="the extra `fast` is not installed")
    world, rng = LyapunovMEC(num_users, seed=3), np.random.default_rng(0)
    for frame in range(60):
        if frame == 0:
            queues = np.zeros((2, num_users))
        else:
            queues = (10.0 ** rng.uniform(-3, 4, (2, num_users))) * (rng.random((2, num_users)) < 0.8)
        gains = world.gains * 10 ** rng.uniform(-2, 2, num_users)
        compiled = world.fold(gains, *queues)
        decisions = world.decisions.random(9, rng)
        split = split_time(compiled.answers, decisions)
        values = compiled.objective(decisions, split)
        with monkeypatch.context() as without:
            without.setattr("env.lyapunov.allocation.machine_code", lambda module: None)
            plain = world.fold(gains, *queues)
            same = split_time(plain.answers, decisions)
            np.testing.assert_array_equal(values, plain.objective(decisions, same))
        for name in (*plain._fields[:-1], *plain.answers._fields):
            of = (compiled, plain) if hasattr(plain, name) else (compiled.answers, plain.answers)
            np.testing.assert_array_equal(*(getattr(one, name) for one in of), err_msg=name)
        for array, expected in zip(split, same, strict=True):
            np.testing.assert_array_equal(array, expected)
