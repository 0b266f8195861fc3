"""The families of keys that docs/scale.md lists."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Final

from ordering.queries import PREFIX

PAGE: Final = Path(__file__).parents[1] / "docs" / "scale.md"
TOGETHER: Final = ("mail:topic:_unconnected", "mail:pending:_unconnected")  # companies that never connected


def families(heading: str) -> set[str]:
    """Those in the first column of the table under this heading."""
    section = PAGE.read_text(encoding="utf-8").partition(f"### {heading}\n")[2].partition("\n#")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def misplaced(keys: Collection[str], companies: Collection[str]) -> list[str]:
    """The keys of families that the page does not list, and those that ought to name one of these companies first."""
    return sorted(key for key in keys if not _is_in_place(key.removeprefix(PREFIX), companies))


def _is_in_place(key: str, companies: Collection[str]) -> bool:
    if key.startswith(TOGETHER):
        return True
    of_one = _rest(key, families("Of one company"))
    if of_one is not None and any(_names(of_one.removeprefix("company/"), company) for company in companies):
        return True
    shared = _rest(key, families("Shared"))
    return shared is not None and not any(_names(shared, company) for company in companies)


def _rest(key: str, of: Collection[str]) -> str | None:
    """What follows the family in the key; None where it is of none of them."""
    found = [name for name in of if key == name or key.startswith((f"{name}:", f"{name}.", f"{name}_", f"{name}\x06"))]
    return key.removeprefix(max(found, key=len))[1:] if found else None


def _names(rest: str, company: str) -> bool:
    return re.match(rf"{re.escape(company)}(?:[:/]|$)", rest) is not None
