"""Users that come and go, and weights that change."""

import numpy as np
import pytest

from env import AlternatingWeights, PresenceSchedule, RandomPresence, WeightSchedule, WirelessPoweredMEC
from env.processes.stream import BLOCK

NOBODY = np.zeros(4, dtype=np.int64)


def watch(world, frames):
    """Who was on and what was seen, frame after frame."""
    on, seen = [], []
    for _ in range(frames):
        on.append(world.active.copy())
        seen.append(world.observe())
        world.step(NOBODY)
    return np.array(on), np.array(seen)


def test_a_schedule_switches_users_off_and_on():
    world = WirelessPoweredMEC(4, presence=PresenceSchedule({3: [1], 150: [0, 1], 200: []}), observation="user")
    on, seen = watch(world, 260)
    expected = np.ones((260, 4), dtype=bool)
    expected[3:200, 1] = False
    expected[150:200, 0] = False
    np.testing.assert_array_equal(on, expected)
    np.testing.assert_array_equal(seen[..., 2], expected)
    assert (seen[~expected] == 0).all()


def test_a_user_that_is_off_has_no_rate_and_no_part_in_the_optimum():
    world = WirelessPoweredMEC(4, presence=PresenceSchedule({0: [1, 3]}), seed=2)
    others = WirelessPoweredMEC(2, weights=[1.0, 1.0])
    decisions = np.array([[0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1]])
    left = others.allocate(np.tile(world.gains[[0, 2]], (3, 1)), decisions[:, [0, 2]]).rate
    np.testing.assert_allclose(world.evaluate(decisions), left, rtol=1e-9)
    assert world.frame_optimum() == pytest.approx(float(others.optimum(world.gains[[0, 2]]).rate), rel=1e-9)


def test_random_arrivals_and_departures_last_as_long_as_they_should():
    on, _ = watch(WirelessPoweredMEC(4, presence=RandomPresence(20, 10)), 20_000)
    assert on.any(1).all()
    for user in on.T:
        ends = np.flatnonzero(np.diff(user.astype(int)))
        spells = np.diff(ends)
        first_is_on = user[ends[0] + 1]
        assert spells[0 if first_is_on else 1 :: 2].mean() == pytest.approx(20, rel=0.15)
        assert spells[1 if first_is_on else 0 :: 2].mean() == pytest.approx(10, rel=0.15)


def test_weights_follow_their_schedule():
    world = WirelessPoweredMEC(
        4, weight_schedule=WeightSchedule({2: [2, 2, 1, 1], 5: [3, 1, 1, 1]}), observation="user"
    )
    _, seen = watch(world, 7)
    expected = [[1, 1.5, 1, 1.5]] * 2 + [[2, 2, 1, 1]] * 3 + [[3, 1, 1, 1]] * 2
    np.testing.assert_allclose(np.exp(seen[..., 1]), expected)
    world = WirelessPoweredMEC(4, weight_schedule=AlternatingWeights(interval=2, first=3), observation="user")
    _, seen = watch(world, 8)
    swapped = [False, False, False, True, True, False, False, True]
    expected = np.where(np.array(swapped)[:, None], [1.5, 1, 1.5, 1], [1, 1.5, 1, 1.5])
    np.testing.assert_allclose(np.exp(seen[..., 1]), expected)


def test_rates_and_optimum_use_the_weights_of_the_frame():
    world = WirelessPoweredMEC(4, weight_schedule=AlternatingWeights(interval=3, first=3))
    decisions = np.array([[1, 0, 0, 1], [1, 1, 1, 1]])
    for _ in range(8):
        rates = world.allocate(world.gains, decisions, world.weights).rate
        np.testing.assert_allclose(world.evaluate(decisions), rates, rtol=1e-9)
        best = world.optimum(world.gains, world.weights).rate
        assert world.frame_optimum() == pytest.approx(float(best), rel=1e-9)
        world.step(NOBODY)


@pytest.mark.parametrize("frame", [0, 40, BLOCK + 9])
def test_such_a_world_goes_on(frame):
    def make(seed):
        return WirelessPoweredMEC(
            4,
            presence=RandomPresence(20, 10),
            weight_schedule=AlternatingWeights(30, 30),
            observation="user",
            seed=seed,
        )

    world = make(1)
    watch(world, frame)
    again = make(5)
    again.load_state_dict(world.state_dict())
    for ours, theirs in zip(watch(again, 2 * BLOCK), watch(world, 2 * BLOCK), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_replicas_have_users_of_their_own():
    world = WirelessPoweredMEC(4, presence=RandomPresence(20, 10), replicas=2, seed=[4, 3])
    alone = WirelessPoweredMEC(4, presence=RandomPresence(20, 10), seed=3)
    for _ in range(BLOCK + 5):
        np.testing.assert_array_equal(world.active[1], alone.active)
        assert world.frame_optimum()[1] == pytest.approx(alone.frame_optimum(), rel=1e-9)
        world.step(np.zeros((2, 4), dtype=np.int64))
        alone.step(NOBODY)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PresenceSchedule({-1: [0]}), "a frame of off must be a whole number, 0 or more, got -1"),
        (lambda: WirelessPoweredMEC(4, presence=PresenceSchedule({3: [4]})), "off must name users 0 to 3"),
        (lambda: WirelessPoweredMEC(2, presence=PresenceSchedule({3: [0, 1]})), "off must name users 0 to 1"),
        (lambda: RandomPresence(0.5), "mean_on must be 1 frame or more, and finite, got 0.5"),
        (lambda: WirelessPoweredMEC(4, presence="always"), "presence must be a Presence, got 'always'"),
        (lambda: WeightSchedule({1: [1.0, -1.0]}), "weights must be positive and finite, got -1.0"),
        (lambda: AlternatingWeights(0), "interval must be a whole number, 1 or more, got 0"),
        (lambda: WirelessPoweredMEC(4, presence=RandomPresence()).set_active([1, 1, 1, 0]), "active must be left"),
    ],
)
def test_bad_settings_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
