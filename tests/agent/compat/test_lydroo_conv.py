import copy

import numpy as np
import pytest
import torch
from waves import fill

from agent.compat.lydroo_conv import MemoryDNN

PUBLISHED_LOSSES = [0.72267437, 0.68402326, 0.73719895, 0.66246510, 0.66710818, 0.68678486]
"""What the published class wrote for the calls below, with TensorFlow 2.15 (its 32 rows are one step there)."""
PUBLISHED_LAST = ["01110011", "11110011", "01110001", "01010000", "00010000", "01010001"]


def test_losses_and_noisy_candidates_are_the_published_ones():
    mem = MemoryDNN([24, 4, 4, 8], 0.002, 10, 32, 100)
    fill(mem.model, 0.01)
    np.random.seed(1)
    rng = np.random.default_rng(0)
    for frame in range(60):
        h = rng.exponential(size=24)
        if frame % 20 == 19:
            candidates = mem.decode(h, 3, "OPN")
        mem.encode(h, (h.reshape(8, 3)[:, 0] > 1) * 1)
    np.testing.assert_allclose(mem.cost_his[:2], PUBLISHED_LOSSES[:2], rtol=0, atol=1e-6)
    np.testing.assert_allclose(mem.cost_his, PUBLISHED_LOSSES, rtol=0, atol=5e-6)  # rounding adds up
    assert ["".join(map(str, candidate)) for candidate in candidates] == PUBLISHED_LAST


def test_a_minibatch_is_taken_in_parts_of_32_rows():
    torch.manual_seed(0)
    mem = MemoryDNN([21, 7], batch_size=80)
    for row in np.random.default_rng(0).exponential(size=(50, 21)):
        mem.remember(row, row[::3] > 1)
    alone, sizes = copy.deepcopy(mem), []
    loss = mem._loss
    mem._loss = lambda inputs, targets: (sizes.append(len(inputs)), loss(inputs, targets))[1]
    mem.learn()
    assert sizes == [32, 32, 16]
    alone.lr = 0.0
    np.random.seed(0)
    alone.learn()
    rows = alone.memory[(np.random.seed(0), alone._drawn())[1]]
    with torch.no_grad():
        outputs = alone.model(torch.Tensor(rows[:, :21]).reshape(80, 7, 3))
        expected = torch.nn.functional.binary_cross_entropy(outputs, torch.Tensor(rows[:, 21:]))
    assert alone.cost_his == pytest.approx([expected.item()], rel=1e-5)  # the mean over all rows


def test_weights_are_glorots():
    torch.manual_seed(0)
    layers = [layer for layer in MemoryDNN([30, 256, 128, 10]).model if hasattr(layer, "weight")]
    shapes = [tuple(layer.weight.shape) for layer in layers]
    assert shapes == [(32, 3, 3), (64, 32, 3), (64, 64, 3), (64, 256), (10, 64)]
    assert not any(layer.bias.any() for layer in layers)
    assert layers[3].weight.abs().max().item() == pytest.approx((6 / 320) ** 0.5, rel=0.01)


def test_a_model_in_place_of_another_learns():
    mem = MemoryDNN([21, 7], batch_size=8, training_interval=1)
    mem.encode(np.ones(21), np.ones(7))
    mem.model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(21, 7), torch.nn.Hardsigmoid())
    before = mem.model[1].bias.clone()
    mem.encode(np.ones(21), np.ones(7))
    assert not torch.equal(mem.model[1].bias, before)
    assert len(mem.decode(np.ones(21), 3, "KNN")) == 3


@pytest.mark.parametrize("net", [[20, 7], [18, 6], [22, 5, 7]])
def test_inputs_are_three_a_user(net):
    with pytest.raises(ValueError, match="net must begin with 3 inputs a user, of 7 users or more, got"):
        MemoryDNN(net)
