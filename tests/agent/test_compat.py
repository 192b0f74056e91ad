import numpy as np
import pytest
import torch

from agent.compat import MemoryDNN
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
        assert isinstance(candidates, list)
        assert np.shape(candidates) == (count, 20)
        assert np.isin(candidates, [0, 1]).all()
    with pytest.raises(ValueError, match="mode must be 'OP', 'KNN' or 'OPN', got 'BEST'"):
        mem.decode(h, 5, "BEST")
    with pytest.raises(ValueError, match="k must be 1 to 21, got 30"):
        mem.decode(h, 30, "OP")


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
