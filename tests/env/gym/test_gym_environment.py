"""Worlds as Gymnasium environments: spaces, seeds, rewards, limits, and what both checkers say."""

import inspect
import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given
from hypothesis import strategies as st

import env
from env import (
    AgeMEC,
    Binary,
    Categorical,
    Environment,
    InputError,
    Limited,
    RandomPresence,
    WirelessPoweredMEC,
    problems,
)
from env.drawing import network_image
from env.gym import IDS, OffloadingEnv
from env.gym.feasible import within_limits
from env.problems import AtMost, LargeCosts, SeparablePrices


def id_of(name):
    return name.split("/")[1]


@pytest.mark.parametrize("name", IDS, ids=id_of)
def test_both_checkers_have_nothing_to_say(name):
    """Warnings are errors here."""
    sb3 = pytest.importorskip("stable_baselines3.common.env_checker")
    made = gymnasium.make(name)
    check_env(made.unwrapped, skip_render_check=not name.endswith(("/Age-v0", "/AtMost-v0")))  # pictures take time
    sb3.check_env(made)


def test_every_world_has_an_id():
    worlds = {
        kind
        for module in (env, problems)
        for kind in vars(module).values()
        if inspect.isclass(kind) and issubclass(kind, Environment)
    }
    assert worlds - {Environment, problems.SmallProblem} == set(IDS.values())


@pytest.mark.parametrize("world", IDS.values())
def test_no_setting_is_meant_for_both_the_environment_and_its_world(world):
    of_world = {name for kind in world.__mro__ for name in inspect.signature(kind.__init__).parameters}
    of_env = set(inspect.signature(OffloadingEnv).parameters)
    assert of_world & of_env <= {"args", "kwargs"}


def test_an_id_may_name_the_module_that_registers_it():
    code = (
        "import gymnasium\n"
        "name = 'env.gym:mec_offloading/MultiServer-v0'\n"
        "made = gymnasium.make(name, num_users=3, num_servers=2, episode_length=7)\n"
        "print(made.action_space, made.unwrapped.world.num_servers)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "MultiDiscrete([3 3 3]) 2\n"


def test_without_gymnasium_one_error_names_the_extra():
    code = "import sys; sys.modules['gymnasium'] = None; import env; import env.gym"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert (
        last == "ModuleNotFoundError: env.gym needs Gymnasium, the extra 'gym': pip install 'mec-offloading[gym]'"
    )


def test_a_seed_is_the_worlds_and_the_next_ones_are_drawn():
    made = OffloadingEnv(WirelessPoweredMEC(5), scale_observations=False, reward="value")
    alone = WirelessPoweredMEC(5, seed=3)
    observation, _ = made.reset(seed=3)
    for frame in range(20):
        np.testing.assert_array_equal(observation, alone.observe().reshape(-1).astype(np.float32))
        np.testing.assert_array_equal(made.observe(), observation)
        action = np.arange(5) < frame % 6
        (value,) = alone.evaluate(action[None])
        alone.step(action)
        observation, reward, *_, info = made.step(action)
        assert reward == value == info["value"]
    first, second = made.reset()[0], made.reset()[0]
    made.reset(seed=3)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, made.reset()[0])


def test_episodes_are_truncated_and_never_terminate():
    made = OffloadingEnv(SeparablePrices(3), episode_length=4)
    for _ in range(2):
        made.reset()
        ends = [made.step(np.zeros(3))[2:4] for _ in range(4)]
        assert ends == [(False, False)] * 3 + [(False, True)]


def test_observations_and_rewards_are_standardised_as_measured():
    world = LargeCosts()
    made = OffloadingEnv(world, with_optimum=True)
    observations, rewards, values = [made.reset(seed=1)[0]], [], []
    made.action_space.seed(0)
    for _ in range(300):
        observation, reward, *_, info = made.step(made.action_space.sample())
        observations.append(observation)
        rewards.append(reward)
        values.append(info["value"])
        assert info["normalized"] == info["optimum"] / info["value"] <= 1
    np.testing.assert_allclose(np.mean(observations, 0), 0, atol=0.25)
    np.testing.assert_allclose(np.std(observations, 0), 1, atol=0.25)
    expected = (np.array(values) - made.scaling.value_mean) / made.scaling.value_deviation
    np.testing.assert_allclose(rewards, expected)
    assert abs(np.mean(rewards)) < 1
    other = OffloadingEnv(LargeCosts(seed=5), scaling=made.scaling)
    np.testing.assert_array_equal(other.reset(seed=1)[0], observations[0])


def test_the_normalised_reward_is_one_at_the_optimum():
    made = OffloadingEnv(SeparablePrices(4), reward="normalized")
    made.reset(seed=0)
    for _ in range(10):
        _, reward, *_, info = made.step(made.world.prices > 0)
        assert reward == info["normalized"] == pytest.approx(1)


@pytest.mark.parametrize("reward", ["value", "standardized"])
def test_an_infeasible_action_is_rewarded_below_every_feasible_one(reward):
    made = OffloadingEnv(AtMost(6, most=2), reward=reward)
    made.reset(seed=0)
    _, infeasible, *_, info = made.step(np.ones(6))
    assert (info["value"], info["feasible"]) == (-np.inf, False)
    assert np.isfinite(infeasible)
    assert infeasible < min(made.step(made.world.decisions.neighbours(np.zeros(6))[0])[1] for _ in range(100))
    told = OffloadingEnv(AtMost(6, most=2), reward=reward, infeasible_reward=-7.0)
    told.reset(seed=0)
    assert told.step(np.ones(6))[1] == -7.0
    normalized = OffloadingEnv(AtMost(6, most=2), reward="normalized")
    normalized.reset(seed=0)
    assert normalized.step(np.ones(6))[1] == 0


class Strict(AtMost):
    """It carries out feasible decisions only, and one user must always be taken."""

    feasible_only = True

    def values(self, decisions):
        return np.where(decisions[..., 2] > 0, super().values(decisions), -np.inf)

    def carry_out(self, decision):
        assert self.evaluate(decision[None]) > -np.inf
        self.done = decision


def test_where_only_feasible_decisions_are_carried_out_the_nearest_is():
    made = OffloadingEnv(Strict(4, most=2))
    made.reset(seed=0)
    *_, info = made.step([1, 1, 0, 0])
    assert not info["feasible"]
    assert info["decision"].tolist() in ([0, 0, 1, 0], [1, 0, 1, 0], [0, 1, 1, 0])
    np.testing.assert_array_equal(info["decision"], made.world.done)
    assert made.step([1, 0, 1, 0])[-1]["feasible"]

    class Hopeless(Strict):
        def values(self, decisions):
            return np.full(decisions.shape[:-1], -np.inf if self.frame > 250 else 0.0)

    hopeless = OffloadingEnv(Hopeless(4))
    hopeless.reset(seed=0)
    hopeless.world._frame = 300
    with pytest.raises(InputError, match="Hopeless carries out feasible decisions only, and none was found near"):
        hopeless.step([0, 0, 0, 0])


@given(st.data())
def test_limits_are_kept_by_changing_as_few_users_as_can_be(data):
    users, choices = data.draw(st.integers(1, 4)), data.draw(st.integers(2, 3))
    capacities = data.draw(st.lists(st.integers(0, users), min_size=choices - 1, max_size=choices - 1))
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=users * choices, max_size=users * choices)))
    mask = mask.reshape(users, choices)
    mask[:, 0] = True
    kind = Limited(Binary(users) if choices == 2 else Categorical(users, choices), capacities, mask)
    action = kind.kind.check_one(
        "action", data.draw(st.lists(st.integers(0, choices - 1), min_size=users, max_size=users))
    )
    kept = within_limits(kind, action)
    assert kind.feasible(kept)
    assert (kept != action).sum() == (kind.all() != action).sum(-1).min()


def test_limited_places_and_masks_of_the_next_frame():
    made = OffloadingEnv(AgeMEC(6, places=2), reward="value")
    _, info = made.reset(seed=0)
    for _ in range(30):
        np.testing.assert_array_equal(info["action_mask"], made.world.decisions.mask)
        np.testing.assert_array_equal(made.action_masks(), made.world.decisions.mask.reshape(-1))
        able = made.world.decisions.mask[:, 1]
        before = made.world.evaluate(np.zeros((1, 6)))[0]
        _, reward, *_, info = made.step(np.ones(6))
        assert reward == info["value"] != before or not able.any()
        assert info["decision"].sum() == min(2, able.sum())
        assert not info["decision"][~able].any()
        assert not info["feasible"]
        assert info["metrics"] == made.world.frame_metrics()


def test_users_that_are_off_have_local_computing_only():
    made = OffloadingEnv(WirelessPoweredMEC(8, presence=RandomPresence(20, 10)))
    _, info = made.reset(seed=0)
    seen = set()
    for _ in range(50):
        np.testing.assert_array_equal(info["action_mask"][:, 1], made.world.active)
        assert info["action_mask"][:, 0].all()
        seen.add(int(info["action_mask"].sum()))
        *_, info = made.step(np.ones(8))
    assert len(seen) > 1
    assert OffloadingEnv(SeparablePrices(2)).action_masks().tolist() == [True] * 4


class Five:
    """A world that has the five members and nothing else."""

    num_users = 3

    def reset(self, seed=None):
        self.rng = np.random.default_rng(seed)
        self.step(None)

    def observe(self):
        return self.price[:, None]

    def evaluate(self, decisions):
        return decisions @ self.price

    def step(self, decision):
        self.price = self.rng.normal(size=3)


def test_five_members_are_enough():
    made = OffloadingEnv(Five(), reward="value")
    made.reset(seed=0)
    price = made.world.price
    _, reward, *_, info = made.step([1, 0, 1])
    assert reward == price[0] + price[2]
    assert info["metrics"] == {}
    np.testing.assert_array_equal(made.evaluate(np.eye(3)), made.world.price)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"episode_length": 0}, "episode_length must be a whole number, 1 or more, got 0"),
        ({"reward": "rate"}, "reward must be one of ['standardized', 'value', 'normalized'], got 'rate'"),
        ({"infeasible_reward": -np.inf}, "infeasible_reward must be finite, got -inf"),
        ({"with_optimum": True}, "with_optimum=True needs a world that knows its optimum, got a Five"),
        ({"reward": "normalized"}, "reward='normalized' needs a world that knows its optimum, got a Five"),
        ({"render_mode": "ansi"}, "render_mode must be None or 'rgb_array', got 'ansi'"),
    ],
)
def test_settings_out_of_range_are_named(settings, message):
    with pytest.raises(InputError) as error:
        OffloadingEnv(Five(), **settings)
    assert str(error.value) == message


def test_other_errors_are_named():
    with pytest.raises(InputError, match="object must have num_users to be a world"):
        OffloadingEnv(object())
    with pytest.raises(InputError, match="scaling must be of 3 users with 1 features, got one of"):
        OffloadingEnv(Five(), scaling=OffloadingEnv(LargeCosts()).scaling)
    made = OffloadingEnv(Five())
    with pytest.raises(gymnasium.error.ResetNeeded, match="reset must be called before step"):
        made.step([0, 0, 0])
    with pytest.raises(InputError, match="options must be empty"):
        made.reset(options={"frame": 3})
    made.reset()
    with pytest.raises(InputError, match="action must hold only 0 and 1, got 2.0"):
        made.step([0, 2, 0])
    with pytest.raises(InputError, match="action must have shape"):
        made.step([0, 0])
    with pytest.raises(InputError, match="seed must be given to reset, not to make, got 3"):
        gymnasium.make("mec_offloading/Age-v0", seed=3)
    with pytest.raises(InputError, match="world must be one of .*, got 'Age'"):
        env.gym.make("Age")


def test_pictures_show_what_was_carried_out():
    pytest.importorskip("matplotlib")
    made = gymnasium.make("mec_offloading/Age-v0", num_users=4, places=1, render_mode="rgb_array")
    own = made.unwrapped
    with pytest.raises(gymnasium.error.ResetNeeded, match="reset must be called before render"):
        own.render()
    made.reset(seed=0)
    expected = network_image(own.world)
    np.testing.assert_array_equal(made.render(), expected)
    before = network_image(own.world, [1, 0, 0, 0])
    made.step(np.ones(4, dtype=np.int8))
    assert before.dtype == np.uint8
    np.testing.assert_array_equal(made.render(), before)
    assert not np.array_equal(before, expected)
    with pytest.warns(UserWarning, match="render draws nothing: give render_mode='rgb_array'"):
        assert OffloadingEnv(Five()).render() is None


def test_gymnasium_collects_pictures():
    pytest.importorskip("matplotlib")
    made = gymnasium.make("mec_offloading/AtMost-v0", num_users=2, render_mode="rgb_array_list")
    made.reset(seed=0)
    made.step(np.zeros(2, dtype=np.int8))
    assert len(made.render()) == 2
