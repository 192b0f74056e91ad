import numpy as np
import pytest

from env import MultiTaskMEC, RecordedTaskSizes, TaskSizes, UniformTaskSizes
from env.decisions import Binary


def cost_as_printed(sizes, decisions, shares):
    """The cost of one frame, task by task: sizes in MB (N, M), shares of 12.5 MB/s."""
    total = 0.0
    for user in range(len(sizes)):
        energy = local_delay = offloaded_delay = 0.0
        for size, offload in zip(sizes[user], decisions[user], strict=True):
            bits = 8 * 2**20 * size
            if offload:
                energy += (1.5e-7 + 1.42e-7) * bits
                offloaded_delay += size / (12.5 * shares[user]) + 1900 * bits / 10e9
            else:
                energy += 3.25e-7 * bits
                local_delay += 4.75e-7 * bits
        total += energy + max(local_delay, offloaded_delay)
    return total


def test_cost_and_optimum_meet_every_row_of_the_released_data(published):
    data = published("MUMT_data_3x3")
    sizes, decisions = data["task_size"].reshape(-1, 3, 3), data["gain_mode"].reshape(-1, 3, 3)
    assert len(sizes) == 20_000
    env = MultiTaskMEC()
    np.testing.assert_allclose(env.cost(sizes, decisions), data["gain_min"][0], rtol=1e-9)
    optimum = env.optimum(sizes)
    np.testing.assert_allclose(optimum.cost, data["gain_min"][0], rtol=1e-9)
    np.testing.assert_allclose(env.cost(sizes, optimum.decision), optimum.cost, rtol=1e-12)


def test_the_cost_is_as_printed():
    rng = np.random.default_rng(0)
    shares = [0.5, 0.1, 0.15, 0.25]
    env = MultiTaskMEC(4, 5, bandwidth_shares=shares)
    for _ in range(20):
        sizes, decisions = rng.uniform(1, 50, (4, 5)), rng.integers(2, size=(4, 5))
        assert env.cost(sizes, decisions) == pytest.approx(cost_as_printed(sizes, decisions, shares), rel=1e-12)


def test_every_setting_enters_as_in_the_paper():
    settings = {
        "bandwidth": 10.0,
        "delay_weight": 2.0,
        "local_energy": 1e-7,
        "transmit_energy": 2e-7,
        "server_energy": 3e-7,
        "local_delay": 4e-7,
        "server_cycles": 1000.0,
        "server_frequency": 5e9,
    }
    env = MultiTaskMEC(1, 1, bandwidth_shares=[0.4], **settings)
    bits = 8 * 2**20 * 7.0
    assert env.cost([[7.0]], [[0]]) == pytest.approx(1e-7 * bits + 2 * 4e-7 * bits)
    assert env.cost([[7.0]], [[1]]) == pytest.approx(5e-7 * bits + 2 * (7 / (0.4 * 10) + 1000 * bits / 5e9))


def test_the_optimum_is_the_best_of_all_decisions():
    env = MultiTaskMEC(2, 4, bandwidth_shares=[0.2, 0.7])
    for _ in range(10):
        values = env.evaluate(Binary(8).all())
        optimum = env.optimum(env.sizes)
        assert optimum.cost == pytest.approx(-values.max(), rel=1e-12)
        assert env.evaluate(optimum.decision.reshape(1, 8))[0] == pytest.approx(-float(optimum.cost), rel=1e-12)
        assert env.frame_optimum() == -optimum.cost
        env.step(np.zeros(8))


def test_leading_dimensions_are_independent_problems():
    rng = np.random.default_rng(0)
    env = MultiTaskMEC(30, 2)
    sizes, decisions = rng.uniform(1, 50, (3, 1, 30, 2)), rng.integers(2, size=(4, 30, 2))
    together = env.cost(sizes, decisions)
    assert together.shape == (3, 4)
    assert together[2, 1] == pytest.approx(float(env.cost(sizes[2, 0], decisions[1])), rel=1e-12)
    assert env.optimum(sizes).decision.shape == (3, 1, 30, 2)
    assert (env.optimum(sizes).cost <= together.min(-1, keepdims=True)).all()


def test_rows_of_an_agent_are_tasks():
    env = MultiTaskMEC(2, 3, typical_size=10.0)
    assert env.num_users == 6
    np.testing.assert_allclose(env.observe(), 2 * (env.sizes.reshape(6, 1) / 10 - 1))
    decision = np.array([0, 1, 1, 0, 0, 1])
    assert env.evaluate(decision[None])[0] == -env.cost(env.sizes, decision.reshape(2, 3))
    assert env.value_is_cost


def test_observed_delays_are_those_of_the_cost():
    shares = [0.5, 0.2, 0.3]
    free = {"local_energy": 1e-30, "transmit_energy": 1e-30, "server_energy": 1e-30}  # the cost is then the delay
    env = MultiTaskMEC(3, 2, bandwidth_shares=shares, observation="delay", delay_weight=3.0, **free)
    seen = env.observe()
    assert seen.shape == (6, 1)
    at_home, on_server = np.zeros((3, 2)), np.ones((3, 2))
    for user in range(3):
        for task in range(2):
            own, all_of_user = np.full((3, 2), 1e-9), np.full((3, 2), 1e-9)
            own[user, task], all_of_user[user] = env.sizes[user, task], env.sizes[user]
            ratio = env.cost(own, at_home) / env.cost(all_of_user, on_server)
            assert seen[2 * user + task, 0] == pytest.approx(np.log(ratio), abs=1e-6)


def test_sizes_are_of_the_released_datas_range(published):
    released = published("MUMT_data_3x3")["task_size"]
    rng = np.random.default_rng(0)
    uniform = UniformTaskSizes()
    uniform.reset(9, rng)
    ours = uniform.sample_frames(2000, rng)
    assert released.min() <= ours.min() < 10.1
    assert released.max() >= ours.max() > 29.9
    assert ours.mean() == pytest.approx(released.mean(), rel=0.01)


def test_a_recorded_file_is_replayed_in_order_and_again(tmp_path):
    sizes = np.random.default_rng(0).uniform(1, 9, (3, 4))
    path = tmp_path / "tasks.npz"
    np.savez(path, task_size=sizes)
    env = MultiTaskMEC(2, 2, task_sizes=str(path))
    for row in (0, 1, 2, 0):
        np.testing.assert_array_equal(env.sizes, sizes[row].reshape(2, 2))
        env.step(np.zeros(4))
    with pytest.raises(ValueError, match=r"num_devices times num_tasks must be 4, as in .*, got 9"):
        MultiTaskMEC(task_sizes=str(path))
    np.savez(path, other=sizes)
    with pytest.raises(ValueError, match="must hold the variable 'task_size'"):
        RecordedTaskSizes(path)
    np.savez(path, task_size=sizes[0])
    with pytest.raises(ValueError, match=r"'task_size' in .* must have shape \(rows, N M\)"):
        RecordedTaskSizes(path)
    with pytest.raises(FileNotFoundError, match="no such trace file"):
        RecordedTaskSizes(tmp_path / "none.mat")


def test_a_seed_fixes_the_frames_and_state_continues_them(tmp_path):
    path = tmp_path / "tasks.npz"
    np.savez(path, task_size=np.random.default_rng(0).uniform(1, 9, (7, 4)))
    for source in (None, str(path)):
        env, twin = (MultiTaskMEC(2, 2, task_sizes=source, seed=3) for _ in range(2))
        other = MultiTaskMEC(2, 2, task_sizes=source)
        for _ in range(5):
            np.testing.assert_array_equal(env.observe(), twin.observe())
            env.step(np.ones(4))
            twin.step(np.zeros(4))
        other.load_state_dict(env.state_dict())
        for _ in range(4):
            np.testing.assert_array_equal(env.observe(), other.observe())
            env.step(np.ones(4))
            other.step(np.ones(4))
        assert other.frame == 9
        np.testing.assert_array_equal(twin.reset(seed=3), MultiTaskMEC(2, 2, task_sizes=source, seed=3).observe())


def test_tasks_of_ones_own_can_be_put_in():
    class Growing(TaskSizes):
        def reset(self, num_tasks, rng):
            self.num_tasks, self.size = num_tasks, 0.0

        def sample(self, rng):
            self.size += 1
            return np.full(self.num_tasks, self.size)

    env = MultiTaskMEC(2, 2, task_sizes=Growing())
    env.step(np.zeros(4))
    assert env.sizes.tolist() == [[2, 2], [2, 2]]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_devices": 0}, "num_devices must be a whole number, 1 or more, got 0"),
        ({"num_tasks": 1.5}, "num_tasks must be a whole number, 1 or more, got 1.5"),
        ({"task_sizes": 3}, "task_sizes must be a TaskSizes or the path of a recorded file, got 3"),
        ({"bandwidth_shares": [0.5, 0.5]}, r"bandwidth_shares must have shape \(3,\), got \(2,\)"),
        ({"bandwidth_shares": [0.5, 0.5, 0.5]}, "bandwidth_shares must be 1 in sum or less, got 1.5"),
        ({"bandwidth_shares": [0.5, 0.5, 0.0]}, r"bandwidth_shares must be positive and finite, got 0.0 at \[2\]"),
        ({"bandwidth": 0.0}, "bandwidth must be positive"),
        ({"server_frequency": -1.0}, "server_frequency must be positive"),
        ({"typical_size": 0.0}, "typical_size must be positive"),
        ({"observation": "bits"}, "observation must be 'size' or 'delay', got 'bits'"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        MultiTaskMEC(**settings)


SIZES = np.full((3, 3), 20.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda env: env.cost(SIZES[:2], SIZES < 0), r"task_sizes must have shape \(..., 3, 3\)"),
        (lambda env: env.cost(SIZES, np.zeros(9)), r"decisions must have shape \(..., 3, 3\), .* got \(9,\)"),
        (lambda env: env.cost(-SIZES, SIZES < 0), "task_sizes must be positive"),
        (lambda env: env.cost(SIZES, SIZES), "decisions must hold only 0 and 1"),
        (lambda env: env.cost([SIZES] * 2, np.zeros((4, 3, 3))), "must have leading dimensions that broadcast"),
        (lambda env: env.optimum(SIZES[0]), r"task_sizes must have shape \(..., 3, 3\)"),
        (lambda env: MultiTaskMEC(2, 17).optimum(np.ones((2, 17))), "num_tasks must be at most 16"),
        (lambda env: env.evaluate(np.zeros((4, 3))), r"decisions must have shape \(..., 9\)"),
        (lambda env: env.step(np.zeros(3)), r"decision must have shape \(9,\), got \(3,\)"),
        (
            lambda env: env.load_state_dict(MultiTaskMEC(2, 2).state_dict()),
            "state must be of a world with bandwidth_shares",
        ),
        (lambda env: UniformTaskSizes(3.0, 2.0), "largest must be at least smallest, 3.0, got 2.0"),
    ],
)
def test_bad_arguments_are_named_and_change_nothing(call, message):
    env = MultiTaskMEC()
    before = env.observe()
    with pytest.raises(ValueError, match=message):
        call(env)
    assert env.frame == 0
    np.testing.assert_array_equal(env.observe(), before)
