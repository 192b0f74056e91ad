"""Tables of numbers in `.csv` files: with or without a header, with or without a column that numbers the lines.

A first line whose cells are no numbers, count the columns from 0 or 1, or begin with one of `INDEX_NAMES`, is a
header. A first column is an index where it has no name or one of these, where its cells are no numbers (dates), or
where it counts the lines from 0 or 1. Numbers may be complex, as in ``1e-4+2e-4i`` or ``1e-4+2e-4j``. Lines that
begin with # are left out.
"""

import csv
from pathlib import Path

import numpy as np

from ..arrays import InputError

INDEX_NAMES = {
    *("", "index", "frame", "slot", "step", "row", "t", "time", "time (s)", "time_s", "timestamp"),
    *("date", "datetime"),
}


def read_csv(path: Path, index_column: bool | None = None) -> np.ndarray:
    """The numbers, (lines, columns), real or complex.

    Args:
        index_column: whether the first column is left out; by default it is found out.

    Raises:
        InputError: for what is no table of numbers, naming line and cell.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a readable .csv file: it is no text in UTF-8, save it as such") from error
    lines = [(place, line) for place, line in enumerate(text.splitlines(), 1) if line.strip()]
    lines = [(place, line) for place, line in lines if not line.lstrip().startswith("#")]
    if not lines:
        raise InputError(f"{path} is not a readable .csv file: it holds no lines of numbers")
    delimiter = next((one for one in (";", "\t") if one in lines[0][1]), ",")  # decimals may have commas
    first = _cells(lines[0][1], delimiter)
    header = first if _is_header(first) else None
    body = lines if header is None else lines[1:]
    if not body:
        raise InputError(f"{path} is not a readable .csv file: it holds a header and no lines of numbers")
    top = _cells(body[0][1], delimiter)
    named = header is not None and header[0].lower() in INDEX_NAMES
    skip = (
        index_column if index_column is not None else len(top) > 1 and (named or _is_dated(body, top, delimiter))
    )
    table = _numbers(path, body, delimiter, len(top), int(skip))
    if index_column is None and not skip and _counts(table):
        return table[:, 1:]
    return table


def _numbers(path: Path, body: list[tuple[int, str]], delimiter: str, columns: int, skip: int) -> np.ndarray:
    texts = [line for _, line in body]
    is_complex = any(cell[-1:] in ("i", "j", ")") for cell in _cells(texts[0], delimiter)[skip:])
    if is_complex:
        texts = [_as_written_in_python(line) for line in texts]
    used = range(skip, columns)
    try:
        if not used or any(_count(line, delimiter) != columns for line in texts):
            raise ValueError("cells are missing")
        return np.loadtxt(
            texts,
            dtype=complex if is_complex else float,
            delimiter=delimiter,
            ndmin=2,
            usecols=used,
            quotechar='"',
            comments=None,
        )
    except ValueError:
        raise InputError(_bad_cell(path, body, delimiter, columns, skip)) from None


def _bad_cell(path: Path, body: list[tuple[int, str]], delimiter: str, columns: int, skip: int) -> str:
    for place, line in body:
        cells = _cells(line, delimiter)
        if len(cells) != columns:
            return f"{path}, line {place}, must have {columns} cells as the line before, got {len(cells)}"
        for column, cell in enumerate(cells[skip:], skip + 1):
            if not _is_number(cell):
                hint = "; decimals have a point" if "," in cell else ""
                return f"{path}, line {place}, column {column}, must be a number, got {cell!r}{hint}"
    return f"{path} is not a readable .csv file: {len(body)} lines of {columns} cells hold no table of numbers"


def _cells(line: str, delimiter: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]


def _count(line: str, delimiter: str) -> int:
    return len(_cells(line, delimiter)) if '"' in line else line.count(delimiter) + 1


def _is_number(cell: str) -> bool:
    try:
        complex(_as_written_in_python(cell) if cell[-1:] in ("i", ")") else cell)
    except ValueError:
        return False
    return True


def _as_written_in_python(number: str) -> str:
    return number.replace("i", "j").replace("+-", "-").replace(" ", "")


def _is_header(cells: list[str]) -> bool:
    names = cells[1:] or cells
    counted = [[str(first + place) for place in range(len(cells))] for first in (0, 1)]
    counts = cells == counted[0] or (len(cells) > 1 and cells == counted[1])
    return cells[0].lower() in INDEX_NAMES or counts or not any(_is_number(name) for name in names)


def _is_dated(body: list[tuple[int, str]], top: list[str], delimiter: str) -> bool:
    """Whether the first cell of every line is no number, and the second of the first line is one."""
    firsts = (_cells(line, delimiter)[0] for _, line in body)
    return len(body) > 1 and _is_number(top[1]) and not any(map(_is_number, firsts))


def _counts(table: np.ndarray) -> bool:
    """Whether the first column counts the lines, from 0 or 1."""
    if table.shape[1] < 2 or len(table) < 2:
        return False
    return any(np.array_equal(table[:, 0], np.arange(first, first + len(table))) for first in (0, 1))
