"""The results: tables of figures, and targets met or missed. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Self

Figures = Mapping[str, float]  # column → value; NaN: not measured


@dataclass(frozen=True, slots=True)
class Target:
    """A target, the measured value, and whether it is met."""

    text: str
    found: str
    met: bool

    def __str__(self) -> str:
        return f"{self.text}: {self.found} — {'met' if self.met else 'MISSED'}"


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    figures: Figures
    runs: int


@dataclass(frozen=True, slots=True)
class Section:
    """One workload: what it is, a row for each system, the targets."""

    key: str
    title: str
    rows: Sequence[Row]
    targets: Sequence[Target] = ()

    @property
    def columns(self) -> list[str]:
        return list(dict.fromkeys(column for row in self.rows for column in row.figures))

    def with_targets(self, *targets: Target) -> Self:
        return replace(self, targets=targets)

    def row(self, name: str) -> Figures:
        """The row, or an empty one."""
        return next((row.figures for row in self.rows if row.name == name), {})

    def figure(self, row: str, column: str) -> float:
        """The figure, or NaN."""
        return self.row(row).get(column, math.nan)


COUNTS = ("violations", "early", "overlaps", "duplicates", "lost")  # the worst of the runs, not the median


def combined(name: str, runs: Sequence[Figures]) -> Row:
    """The median of each figure over the runs; for `COUNTS`, the maximum."""
    columns = dict.fromkeys(column for run in runs for column in run)
    figures = {}
    for column in columns:
        values = [run[column] for run in runs if column in run and not math.isnan(run[column])]
        pick = max if column in COUNTS else median
        figures[column] = float(pick(values)) if values else math.nan
    return Row(name, figures, len(runs))


def at_least(text: str, found: float, wanted: float, unit: str = "") -> Target:
    return Target(text, f"{_short(found)}{unit}", found >= wanted)


def at_most(text: str, found: float, wanted: float, unit: str = "") -> Target:
    return Target(text, f"{_short(found)}{unit}", found <= wanted)


def none_of(text: str, figures: Figures, columns: Sequence[str]) -> Target:
    found = {column: figures.get(column, math.nan) for column in columns}
    shown = ", ".join(f"{_short(count)} {column}" for column, count in found.items())
    return Target(text, shown, all(count == 0 for count in found.values()))


def _short(value: float) -> str:
    if math.isnan(value):
        return "not measured"
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def shown(column: str, value: float) -> str:
    """A figure in a table."""
    if math.isnan(value):
        return "–"
    return f"{value:,.0f}" if column in COUNTS else _short(value)
