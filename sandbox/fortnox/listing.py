"""Lists as Fortnox gives them: parameters checked, filtered by substring, sorted, cut into pages.

Parameters: https://www.fortnox.se/developer/guides-and-good-to-know/parameters. Text parameters match
anywhere in the value, whatever the case: a client must compare for itself.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from sandbox.fortnox import errors
from sandbox.fortnox.ledger import Ledger
from sandbox.http import Answer, Call, Json, answer_json

T = TypeVar("T")

COMMON = frozenset({"page", "limit", "offset", "sortby", "sortorder", "filter", "lastmodified"})
DEFAULT_LIMIT = 100
MAX_LIMIT = 500
TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}( \d{2}:\d{2})?")


@dataclass(frozen=True)
class Listing(Generic[T]):
    """How one resource is listed. `matches` are its query parameters, `filters` the values of `filter=`."""

    wrapper: str
    item: Callable[[Ledger, T], Json]
    modified: Callable[[T], str] | None
    order: Callable[[T], Json]
    matches: Mapping[str, Callable[[T, str], bool]] = field(default_factory=dict)
    filters: Mapping[str, Callable[[Ledger, T], bool]] = field(default_factory=dict)
    sortable: Mapping[str, Callable[[T], Json]] = field(default_factory=dict)

    def answer(self, ledger: Ledger, call: Call, records: Sequence[T]) -> Answer:
        asked = self._checked(call)
        chosen = self._sorted(self._chosen(ledger, records, asked), asked)
        limit = _whole(asked, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
        page = _whole(asked, "page", 1, 1)
        start = _whole(asked, "offset", (page - 1) * limit, 0)
        pages = -(-len(chosen) // limit)
        return answer_json(
            {
                "MetaInformation": {
                    "@TotalResources": len(chosen),
                    "@TotalPages": pages,
                    "@CurrentPage": start // limit + 1,
                },
                self.wrapper: [self.item(ledger, one) for one in chosen[start : start + limit]],
            }
        )

    def _checked(self, call: Call) -> dict[str, str]:
        asked: dict[str, str] = {}
        for name, value in call.query:
            if name == "filter" and (name in asked or value not in self.filters):
                raise errors.invalid_filter()
            if name == "lastmodified" and (self.modified is None or not TIMESTAMP.fullmatch(value)):
                raise errors.invalid_parameter()
            if name in asked or (name not in COMMON and name not in self.matches):
                raise errors.invalid_parameter()
            asked[name] = value
        return asked

    def _chosen(self, ledger: Ledger, records: Sequence[T], asked: Mapping[str, str]) -> list[T]:
        chosen = list(records)
        if "filter" in asked:
            keeps = self.filters[asked["filter"]]
            chosen = [one for one in chosen if keeps(ledger, one)]
        if "lastmodified" in asked and self.modified is not None:
            modified, since = self.modified, asked["lastmodified"]
            if len(since) == len("2026-11-22"):
                since += " 00:00"
            inclusive = ledger.settings.lastmodified_inclusive
            chosen = [one for one in chosen if modified(one) > since or (inclusive and modified(one) == since)]
        for name, value in asked.items():
            if name in self.matches:
                matches = self.matches[name]
                chosen = [one for one in chosen if matches(one, value)]
        return chosen

    def _sorted(self, chosen: list[T], asked: Mapping[str, str]) -> list[T]:
        key = self.order
        if "sortby" in asked:
            if asked["sortby"] not in self.sortable:
                raise errors.invalid_parameter()
            key = self.sortable[asked["sortby"]]
        direction = asked.get("sortorder", "ascending")
        if direction not in ("ascending", "descending"):
            raise errors.invalid_parameter()
        return sorted(chosen, key=key, reverse=direction == "descending")


def _whole(asked: Mapping[str, str], name: str, default: int, least: int, most: int | None = None) -> int:
    text = asked.get(name)
    if text is None:
        return default
    if not text.isdecimal() or int(text) < least or (most is not None and int(text) > most):
        raise errors.invalid_parameter()
    return int(text)


def contains(value: Json, wanted: str) -> bool:
    """Substring, whatever the case: what Fortnox's text parameters do."""
    return wanted.casefold() in str(value or "").casefold()


def refuse_parameters(call: Call, *known: str) -> None:
    """For resources that are not lists."""
    if any(name not in known for name, _ in call.query):
        raise errors.invalid_parameter()
