"""What a figure is: a table that runs of the models fill in, and a drawing of that table.

A table has a line for each of its points and a column for each of its series. A cell is a function
of both, so that one cell can be computed again without the others: that is how the tests hold the
tables that are kept in `data/` to the models.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias

from .ink import Sheet

DATA = Path(__file__).parent / "data"
DIGITS = 6
"""Significant digits of what is kept: more than a picture shows, fewer than two machines share."""

Point: TypeAlias = float
Cell: TypeAlias = float | None
Row: TypeAlias = tuple[Point, tuple[Cell, ...]]


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure by its parts.

    `name` is an identifier: the fence's header, and the name of the file that keeps the table.
    `points` are the values (numbers) that head the lines of the table, `point_name` says what they
    are and in which unit; `series` names the columns, and `form` prints their cells (a format of
    `str.format`). `cell(point, series)` computes one of them from runs; `None` is no value.
    `paint` draws the lines of the table on a sheet of `height` (px, `ink.WIDTH` wide).
    """

    name: str
    title: str
    point_name: str
    points: tuple[Point, ...]
    series: tuple[str, ...]
    cell: Callable[[Point, str], Cell]
    paint: Callable[[Sheet, tuple[Row, ...]], None]
    form: str = "{:,.2f}"
    height: int = 240

    @property
    def path(self) -> Path:
        """The file that keeps its table."""
        return DATA / f"{self.name}.csv"

    @property
    def module(self) -> str:
        """The module that describes it, as a path in the package."""
        return f"{self.cell.__module__.replace('.', '/')}.py"

    def rows(self) -> tuple[Row, ...]:
        """Its table, as it is kept; `ValueError` if the file has other columns or lines."""
        return _read(self.path, self.points, self.series)

    def measured(self, point: Point, series: str) -> Cell:
        """One cell, computed now, with as many digits as are kept."""
        return rounded(self.cell(point, series))


def rounded(value: Cell) -> Cell:
    """A value with as many digits as are kept."""
    return None if value is None else float(f"{value:.{DIGITS}g}")


@cache
def _read(path: Path, points: tuple[Point, ...], series: tuple[str, ...]) -> tuple[Row, ...]:
    with path.open(encoding="utf-8", newline="") as file:
        head, *lines = csv.reader(file)
    rows = tuple(
        (float(first), tuple(float(cell) if cell else None for cell in rest))
        for first, *rest in lines
    )
    if tuple(head[1:]) != series or tuple(point for point, _ in rows) != points:
        raise ValueError(f"{path.name} has another shape: `python -m pysims.figures` renews it")
    return rows


def write(figure: Figure) -> None:
    """Compute the whole table of a figure, and keep it when all of it is there."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow([figure.point_name, *figure.series])
    for point in figure.points:
        cells = [figure.measured(point, series) for series in figure.series]
        lines.writerow([f"{point:g}", *("" if c is None else f"{c:.{DIGITS}g}" for c in cells)])
    figure.path.write_text(text.getvalue(), "utf-8", newline="\n")
    _read.cache_clear()


def column(rows: tuple[Row, ...], index: int) -> tuple[list[float], list[float]]:
    """The points and values of a column, without the cells that have none."""
    pairs = [(point, cells[index]) for point, cells in rows]
    kept = [(point, value) for point, value in pairs if value is not None]
    return [point for point, _ in kept], [value for _, value in kept]
