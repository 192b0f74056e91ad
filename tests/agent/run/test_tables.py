import csv
import math
import shutil
import subprocess

import pytest

from agent.run.statistics import Interval
from agent.run.tables import Column, Table, p_value, unit_of

NAN = float("nan")
HOSTILE = 'a_b & | \u03b1βΛ\u0397\u03bf {x} 50% $1 #2 \\n ~^ <é> ±µ° "q"'
COLUMNS = [
    Column("users"),
    Column("method"),
    Column("normalized rate", form=".6f", best="most"),
    Column("decision time", "ms", ".3f"),
    Column("queue", "Mbit²", ".4g", "least"),
    Column("p-value", form=p_value),
]
ROWS = [
    [10, HOSTILE, Interval(1 / 3, 0.33330, 0.33336), 0.05512, Interval(25.97, 25.5, 26.2), None],
    [10, "b", Interval(0.9856, 0.9841, 0.9871), 12.3, Interval(3944.4, 3564, 4324), 0.00004],
    [20, "a", Interval(-0.00001, -1.2e-5, 3e-7), 1, Interval(NAN, NAN, NAN), 0.3],
    [20, "b", Interval(1.0, 1.0, 1.0), NAN, Interval(1.2e-7, -3e-9, 3e-7), 1.0],
]
TABLE = Table(COLUMNS, ROWS, ["Of 3 seeds & 95% intervals.", "Warning: few_seeds."], group=True)


def test_csv_gives_back_every_number_as_it_was():
    rows = list(csv.DictReader(TABLE.csv().splitlines()))
    heads = ("queue (Mbit²)", "queue low (Mbit²)", "queue high (Mbit²)")
    for row, (users, method, rate, time, queue, p) in zip(rows, ROWS, strict=True):
        assert (int(row["users"]), row["method"]) == (users, method)
        found = [float(row[f"normalized rate{end}"]) for end in ("", " low", " high")]
        assert found == [rate.estimate, rate.low, rate.high]
        assert [float(row[head] or "nan") for head in heads] == pytest.approx(
            [queue.estimate, queue.low, queue.high], rel=0, nan_ok=True
        )
        assert row["decision time (ms)"] == ("" if math.isnan(time) else repr(time))
        assert row["p-value"] == ("" if p is None else repr(p))


def test_markdown_has_two_digits_of_the_half_width_and_the_best_of_each_group():
    lines = [[cell.strip() for cell in line.split(" | ")] for line in TABLE.markdown().splitlines()[2:6]]
    assert lines[0][2:5] == ["0.333333 [0.333300, 0.333360]", "0.055", "**25.97** [25.50, 26.20]"]
    assert lines[1][2:] == ["**0.9856** [0.9841, 0.9871]", "12.300", "3,944 [3,564, 4,324]", "<0.001 |"]
    assert lines[2][2:] == ["-0.000010 [-0.000012, 0.000000]", "1", "", "0.300 |"]
    assert lines[3][2:5] == ["**1.000000** [1.000000, 1.000000]", "", "**1.2e-07** [-3.0e-09, 3.0e-07]"]
    assert "a_b & \\| \u03b1β" in lines[0][1]
    assert TABLE.markdown().endswith("\nOf 3 seeds & 95% intervals.\n\nWarning: few_seeds.\n")


def test_what_looks_alike_is_bold_together_and_one_row_alone_is_not():
    rate = Column("rate", form=".2f", best="most")
    assert Table([rate], [[0.991], [0.99], [0.5]]).markdown().count("**0.99**") == 2
    assert "**" not in Table([rate], [[0.991]]).markdown()
    wide = Table([rate], [[Interval(0.957, -8.6, 1.0)], [Interval(0.99993, 0.99986, 0.99996)]])
    assert "| 1.0 [-8.6, 1.0] |\n| **0.999930** [0.999860, 0.999960] |" in wide.markdown()
    assert "**" not in Table([Column("rate")], [[0.991], [0.5]]).markdown()


def test_rows_may_name_their_columns():
    first, second = Column("a"), Column("b")
    table = Table.of([{first: "x"}, {second: 2, first: "y"}])
    assert table.csv() == "a,b\nx,\ny,2\n"


def test_what_no_table_can_be_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"rows must have 2 cells, as many as columns, got \['x'\]"):
        Table([Column("a"), Column("b")], [["x"]])
    with pytest.raises(
        ValueError, match=r"a table must be a file that ends with .csv, .md, .tex, got .*table.xls"
    ):
        TABLE.write(tmp_path / "table.xls")
    assert list(tmp_path.iterdir()) == []


def test_units_are_read_from_labels():
    assert [unit_of(text) for text in ("Data (3 queues, Mbit)", "Energy", "Rate (bit/s)\n")] == [
        "3 queues, Mbit",
        "",
        "bit/s",
    ]


def test_the_latex_table_compiles_as_it_is(tmp_path):
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex, which compiles the table, is not installed")
    TABLE.write(tmp_path / "table.tex")
    (tmp_path / "paper.tex").write_text(
        r"\documentclass{article}\usepackage{booktabs}\begin{document}\begin{table}\centering\caption{A table.}"
        r"\input{table}\end{table}\end{document}"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, errors="replace")
    assert result.returncode == 0, result.stdout
    assert (tmp_path / "paper.pdf").read_bytes().startswith(b"%PDF")
    assert "Missing character" not in (tmp_path / "paper.log").read_text(errors="replace")
