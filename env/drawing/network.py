"""A map of a network in one frame: users, servers, who offloads where, gains, queues."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import FloatArray
from .snapshots import Snapshot, snapshot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMED = 40
"""Up to so many users, each bears its name and its bars."""
BAR_COLOURS = ("C1", "C2", "C4", "C5", "C6")
BAR_HEIGHT = 20.0
"""Points, of a full bar."""
GAINS = "viridis"
"""The colour map of gains."""


class Scale(NamedTuple):
    """What is common to the pictures of a run: range of gains, dB, full bars, and the part of the plane."""

    gains: tuple[float, float] | None
    bars: dict[str, float]
    extent: FloatArray
    """(2, 2): the least and the most x and y."""


def scale_of(shots: Sequence[Snapshot]) -> Scale:
    """The scale that shows all of some snapshots of one world."""
    gains = [shot.gains for shot in shots if shot.gains is not None]
    places = np.concatenate([place for shot in shots for place in shot.geometry[:2]])
    low, high = places.min(0), places.max(0)
    margin = 0.14 * float((high - low).max()) or 1.0  # m, around one place
    return Scale(
        (float(np.min(gains)), float(np.max(gains))) if gains else None,
        {label: max(float(shot.bars[label].max()) for shot in shots) for label in shots[0].bars},
        np.stack([low - margin, high + margin]),
    )


def draw_network(
    world: Any, decision: ArrayLike | None = None, axes: "Axes | None" = None, scale: Scale | None = None
) -> "Figure":
    """Draw a world in this frame: users, servers, who offloads where, gains as colours, queues as bars.

    Drawn is what the world has: `gains`, (N,) or (N, M), power ratios; `positions` (N, 2) and `access_points`
    (M, 2), m, of its own, or what its channel says (`Channel.geometry`); `active`, (N,), who is on; `bar_labels`,
    the attributes with a number of 0 or more a user that are bars beside it, by name with unit; `choice_labels`,
    two words for what users do; `user_labels`, N names. A world with nothing but the five members has its users
    evenly on a circle. Where a channel knows distances only, users are at their distance from the access point, in
    directions that are made up.

    Args:
        world: of N users; or a `Snapshot` of one.
        decision: (N,), what is about to be carried out; None draws all links alike.
        axes: to draw into; by default those of a new figure.
        scale: of several snapshots (`scale_of`), where pictures are to be compared.

    Returns the figure. Raises InputError for replicas or what is no decision, ImportError without matplotlib.
    """
    shot = world if isinstance(world, Snapshot) else snapshot(world, decision)
    scale = scale_of([shot]) if scale is None else scale
    bar: Axes | None = None
    if axes is None:
        figure = empty_figure(7.0, 6.0)
        axes = figure.add_axes((0.12, 0.22, 0.7, 0.67))
        bar = figure.add_axes((0.85, 0.27, 0.025, 0.57)) if scale.gains is not None else None
    if scale.gains is not None:
        colour_bar(axes, scale.gains, bar)
    draw_map(axes, shot, scale)
    root = axes.get_figure(root=True)
    assert root is not None
    return root


def network_image(world: Any, decision: ArrayLike | None = None, dpi: float = 80) -> NDArray[np.uint8]:
    """The picture of `draw_network` as an array (H, W, 3), Gymnasium's ``render_mode="rgb_array"``."""
    return to_rgb(draw_network(world, decision), dpi)


def to_rgb(figure: "Figure", dpi: float = 80) -> NDArray[np.uint8]:
    """A figure as an array (H, W, 3) of colours 0 to 255."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(dpi)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba(), dtype=np.uint8)[..., :3]


def empty_figure(width: float, height: float) -> "Figure":
    """Of inches; without any of matplotlib's global state."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("pictures need matplotlib: pip install 'mec-offloading[sim]'") from error
    return Figure(figsize=(width, height))


def colour_bar(axes: "Axes", gains: tuple[float, float], bar: "Axes | None") -> None:
    """Of gains, dB, into axes of its own, or beside a map."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    figure = axes.get_figure()
    assert figure is not None
    figure.colorbar(ScalarMappable(Normalize(*gains), GAINS), bar, None if bar else axes, label="Gain (dB)")


def server_colours(servers: int) -> list[str]:
    """Of servers, and of the users that offload to them, (M,)."""
    return [f"C{server % 10}" for server in range(servers)]


def draw_map(axes: "Axes", shot: Snapshot, scale: Scale) -> None:
    """The map alone, into empty axes."""
    users, points, known = shot.geometry
    _draw_links(axes, shot, scale)
    choice = np.zeros(len(users), dtype=int) if shot.decision is None else shot.decision
    colours = ["white", *server_colours(max(len(points), int(choice.max())))]
    size = 160 if len(users) <= NAMED else 25
    kinds = [("user", shot.active, "white")]
    several = len(points) > 1
    offloading = f"user, {shot.choices[1]}" + (", in its server's colour" if several else "")
    if shot.decision is not None:
        kinds = [(f"user, {shot.choices[0]}", shot.active & (choice == 0), "white")]
        kinds += [
            (offloading if server == 1 else "", shot.active & (choice == server), colour)
            for server, colour in enumerate(colours[1:], 1)
        ]
    if not shot.active.all():
        kinds.append(("user, off", ~shot.active, "0.8"))
    for label, which, face in kinds:
        x, y = users[which].T
        axes.scatter(x, y, s=size, c=face, edgecolors="black", linewidths=0.8, zorder=3, label=label)
    for server, (x, y) in enumerate(points):
        colour = colours[server + 1] if several else "C3"
        word = "server" if several or known == "nothing" else "access point"
        label = word if server == 0 else ""
        axes.plot(x, y, "^", color=colour, markersize=11, markeredgecolor="black", zorder=3.5, label=label)
        if several:
            axes.text(x, y, f"{server + 1}\n\n", ha="center", va="center", color=colour, weight="bold", zorder=4)
    if len(users) <= NAMED:
        for user, (x, y) in enumerate(users):
            colour = "white" if choice[user] and shot.active[user] else "black"
            axes.text(x, y, shot.users[user], ha="center", va="center", fontsize=7, color=colour, zorder=4)
        _draw_bars(axes, shot, scale)
    axes.set_aspect("equal")
    box = axes.get_window_extent()
    middle, spans = scale.extent.mean(0), scale.extent[1] - scale.extent[0]
    height = max(spans[1], spans[0] * box.height / box.width)  # m, so that the map fills its axes
    half = np.array([height * box.width / box.height, height]) / 2
    axes.set_xlim(*(middle[0] + half[0] * np.array([-1, 1])))
    axes.set_ylim(*(middle[1] + half[1] * np.array([-1, 1])))
    if known == "nothing":
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_xlabel("places are made up")
    elif known == "distances":
        axes.set(xlabel="x (m), directions are made up", ylabel="y (m)")
    else:
        axes.set(xlabel="x (m)", ylabel="y (m)")
    axes.set_title(_title(shot))
    handles, labels = axes.get_legend_handles_labels()
    more, names = _bar_legend(shot, scale)
    axes.legend(
        [*handles, *more],
        [*labels, *names],
        loc="upper center",
        bbox_to_anchor=(0.5, -0.1 if known == "nothing" else -0.13),
        ncols=2,
        fontsize="small",
        frameon=False,
    )


def _title(shot: Snapshot) -> str:
    first = shot.name if shot.frame is None else f"{shot.name}, frame {shot.frame}"
    if shot.value is None:
        return first
    label = shot.value_label.replace("\n", " ")
    return f"{first}\n{label}: {shot.value:.4g}"


def _draw_links(axes: "Axes", shot: Snapshot, scale: Scale) -> None:
    """A line from each user that is on to each server, in the colour of its gain, thick where it offloads to."""
    from matplotlib.collections import LineCollection
    from matplotlib.colors import Normalize

    users, points, _ = shot.geometry
    user, server = (places.ravel() for places in np.indices((len(users), len(points))))
    used = np.zeros(len(user), dtype=bool)
    if shot.decision is not None:
        # A choice beyond the servers is none of these links.
        used = shot.decision[user] == server + 1
    on = shot.active[user]
    for which, width, style, alpha in ((on & ~used, 0.9, "dotted", 0.9), (on & used, 2.6, "solid", 1.0)):
        lines = LineCollection(
            np.stack([users[user[which]], points[server[which]]], 1),  # type: ignore[arg-type]
            linewidths=width,
            linestyles=style,
            alpha=alpha,
            zorder=2 if style == "solid" else 1,
            colors=None if shot.gains is not None else "0.5",
        )
        if shot.gains is not None and scale.gains is not None and which.any():
            lines.set(array=shot.gains[user[which], server[which]], cmap=GAINS, norm=Normalize(*scale.gains))
        axes.add_collection(lines)


def _draw_bars(axes: "Axes", shot: Snapshot, scale: Scale) -> None:
    """Beside each user, on the side away from the middle, its bars; a grey frame is a full one."""
    from matplotlib.offsetbox import AnnotationBbox, DrawingArea
    from matplotlib.patches import Rectangle

    if not shot.bars:
        return
    users, points, _ = shot.geometry
    middle = points[:, 0].mean()
    for user, place in enumerate(users):
        area = DrawingArea(6.0 * len(shot.bars), BAR_HEIGHT)
        for left, (label, colour) in enumerate(zip(shot.bars, BAR_COLOURS, strict=False)):
            share = shot.bars[label][user] / scale.bars[label] if scale.bars[label] > 0 else 0.0
            area.add_artist(Rectangle((6.0 * left, 0), 4.5, share * BAR_HEIGHT, color=colour, linewidth=0))
            area.add_artist(
                Rectangle((6.0 * left, 0), 4.5, BAR_HEIGHT, fill=False, edgecolor="0.5", linewidth=0.5)
            )
        right = place[0] >= middle
        box = AnnotationBbox(
            area,
            tuple(place),
            xybox=(9 if right else -9, 0),
            boxcoords="offset points",
            box_alignment=(0.0 if right else 1.0, 0.5),
            frameon=False,
            pad=0.0,
        )
        axes.add_artist(box)


def _bar_legend(shot: Snapshot, scale: Scale) -> tuple[list[Any], list[str]]:
    from matplotlib.patches import Patch

    if len(shot.users) > NAMED:
        return [], []
    named = list(zip(shot.bars, BAR_COLOURS, strict=False))
    texts = [f"{label.replace(chr(10), ' ')}, full: {scale.bars[label]:.3g}" for label, _ in named]
    return [Patch(color=colour) for _, colour in named], texts
