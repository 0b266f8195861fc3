"""The newest events of very many companies, without looking into each company's indices."""

from typing import Any, Final

from ordering.history import Filter, listed_at
from ordering.queries import COMPANIES, OUTCOMES, Queries
from ordering.records import UNSETTLED, EventRecord

MANY: Final = 1000  # companies, whose indices one script reads in some 20 ms
ENTRIES: Final = 1000  # of the outcomes looked at


def has_many_companies(ordering: Queries) -> bool:
    return int(ordering.redis.scard(f"{ordering.prefix}{COMPANIES}")) > MANY  # type: ignore[arg-type]  # no asyncio


def newest(ordering: Queries, wanted: Filter, most: int) -> list[EventRecord]:
    """The newest events that fit, at most `most`: open ones, and those among the latest that settled."""
    refs: list[tuple[str, str]] = []
    if wanted.status in ("", *UNSETTLED):
        status = wanted.status if wanted.status in UNSETTLED else ""
        found = ordering.latest(("open",), since=wanted.since, until=wanted.until, most=most, status=status)
        refs += [one[:2] for one in found.found]
    if wanted.status not in UNSETTLED:
        refs += settled_refs(ordering, wanted.status)
    records = ordering.events(dict.fromkeys(refs))
    return sorted(filter(wanted.fits, records), key=listed_at, reverse=True)[:most]


def settled_refs(ordering: Queries, status: str) -> list[tuple[str, str]]:
    """(company, id) of the latest events that settled, newest first."""
    found: Any = ordering.redis.xrevrange(OUTCOMES, count=ENTRIES)
    return [
        (str(fields["company"]), str(fields["id"]))
        for _, fields in found
        if status in ("", fields.get("status")) and "company" in fields and "id" in fields
    ]


def mark(ordering: Queries) -> str:
    """A text that is another one whenever an event was accepted, started or settled since. It costs next to nothing."""
    with ordering.redis.pipeline(transaction=False) as pipeline:
        pipeline.xrevrange(OUTCOMES, count=1)
        for name in ("woken", "leases", "due"):
            pipeline.zcard(f"{ordering.prefix}{name}")
            pipeline.zrange(f"{ordering.prefix}{name}", -1, -1, withscores=True)
        latest, *rest = pipeline.execute()
    return f"{[entry[0] for entry in latest]} {rest}"
