import numpy as np
import pytest
from lyapunov_reference import COEFFICIENT, CYCLES, NOISE, POWER, RATE
from scipy.optimize import minimize

from env import ConstantArrivals, LyapunovMEC, MyopicMEC, baselines


def general_solver(env, decision, rng):
    """The weighted rate of the offloading users that SLSQP finds over their transmit times."""
    on = decision == 1
    noise, data = NOISE / env.world.gains[on], env.world.data_queue[on]
    budget, weights = env.budget[on], env.world.weights[on]

    def rate(tau):
        tau = np.maximum(tau, 1e-12)
        exponent = np.minimum(np.log1p(budget / noise / tau), np.log1p(POWER / noise))
        return weights @ np.minimum(RATE * tau * exponent, data)

    best = 0.0
    time_left = {"type": "ineq", "fun": lambda tau: 1 - tau.sum()}
    for _ in range(5):
        start = rng.dirichlet(np.ones(on.sum()))
        tau = minimize(
            lambda tau: -rate(tau), start, method="SLSQP", bounds=[(0, 1)] * len(start), constraints=time_left
        ).x
        tau = np.clip(tau, 0, 1)
        best = max(best, rate(tau / max(1, tau.sum())))
    return best


@pytest.mark.parametrize("settings", [{}, {"energy_threshold": 0.003, "arrivals": ConstantArrivals(20.0)}])
def test_no_split_of_time_is_better_than_a_general_solvers(settings):
    env = MyopicMEC(6, seed=2, **settings)
    rng = np.random.default_rng(1)
    shortfall = []
    for _ in range(60):
        decision = rng.integers(2, size=6)
        decision[rng.integers(6)] = 1
        cycles = np.minimum(CYCLES * env.world.data_queue, 3e8)
        cycles = np.minimum(cycles, np.cbrt(env.budget / COEFFICIENT))
        local = (env.world.weights * cycles / CYCLES)[decision == 0].sum()
        found = local + general_solver(env, decision, rng)
        value = float(env.evaluate(decision[None])[0])
        assert value >= found * (1 - 1e-5)
        shortfall.append(value / found - 1)
        env.step(decision)
    assert np.median(shortfall) < 1e-2  # the solver does find optima


@pytest.mark.parametrize("method", [baselines.exhaustive, baselines.coordinate_descent, baselines.all_offload])
def test_the_average_energy_keeps_its_threshold_in_every_frame(method):
    env = MyopicMEC(6, seed=1)
    rng = np.random.default_rng(0)
    spent = np.zeros(6)
    for frame in range(1, 60):
        choice = method(env, rng)
        assert choice.value <= env.frame_optimum() * (1 + 1e-12)
        data = env.world.data_queue
        env.step(choice.decision)
        assert env.world.weights @ env.world.rate == pytest.approx(choice.value, rel=1e-9)
        assert (env.world.rate <= data * (1 + 1e-9)).all()
        spent += env.world.energy
        assert (spent <= 0.08 * frame + 1e-9).all()


def test_rates_take_the_power_that_they_need():
    env = MyopicMEC(3, arrivals=ConstantArrivals(1.0), seed=1)
    for _ in range(20):
        gains, budget = env.world.gains, env.budget
        env.step([1, 0, 1])
        assert env.world.energy[1] == pytest.approx(COEFFICIENT * (CYCLES * env.world.rate[1]) ** 3)
        least = NOISE / gains * np.expm1(env.world.rate / RATE)  # over the whole frame
        assert (env.world.energy[[0, 2]] >= least[[0, 2]] * (1 - 1e-9)).all()
        assert (env.world.energy <= budget + 1e-12).all()


def test_the_world_is_the_lyapunov_one():
    env, world = MyopicMEC(4, seed=5, energy_threshold=0.05), LyapunovMEC(4, seed=5, energy_threshold=0.05)
    np.testing.assert_array_equal(env.observe(), world.observe())
    np.testing.assert_allclose(env.budget, 0.05)
    env.step([1, 1, 0, 0])
    world.serve(env.world.rate, env.world.energy)
    np.testing.assert_array_equal(env.observe(), world.observe())
    assert env.frame_metrics() == world.frame_metrics()
    np.testing.assert_array_equal(env.reset(), world.reset())
    np.testing.assert_allclose(env.budget, 0.05)
    assert MyopicMEC(13).frame_optimum() is None


def test_state_continues_the_same_frames():
    env = MyopicMEC(4, seed=2)
    for frame in range(5):
        env.step([1, frame % 2, 0, 1])
    other = MyopicMEC(4)
    other.load_state_dict(env.state_dict())
    for _ in range(4):
        np.testing.assert_array_equal(other.observe(), env.observe())
        np.testing.assert_array_equal(other.evaluate(np.eye(4)), env.evaluate(np.eye(4)))
        other.step([1, 0, 1, 0])
        env.step([1, 0, 1, 0])
    with pytest.raises(ValueError, match=r"spent must have shape \(4,\), got \(3,\)"):
        env.load_state_dict(MyopicMEC(3).state_dict())


def test_bad_arguments_are_named():
    env = MyopicMEC(3)
    with pytest.raises(ValueError, match="decisions must hold only 0 and 1"):
        env.evaluate([[0, 1, 2]])
    with pytest.raises(ValueError, match=r"decision must have shape \(3,\), got \(2,\)"):
        env.step([0, 1])
    with pytest.raises(ValueError, match="rate_weight must be positive"):
        MyopicMEC(3, rate_weight=-1.0)


def test_machine_code_allocates_as_numpy_does(monkeypatch):
    pytest.importorskip("env.lyapunov.compiled_myopic", reason="the extra `fast` is not installed")
    for settings in ({}, {"energy_threshold": 0.003, "arrivals": ConstantArrivals(20.0)}):
        compiled, plain = MyopicMEC(5, seed=4, **settings), MyopicMEC(5, seed=4, **settings)
        for _ in range(40):
            decisions = compiled.decisions.all()
            values = compiled.evaluate(decisions)
            with monkeypatch.context() as without:
                without.setattr("env.lyapunov.myopic.machine_code", lambda module: None)
                plain.begin_frame()
                expected = plain.evaluate(decisions)
                np.testing.assert_allclose(values, expected, rtol=1e-9)
                plain.step(decisions[expected.argmax()])
            compiled.step(decisions[expected.argmax()])
            np.testing.assert_allclose(compiled.world.rate, plain.world.rate, rtol=1e-7, atol=1e-12)
            np.testing.assert_allclose(compiled.world.energy, plain.world.energy, rtol=1e-7, atol=1e-12)
