"""Forgets what is stored about a company beside its events. It scans Redis's keys, which blocks nobody."""

import re
from typing import Any, Final

from redis import Redis
from redis.exceptions import WatchError

from ordering.queries import PREFIX

PAGE: Final = 500  # keys asked for at a time
# Keys that name the company after their kind: alone, or with a colon and more.
KINDS: Final = (
    "timeline",
    "bodies",
    "noblank",
    "vat",
    "expenses",
    "link",
    "name",
    "rows",
    "own",
    "looks",
    "transferred",
    "billed",
    "settings",
    "mail:topic",
    "mail:pending",
    "mail:deferred",
    "audit",
    "mail-links",
    "mail-link-asked",
    "chart",
)
# Members that name it: alone, or with a colon or a slash and more.
SETS: Final = (
    "refreshed",
    "timetable:polls",
    "timetable:nights",
    "timetable:locks",
    "timetable:payments",
    "mail:due",
    "mail:deferred",
    "mail:links-asked",
    "damaged",
)
HASHES: Final = ("closed", "mail:outages", "mail:backoff", "feed:looked-back")
SHARED: Final = "mail:pending:_"  # topics of several companies, whose events are named with theirs


def forget(redis: Redis, company: str, revision: int, prefix: str = PREFIX) -> bool:
    """Forget the company, and its connection if that still has this revision. Return whether it had."""
    ended = _forget_connection(redis, f"{prefix}connection:{company}", revision)
    own = re.compile(rf"{re.escape(prefix)}({'|'.join(KINDS)}):{re.escape(company)}(:.*)?", re.DOTALL)
    cursor: Any = None
    while cursor != 0:
        answer: Any = redis.scan(cursor or 0, match=f"{prefix}*", count=PAGE)
        cursor, names = answer
        if gone := [name for name in names if own.fullmatch(name)]:
            redis.unlink(*gone)
        for name in names:
            if name.startswith(f"{prefix}{SHARED}"):
                _remove(redis, name, company)
    for name in SETS:
        _remove(redis, f"{prefix}{name}", company)
    for name in HASHES:
        fields = [field for field, _ in redis.hscan_iter(f"{prefix}{name}") if _is_of(field, company)]
        if fields:
            redis.hdel(f"{prefix}{name}", *fields)
    return ended


def _remove(redis: Redis, name: str, company: str) -> None:
    members = [member for member, _ in redis.zscan_iter(name) if _is_of(member, company)]
    if members:
        redis.zrem(name, *members)


def _is_of(member: str, company: str) -> bool:
    return member == company or member.startswith((f"{company}:", f"{company}/"))


def _forget_connection(redis: Redis, key: str, revision: int) -> bool:
    with redis.pipeline(transaction=True) as pipeline:
        try:
            pipeline.watch(key)  # type: ignore[no-untyped-call]
            found: Any = pipeline.hget(key, "revision")
            if int(found or 0) != revision:
                return False
            pipeline.multi()
            pipeline.delete(key)
            pipeline.execute()
            return True
        except WatchError:
            return False
