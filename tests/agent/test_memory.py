import numpy as np
import pytest

from agent import ReplayMemory


def filled(count, capacity=4, **settings):
    memory = ReplayMemory(capacity, 2, **settings)
    for number in range(1, count + 1):
        memory.remember(np.full((2, 1), number), [number % 2, 1])
    return memory


def values(pairs):
    observations, decisions = pairs
    np.testing.assert_array_equal(decisions[:, 0], observations[:, 0, 0] % 2)
    return observations[:, 0, 0].tolist()


def test_the_oldest_pairs_are_overwritten():
    memory = filled(6)
    assert len(memory) == 4
    assert memory.counter == 6
    assert set(values(memory.sample(200, np.random.default_rng(0)))) == {3, 4, 5, 6}


def test_sampling_is_uniform_over_what_is_stored():
    memory = filled(3)
    drawn = values(memory.sample(9000, np.random.default_rng(0)))
    assert [drawn.count(value) for value in (1, 2, 3)] == pytest.approx([3000] * 3, rel=0.1)


@pytest.mark.parametrize(("count", "asked", "expected"), [(3, 2, [2, 3]), (6, 3, [4, 5, 6]), (5, 9, [2, 3, 4, 5])])
def test_recent_pairs_come_oldest_first(count, asked, expected):
    assert values(filled(count).recent(asked)) == expected


def test_the_published_blank_row_is_drawn_until_overwritten():
    memory = filled(2, blank_row=True)
    assert memory.counter == 3
    observations, _ = memory.sample(200, np.random.default_rng(0))
    assert set(observations[:, 0, 0]) == {0, 1, 2}
    assert 0 not in filled(5, blank_row=True).sample(200, np.random.default_rng(0))[0]


def test_state_goes_on():
    memory = filled(5)
    other = ReplayMemory(4, 2)
    other.load_state_dict(memory.state_dict())
    np.testing.assert_array_equal(other.observations, memory.observations)
    assert other.counter == 5


def test_bad_use_is_named():
    with pytest.raises(ValueError, match="capacity must be a whole number, 1 or more, got 0"):
        ReplayMemory(0, 2)
    with pytest.raises(ValueError, match="the replay memory is empty"):
        ReplayMemory(3, 2).sample(1, np.random.default_rng(0))
