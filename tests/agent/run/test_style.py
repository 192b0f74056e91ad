import re
import zlib

import matplotlib as mpl
import numpy as np
import pytest

from agent.run import plots
from agent.run.style import COLUMN, PAGE, current, style

RATES = {name: np.linspace(0.9, last, 60) * np.ones((2, 60)) for name, last in (("a", 0.99), ("b", 0.95))}


def lightness(colour):
    """L* of CIELAB, 0 to 100."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in mpl.colors.to_rgb(colour)]
    return 116 * np.cbrt(np.dot([0.2126, 0.7152, 0.0722], linear)) - 16


def test_print_has_a_columns_width_and_letters_of_8_points():
    before = dict(mpl.rcParams)
    with style("print"):
        one = plots.plot_seeds(RATES)
        two = plots.plot_boxes({3: {"a": np.ones(9)}, 5: {"a": np.ones(9)}}, "rate")
    assert dict(mpl.rcParams) == before
    assert one.get_size_inches()[0] == COLUMN
    assert two.get_size_inches()[0] == PAGE
    assert one.axes[0].yaxis.label.get_size() == 8
    assert one.axes[0].get_xticklabels()[0].get_size() >= 7
    assert plots.plot_seeds(RATES).get_size_inches().tolist() == [8, 4.5]
    assert current().width is None


def test_in_print_lines_differ_in_grey_or_in_their_dashes():
    with style("print"):
        figure = plots.plot_seeds({str(place): RATES["a"] for place in range(8)})
    lines = figure.axes[0].get_lines()
    looks = [(lightness(line.get_color()), line.get_linestyle(), line._dash_pattern) for line in lines]
    for place, (grey, *dashes) in enumerate(looks):
        for other, *others in looks[:place]:
            assert dashes != others or abs(grey - other) > 15


def test_print_gives_pdf_and_png_with_fonts_and_the_same_bytes_twice(tmp_path):
    written = []
    for folder in (tmp_path / "first", tmp_path / "second"):
        folder.mkdir()
        with style("print"):
            paths = plots.save(plots.plot_seeds(RATES), folder / "curves.png")
        assert [path.name for path in paths] == ["curves.pdf", "curves.png"]
        written.append([path.read_bytes() for path in paths])
    assert written[0] == written[1]
    pdf = written[0][0]
    assert b"CreationDate" not in pdf
    streams = re.findall(rb"stream\n(.*?)\nendstream", pdf, re.DOTALL)
    inside = pdf + b"".join(zlib.decompress(stream) for stream in streams if stream[:1] == b"x")
    assert b"/FontFile2" in inside  # TrueType, embedded
    assert b"/Type3" not in inside
    assert plots.save(plots.plot_seeds(RATES), tmp_path / "one.svg") == [tmp_path / "one.svg"]
    assert b"<dc:date>" not in (tmp_path / "one.svg").read_bytes()


def test_an_unknown_style_is_named():
    with pytest.raises(ValueError, match="style must be one of screen, print, got 'paper'"), style("paper"):
        pass


def test_seeds_over_time_and_without_an_optimum():
    seconds = {name: np.arange(1.0, 61) for name in RATES}
    axes = plots.plot_seeds(RATES, window=10, seconds=seconds, label="Data queue (Mbit)").axes[0]
    assert axes.get_xlabel() == "Time of deciding and learning (s)"
    assert axes.get_ylabel() == "Data queue (Mbit)\n(mean of 10 frames)"
    assert axes.get_yscale() == "linear"
    line = axes.get_lines()[0]
    np.testing.assert_array_equal(line.get_xdata(), seconds["a"][9:])
    assert line.get_ydata()[0] == pytest.approx(RATES["a"][0, :10].mean())
