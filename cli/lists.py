"""Lists for people and for pipes. Values are never cut; sentences are wrapped between words, all else is not.

On a terminal the columns are aligned; those that do not fit its width are on a second line, and a text can follow its
row on a line of its own. Piped, each row is one line of plain values with tabs between them, below a line with names.
"""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import typer
from rich.cells import cell_len

from cli.console import out, shown, styled
from cli.printable import printable

GAP: Final = 2  # spaces between columns, and before what follows a row

COMMAND: Final = "moment-fortnox "

Row = Mapping[str, str]


def show_list(
    columns: Sequence[str], rows: Iterable[Row], *, below: Mapping[str, str] | None = None, right: Sequence[str] = ()
) -> None:
    """Print rows, each a value by column. `right`: the columns that are aligned right.

    `below`: columns that follow their row, each on lines of its own, where they have a value: their label by name. A
    command in them stays on one line, so that it can be copied.
    A value of the column `status` has the colour of that status.
    """
    if not out.is_terminal:
        typer.echo("\t".join(columns))
        for row in rows:
            typer.echo("\t".join(printable(row[name]) for name in columns))
        return
    under = {name: label for name, label in (below or {}).items() if name in columns}
    across, found = [name for name in columns if name not in under], list(rows)
    widths = {name: max([cell_len(name), *(cell_len(printable(row[name])) for row in found)]) for name in across}
    lines = _lines(across, widths)
    for line in lines:
        out.print(f"[bold]{_line(line, {name: name for name in across}, widths, right)}[/]", soft_wrap=True)
    for row in found:
        for text in filter(None, (_line(line, row, widths, right) for line in lines)):  # a second line may be empty
            out.print(text, soft_wrap=True)
        for name, label in under.items():
            if row[name]:
                for part in wrapped(f"{label}{row[name]}", GAP):
                    out.print(f"[dim]{shown(part)}[/]", soft_wrap=True)


def show_fields(fields: Mapping[str, object]) -> None:
    """Print names and values, a line each; those that have a value."""
    given = {name: value for name, value in fields.items() if value not in ("", None)}
    width = max(map(cell_len, given), default=0)
    for name, value in given.items():
        first, *rest = wrapped(str(value), width + GAP)
        out.print(f"[dim]{name}[/]{shown(first[cell_len(name) :])}", soft_wrap=True)
        for line in rest:
            out.print(shown(line), soft_wrap=True)


def wrapped(text: str, indent: int) -> list[str]:
    """A text's lines for this terminal, each indented. A word, or a command, is never broken. At least one line."""
    space = " " * indent
    if not out.is_terminal or text.startswith(COMMAND):
        return [space + printable(text)]
    lines = textwrap.wrap(
        printable(text),
        max(out.width, indent + 20),
        initial_indent=space,
        subsequent_indent=space,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines or [space]


def _lines(columns: Sequence[str], widths: Mapping[str, int]) -> list[list[str]]:
    """The columns, as many on a line as the terminal has room for."""
    lines: list[list[str]] = [[]]
    for name in columns:
        taken = sum(widths[one] + GAP for one in lines[-1]) + (GAP if len(lines) > 1 else 0)
        if lines[-1] and taken + widths[name] > out.width:
            lines.append([])
        lines[-1].append(name)
    return lines if len(lines) == 1 else [lines[0], *(["", *line] for line in lines[1:])]


def _line(columns: Sequence[str], row: Row, widths: Mapping[str, int], right: Sequence[str]) -> str:
    cells = []
    for name in columns:
        if not name:  # the indent of a second line
            cells.append("")
            continue
        value = printable(row[name])
        space = " " * (widths[name] - cell_len(value))
        cell = styled(value) if name == "status" else shown(value)
        cells.append(f"{space}{cell}" if name in right else f"{cell}{space}")
    return (" " * GAP).join(cells).rstrip()
