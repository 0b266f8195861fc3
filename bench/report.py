"""The results, for a terminal, for docs/performance.md and as JSON."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.result import Section, shown

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
PAGE = Path(__file__).parents[1] / "docs" / "performance.md"


def show(section: Section, console: Console) -> None:
    table = Table(title=f"{section.key}  {section.title}", title_justify="left", title_style="bold", min_width=110)
    table.add_column("")
    for column in section.columns:
        table.add_column(column, justify="right")
    for row in section.rows:
        table.add_row(row.name, *(shown(column, section.figure(row.name, column)) for column in section.columns))
    console.print(table)
    for target in section.targets:
        console.print(f"   {target}", style="green" if target.met else "bold red", highlight=False)
    console.print()


def as_json(sections: Sequence[Section], facts: Mapping[str, str]) -> str:
    found = [
        {
            "workload": section.key,
            "title": section.title,
            "rows": [{"name": row.name, "runs": row.runs, **_plain(row.figures)} for row in section.rows],
            "targets": [{"target": t.text, "found": t.found, "met": t.met} for t in section.targets],
        }
        for section in sections
    ]
    return json.dumps({"machine": dict(facts), "workloads": found}, indent=2, ensure_ascii=False)


def write_page(sections: Sequence[Section], facts: Mapping[str, str]) -> None:
    """Puts the tables between the page's two marks; what people wrote around them stays."""
    lines = [*(f"- {name}: {fact}" for name, fact in facts.items()), ""]
    for section in sections:
        lines += [f"### {section.key}: {section.title}", "", *_table(section), ""]
        lines += [*(f"- {target}" for target in section.targets), ""]
    text = PAGE.read_text(encoding="utf-8")
    measured = "\n".join([BEGIN, "", *lines, END])
    text = re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: measured, text, flags=re.DOTALL)
    PAGE.write_text(text, encoding="utf-8")


def _table(section: Section) -> list[str]:
    head = ["", *section.columns, "runs"]
    rows = [
        [row.name, *(shown(column, row.figures.get(column, float("nan"))) for column in section.columns), str(row.runs)]
        for row in section.rows
    ]
    lines = ["|".join(cells) for cells in (head, ["---", *["---:"] * (len(head) - 1)], *rows)]
    return [f"|{line}|" for line in lines]


def _plain(figures: Mapping[str, float]) -> dict[str, float | None]:
    return {column: None if value != value else round(value, 4) for column, value in figures.items()}
