"""The newest events of very many companies, without looking into each company's indices."""

from collections.abc import Iterable
from typing import Any, Final

from ordering.history import Filter, fits_code, listed_at
from ordering.queries import COMPANIES, OUTCOMES, Queries
from ordering.records import UNSETTLED, EventRecord, split_ref

MANY: Final = 1000  # companies, whose indices one script reads in some 20 ms
LOOKS: Final = 300  # events looked at: older ones are found by `listed`
AT_A_TIME: Final = 100  # events read at a time
ACTIVE: Final = ("woken", "leases", "due")  # indices of events that are about to start, run, or are tried again


def has_many_companies(ordering: Queries) -> bool:
    return int(ordering.redis.scard(f"{ordering.prefix}{COMPANIES}")) > MANY  # type: ignore[arg-type]  # no asyncio


def newest(ordering: Queries, wanted: Filter, most: int, companies: Iterable[str]) -> list[EventRecord]:
    """The newest events that fit, at most `most`: open ones of these companies, and of all that are active now; and
    those among the latest that settled.
    """
    found: list[EventRecord] = []
    if wanted.status in ("", *UNSETTLED):
        found += newest_open(ordering, wanted, most, companies)
    if wanted.status not in UNSETTLED:
        found += _fitting(ordering, wanted, most, settled_refs(ordering, wanted))
    unique = {(record.company, record.id): record for record in found}
    return sorted(unique.values(), key=listed_at, reverse=True)[:most]


def newest_open(ordering: Queries, wanted: Filter, most: int, companies: Iterable[str]) -> list[EventRecord]:
    """The newest open events that fit, of these companies and of those that are active now."""
    names = list(dict.fromkeys([*companies, *active_companies(ordering)]))
    with ordering.redis.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.zrange(f"{ordering.prefix}company-open:{name}", 0, most - 1, desc=True, withscores=True)
        found = pipeline.execute()
    entries = [(score, name, one) for name, some in zip(names, found, strict=True) for one, score in some]
    return _fitting(ordering, wanted, most, [(name, one) for _, name, one in sorted(entries, reverse=True)[:LOOKS]])


def active_companies(ordering: Queries) -> list[str]:
    """The companies of the events that lately became active."""
    with ordering.redis.pipeline(transaction=False) as pipeline:
        for name in ACTIVE:
            pipeline.zrange(f"{ordering.prefix}{name}", -AT_A_TIME, -1)
        return [split_ref(ref)[0] for refs in pipeline.execute() for ref in refs]


def settled_refs(ordering: Queries, wanted: Filter) -> list[tuple[str, str]]:
    """(company, id) of the latest events that settled with the wanted status and code, newest first."""
    found: Any = ordering.redis.xrevrange(OUTCOMES, count=LOOKS)
    refs = [
        (str(fields["company"]), str(fields["id"]))
        for _, fields in found
        if wanted.status in ("", fields.get("status"))
        and fits_code(wanted.code, fields.get("code", ""))
        and "company" in fields
        and "id" in fields
    ]
    return list(dict.fromkeys(refs))


def mark(ordering: Queries) -> str:
    """A text that is another one whenever an event was accepted, started or settled since. It costs next to nothing."""
    with ordering.redis.pipeline(transaction=False) as pipeline:
        pipeline.xrevrange(OUTCOMES, count=1)
        for name in ACTIVE:
            pipeline.zcard(f"{ordering.prefix}{name}")
            pipeline.zrange(f"{ordering.prefix}{name}", -1, -1, withscores=True)
        latest, *rest = pipeline.execute()
    return f"{[entry[0] for entry in latest]} {rest}"


def _fitting(ordering: Queries, wanted: Filter, most: int, refs: list[tuple[str, str]]) -> list[EventRecord]:
    """The first of these events that fit, at most `most`."""
    found: list[EventRecord] = []
    for at in range(0, len(refs), AT_A_TIME):
        found += filter(wanted.fits, ordering.events(refs[at : at + AT_A_TIME]))
        if len(found) >= most:
            break
    return found[:most]
