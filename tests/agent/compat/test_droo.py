import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from agent.compat import MemoryDNN, droo
from env.compat import bisection


def test_a_published_script_learns(published):
    """The main loop of the published DROO script, over 800 frames."""
    data = published("data_6")
    channel, rate = data["input_h"] * 1000000, data["output_obj"]
    np.random.seed(0)
    mem = MemoryDNN(
        net=[6, 120, 80, 6], learning_rate=0.01, training_interval=10, batch_size=128, memory_size=1024
    )
    ratios = []
    for i in range(800):
        h = channel[i, :]
        m_list = mem.decode(h, 6, "OP")
        r_list = [bisection(h / 1000000, m)[0] for m in m_list]
        mem.encode(h, m_list[np.argmax(r_list)])
        ratios.append(np.max(r_list) / rate[i][0])
    assert np.mean(ratios[-200:]) > 0.985
    assert len(mem.cost_his) == 80
    assert mem.cost_his[-1] < mem.cost_his[0]
    assert mem.memory_counter == 801


def test_attributes_and_memory_are_as_published():
    mem = MemoryDNN(net=[9, 16, 12, 8, 3], learning_rate=0.02, training_interval=2, batch_size=4, memory_size=5)
    assert (mem.net, mem.lr, mem.training_interval) == ([9, 16, 12, 8, 3], 0.02, 2)
    assert (mem.batch_size, mem.memory_size, mem.memory_counter) == (4, 5, 1)
    assert mem.memory.shape == (5, 12)
    h, m = np.arange(9.0), np.array([1, 0, 1])
    mem.remember(h, m)
    np.testing.assert_array_equal(mem.memory[1], np.hstack((h, m)))
    mem.encode(h, m)
    assert mem.cost_his == []
    mem.encode(h, m)
    assert len(mem.cost_his) == 1
    mem.learn()
    assert len(mem.cost_his) == 2
    assert len(list(mem.model.children())) == 8  # 4 linear layers, 3 ReLU, 1 sigmoid


def test_modes():
    mem = MemoryDNN(net=[20, 16, 20])
    h = np.random.default_rng(0).normal(size=20)
    for mode, count in {"OP": 5, "KNN": 5, "OPN": 10}.items():
        candidates = mem.decode(h, 5, mode)
        assert isinstance(candidates, np.ndarray if mode == "KNN" else list)  # as published
        assert np.shape(candidates) == (count, 20)
        assert np.isin(candidates, [0, 1]).all()
    with pytest.raises(ValueError, match="mode must be one of 'OP', 'KNN', 'OPN', got 'BEST'"):
        mem.decode(h, 5, "BEST")
    with pytest.raises(ValueError, match="mode must be one of 'OP', 'KNN', got 'OPN'"):
        droo.MemoryDNN(net=[20, 16, 20]).decode(h, 5, "OPN")


def test_plot_cost_draws_the_loss(monkeypatch):
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    mem = MemoryDNN(net=[3, 4, 3])
    mem.cost_his = [0.7, 0.5, 0.4]
    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(plt.gca().get_lines()[0].get_xydata()))
    mem.plot_cost()
    plt.close("all")
    np.testing.assert_array_equal(shown[0], [[0, 0.7], [10, 0.5], [20, 0.4]])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"net": [3]}, "net must hold two or more"),
        ({"net": [3, 3], "batch_size": 0}, "batch_size must be a whole number"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        MemoryDNN(**settings)


def test_plot_cost_saves_where_it_is_told(tmp_path):
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    mem = MemoryDNN(net=[3, 4, 3])
    mem.cost_his = [0.7, 0.5, 0.4]
    mem.plot_cost(path_name=tmp_path / "cost.png")
    assert (tmp_path / "cost.png").stat().st_size > 1000
    assert plt.get_fignums() == []


def trained(frames=40, change=lambda mem: None):
    torch.manual_seed(0)
    np.random.seed(0)
    mem = MemoryDNN([4, 8, 4], training_interval=4, batch_size=16)
    change(mem)
    for frame in range(frames):
        h = np.random.rand(4)
        mem.encode(h, mem.decode(h, 3)[frame % 3])
    return mem


def test_the_learning_rate_is_read_at_every_step():
    def still(mem):
        mem.lr = 0.0

    first = torch.nn.utils.parameters_to_vector(MemoryDNN([4, 8, 4]).model.parameters())
    mem = trained(0)
    before = torch.nn.utils.parameters_to_vector(mem.model.parameters()).clone()
    assert before.shape == first.shape
    mem = trained(40, still)
    assert torch.equal(torch.nn.utils.parameters_to_vector(mem.model.parameters()), before)
    mem.lr = 0.1
    mem.learn()
    assert not torch.equal(torch.nn.utils.parameters_to_vector(mem.model.parameters()), before)


def test_a_model_in_place_of_another_is_the_one_that_learns_and_decides():
    mem = trained()
    mem.model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Sigmoid())
    with torch.no_grad():
        mem.model[0].weight.zero_()
        mem.model[0].bias.copy_(torch.tensor([9.0, -9.0, 9.0, -9.0]))
    assert mem.decode(np.zeros(4), 1)[0].tolist() == [1, 0, 1, 0]
    before = mem.model[0].bias.clone()
    mem.learn()
    assert not torch.equal(mem.model[0].bias, before)


def test_intervals_and_sizes_may_be_changed_on_the_way():
    mem = trained(8)
    assert len(mem.cost_his) == 2
    mem.training_interval, mem.batch_size = 1, 3
    mem.encode(np.zeros(4), [0, 1, 0, 1])
    assert len(mem.cost_his) == 3


PUBLISHED_LOSSES = {
    "OP": [0.64210951, 0.61488819, 0.61125582, 0.56626767, 0.58264387, 0.52706349],
    "KNN": [0.63353145, 0.60234773, 0.57101071, 0.50129539, 0.48350725, 0.45692381],
}
"""What the published class wrote for the calls below, with torch 2.13."""
PUBLISHED_LAST = {
    "OP": [[0, 0, 1, 0, 1], [1, 0, 1, 0, 1], [0, 0, 0, 0, 1], [1, 0, 1, 1, 1], [0, 0, 0, 0, 0]],
    "KNN": [[1, 0, 1, 1, 1], [1, 0, 1, 0, 1], [0, 0, 1, 1, 1], [0, 0, 1, 0, 1], [1, 0, 0, 1, 1]],
}


@pytest.mark.parametrize("mode", ["OP", "KNN"])
def test_losses_and_candidates_are_the_published_ones(mode):
    np.random.seed(1)
    torch.manual_seed(1)
    rng = np.random.default_rng(0)
    mem = droo.MemoryDNN([5, 16, 12, 5], learning_rate=0.02, training_interval=5, batch_size=16, memory_size=20)
    for frame in range(60):
        h = rng.exponential(size=5)
        candidates = mem.decode(h, 5, mode)
        mem.encode(h, candidates[frame % len(candidates)])
    np.testing.assert_allclose(mem.cost_his[:6], PUBLISHED_LOSSES[mode], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(candidates, PUBLISHED_LAST[mode])


SATURATED = np.array([1, 0.3, 1, 0.6, 0.2, 1, 0.5, 0], dtype=np.float32)
"""Three users at 1, two as far from 1/2 as the others."""


def test_saturated_outputs_give_equal_candidates_as_published():
    published = ["10110100", "10110110", "10100100", "11110110", "11111110"] + 3 * ["00000000"] + ["11111111"]
    candidates = droo.MemoryDNN([8, 4, 4, 8]).knm(SATURATED, 9)
    assert ["".join(map(str, candidate)) for candidate in candidates] == published
    assert [candidate.dtype for candidate in candidates] == [np.int64] * 9


def test_equal_distances_come_in_the_published_order():
    published = ["10110100", "10110110", "10100110", "10100100", "11110110", "11110100"]
    candidates = droo.MemoryDNN([8, 4, 4, 8]).knn(SATURATED, 6)
    assert ["".join(map(str, candidate)) for candidate in candidates] == published


def test_decisions_are_in_single_precision():
    """An output within 1e-9 of 1 is 1: the users beside it are its equals."""
    mem = droo.MemoryDNN([3, 3])
    with torch.no_grad():
        mem.model[0].weight.zero_()
        mem.model[0].bias.copy_(torch.tensor([40.0, 30.0, 20.0]))
    assert [candidate.tolist() for candidate in mem.decode(np.zeros(3), 4)] == [[1, 1, 1]] + 3 * [[0, 0, 0]]


def test_knn_lists_nothing_for_many_users_and_what_there_is_for_few():
    mem = droo.MemoryDNN([40, 8, 40])
    near = mem.decode(np.ones(40), 30, "KNN")
    assert near[:, 0].shape == (30,)
    assert len(mem.enumerate_actions) == 0
    few = droo.MemoryDNN([2, 8, 2])
    assert few.decode(np.ones(2), 30, "KNN").shape == (4, 2)
    assert few.decode(np.ones(2), 0, "KNN").shape == (0, 2)
    assert mem.decode(np.ones(40), 0, "KNN").shape == (0, 40)
    assert len(few.enumerate_actions) == 4


@pytest.mark.parametrize("inputs", [3, 12, 1])
def test_inputs_may_be_unlike_outputs(inputs):
    """As LyDROO's 3N inputs, on which its own KNN fails; more candidates than there are, all there are."""
    mem = MemoryDNN([inputs, 8, 3], batch_size=4, training_interval=1)
    for mode, most in {"OP": 4, "KNN": 8, "OPN": 8}.items():
        candidates = mem.decode(np.ones(inputs), 50, mode)
        assert np.shape(candidates) == (most, 3)
        mem.encode(np.ones(inputs), candidates[0])
    assert len(mem.cost_his) == 3
    assert np.shape(mem.decode(np.ones(inputs), 0)) == (1, 3)


@pytest.mark.parametrize("target", [[0.2, 0.9, 0.5], [1.0, 0.0, 0.25]])
def test_targets_may_be_soft(target):
    mem = MemoryDNN([2, 8, 3], batch_size=4, training_interval=1)
    mem.encode(np.ones(2), target)
    np.testing.assert_array_equal(mem.memory[1, 2:], target)
    assert np.isfinite(mem.cost_his).all()


def test_classes_are_remembered_and_learned_by_a_subclass_that_can():
    mem = MemoryDNN([2, 8, 3], batch_size=4, training_interval=1, memory_size=1)
    with pytest.raises(ValueError, match=r"targets must lie from 0 to 1 for the binary cross entropy, got 3.0"):
        mem.encode(np.ones(2), [3, 0, 2])

    class Squares(MemoryDNN):
        def learn(self):
            self.cost_his.append(float(((self.memory[0, 2:]) ** 2).sum()))

    squares = Squares([2, 8, 3], batch_size=4, training_interval=1, memory_size=1)
    squares.encode(np.ones(2), [3, 0, 2])
    assert squares.cost_his == [13.0]


def test_soft_targets_are_learned():
    torch.manual_seed(0)
    np.random.seed(0)
    mem = MemoryDNN([1, 16, 2], batch_size=16, training_interval=1, learning_rate=0.005, memory_size=8)
    for _ in range(600):
        mem.encode([1.0], [0.2, 0.7])
    relaxed = mem.model(torch.ones(1, 1)).detach().numpy()[0]
    np.testing.assert_allclose(relaxed, [0.2, 0.7], atol=0.05)


def test_a_loss_of_nothing_does_not_stop_the_program():
    mem = trained(8)
    with torch.no_grad():
        mem.model[-2].weight.zero_()
        mem.model[-2].bias.fill_(200.0)
    mem.memory[:, 4:] = 1
    mem.learn()
    assert mem.cost_his[-1] == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda mem: mem.encode(np.ones(3), [0, 1, 0, 1]), "h must hold 4 finite numbers, got 3"),
        (
            lambda mem: mem.encode([1, 2, np.nan, 3], [0, 1, 0, 1]),
            r"h must hold 4 finite numbers, got nan at \[2\]",
        ),
        (lambda mem: mem.remember(np.ones(4), [0, 1]), "m must hold 4 finite numbers, got 2"),
        (lambda mem: mem.remember(np.ones(4), None), "m must hold 4 finite numbers, got"),
        (lambda mem: mem.decode("gains"), "h must hold 4 finite numbers, got 'gains'"),
    ],
)
def test_bad_input_is_named_and_stores_nothing(call, message):
    mem = MemoryDNN([4, 8, 4])
    with pytest.raises(ValueError, match=message):
        call(mem)
    assert mem.memory_counter == 1
    assert not mem.memory.any()


class Fork(MemoryDNN):
    """What forks override."""

    def _build_net(self):
        self.model = torch.nn.Sequential(torch.nn.Linear(self.net[0], self.net[-1]), torch.nn.Sigmoid())

    def knm(self, m, k=1):
        return super().knm(m, k) + [np.ones(len(m), dtype=int)]

    def opn(self, m, k=1):
        return [np.zeros(len(m), dtype=int)] * k


def test_what_a_subclass_overrides_is_what_counts():
    fork = Fork([4, 99, 4])
    assert [tuple(weight.shape) for weight in fork.model.parameters()] == [(4, 4), (4,)]
    assert fork.decode(np.ones(4), 3)[-1].tolist() == [1, 1, 1, 1]
    assert np.shape(fork.decode(np.ones(4), 3)) == (4, 4)
    assert np.array(fork.decode(np.ones(4), 3, "OPN")).tolist() == [[0, 0, 0, 0]] * 3


def test_the_actions_to_choose_from_may_be_given():
    class OneAtMost(MemoryDNN):
        enumerate_actions = np.vstack([np.zeros((1, 4), int), np.eye(4, dtype=int)])

    given = MemoryDNN([4, 8, 4])
    given.enumerate_actions = OneAtMost.enumerate_actions.tolist()
    for mem in (OneAtMost([4, 8, 4]), given):
        mem.enumerate_actions = np.array(mem.enumerate_actions)
        chosen = mem.decode(np.ones(4), 3, "KNN")
        assert chosen.shape == (3, 4)
        assert (chosen.sum(1) <= 1).all()


def test_a_subclass_that_looks_at_its_neighbours_sees_single_precision():
    seen = []

    class Watching(MemoryDNN):
        def knn(self, m, k=1):
            seen.append(m)
            return super().knn(m, k)

    Watching([4, 8, 4]).decode(np.ones(4), 2, "KNN")
    assert (seen[0].dtype, seen[0].shape) == (np.float32, (4,))


def test_copies_and_files_go_on_as_the_original_does(tmp_path):
    mem = trained(30)
    pickled = pickle.loads(pickle.dumps(mem))
    copied = copy.deepcopy(mem)
    torch.save(mem.model, tmp_path / "model.pt")
    other = MemoryDNN([4, 8, 4])
    other.model = torch.load(tmp_path / "model.pt", weights_only=False)
    h = np.array([0.1, 0.9, 0.4, 0.3])
    for one in (pickled, copied, other):
        np.testing.assert_array_equal(one.decode(h, 5), mem.decode(h, 5))
    for one in (mem, pickled, copied):
        np.random.seed(5)
        one.learn()
    assert mem.cost_his == pickled.cost_his == copied.cost_his
    other.encode(h, [0, 1, 1, 0])
    other.learn()
    assert len(other.cost_his) == 1


def test_several_side_by_side_share_nothing():
    alone, beside = trained(20), None

    def watched(mem):
        nonlocal beside
        beside = MemoryDNN([4, 8, 4], training_interval=4, batch_size=16)

    together = trained(20, watched)
    before = torch.nn.utils.parameters_to_vector(beside.model.parameters()).clone()
    together.learn()
    assert torch.equal(torch.nn.utils.parameters_to_vector(beside.model.parameters()), before)
    assert beside.cost_his == []
    assert beside.memory_counter == 1
    assert len(alone.cost_his) == len(together.cost_his) - 1


def test_five_layers():
    mem = MemoryDNN(net=(4, 16, 12, 8, 4), batch_size=8, training_interval=2)
    assert [layer.out_features for layer in mem.model if isinstance(layer, torch.nn.Linear)] == [16, 12, 8, 4]
    for _ in range(10):
        mem.encode(np.ones(4), mem.decode(np.ones(4), 4)[0])
    assert len(mem.cost_his) == 5


def test_saturated_candidates_are_the_published_ones_on_a_released_trace(published):
    """Against equations 8 and 9 written out, on a network trained until a quarter of its rows have equal users."""
    data = published("data_7")
    channel, best = data["input_h"] * 1e6, data["output_mode"]
    np.random.seed(0)
    torch.manual_seed(0)
    mem = MemoryDNN([7, 120, 80, 7], batch_size=128, memory_size=1024)
    for frame in range(9000):
        mem.encode(channel[frame], best[frame])
    repeated = 0
    for frame in range(9000, 10000):
        candidates = [tuple(candidate.tolist()) for candidate in mem.decode(channel[frame], 7)]
        with torch.no_grad():
            relaxed = mem.model(torch.Tensor(channel[frame][None]))[0].numpy()
        expected = [tuple((relaxed > 0.5).astype(int).tolist())]
        for user in np.argsort(abs(relaxed - 0.5))[:6]:
            above = relaxed > relaxed[user] if relaxed[user] > 0.5 else relaxed >= relaxed[user]
            expected.append(tuple(above.astype(int).tolist()))
        assert candidates == expected
        repeated += len(set(candidates)) < 7
    assert repeated > 100


def test_a_model_may_keep_what_its_first_forward_pass_makes():
    class Lazy(MemoryDNN):
        def _build_net(self):
            self.model = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.Linear(8, 4), nn.Sigmoid())

    mem = Lazy([4, 8, 4], batch_size=4, training_interval=2)
    for _ in range(6):
        mem.encode(np.ones(4), mem.decode(np.ones(4))[0])
    assert len(mem.cost_his) == 3


def test_a_model_may_be_anything_that_can_be_called():
    class Fixed:
        def eval(self):
            return self

        def __call__(self, inputs):
            return inputs.clamp(0, 1)

    mem = MemoryDNN([3, 8, 3])
    mem.model = Fixed()
    np.testing.assert_array_equal(mem.decode([0.2, 0.9, 0.7])[0], [0, 1, 1])


@pytest.mark.parametrize("interval", [2.0, float("inf"), True])
def test_an_interval_may_be_any_positive_number(interval):
    mem = MemoryDNN([3, 8, 3], batch_size=4, training_interval=interval)
    for _ in range(4):
        mem.encode(np.ones(3), np.ones(3))
    assert len(mem.cost_his) == {2.0: 2, True: 4}.get(interval, 0)
    with pytest.raises(ValueError, match="training_interval must be positive, got 0"):
        MemoryDNN([3, 8, 3], training_interval=0)
