import numpy as np
import torch

from agent.compat import MemoryDNN, lydroo
from env.compat import Algo1_NUM

PUBLISHED_LOSSES = [0.62943852, 0.59870774, 0.59511745, 0.58182561, 0.47434407, 0.61040503]
"""What the published class wrote for the calls below, with torch 2.13."""
PUBLISHED_LAST = [
    *([1, 1, 1, 1, 0], [0, 1, 1, 1, 0], [1, 1, 1, 1, 1], [0, 1, 1, 0, 0], [0, 0, 1, 0, 0]),
    *([1, 1, 1, 1, 0], [1, 1, 1, 1, 1], [1, 1, 0, 1, 0], [1, 0, 0, 1, 0], [0, 0, 0, 1, 0]),
]


def test_losses_and_noisy_candidates_are_the_published_ones():
    np.random.seed(1)
    torch.manual_seed(1)
    rng = np.random.default_rng(0)
    mem = lydroo.MemoryDNN([15, 16, 12, 5], learning_rate=0.02, training_interval=5, batch_size=16, memory_size=20)
    for frame in range(60):
        h = rng.exponential(size=15)
        candidates = mem.decode(h, 5, "OPN")
        mem.encode(h, candidates[frame % len(candidates)])
    np.testing.assert_allclose(mem.cost_his[:6], PUBLISHED_LOSSES, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(candidates, PUBLISHED_LAST)


def test_noise_is_added_to_outputs_and_a_sigmoid_follows():
    relaxed = np.array([1, 0.3, 1, 0.6, 0.2, 1, 0.5, 0], dtype=np.float32)
    np.random.seed(0)
    candidates = MemoryDNN([24, 4, 4, 8]).opn(relaxed, 4)
    published = ["10110100", "10110110", "10100100", "11110110", "11111110", "11111010", "11111111", "10111010"]
    assert ["".join(map(str, candidate)) for candidate in candidates] == published


def test_a_published_script_keeps_its_queues():
    """The main loop of the published LyDROO script, over 120 frames of 5 users."""
    np.random.seed(0)
    torch.manual_seed(0)
    users, frames, weights = 5, 120, [1.5 if i % 2 == 0 else 1 for i in range(5)]
    mem = MemoryDNN([3 * users, 32, 16, users], 0.01, training_interval=20, batch_size=128, memory_size=1024)
    data, energy_queue = np.zeros(users), np.zeros(users)
    objectives = []
    for _ in range(frames):
        h = np.random.exponential(0.05 * np.ones(users))
        nn_input = np.concatenate((h, data / 10000, energy_queue / 10000))
        m_list = mem.decode(nn_input, users, "OPN")
        results = [Algo1_NUM(m, h, weights, data, energy_queue, 20) for m in m_list]
        best = int(np.argmax([result[0] for result in results]))
        mem.encode(nn_input, m_list[best])
        objective, rate, energy = results[best]
        objectives.append(objective)
        data = data + np.random.exponential(2 * np.ones(users)) - rate
        data[data < 0] = 0
        energy_queue = np.maximum(energy_queue + (energy - 0.08) * 1000, 0)
    assert len(mem.cost_his) == 6
    assert np.mean(data) < 60
    assert objectives[0] == 0
    assert min(objectives[1:]) > 0
