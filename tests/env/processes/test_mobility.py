"""Users move as their model says, the same however many frames are asked for at a time."""

import numpy as np
import pytest

from env import GaussMarkovMobility, InputError, Line, Places, RandomWaypoint, RecordedTrack

MODELS = [
    lambda folder: RandomWaypoint([60, 40], [1, 3], [0, 5]),
    lambda folder: GaussMarkovMobility([60, 40], 2.0, 0.5, 1.0, 4.0),
    lambda folder: Line([10, 20], [70, 100], [5, 20], [2.0, -2.0]),
    lambda folder: Places([[1, 2], [3, 4], [5, 60], [7, 8]]),
    lambda folder: RecordedTrack(track(folder)),
]


def track(folder, text=None, encoding="utf-8"):
    path = folder / "track.csv"
    rows = ["time, x, y, user"]
    for time in range(5):
        rows += [f"{100 + 10 * time},{time * 3},{-time},{user}" for user in "abcd"]
    path.write_text("\n".join(rows) if text is None else text, encoding=encoding)
    return path


def moved(model, frames, length=0.5, seed=0, users=4):
    model.reset(users, length, np.random.default_rng(seed))
    return model.move(frames)


@pytest.mark.parametrize("make", MODELS)
def test_users_stay_within_the_extent_and_go_as_fast_as_is_said(make, tmp_path):
    model = make(tmp_path)
    x, y, speed = moved(model, 4000, length=0.05)
    (left, low), (right, high) = model.extent
    assert x.shape == y.shape == speed.shape == (4000, 4)
    assert left - 1e-9 <= x.min() <= x.max() <= right + 1e-9
    assert low - 1e-9 <= y.min() <= y.max() <= high + 1e-9
    steps = np.hypot(np.diff(x, axis=0), np.diff(y, axis=0)) / 0.05
    close = np.isclose(steps, speed[:-1], rtol=1e-6, atol=1e-6)
    assert close.mean() > 0.98  # but where a user turns, begins to rest, or begins again
    if not isinstance(model, RecordedTrack):
        assert (steps <= speed[:-1] + 1e-6).all() or isinstance(model, RandomWaypoint)


@pytest.mark.parametrize("make", MODELS)
def test_a_block_of_frames_is_frame_after_frame_and_goes_on_from_a_state(make, tmp_path):
    expected = moved(make(tmp_path), 300)
    model = make(tmp_path)
    parts = [moved(model, 1)]
    parts += [model.move(1) for _ in range(99)]
    other = make(tmp_path)
    moved(other, 5, seed=9)
    other.load_state_dict(model.state_dict())
    parts.append(other.move(200))
    for whole, pieces in zip(expected, zip(*parts, strict=True), strict=True):
        np.testing.assert_array_equal(np.concatenate(pieces), whole)


def test_waypoints_are_anywhere_and_so_are_rests():
    model = RandomWaypoint([100, 100], [1, 2], [10, 10])
    x, y, speed = moved(model, 20_000, length=2.0, users=20)
    assert speed[speed > 0].min() >= 1
    assert speed.max() <= 2
    rests = np.mean(speed == 0)
    way = 52.14 * np.log(2)  # mean distance of two places in a square of side 100, over a speed uniform in 1 to 2
    assert rests == pytest.approx(10 / (10 + way), abs=0.02)
    for along in (x, y):
        assert along.mean() == pytest.approx(50, abs=2)
        assert np.var(along) < 100**2 / 12  # oftener in the middle


def test_gauss_markov_has_its_memory_and_mean():
    model = GaussMarkovMobility([1e6, 1e6], 10.0, 1.0, 0.0, memory=5.0)
    x, y, speed = moved(model, 40_000, length=1.0)
    assert speed.mean() == pytest.approx(10, abs=0.1)
    assert speed.std() == pytest.approx(1, abs=0.05)
    assert np.corrcoef(speed[:-1, 0], speed[1:, 0])[0, 1] == pytest.approx(np.exp(-1 / 5), abs=0.02)
    ways = np.diff(x[:500], axis=0), np.diff(y[:500], axis=0)
    assert np.ptp(np.arctan2(*ways[::-1]), axis=0).max() < 1e-6  # no deviation, no turn


def test_vehicles_turn_at_the_ends_and_keep_their_lane():
    model = Line([0, 0], [0, 100], [10, 10], [3.0])
    x, y, speed = moved(model, 200, length=1.0, users=2)
    np.testing.assert_allclose(x, 3.0)
    np.testing.assert_array_equal(speed, 10.0)
    np.testing.assert_allclose(y[20:], y[:-20], atol=1e-9)  # there and back: 200 m
    assert np.ptp(y[:20], axis=0) == pytest.approx([90, 90], abs=10)


def test_a_track_is_followed_in_straight_lines_and_again(tmp_path):
    model = RecordedTrack(track(tmp_path, "user,time,x,y\nb,0,0,0\na,10,5,5\nb,10,30,40\na,20,5,15\nb,30,30,40\n"))
    x, y, speed = moved(model, 8, length=5.0, users=2)
    np.testing.assert_allclose(x, [[0, 5], [15, 5], [30, 5], [30, 5], [30, 5], [30, 5], [0, 5], [15, 5]])
    np.testing.assert_allclose(y[:, 0], [0, 20, 40, 40, 40, 40, 0, 20])
    np.testing.assert_allclose(y[:, 1], [5, 5, 5, 10, 15, 15, 5, 5])
    np.testing.assert_allclose(speed[:, 0], [5, 5, 0, 0, 0, 0, 5, 5])
    alone = RecordedTrack(track(tmp_path, "time,x,y\n0,1,2\n1,3,4\n"))
    assert alone.num_users == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: RandomWaypoint([100]), "area must be a width and a height"),
        (lambda folder: RandomWaypoint(speed=[2, 1]), "speed must be the least and the most"),
        (lambda folder: RandomWaypoint(speed=[0, 1]), "speed must be positive"),
        (lambda folder: RandomWaypoint(pause=[-1, 1]), "pause must be 0 or more"),
        (lambda folder: GaussMarkovMobility(memory=0.0), "memory must be positive"),
        (lambda folder: GaussMarkovMobility(speed_deviation=[1.0]), "speed_deviation must be one finite number"),
        (lambda folder: Line([0, 0], [0, 0]), "start and end must be two places"),
        (lambda folder: Line([0, 0], [0, 0, 1]), "start and end must be two places"),
        (
            lambda folder: RecordedTrack(track(folder, "time,x,y\n0,0,0\n", "utf-16")),
            "must be a CSV file in UTF-8",
        ),
        (lambda folder: Places([1.0, 2.0]), r"places must have shape \(N, 2\)"),
        (lambda folder: Places([[1.0, 2.0]]).reset(3, 1.0, None), "num_users must be 1, as in Places, got 3"),
        (
            lambda folder: RecordedTrack(track(folder, "t,x,y\n0,0,0")),
            "must have a header with time, x and y",
        ),
        (lambda folder: RecordedTrack(track(folder, "time,x,y\n")), "must hold a row for each place"),
        (lambda folder: RecordedTrack(track(folder, "time,x,y\n0,0,0\n1,a,0")), "line 3 of .* must hold numbers"),
        (lambda folder: RecordedTrack(track(folder, "time,x,y\n0,0,0\n0,1,0")), "line 3 of .* must be later"),
    ],
)
def test_bad_settings_are_named(make, message, tmp_path):
    with pytest.raises(InputError, match=message):
        make(tmp_path)


def test_a_track_must_be_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such track file"):
        RecordedTrack(tmp_path / "none.csv")
