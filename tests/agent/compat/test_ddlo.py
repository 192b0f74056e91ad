import copy
import pickle

import numpy as np
import pytest
import torch
from waves import fill

from agent.compat.ddlo import MemoryDNN
from env.compat import MUMT

PUBLISHED_LOSSES = [
    [0.46886924, 0.43589616, 0.39861891, 0.35726985, 0.29692265, 0.25200382],
    [0.47202063, 0.39000678, 0.33537698, 0.24705963, 0.17832427, 0.12695625],
]
"""What the published class wrote for the calls below, with TensorFlow 2.15."""


def test_losses_are_the_published_ones():
    mem = MemoryDNN([6, 10, 8, 6], 2, learning_rate=0.02, training_interval=10, batch_size=16, memory_size=600)
    for number, model in enumerate(mem.models):
        fill(model, 0.1, 6 * number)
    np.random.seed(1)
    rng = np.random.default_rng(0)
    for frame in range(620):
        h = rng.uniform(-2, 2, 6)
        candidates = mem.decode(h)
        mem.encode(h, candidates[frame % 2])
        assert len(mem.cost_his[0]) == max(0, (frame + 2) // 10 - 51)  # from the 512th row on
    assert np.shape(mem.cost_his) == (2, 11)
    np.testing.assert_allclose(np.array(mem.cost_his)[:, :6], PUBLISHED_LOSSES, rtol=0, atol=1e-6)


def test_weights_start_small_and_biases_at_nothing():
    torch.manual_seed(0)
    mem = MemoryDNN([9, 120, 80, 9], 3)
    assert len(mem.models) == mem.net_num == len(mem.cost_his) == 3
    for model in mem.models:
        for layer in model[::2]:
            assert layer.weight.std().item() == pytest.approx(1 / 9, rel=0.1)
            assert not layer.bias.any()
    assert not torch.equal(mem.models[0][0].weight, mem.models[1][0].weight)


def test_a_published_script_learns(published):
    """The main loop of the published DDLO script, over 1,500 frames."""
    data = published("MUMT_data_3x3")
    env = MUMT(3, 3, rand_seed=1)
    torch.manual_seed(0)
    mem = MemoryDNN(net=[9, 120, 80, 9], net_num=3, training_interval=10, batch_size=128, memory_size=1024)
    ratios = []
    for i in range(1500):
        t1 = data["task_size"][i, :]
        t = t1 * 10 - 200
        m_list = mem.decode(t)
        r_list = [env.compute_Q(t1, m) for m in m_list]
        mem.encode(t, m_list[np.argmin(r_list)])
        ratios.append(data["gain_min"][0][i] / min(r_list))
    assert np.mean(ratios[-300:]) > 0.95 > np.mean(ratios[:300]) + 0.05
    assert [len(costs) for costs in mem.cost_his] == [99] * 3


def small(seed=0):
    torch.manual_seed(seed)
    np.random.seed(seed)
    mem = MemoryDNN([4, 8, 4], 2, training_interval=4, batch_size=8)
    for row in np.random.rand(20, 4):
        mem.remember(row, row > 0.5)
    mem.learn()
    return mem


def test_adam_is_kept_from_step_to_step_and_the_rate_read_at_each():
    """A second step with no rate moves nothing, a third takes up the moments of both."""
    mem = small()
    before = torch.nn.utils.parameters_to_vector(mem.models[0].parameters()).clone()
    mem.lr = 0.0
    mem.learn()
    assert torch.equal(torch.nn.utils.parameters_to_vector(mem.models[0].parameters()), before)
    fresh = copy.deepcopy(mem)
    fresh.models[0] = copy.deepcopy(fresh.models[0])  # other weights, of the same values: no past
    for one in (mem, fresh):
        one.lr = 0.01
        np.random.seed(3)
        one.learn()
    assert not torch.equal(mem.models[0][0].weight, fresh.models[0][0].weight)
    assert torch.equal(mem.models[1][0].weight, fresh.models[1][0].weight)


def test_copies_and_files_go_on_as_the_original_does(tmp_path):
    mem = small()
    pickled, copied = pickle.loads(pickle.dumps(mem)), copy.deepcopy(mem)
    for one in (mem, pickled, copied):
        np.random.seed(5)
        one.learn()
        one.learn()
    assert mem.cost_his == pickled.cost_his == copied.cost_his
    torch.save(mem.models[0], tmp_path / "model.pt")
    other = MemoryDNN([4, 8, 4], 2)
    other.models[0] = torch.load(tmp_path / "model.pt", weights_only=False)
    np.testing.assert_array_equal(other.decode(np.ones(4))[0], mem.decode(np.ones(4))[0])


def test_what_a_subclass_overrides_is_what_counts():
    class Shallow(MemoryDNN):
        def _build_net(self):
            self.models = [torch.nn.Linear(self.net[0], self.net[-1]) for _ in range(self.net_num)]

    mem = Shallow([4, 8, 3], 2, batch_size=4)
    assert np.shape(mem.decode(np.ones(4))) == (2, 3)
    mem.remember(np.ones(4), [0.5, 1, 0])
    mem.learn()
    assert np.shape(mem.cost_his) == (2, 1)


def test_plot_cost_has_a_line_for_each_network(monkeypatch):
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.extend(plt.gca().get_lines()))
    mem = small()
    mem.plot_cost()
    plt.close("all")
    assert [line.get_xydata().tolist() for line in shown] == [[[0, costs[0]]] for costs in mem.cost_his]


def test_bad_settings_are_named():
    with pytest.raises(ValueError, match="net_num must be a whole number"):
        MemoryDNN([3, 3], 0)
    with pytest.raises(ValueError, match="h must hold 4 finite numbers"):
        MemoryDNN([4, 8, 4], 1).decode(np.ones(3))


def test_a_subclass_may_have_another_number_of_networks():
    class Pair(MemoryDNN):
        def _build_net(self):
            super()._build_net()
            self.models = self.models[:2]

    mem = Pair([4, 8, 8, 4], 3, batch_size=4)
    mem.remember(np.ones(4), np.ones(4))
    mem.learn()
    assert [len(costs) for costs in mem.cost_his] == [1, 1, 0]
    mem.models += [copy.deepcopy(mem.models[0]) for _ in range(3)]
    mem.learn()
    assert [len(costs) for costs in mem.cost_his] == [2, 2, 1, 1, 1]


def test_a_loss_that_is_no_number_stops_the_run():
    mem = MemoryDNN([4, 8, 8, 4], 2, batch_size=8)
    mem.remember(np.ones(4), np.ones(4))
    mem.models[1][0].bias.data.fill_(np.nan)
    with pytest.raises(FloatingPointError, match="the loss is nan: learning has diverged"):
        mem.learn()
