"""docs/fidelity.md: each public report has an answer, and each answer a test that is there."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "fidelity.md"


def rows() -> list[list[str]]:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" |")] for line in lines[1:]]


def test_each_row_is_a_report_a_symptom_an_answer_and_a_test_or_open() -> None:
    assert all(len(row) == 4 and all(row[:3]) for row in rows())
    assert [row for row in rows() if not row[3] and "**open**" not in row[2]] == []


def test_each_test_that_is_named_is_there() -> None:
    there = {
        name for path in TESTS.rglob("test_*.py") for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)
    }
    named = {name for row in rows() for name in re.findall(r"`(test_\w+)`", row[3])}
    assert named
    assert named - there == set()
