import sys

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from PIL import Image

from env import (
    TR38901,
    AgeMEC,
    Cells,
    Channel,
    LyapunovMEC,
    MultiServerMEC,
    MultiTaskMEC,
    MyopicMEC,
    PartialMEC,
    PathLoss,
    RandomPresence,
    RandomWaypoint,
    Rayleigh,
    UMi,
    WirelessPoweredMEC,
    problems,
)
from env.drawing import NetworkRecorder, animate, draw_network, network_image, snapshot


class FiveMembers:
    num_users = 5

    def __init__(self):
        self.reset(0)

    def reset(self, seed=None):
        self.rng = np.random.default_rng(seed)
        self.step(None)

    def observe(self):
        return self.price[:, None]

    def evaluate(self, decisions):
        return decisions @ self.price

    def step(self, decision):
        self.price = self.rng.normal(size=5)


WORLDS = {
    "wireless": lambda: WirelessPoweredMEC(4),
    "on and off": lambda: WirelessPoweredMEC(
        6, presence=RandomPresence(), channel=TR38901(UMi(), RandomWaypoint())
    ),
    "many": lambda: WirelessPoweredMEC(50),
    "queues": lambda: LyapunovMEC(4),
    "myopic": lambda: MyopicMEC(4),
    "servers": lambda: MultiServerMEC(5),
    "servers without places": lambda: MultiServerMEC(5, 2, channel=Rayleigh()),
    "partial": lambda: PartialMEC(4, 2),
    "age": lambda: AgeMEC(4),
    "tasks": lambda: MultiTaskMEC(2, 2),
    "small": problems.AtMost,
    "five members": FiveMembers,
}


def any_decision(world):
    rng = np.random.default_rng(3)
    kind = getattr(world, "decisions", None)
    return rng.integers(2, size=world.num_users) if kind is None else kind.random(1, rng)[0]


@pytest.mark.parametrize("name", WORLDS)
def test_every_world_has_a_picture(name):
    world = WORLDS[name]()
    decision = any_decision(world)
    figure = draw_network(world, decision)
    assert isinstance(figure, Figure)
    axes = figure.axes[0]
    thick = [
        lines for lines in axes.collections if isinstance(lines, LineCollection) and lines.get_linewidth()[0] > 2
    ]
    on = snapshot(world).active
    assert len(thick[0].get_segments()) == ((np.asarray(decision) > 0) & on).sum()
    bars = getattr(world, "bar_labels", {})
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert all(any(text.startswith(label) for text in texts) for label in bars.values())
    assert [other.get_ylabel() for other in figure.axes[1:]] == ["Gain (dB)"] * hasattr(
        getattr(world, "world", world), "gains"
    )


def test_a_picture_as_an_array_for_gymnasium():
    image = network_image(WirelessPoweredMEC(4), dpi=40)
    assert image.shape == (240, 280, 3)
    assert image.dtype == np.uint8
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 50


def test_gains_are_in_decibel_and_lead_to_each_server():
    world = MultiServerMEC(5)
    np.testing.assert_allclose(snapshot(world).gains, 10 * np.log10(world.gains))


@pytest.mark.parametrize("frames", [0, 130])
def test_users_are_where_their_gains_say(frames):
    """Also in a world that draws its gains 128 frames ahead of time: there the gain of a place is the user's."""
    channel = TR38901(UMi(), RandomWaypoint(area=[60, 60]), fading=False)
    world = WirelessPoweredMEC(3, channel=channel)
    for _ in range(frames):
        world.step([0, 0, 0])
    shot = snapshot(world)
    assert shot.geometry.known == "places"
    x, y = shot.geometry.users.T
    np.testing.assert_allclose(world.channels[0].average_gain(x, y), world.gains)


def test_users_are_at_their_distance_where_only_that_is_known():
    shot = snapshot(WirelessPoweredMEC(2, channel=Rayleigh(PathLoss([3.0, 4.0]))))
    assert shot.geometry.known == "distances"
    np.testing.assert_allclose(np.linalg.norm(shot.geometry.users, axis=1), [3, 4])
    np.testing.assert_array_equal(shot.geometry.access_points, [[0, 0]])


def test_cells_know_the_places_of_the_last_frame_only():
    for stay, known in ((1, [False, False, True]), (2, [False, False, True]), (None, [True] * 3)):
        cells = Cells(2, stay=stay)
        rng = np.random.default_rng(0)
        cells.reset(6, rng)
        cells.sample_frames(3, rng)
        assert [cells.geometry(frame) is not None for frame in range(3)] == known
    assert Channel().geometry(0) is None


def test_after_a_state_is_taken_over_there_is_a_picture_too():
    world = LyapunovMEC(3, channel=TR38901())
    other = LyapunovMEC(3, channel=TR38901())
    del other.channel.movement
    other.load_state_dict(world.state_dict())
    assert snapshot(other).geometry.known == "nothing"
    draw_network(other)


def test_a_world_says_where_its_users_are():
    world = FiveMembers()
    world.positions, world.access_points = np.arange(10.0).reshape(5, 2), [[2.0, 3.0]]
    shot = snapshot(world)
    np.testing.assert_array_equal(shot.geometry.users, world.positions)
    np.testing.assert_array_equal(shot.geometry.access_points, world.access_points)
    world.positions = np.zeros(5)
    with pytest.raises(ValueError, match=r"positions must have shape \(5, 2\)"):
        snapshot(world)


def test_everybody_at_one_place_with_one_gain_is_a_picture():
    world = FiveMembers()
    world.positions, world.gains = np.full((5, 2), 7.0), np.full(5, 1e-6)
    figure = draw_network(world, [0, 1, 0, 1, 0])
    left, right = figure.axes[0].get_xlim()
    assert left < 6.5
    assert right > 7.5
    assert network_image(world).any()


@pytest.mark.parametrize("gains", ["strong", np.ones(3), -np.ones(5), np.ones((5, 1, 1))])
def test_gains_of_another_meaning_are_left_out(gains):
    world = FiveMembers()
    world.gains = gains
    assert snapshot(world).gains is None


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="world must be one world, got 2 replicas"):
        snapshot(WirelessPoweredMEC(3, replicas=2))
    with pytest.raises(ValueError, match="decision must hold only whole numbers 0 to 1"):
        draw_network(WirelessPoweredMEC(3), [0, 1, 2])
    with pytest.raises(ValueError, match=r"decision must have shape \(3,\)"):
        draw_network(WirelessPoweredMEC(3), [0, 1])
    with pytest.raises(ValueError, match="nothing is recorded"):
        NetworkRecorder(WirelessPoweredMEC(3)).draw()
    recorder = NetworkRecorder(WirelessPoweredMEC(3))
    with pytest.raises(ValueError, match=r"path must end in .gif or .html, got run.mp4"):
        recorder.save("run.mp4")


def test_a_picture_draws_into_given_axes():
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert draw_network(WirelessPoweredMEC(3), axes=right) is figure
    assert right.get_title() == "WirelessPoweredMEC, frame 0"
    assert left.get_title() == ""


def test_a_film_of_decisions_that_are_made_as_they_are_asked_for(tmp_path):
    world = LyapunovMEC(3)
    seen = []

    def decisions():
        for _ in range(3):
            seen.append(world.frame)
            yield any_decision(world)

    recorder = animate(world, decisions(), tmp_path / "run.gif", dpi=40)
    assert seen == [0, 1, 2] == [shot.frame for shot in recorder.shots]
    assert world.frame == 3
    with Image.open(tmp_path / "run.gif") as image:
        assert (image.n_frames, image.size) == (3, (400, 240))
    labels = [axes.get_ylabel() for axes in recorder.draw(1).axes]
    assert {"Data queue (Mbit)", "Energy queue", "Users that are\noffloading"} <= set(labels)
    recorder.save(tmp_path / "run.html", dpi=40)
    assert (tmp_path / "run.html").read_text(encoding="utf-8").count("data:image/png") == 3


def test_pictures_change_nothing():
    world = AgeMEC(4)
    recorder, before = NetworkRecorder(world), world.state_dict()
    recorder.record(any_decision(world))
    recorder.draw()
    after = world.state_dict()
    assert all(np.array_equal(before[name], after[name]) for name in ("age", "battery", "rng"))


def test_without_matplotlib_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'mec-offloading\[sim\]'"):
        draw_network(FiveMembers())
