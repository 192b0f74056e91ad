import numpy as np
import pytest

from env import InputError, Limited, LyapunovMEC, MultiTaskMEC, MyopicMEC, WirelessPoweredMEC, baselines


class Knapsack:
    """A world of one's own: values add up, and more than `room` users are worth nothing."""

    num_users = 6
    room = 2

    def observe(self):
        return np.array([[3.0], [1.0], [4.0], [1.5], [5.0], [9.0]])

    def evaluate(self, decisions):
        return decisions @ self.observe()[:, 0] * (decisions.sum(-1) <= self.room)


RNG = np.random.default_rng(0)


def test_each_does_what_its_name_says():
    world = Knapsack()
    best = baselines.exhaustive(world)
    assert best.decision.tolist() == [0, 0, 0, 0, 1, 1]
    assert best.value == 14
    assert best.evaluations == 64
    assert baselines.greedy(world).decision.tolist() == [0, 0, 0, 0, 1, 1]
    assert baselines.greedy(world).evaluations == 7
    assert baselines.all_local(world).decision.tolist() == [0] * 6
    assert baselines.all_offload(world).decision.tolist() == [1] * 6
    assert baselines.best_of_random(world, RNG, k=9).evaluations == 9
    assert baselines.random(world, RNG).evaluations == 1


@pytest.mark.parametrize("start", [None, np.zeros(6), [1, 1, 0, 0, 0, 0]])
def test_coordinate_descent_ends_where_no_single_change_helps(start):
    world = Knapsack()
    choice = baselines.coordinate_descent(world, RNG, start)
    neighbours = np.abs(choice.decision - np.eye(6))
    assert (world.evaluate(neighbours) <= choice.value).all()
    assert choice.evaluations % 6 == 1


@pytest.mark.parametrize("kind", [LyapunovMEC, WirelessPoweredMEC, MultiTaskMEC])
def test_worlds_side_by_side_are_descended_as_each_is_alone(kind):
    seeds = [3, 0, 1]
    together, alone = kind(5, seed=seeds, replicas=3), [kind(5, seed=seed) for seed in seeds]
    rngs, own = ([np.random.default_rng(seed) for seed in seeds] for _ in range(2))
    for _ in range(20):
        choice = baselines.coordinate_descent_of_each(together, rngs)
        for place, world in enumerate(alone):
            expected = baselines.coordinate_descent(world, own[place])
            np.testing.assert_array_equal(choice.decision[place], expected.decision)
            assert choice.value[place] == expected.value
            assert choice.evaluations[place] == expected.evaluations
            world.step(expected.decision)
        together.step(choice.decision)


def test_worlds_side_by_side_with_limits_are_not_descended():
    world = LyapunovMEC(5, seed=[0, 1], replicas=2)
    world.decisions = Limited(world.decisions, 2)
    with pytest.raises(InputError, match="decisions must have no limits"):
        baselines.coordinate_descent_of_each(world, [RNG, RNG])


@pytest.mark.parametrize(
    "method",
    [
        baselines.exhaustive,
        baselines.coordinate_descent,
        baselines.greedy,
        baselines.all_local,
        baselines.all_offload,
        baselines.random,
        baselines.best_of_random,
        baselines.linear_relaxation,
    ],
)
def test_every_baseline_leaves_the_frame_alone_and_stays_below_the_optimum(method):
    env = WirelessPoweredMEC(8)
    for _ in range(10):
        before = env.gains.copy()
        choice = method(env, RNG)
        np.testing.assert_array_equal(env.gains, before)
        assert choice.value == pytest.approx(float(env.evaluate(choice.decision)))
        assert choice.value <= env.frame_optimum() * (1 + 1e-12)
        if method is baselines.exhaustive:
            assert choice.value == pytest.approx(env.frame_optimum(), rel=1e-10)
        env.step(choice.decision)


@pytest.mark.parametrize("environment", [LyapunovMEC, MyopicMEC, MultiTaskMEC])
@pytest.mark.parametrize(
    "method",
    [
        baselines.exhaustive,
        baselines.coordinate_descent,
        baselines.greedy,
        baselines.all_local,
        baselines.all_offload,
        baselines.random,
    ],
)
def test_baselines_work_in_the_other_worlds(environment, method):
    env = environment(3, 2) if environment is MultiTaskMEC else environment(6)
    for _ in range(10):
        choice = method(env, RNG)
        assert choice.value == pytest.approx(float(env.evaluate(choice.decision)))
        optimum = env.frame_optimum()
        assert choice.value <= optimum + 1e-9 * abs(optimum)
        if method is baselines.exhaustive:
            assert choice.value == pytest.approx(optimum, rel=1e-12)
        env.step(choice.decision)


def test_linear_relaxation_is_close_and_better_than_the_trivial_ones():
    env = WirelessPoweredMEC(20)
    ratio = {"linear_relaxation": [], "all_local": [], "all_offload": []}
    for _ in range(100):
        for name, values in ratio.items():
            values.append(getattr(baselines, name)(env).value / env.frame_optimum())
        env.step(np.zeros(20))
    means = {name: np.mean(values) for name, values in ratio.items()}
    assert means["linear_relaxation"] > 0.95
    assert means["linear_relaxation"] > max(means["all_local"], means["all_offload"])


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r"at most 2\^20 decisions, got 2\^21"):
        baselines.exhaustive(WirelessPoweredMEC(21))
    with pytest.raises(ValueError, match="start must hold only 0 and 1"):
        baselines.coordinate_descent(Knapsack(), RNG, np.full(6, 0.5))
    with pytest.raises(ValueError, match=r"start must have shape \(6,\)"):
        baselines.coordinate_descent(Knapsack(), RNG, [0, 1])
    with pytest.raises(ValueError, match="k must be a whole number, 1 or more, got 0"):
        baselines.best_of_random(Knapsack(), RNG, 0)
