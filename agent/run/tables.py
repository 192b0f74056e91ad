"""Tables: one description of columns and rows, written as CSV, Markdown and LaTeX.

CSV holds every number with full precision, an interval in three columns. Markdown and LaTeX hold what is read: an
interval is written with two significant digits of its half width, 0.9856 [0.9841, 0.9870], and the best of a group
is bold. A LaTeX table needs the package booktabs, and nothing else.
"""

import csv
import io
import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..checks import InputError
from .statistics import Interval

Cell = str | int | float | Interval | None
"""What stands in a row: None is left empty, as is what is nan."""
MOST_DECIMALS = 6
"""Of numbers with an interval; below that they are written as 1.2e-07."""
HEAD_WIDTH = 16
"""Letters in a line of a LaTeX table's head."""
_ESCAPED = {
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\ensuremath{<}",
    ">": r"\ensuremath{>}",
    "|": r"\ensuremath{|}",
    '"': "''",
    "±": r"\ensuremath{\pm}",
    "\u00d7": r"\ensuremath{\times}",
    "µ": r"\ensuremath{\mu}",
    "°": r"\ensuremath{^\circ}",
    "²": r"\ensuremath{^2}",
    "³": r"\ensuremath{^3}",
}


@dataclass(frozen=True)
class Column:
    """What the cells below one head are.

    Attributes:
        name: in the head.
        unit: in the head, in parentheses.
        form: of numbers in Markdown and LaTeX: what `format` takes, or a function of a number. Of intervals it
            holds where their width says nothing: of no width, or not known.
        best: the numbers of a group among which the best is bold; None for a column without a best.
    """

    name: str
    unit: str = ""
    form: str | Callable[[float], str] = ".4g"
    best: Literal["most", "least"] | None = None

    @property
    def head(self) -> str:
        """Name and unit."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


@dataclass(frozen=True)
class Table:
    """Columns, rows of as many cells, and what is said below them.

    Attributes:
        columns: of every row.
        rows: cells in the order of the columns.
        notes: sentences below the table, in Markdown and LaTeX.
        group: whether the first column names groups, whose rows stand together: each group has a best of its own,
            and in LaTeX a head of its own.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = ()
    group: bool = False

    def __post_init__(self) -> None:
        wrong = [row for row in self.rows if len(row) != len(self.columns)]
        if wrong:
            raise InputError(f"rows must have {len(self.columns)} cells, as many as columns, got {wrong[0]}")

    @classmethod
    def of(cls, rows: Sequence[Mapping[Column, Cell]], notes: Sequence[str] = (), group: bool = False) -> "Table":
        """Of rows that say themselves below which column each cell stands; what one does not have is empty."""
        columns = list(dict.fromkeys(column for row in rows for column in row))
        return cls(columns, [[row.get(column) for column in columns] for row in rows], notes, group)

    def csv(self) -> str:
        """Comma-separated values; of a column with intervals NAME, NAME low and NAME high, units in the head."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        wide = [any(isinstance(row[place], Interval) for row in self.rows) for place in range(len(self.columns))]
        head: list[str] = []
        for column, with_interval in zip(self.columns, wide, strict=True):
            names = ("", " low", " high") if with_interval else ("",)
            head += [Column(column.name + end, column.unit).head for end in names]
        writer.writerow(head)
        for row in self.rows:
            cells: list[str] = []
            for cell, with_interval in zip(row, wide, strict=True):
                parts = (cell.estimate, cell.low, cell.high) if isinstance(cell, Interval) else (cell,)
                cells += map(_exact, (*parts, None, None)[: 3 if with_interval else 1])
            writer.writerow(cells)
        return text.getvalue()

    def markdown(self) -> str:
        """A Markdown table, the best in bold, and the notes."""
        lines = [[_plain(column.head) for column in self.columns], ["---"] * len(self.columns)]
        for row, texts in zip(self.rows, self._texts(), strict=True):
            lines.append([_cell(cell, *text) for cell, text in zip(row, texts, strict=True)])
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
        return table + "".join(f"\n{note}\n" for note in self.notes)

    def latex(self) -> str:
        """A LaTeX tabular with the rules of booktabs, the notes below it; points stand below one another.

        It is what ``\\input`` takes within ``\\begin{table}`` after ``\\centering``.
        """
        kept = range(1 if self.group else 0, len(self.columns))
        texts = [place for place in kept if all(isinstance(row[place], str | None) for row in self.rows)]
        width = len(texts) + 2 * (len(kept) - len(texts))
        out = [
            rf"\begin{{tabular}}{{{''.join('l' if place in texts else 'r@{}l' for place in kept)}}}",
            r"\toprule",
            " & ".join(_latex_head(self.columns[place], place in texts) for place in kept) + r" \\",
        ]
        group: Cell = None
        for number, (row, cells) in enumerate(zip(self.rows, self._texts(), strict=True)):
            if number == 0 or (self.group and row[0] != group):
                out.append(r"\midrule")
                if self.group:
                    group = row[0]
                    title = escaped(f"{cells[0][0]} {self.columns[0].head}")
                    out.append(rf"\multicolumn{{{width}}}{{l}}{{\textit{{{title}}}}} \\")
            line = [escaped(cells[place][0]) if place in texts else _aligned(*cells[place]) for place in kept]
            out.append(" & ".join(line) + r" \\")
        out += [r"\bottomrule", r"\end{tabular}"]
        if self.notes:
            notes = r" \par ".join(map(escaped, self.notes))
            out += ["", r"\smallskip", rf"\begin{{minipage}}{{\linewidth}}\footnotesize {notes}\end{{minipage}}"]
        return "\n".join(out) + "\n"

    def write(self, *paths: str | Path) -> None:
        """Write files whose ending says how: .csv, .md or .tex; raises InputError for another one."""
        for path in map(Path, paths):
            path.write_text(WRITERS[ending(path)](self), encoding="utf-8")

    def _texts(self) -> Iterator[list[tuple[str, str, bool]]]:
        """Of each row, of each cell: what is written, what follows it, and whether it is the best of its group."""
        groups = [row[0] if self.group else None for row in self.rows]
        written = [
            [_written(cell, column.form) for cell, column in zip(row, self.columns, strict=True)]
            for row in self.rows
        ]
        for row, group in zip(written, groups, strict=True):
            beside = [place for place, of in enumerate(groups) if of == group]
            best = [
                _best([(self.rows[place][at], written[place][at][0]) for place in beside], column.best)
                for at, column in enumerate(self.columns)
            ]
            yield [(text, more, text != "" and text == best[at]) for at, (text, more) in enumerate(row)]


WRITERS: dict[str, Callable[[Table], str]] = {".csv": Table.csv, ".md": Table.markdown, ".tex": Table.latex}


def ending(path: str | Path) -> str:
    """The ending of a table's file; raises InputError for one that no table can be written to."""
    if Path(path).suffix not in WRITERS:
        raise InputError(f"a table must be a file that ends with {', '.join(WRITERS)}, got {path}")
    return Path(path).suffix


def unit_of(label: str) -> str:
    """The unit of an axis's label: what stands in parentheses at its end, '' without."""
    found = re.search(r"\(([^()]*)\)$", label.strip())
    return found[1] if found else ""


def p_value(value: float) -> str:
    """A p-value as tables have it: three decimals, <0.001 below."""
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def escaped(text: str) -> str:
    """Text as LaTeX has it in any engine: special characters, Greek letters and signs; others stay as they are."""
    return "".join(_ESCAPED.get(letter) or _greek(letter) for letter in " ".join(text.split()))


def _greek(letter: str) -> str:
    name = unicodedata.name(letter, "")
    found = re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER (\w+)", name)
    if found is None:
        return letter
    word = {"LAMDA": "lambda"}.get(found[2], found[2].lower())
    if found[1] == "SMALL":
        return "o" if word == "omicron" else rf"\ensuremath{{\{word}}}"
    capital = {"gamma", "delta", "theta", "lambda", "xi", "pi", "sigma", "upsilon", "phi", "psi", "omega"}
    latin = {"eta": "H", "rho": "P", "chi": "X"}
    return rf"\ensuremath{{\{word.capitalize()}}}" if word in capital else latin.get(word, word[0].upper())


def _exact(cell: str | int | float | None) -> str:
    if cell is None or cell != cell:
        return ""
    return cell if isinstance(cell, str) else repr(cell)


def _plain(text: str) -> str:
    """Text in a cell of Markdown."""
    return " ".join(text.split()).replace("|", r"\|")


def _cell(cell: Cell, text: str, more: str, bold: bool) -> str:
    """A cell of Markdown."""
    if isinstance(cell, str):
        return _plain(text)
    return f"**{text}**{more}" if bold else text + more


def _written(cell: Cell, form: str | Callable[[float], str]) -> tuple[str, str]:
    """A cell as it is read: the text or number, and its interval."""
    if cell is None or isinstance(cell, str):
        return cell or "", ""
    if isinstance(cell, int):
        return f"{cell:,}", ""
    if not isinstance(cell, Interval):
        return _number(cell, form), ""
    half = (cell.high - cell.low) / 2
    if not math.isfinite(half) or half <= 0:
        alone = _number(cell.estimate, form)
        return alone, f" [{alone}, {alone}]" if half == 0 else ""
    decimals = max(0, 1 - math.floor(math.log10(half)))
    if decimals > MOST_DECIMALS:
        form = form if isinstance(form, str) and form.endswith("f") else ".1e"
    else:
        form = f",.{decimals}f"
    text, low, high = (_number(value, form) for value in (cell.estimate, cell.low, cell.high))
    return text, f" [{low}, {high}]"


def _number(value: float, form: str | Callable[[float], str]) -> str:
    if math.isnan(value):
        return ""
    text = form(value) if callable(form) else format(value, form)
    return text[1:] if re.fullmatch(r"-[0.]+(e[+-]\d+)?", text) else text  # there is no -0


def _best(cells: Sequence[tuple[Cell, str]], best: str | None) -> str | None:
    """How the best of a group is written, by its value: those that look alike are all bold. None for one alone."""
    numbers = [
        (cell.estimate if isinstance(cell, Interval) else float(cell), text)
        for cell, text in cells
        if text and cell is not None and not isinstance(cell, str)
    ]
    if best is None or len(cells) < 2 or not numbers:
        return None
    return (max if best == "most" else min)(numbers)[1]


def _aligned(text: str, more: str, bold: bool) -> str:
    """A number in two columns that meet before its decimal point."""
    before, point, after = text.partition(".")
    parts = [_signs(before), _signs(point + after)]
    if bold:
        parts = [rf"\textbf{{{part}}}" if part else "" for part in parts]
    return f"{parts[0]} & {parts[1]}{_signs(more)}"


def _signs(text: str) -> str:
    """Digits, signs and powers of ten of LaTeX."""
    text = re.sub(r"e([+-])0*(\d+)", lambda found: rf"E{found[1].strip('+')}{found[2]}Z", text)
    text = text.replace("<", r"\ensuremath{<}").replace(",", "{,}").replace("{,} ", ", ")
    text = re.sub(r"E(-?\d+)Z", r"\\ensuremath{\\cdot10^{\1}}", text)
    return re.sub(r"(?<![{^])-", r"\\ensuremath{-}", text)


def _latex_head(column: Column, of_texts: bool) -> str:
    """A head in lines that are not much wider than its numbers; the unit has one of its own."""
    lines: list[str] = []
    for word in column.name.split():
        if lines and len(lines[-1]) + 1 + len(word) <= HEAD_WIDTH:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    lines = [escaped(line) for line in (*lines, *([f"({column.unit})"] if column.unit else []))]
    head = lines[0] if len(lines) == 1 else r"\shortstack{" + r"\\".join(lines) + "}"
    return head if of_texts else rf"\multicolumn{{2}}{{c}}{{{head}}}"
