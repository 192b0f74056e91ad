"""The channel of TR 38.901 with users that move: each part has the statistics that the standard gives it."""

import pickle

import numpy as np
import pytest
from scipy import special, stats

from env import (
    TR38901,
    Cells,
    GaussMarkovMobility,
    InH,
    InputError,
    Line,
    LyapunovMEC,
    MultiServerMEC,
    Places,
    RandomWaypoint,
    RMa,
    UMa,
    UMi,
    WirelessPoweredMEC,
)

ANYWHERE = np.random.default_rng(5).uniform(0, 4000, (400, 2)).tolist()


def drawn(channel, frames, links, seed=0):
    rng = np.random.default_rng(seed)
    channel.reset(links, rng)
    return channel.sample_frames(frames, rng)


def test_without_shadowing_and_fading_gains_are_the_path_loss():
    channel = TR38901(UMi(), Places(ANYWHERE), [[2000, 2000]], shadowing=False, fading=False, antenna_gain=8.0)
    gains = drawn(channel, 2, 400)
    distance = np.hypot(*(np.array(ANYWHERE) - 2000).T)
    expected = UMi().path_loss(distance, channel.in_sight[0, :, 0]) - 8.0
    np.testing.assert_allclose(-10 * np.log10(gains[0]), expected, atol=1e-9)
    np.testing.assert_array_equal(gains[0], gains[1])


def test_links_are_in_sight_as_often_as_the_standard_says():
    """Over many seeds, places of one distance; and two places near each other mostly agree."""
    ring = 60 * np.stack([np.cos([0, 0.01, 2]), np.sin([0, 0.01, 2])], -1)
    channel = TR38901(UMi(), Places(ring), [[0, 0]], shadowing=False, fading=False)
    seen = np.empty((4000, 3), dtype=bool)
    for seed in range(len(seen)):
        drawn(channel, 1, 3, seed)
        seen[seed] = channel.in_sight[0, :, 0]
    likely = float(UMi().line_of_sight_probability(60.0))
    np.testing.assert_allclose(seen.mean(0), likely, atol=4 * np.sqrt(likely * (1 - likely) / len(seen)))
    agree = 1 - np.arccos(np.exp(-0.6 / 50)) / np.pi  # of two signs, 0.6 m apart (Table 7.6.3.1-2: 50 m)
    assert np.mean(seen[:, 0] == seen[:, 1]) == pytest.approx(agree, abs=0.015)
    assert abs(np.corrcoef(seen[:, 0], seen[:, 2])[0, 1]) < 0.25


def shadow(channel, links, seeds, frames=1):
    """Shadowing, dB, of a channel without fading."""
    values = []
    for seed in range(seeds):
        gains = drawn(channel, frames, links, seed).reshape(frames, -1, len(channel.access_points))
        distance = np.stack(
            [np.hypot(channel.movement.x - a, channel.movement.y - b) for a, b in channel.access_points], -1
        )
        loss = channel.scenario.path_loss(np.maximum(distance, 10), channel.in_sight)
        values.append((10 * np.log10(gains) + loss, channel.in_sight.copy()))
    return [np.stack(part) for part in zip(*values, strict=True)]


@pytest.mark.parametrize("scenario", [UMi(), UMa()])
def test_shadowing_has_the_standards_deviation_in_both_states(scenario):
    values, in_sight = shadow(TR38901(scenario, Places(ANYWHERE), [[2000, 2000]], fading=False), 400, 400)
    for state, deviation in ((True, 4.0), (False, scenario.large_scale.shadowing[1])):
        assert values[in_sight == state].std() == pytest.approx(deviation, rel=0.04)


def test_shadowing_along_a_way_forgets_in_the_states_distance():
    channel = TR38901(UMi(), Line([0, 30], [3000, 30], [1, 1]), [[1500, 4700]], fading=False)
    values, in_sight = shadow(channel, 40, 6, frames=1000)
    assert in_sight.mean() < 0.02  # 4.9 km away
    values = values[..., 0] / 7.82
    for lag in (1, 4, 13, 26, 60):
        correlation = np.mean(values[:, :-lag] * values[:, lag:])
        assert correlation == pytest.approx(np.exp(-lag / 13), abs=0.05)


@pytest.mark.parametrize("together", [0.0, 0.5, 1.0])
def test_shadowing_to_two_sites_is_correlated_as_set(together):
    channel = TR38901(
        UMi(), Places(ANYWHERE), [[2000, 4400], [2100, 4400]], fading=False, site_correlation=together
    )
    values, in_sight = shadow(channel, 800, 60)
    both = ~in_sight.any(-1)
    assert np.corrcoef(values[both].T)[0, 1] == pytest.approx(together, abs=0.03)


def test_who_comes_back_finds_what_it_left():
    channel = TR38901(UMi(), Line([0, 0], [100, 0], [1, 1]), [[50, 40]], fading=False)
    gains = drawn(channel, 1000, 3)
    np.testing.assert_allclose(gains[200:400], gains[:200], rtol=1e-9)
    np.testing.assert_allclose(gains[800:], gains[:200], rtol=1e-9)


def test_fading_is_rayleigh_out_of_sight_and_rician_in_sight():
    away = TR38901(UMi(), Places([[0, 0]] * 200), [[0, 4900]], shadowing=False)
    power = drawn(away, 300, 200)[::10] / 10 ** (-UMi().path_loss(4900.0, False) / 10)
    assert stats.kstest(power[0], stats.expon.cdf).pvalue > 1e-3
    near = TR38901(UMi(), Places([[0, 0]] * 1000), [[0, 12]], shadowing=False)
    ks = []
    for seed in range(300):  # one place: one K for all, fading of their own
        power = drawn(near, 1, 1000, seed)[0] / 10 ** (-UMi().path_loss(12.0, True) / 10)
        assert power.mean() == pytest.approx(1, abs=0.2)
        square = min(power.var(), 1 - 1e-9)  # of unit-mean Rician power: 1 - (K / (K + 1))^2
        share = np.sqrt(1 - square)
        ks.append(10 * np.log10(share / (1 - share)))
    assert np.mean(ks) == pytest.approx(9.0, abs=1.0)
    assert np.std(ks) == pytest.approx(5.0 * np.sqrt(0.75), abs=1.0)  # without the part that goes with shadowing


def test_fading_has_the_jakes_correlation_of_the_speed():
    channel = TR38901(UMi(), Line([0, 0], [1e3, 0], [2, 2]), [[500, 4500]], frame_length=0.005, shadowing=False)
    channel.reset(50, np.random.default_rng(0))
    news = channel._scattered(np.full((4000, 50), 2.0), 1)
    expected = special.j0(2 * np.pi * 2.0 * 0.005 / channel.scenario.wavelength)
    assert np.mean(news[1:] * news[:-1].conj()).real == pytest.approx(expected, abs=0.02)
    assert np.mean(np.abs(news) ** 2) == pytest.approx(1, abs=0.02)
    still = channel._scattered(np.zeros((10, 50)), 1)
    np.testing.assert_array_equal(still, np.broadcast_to(still[0], still.shape))


def test_machine_code_and_numpy_give_the_same_gains(monkeypatch):
    channel = TR38901(UMa(user_height=20.0), RandomWaypoint([300, 300], [5, 20]), [[100, 100], [200, 250]])
    gains = drawn(channel, 64, 10)
    for module in ("shadowing", "tr38901.channel"):
        monkeypatch.setattr(f"env.processes.{module}.machine_code", lambda module: None)
    np.testing.assert_allclose(drawn(channel, 64, 10), gains, rtol=1e-8)


def test_walls_weaken_users_indoors():
    outside = drawn(TR38901(UMi(), Places(ANYWHERE[:50]), [[2000, 2000]], shadowing=False, fading=False), 1, 50)
    for building, least in (("low", 8), ("high", 15)):
        channel = TR38901(
            UMi(), Places(ANYWHERE[:50]), [[2000, 2000]], shadowing=False, fading=False, indoor=1.0,
            building=building,
        )  # fmt: skip
        loss = 10 * np.log10(outside / drawn(channel, 1, 50))
        assert least < loss.mean() < least + 20


def test_worlds_of_one_and_several_servers_take_it():
    world = WirelessPoweredMEC(5, channel=TR38901(), replicas=3)
    assert world.gains.shape == (3, 5)
    assert len(np.unique(world.gains)) == 15
    cells = TR38901(InH(), GaussMarkovMobility([60, 30]), [[15, 15], [45, 15]])
    servers = MultiServerMEC(4, 2, channel=cells, seed=1)
    assert servers.gains.shape == (4, 2)
    for _ in range(3):
        servers.step(np.zeros(4, dtype=int))


@pytest.mark.parametrize("mobility", [RandomWaypoint(), GaussMarkovMobility(), Line()])
def test_memory_does_not_grow_with_the_frames(mobility):
    channel = TR38901(mobility=mobility)
    drawn(channel, 128, 10)
    few = len(pickle.dumps(channel.__dict__))
    for _ in range(50):
        channel.sample_frames(128, np.random.default_rng(0))
    assert len(pickle.dumps(channel.__dict__)) == pytest.approx(few, rel=0.01)


def test_numbers_of_servers_and_users_are_the_channels():
    points = [[0, 0], [0, 100], [100, 0], [100, 100]]
    world = MultiServerMEC(channel=TR38901(access_points=points))
    assert world.gains.shape == (10, 4)
    assert world.channel.movement.x.shape[1] == 10
    places = Places([[50.0, 60.0], [20.0, 80.0], [10.0, 30.0]])
    assert MultiServerMEC(channel=TR38901(mobility=places, access_points=points)).gains.shape == (3, 4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TR38901("UMi"), "scenario must be a Scenario, got 'UMi'"),
        (lambda: TR38901(mobility=3), "mobility must be a Mobility"),
        (lambda: TR38901(access_points=[1.0, 2.0]), r"access_points must have shape \(M, 2\)"),
        (
            lambda: TR38901(access_points=[[0, 6000.0]]),
            "within reach of wherever users come to: distance must be 10 to 5000 m in UMi, got 6",
        ),
        (lambda: TR38901(InH(), RandomWaypoint([500, 10])), "in InH, got 250"),
        (lambda: TR38901(frame_length=0.0), "frame_length must be positive"),
        (lambda: TR38901(indoor=1.5), "indoor must be between 0 and 1"),
        (lambda: TR38901(InH(), RandomWaypoint([50, 10]), indoor=0.5), "indoor must be 0 in InH"),
        (lambda: TR38901(antenna_gain=np.nan), "antenna_gain must be one finite number, got nan"),
        (lambda: TR38901(RMa(), indoor=0.5, building="high"), "building must be 'low' in RMa, got 'high'"),
        (lambda: TR38901(building="glass"), "building must be 'low' or 'high'"),
        (lambda: TR38901(site_correlation=-0.1), "site_correlation must be between 0 and 1"),
        (
            lambda: WirelessPoweredMEC(4, channel=TR38901(access_points=[[0, 0], [1, 1]])),
            "channel must be gains to one server, TR38901 holds those to 2: keep one, or use env.MultiServerMEC",
        ),
        (
            lambda: WirelessPoweredMEC(4, replicas=2, channel=TR38901(access_points=[[0, 0], [1, 1]])),
            "channel must be gains to one server",
        ),
        (lambda: LyapunovMEC(6, channel=Cells(3)), "channel must be gains to one server, Cells holds those to 3"),
        (
            lambda: MultiServerMEC(4, 4, channel=TR38901(access_points=[[0, 0], [1, 1]])),
            "num_servers must be 2, to which TR38901 has links, got 4",
        ),
        (
            lambda: WirelessPoweredMEC(3, channel=TR38901(UMi(user_height=[1.5, 2.0]))),
            r"user_height must be one number or have shape \(3,\)",
        ),
    ],
)
def test_bad_settings_are_named(make, message):
    with pytest.raises(InputError, match=message):
        make()
