"""Tables without their columns of wall times, which no second run repeats: Markdown, CSV and LaTeX."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence

TIME = re.compile(r"(^|[ (_,])(ms|s|µs|us|seconds|milliseconds|microseconds|per[ _]second)\)?$")
"""The end of a column's head by which it is one of times, as `ms`, `training s` and `frames_per_second`."""


def without_times(text: str, suffix: str) -> str:
    """A table's text without those columns; the same text where it has none, or of another suffix.

    In Markdown several tables may stand among other lines, each with a head of its own.
    """
    kinds: dict[str, Callable[[str], str]] = {".md": _of_markdown, ".csv": _of_csv, ".tex": _of_latex}
    return kinds[suffix](text) if suffix in kinds else text


def _kept(head: Sequence[str]) -> list[int]:
    """The places of the columns that stay."""
    return [place for place, name in enumerate(head) if not TIME.search(name.strip())]


def _of_csv(text: str) -> str:
    rows = list(csv.reader(io.StringIO(text)))
    if not rows or len(kept := _kept(rows[0])) == len(rows[0]):
        return text
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows([row[place] for place in kept] for row in rows)
    return written.getvalue()


def _of_markdown(text: str) -> str:
    lines, kept = [], None
    for line in text.splitlines(keepends=True):
        cells = _cells(line, "|")[1:-1] if line.startswith("|") else None
        if cells is None:
            kept = None
        elif kept is None:
            kept = _kept(cells)
        if cells is not None and kept is not None and len(kept) < len(cells):
            line = f"|{'|'.join(cells[place] for place in kept)}|\n"
        lines.append(line)
    return "".join(lines)


def _cells(line: str, mark: str) -> list[str]:
    """The parts of a line between marks that no backslash stands before."""
    return re.split(rf"(?<!\\){re.escape(mark)}", line.rstrip("\n"))


def _of_latex(text: str) -> str:
    lines, kept = [], list[bool]()
    for line in text.splitlines(keepends=True):
        *cells, last = _cells(line, "&")
        ending = re.search(r"\s*\\\\\s*$", last)
        cells.append(last[: ending.start()] if ending else last)
        if not kept and len(cells) > 1 and "\\begin" not in line:
            kept = [not TIME.search(_latex_words(cell)) for cell in cells for _ in range(_span(cell))]
        if sum(map(_span, cells)) == len(kept) and not all(kept):
            line = "&".join(_remaining(cells, kept)).rstrip() + (ending[0] if ending else "") + "\n"
        lines.append(line)
    return re.sub(
        r"(\\begin\{tabular\}\{)(.*)(\})",
        lambda found: found[1] + _columns(found[2], kept) + found[3],
        "".join(lines),
        count=1,
    )


def _span(cell: str) -> int:
    """How many columns a cell takes."""
    found = re.match(r"\s*\\multicolumn\{(\d+)\}", cell)
    return int(found[1]) if found else 1


def _latex_words(cell: str) -> str:
    """What a head says, without what its look is made of."""
    words = re.sub(r"\\multicolumn\{\d+\}\{\w+\}|\\shortstack", "", cell).replace("\\\\", " ")
    return re.sub(r"[{}]", "", words).strip()


def _remaining(cells: Sequence[str], kept: Sequence[bool]) -> Iterator[str]:
    """The cells of a line that take columns which stay, as many as stay."""
    place = 0
    for cell in cells:
        span = _span(cell)
        stay = sum(kept[place : place + span])
        place += span
        if stay:
            yield cell if stay == span else cell.replace(f"{{{span}}}", f"{{{stay}}}", 1)


def _columns(form: str, kept: Sequence[bool]) -> str:
    """The form of a tabular with the columns that stay, each with what stands before it, as `@{}`."""
    columns = re.findall(r"(?:[@>!]\{[^}]*\}|\|)*[A-Za-z](?:\[[^\]]*\]|\{[^}]*\})?(?:<\{[^}]*\})?", form)
    ending = re.search(r"(?:@\{[^}]*\}|\|)*$", form)
    if len(columns) != len(kept):
        return form
    return "".join(column for column, stays in zip(columns, kept, strict=True) if stays) + (ending or [""])[0]
