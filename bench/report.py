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
    """Replace the tables between the page's two marks, workload by workload.

    Workloads that were not measured keep their table. Text outside the marks stays.
    """
    text = PAGE.read_text(encoding="utf-8")
    before, measured, after = re.split(f"{re.escape(BEGIN)}|{re.escape(END)}", text)
    blocks = {block[:1]: block.strip() for block in measured.split("### ")[1:]}
    blocks |= {section.key: _block(section, facts) for section in sections}
    head = "\n".join(f"- {name}: {fact}" for name, fact in facts.items())
    tables = "\n\n".join(f"### {block}" for block in blocks.values())
    PAGE.write_text(f"{before}{BEGIN}\n\n{head}\n\n{tables}\n\n{END}{after}", encoding="utf-8")


def _block(section: Section, facts: Mapping[str, str]) -> str:
    targets = (f"- {target}" for target in section.targets)
    return "\n".join(
        [f"{section.key}: {section.title}", "", *_table(section), "", *targets, f"- measured on {facts['date']}"]
    )


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
