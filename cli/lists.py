"""Lists for people and for pipes. Values are never wrapped or cut: what is long makes its line long.

On a terminal the columns are aligned, and a text can follow its row on a line of its own. Piped, each row is one line
of plain values with tabs between them, under a line with their names.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import typer
from rich.cells import cell_len

from cli.console import out, shown, styled
from cli.printable import printable

GAP: Final = 2  # spaces between columns

Row = Mapping[str, str]


def show_list(columns: Sequence[str], rows: Iterable[Row], *, below: str = "", right: Sequence[str] = ()) -> None:
    """Print rows, each a value by column. `below`: the column that follows its row; `right`: those aligned right.

    A value of the column `status` has the colour of that status.
    """
    if not out.is_terminal:
        typer.echo("\t".join(columns))
        for row in rows:
            typer.echo("\t".join(printable(row[name]) for name in columns))
        return
    across, found = [name for name in columns if name != below], list(rows)
    widths = {name: max([cell_len(name), *(cell_len(printable(row[name])) for row in found)]) for name in across}
    out.print(f"[bold]{_line(across, {name: name for name in across}, widths, right)}[/]", soft_wrap=True)
    for row in found:
        out.print(_line(across, row, widths, right), soft_wrap=True)
        if below in columns and row[below]:
            out.print(f"  [dim]{shown(row[below])}[/]", soft_wrap=True)


def _line(columns: Sequence[str], row: Row, widths: Mapping[str, int], right: Sequence[str]) -> str:
    cells = []
    for name in columns:
        value = printable(row[name])
        space = " " * (widths[name] - cell_len(value))
        cell = styled(value) if name == "status" else shown(value)
        cells.append(f"{space}{cell}" if name in right else f"{cell}{space}")
    return (" " * GAP).join(cells).rstrip()
