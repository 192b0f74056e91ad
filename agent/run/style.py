"""Styles of figures: for a screen, and for print in a column of an IEEE paper.

``with style("print"):`` around what draws and saves is all that there is to do: the functions `plot_...` of
`agent.run.plots` then draw in a column's width, and `save` writes PDF and PNG.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from ..checks import InputError

COLUMN, PAGE = 3.5, 7.16
"""Widths of a column and of both, in inches, of IEEE's transactions and conferences."""
_COLOURS = ("#004488", "#DDAA33", "#BB5566", "#000000", "#44AA99", "#882255", "#88CCEE", "#999933")
_DASHES = ("-", (0, (4, 1.2)), (0, (1, 1)), (0, (4, 1, 1, 1)))


@dataclass(frozen=True)
class Style:
    """How figures look.

    Attributes:
        width: of a figure, and of one of several panels beside each other, in inches; None for those of the
            functions that draw. Where it is given, legends stand above the axes.
        endings: of the files that `save` writes; none for the one that it is given.
        dpi: of pictures made of pixels.
        settings: Matplotlib's (`rcParams`).
    """

    width: tuple[float, float] | None = None
    endings: tuple[str, ...] = ()
    dpi: int = 120
    settings: Any = field(default_factory=dict)


def _print() -> Style:
    """Labels of 8 points, lines that differ in grey and in their dashes, letters like Times.

    The letters come with Matplotlib. The colours are Paul Tol's high-contrast ones, then others of his that differ
    from them in lightness.
    """
    from cycler import cycler

    dashes = [_DASHES[place % len(_DASHES)] for place in range(len(_COLOURS))]
    settings = {
        "font.family": ["STIXGeneral", "DejaVu Sans"],
        "mathtext.fontset": "stix",
        "font.size": 8,
        "axes.labelsize": 8,
        "axes.titlesize": 8,
        "xtick.labelsize": 7,
        "ytick.labelsize": 7,
        "legend.fontsize": 7,
        "legend.handlelength": 2.6,
        "legend.borderpad": 0.3,
        "legend.labelspacing": 0.25,
        "legend.columnspacing": 1.2,
        "axes.linewidth": 0.6,
        "grid.linewidth": 0.4,
        "lines.linewidth": 1.1,
        "lines.markersize": 3.5,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "boxplot.boxprops.linewidth": 0.6,
        "boxplot.whiskerprops.linewidth": 0.6,
        "boxplot.capprops.linewidth": 0.6,
        "boxplot.meanprops.markersize": 3,
        "axes.prop_cycle": cycler(color=_COLOURS) + cycler(linestyle=dashes),
    }
    return Style((COLUMN, PAGE), (".pdf", ".png"), 600, settings)


STYLES = {"screen": Style, "print": _print}
"""By name: a function that makes it."""
_current: ContextVar[Style | None] = ContextVar("style", default=None)


def current() -> Style:
    """The style that holds here: `Style()`, which changes nothing, outside of `style`."""
    return _current.get() or Style()


@contextmanager
def style(name: str) -> Iterator[Style]:
    """Draw and save in a style of `STYLES` in this block.

    Raises InputError for another name, ImportError without Matplotlib, naming the extra.
    """
    if name not in STYLES:
        raise InputError(f"style must be one of {', '.join(STYLES)}, got {name!r}")
    try:
        from matplotlib import rc_context
    except ImportError as error:
        raise ImportError("plots need matplotlib: install the 'sim' extra") from error
    chosen = STYLES[name]()
    token = _current.set(chosen)
    try:
        with rc_context(chosen.settings):
            yield chosen
    finally:
        _current.reset(token)
