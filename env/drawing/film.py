"""A run as a film: the network frame after frame, beside it what goes on over time; a GIF or a page of HTML."""

from collections.abc import Iterable
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import FloatArray, InputError, positive_number
from .network import colour_bar, draw_map, empty_figure, scale_of, server_colours, to_rgb
from .snapshots import Snapshot, snapshot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class NetworkRecorder:
    """Remembers what is to be seen of a world, frame after frame, and draws it.

    Args:
        world: any world, as of `draw_network`.

    Attributes:
        shots: the `Snapshot` of each frame recorded.
    """

    def __init__(self, world: Any) -> None:
        self.world = world
        self.shots: list[Snapshot] = []

    def record(self, decision: ArrayLike, value: float | None = None) -> None:
        """Remember this frame and what is decided in it, (N,): before ``world.step(decision)``.

        Where the `value` of the decision is not given, it costs one call of `evaluate`.

        Raises InputError for what is no decision.
        """
        self.shots.append(snapshot(self.world, decision, value))

    def draw(self, place: int = -1) -> "Figure":
        """A figure of one of the frames recorded, by default the last: the map, and beside it all frames.

        Raises InputError where none is recorded, IndexError where not so many are.
        """
        return _Film(self.shots).at(place)

    def save(self, path: str | Path, fps: float = 4.0, dpi: float = 80) -> Path:
        """Save all frames as an animated picture (`.gif`) or a page with buttons (`.html`); returns the path.

        Args:
            path: of the file. fps: frames a second. dpi: pixels an inch, of figures of 10 by 6 inches.

        Raises:
            InputError: for another ending, or where nothing is recorded.
        """
        path, milliseconds = Path(path), 1000 / positive_number("fps", fps)
        if path.suffix not in (".gif", ".html"):
            raise InputError(f"path must end in .gif or .html, got {path}")
        if path.suffix == ".html":
            path.write_text(self.to_html(fps, dpi), encoding="utf-8")
            return path
        film = _Film(self.shots)
        pages = [to_rgb(film.at(place), dpi) for place in range(len(self.shots))]
        from PIL import Image

        images = [Image.fromarray(page) for page in pages]
        palette = images[0].quantize(128, Image.Quantize.MAXCOVERAGE)  # one for all: what stays is stored once
        first, *others = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
        first.save(path, save_all=True, append_images=others, duration=milliseconds, loop=0, optimize=True)
        return path

    def to_html(self, fps: float = 4.0, dpi: float = 80) -> str:
        """All frames as HTML with buttons; in a notebook, ``IPython.display.HTML(recorder.to_html())``."""
        film = _Film(self.shots)
        film.figure.set_dpi(dpi)
        film.at(0)
        from matplotlib.animation import FuncAnimation

        def show(place: int) -> list[Any]:
            film.at(place)
            return []

        frames = range(len(self.shots))
        animation = FuncAnimation(film.figure, show, frames=frames, interval=int(1000 / fps), repeat=True)
        return str(animation.to_jshtml(fps=fps))  # type: ignore[arg-type]


def animate(
    world: Any, decisions: Iterable[ArrayLike], path: str | Path, fps: float = 4.0, dpi: float = 80
) -> NetworkRecorder:
    """Carry out decisions in a world, each in a frame, and save the film of it.

    They may be made as they are asked for, which is how an agent's are shown:
    ``(agent.decide(world.observe(), world.evaluate)[0] for _ in range(60))``.

    Args:
        world: as of `draw_network`; it is left in the frame after the last.
        decisions: of (N,) each.
        path: of a new file, `.gif` or `.html`. fps, dpi: as of `NetworkRecorder.save`.

    Returns the recorder. Raises InputError for what is no decision, for no decisions and for another ending.
    """
    recorder = NetworkRecorder(world)
    for decision in decisions:
        recorder.record(decision)
        world.step(decision)
    recorder.save(path, fps, dpi)
    return recorder


class _Film:
    """The figure of a run: made once, then set to one frame after another."""

    def __init__(self, shots: list[Snapshot]) -> None:
        if not shots:
            raise InputError("nothing is recorded: call record before each step")
        self._shots, self._scale = shots, scale_of(shots)
        curves = _curves(shots)
        self.figure = empty_figure(10.0, 6.0)
        self._map = self.figure.add_axes((0.07, 0.21, 0.44, 0.68))
        if self._scale.gains is not None:
            colour_bar(self._map, self._scale.gains, self.figure.add_axes((0.525, 0.27, 0.016, 0.56)))
        from matplotlib.ticker import MaxNLocator

        times = _times(shots)
        grid = self.figure.add_gridspec(len(curves) + 1, left=0.69, right=0.985, top=0.95, bottom=0.1, hspace=0.2)
        panels = [self.figure.add_subplot(grid[row]) for row in range(len(curves) + 1)]
        for axes, (label, curve) in zip(panels, curves.items(), strict=False):
            _draw_curve(axes, times, label, curve)
        _draw_choices(panels[-1], times, shots)
        for axes in panels:
            axes.set_xlim(times[0] - 0.5, times[-1] + 0.5)
            axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
            axes.tick_params(labelbottom=axes is panels[-1], labelsize="small")
        for axes in [axes for axes in panels if axes.get_legend_handles_labels()[0]][:1]:
            axes.legend(fontsize="x-small", loc="best")
        self._now = [axes.axvline(times[0], color="C3", linewidth=1.2) for axes in panels]
        self.figure.align_ylabels(panels)

    def at(self, place: int) -> "Figure":
        """The figure, set to a frame."""
        shot = self._shots[place]
        self._map.clear()
        draw_map(self._map, shot, self._scale)
        for line in self._now:
            line.set_xdata([_times(self._shots)[place]] * 2)
        return self.figure


def _times(shots: list[Snapshot]) -> FloatArray:
    """Numbers of the frames; places in the record where the world does not count."""
    return np.array([place if shot.frame is None else shot.frame for place, shot in enumerate(shots)], dtype=float)


def _curves(shots: list[Snapshot]) -> dict[str, FloatArray]:
    """What is drawn over time, by label: (frames,) of all users, or (frames, N)."""
    curves = {}
    if all(shot.value is not None for shot in shots):
        curves[_wrapped(shots[0].value_label)] = np.array([shot.value for shot in shots], dtype=float)
    if all(shot.gains is not None for shot in shots):
        gains = np.array([shot.gains for shot in shots])
        curves["Gain (dB)" if gains.shape[-1] == 1 else "Best gain (dB)"] = gains.max(-1)
    for label in shots[0].bars:
        curves[_wrapped(label)] = np.array([shot.bars[label] for shot in shots])
    return curves


def _wrapped(label: str) -> str:
    """A label short enough for a low panel."""
    return fill(label.replace("\n", " "), 18)


def _draw_curve(axes: "Axes", times: FloatArray, label: str, curve: FloatArray) -> None:
    if curve.ndim == 2:
        axes.plot(times, curve, color="0.75", linewidth=0.7)
        axes.lines[0].set_label("each user")
        axes.plot(times, curve.mean(1), color="C0", linewidth=1.5, label="mean of the users")
    else:
        axes.plot(times, curve, color="C0", linewidth=1.5)
    axes.set_ylabel(label, fontsize="small")
    axes.grid(alpha=0.3)


def _draw_choices(axes: "Axes", times: FloatArray, shots: list[Snapshot]) -> None:
    """Who decides what, users over frames."""
    from matplotlib.colors import ListedColormap
    from matplotlib.ticker import MaxNLocator

    decided = np.array([shot.decision for shot in shots]).T
    colours = ListedColormap(
        ["white", *server_colours(max(int(decided.max()), len(shots[0].geometry.access_points)))]
    )
    axes.pcolormesh(
        np.append(times - 0.5, times[-1] + 0.5),
        np.arange(len(decided) + 1) - 0.5,
        decided,
        cmap=colours,
        vmin=-0.5,
        vmax=colours.N - 0.5,
    )
    axes.set(xlabel="Frame")
    axes.set_ylabel(f"Users that are\n{shots[0].choices[1]}", fontsize="small")
    axes.yaxis.set_major_locator(MaxNLocator("auto", integer=True))
