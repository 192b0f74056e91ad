"""Vector environments: frame for frame what single ones are."""

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from env import AgeMEC, InputError, LyapunovMEC, WirelessPoweredMEC
from env.gym import OffloadingEnv, OffloadingVectorEnv
from env.problems import AtMost, SeparablePrices


def assert_same(one, other):
    """Nested dicts of arrays, and arrays of arrays."""
    assert one.keys() == other.keys()
    for name in one.keys() - {"final_info"}:  # which SyncVectorEnv leaves marked or not, by the number that end
        if isinstance(one[name], dict):
            assert_same(one[name], other[name])
        else:
            assert one[name].dtype == other[name].dtype
            np.testing.assert_allclose(
                *(np.array(list(each[name])) for each in (one, other)), rtol=1e-6, atol=1e-6
            )


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
@pytest.mark.parametrize("name", ["WirelessPowered", "MultiServer", "Age", "AtMost"])
def test_they_equal_single_ones_frame_for_frame(name, mode):
    settings = {"num_users": 5, "episode_length": 5, "with_optimum": True}
    name = f"mec_offloading/{name}-v0"
    ours = gymnasium.make_vec(name, num_envs=3, autoreset_mode=mode, **settings)
    theirs = gymnasium.make_vec(
        name, num_envs=3, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode}, **settings
    )
    assert type(ours) is OffloadingVectorEnv
    assert ours.metadata["autoreset_mode"] is AutoresetMode(mode)
    for space in ("action_space", "observation_space", "single_action_space", "single_observation_space"):
        assert getattr(ours, space) == getattr(theirs, space)
    observed, info = ours.reset(seed=3)
    expected, expected_info = theirs.reset(seed=3)
    np.testing.assert_allclose(observed, expected, rtol=1e-6)
    assert_same(info, expected_info)
    ours.action_space.seed(0)
    for _ in range(13):
        actions = ours.action_space.sample()
        *results, info = ours.step(actions)
        *expected, expected_info = theirs.step(actions)
        for one, other in zip(results, expected, strict=True):
            assert one.dtype == other.dtype
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)
        assert_same(info, expected_info)


def test_worlds_that_differ_go_side_by_side():
    """Each with its own weights; scaled alike."""
    weights = [[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]
    worlds = [WirelessPoweredMEC(3, weights=one) for one in weights]
    many = OffloadingVectorEnv(worlds, reward="value")
    many.reset(seed=[8, 4])
    *_, info = many.step([[1, 0, 0], [0, 1, 1]])
    for place, (seed, action) in enumerate([(8, [1, 0, 0]), (4, [0, 1, 1])]):
        single = OffloadingEnv(WirelessPoweredMEC(3, weights=weights[place]), scaling=many.scaling, reward="value")
        single.reset(seed=seed)
        assert single.step(action)[1] == info["value"][place]


def test_the_user_begins_episodes_with_the_mode_disabled():
    many = OffloadingVectorEnv(
        [SeparablePrices(2), SeparablePrices(2)], autoreset_mode=AutoresetMode.DISABLED, episode_length=2
    )
    many.reset(seed=0)
    actions = np.zeros((2, 2))
    assert not many.step(actions)[3].any()
    assert many.step(actions)[3].all()
    with pytest.raises(gymnasium.error.ResetNeeded):
        many.step(actions)
    with pytest.raises(InputError, match="a reset_mask that is true for all worlds"):
        many.reset(options={"reset_mask": np.array([True, False])})
    many.reset(options={"reset_mask": np.array([True, True])})
    assert not many.step(actions)[3].any()


def test_a_reset_without_a_seed_goes_on_with_other_random_numbers():
    many, same = (OffloadingVectorEnv(WirelessPoweredMEC(3, replicas=2)) for _ in range(2))
    first = many.reset(seed=5)[0]
    second = many.reset()[0]
    same.reset(seed=5)
    np.testing.assert_array_equal(second, same.reset()[0])
    assert not np.isclose(first, second).any()
    mixed = many.reset(seed=[5, None])[0]
    np.testing.assert_array_equal(mixed[0], first[0])
    assert not np.isclose(mixed[1], first[1]).any()


def test_wrappers_and_gymnasiums_own_loop_take_it():
    many = gymnasium.wrappers.vector.RecordEpisodeStatistics(
        OffloadingVectorEnv(WirelessPoweredMEC(3, replicas=2), episode_length=3, reward="normalized")
    )
    many.reset(seed=0)
    for _ in range(3):
        *_, info = many.step(many.action_space.sample())
    assert (info["episode"]["r"] > 0).all()
    assert (info["episode"]["l"] == 3).all()
    many.close()


def test_errors_are_named():
    with pytest.raises(InputError, match="worlds must be one or more, got none"):
        OffloadingVectorEnv([])
    with pytest.raises(
        InputError, match=r"worlds must have the same num_users and choices, got \[\(2, 2\), \(3, 2\)\]"
    ):
        OffloadingVectorEnv([AtMost(2), AtMost(3)])
    with pytest.raises(InputError, match="render_mode must be None"):
        OffloadingVectorEnv([AtMost(2)], render_mode="human")
    many = OffloadingVectorEnv([AgeMEC(3), AgeMEC(3)])
    with pytest.raises(gymnasium.error.ResetNeeded):
        many.step(np.zeros((2, 3)))
    with pytest.raises(InputError, match="seed must be one number or 2, one a replica, got 3"):
        many.reset(seed=[1, 2, 3])
    with pytest.raises(InputError, match="seed must be one number or 2, one a world, got 1"):
        many.reset(seed=[None])
    many.reset()
    with pytest.raises(InputError, match=r"action must have shape \(3,\) in each world"):
        many.step(np.zeros((3, 3)))


def test_the_scaling_is_that_of_a_single_world():
    single, many = OffloadingEnv(LyapunovMEC(3)), OffloadingVectorEnv([LyapunovMEC(3), LyapunovMEC(3, seed=4)])
    replicas, alone = OffloadingVectorEnv(WirelessPoweredMEC(3, replicas=4)), OffloadingEnv(WirelessPoweredMEC(3))
    for one, other in ((single, many), (alone, replicas)):
        for name, mine in one.scaling._asdict().items():
            np.testing.assert_allclose(mine, getattr(other.scaling, name), rtol=1e-9)
    assert isinstance(SyncVectorEnv([lambda: single]).single_observation_space, gymnasium.spaces.Box)
