"""The audit log: who did what, and when. The stream `audit` has every entry, `audit:<company>` those of one company.

Both are bounded. An entry holds names of accounts, numbers and ids; no personal data of customers and no secret.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from redis import Redis

LONGEST_OF_ALL: Final = 100_000  # entries; about 30 MB
LONGEST_OF_COMPANY: Final = 2_000
LONGEST_TEXT: Final = 200  # characters of a value

Outcome = str  # `under way`, `done`, `refused`, `failed` or `stopped`


class AuditEntry(NamedTuple):
    """One thing that somebody did. `kind` and `name` are the actor's; `outcome` is `under way` until it has ended.

    `details`: the event's id, how many events, which settings, and the like.
    """

    at: datetime
    kind: str
    name: str
    action: str
    company: str  # "" where it is about none, or several
    outcome: Outcome
    details: Mapping[str, Any]
    id: str = ""  # its place in the stream that it was read from


class AuditLog:
    """The entries, newest first. Methods raise `RedisError`."""

    def __init__(self, redis: Redis, prefix: str = "mf:") -> None:
        self._redis = redis
        self._prefix = prefix

    def begin(self, entry: AuditEntry) -> str:
        """Add an entry that is under way, before anything is done. Return its id."""
        added: Any = self._redis.xadd(self._key(""), _written(entry), maxlen=LONGEST_OF_ALL, approximate=False)
        return str(added)

    def end(self, begun: str, entry: AuditEntry | None, *, for_company: bool = True) -> None:
        """Replace the entry that was begun by one that has ended; None only removes it.

        The company gets the entry too, unless it is not `for_company`.
        """
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.xdel(self._key(""), begun)
            if entry is not None:
                fields = _written(entry)
                pipeline.xadd(self._key(""), fields, maxlen=LONGEST_OF_ALL, approximate=False)
                if entry.company and for_company:
                    key = self._key(entry.company)
                    pipeline.xadd(key, fields, maxlen=LONGEST_OF_COMPANY, approximate=False)
            pipeline.execute()

    def read(self, company: str, limit: int, before: str = "") -> list[AuditEntry]:
        """At most `limit` entries of the company, or of all where it is "": those before this id, newest first."""
        newest = f"({before}" if before else "+"
        found: Any = self._redis.xrevrange(self._key(company), newest, "-", count=limit)
        return [_read(entry_id, fields) for entry_id, fields in found]

    def _key(self, company: str) -> str:
        return f"{self._prefix}audit:{company}" if company else f"{self._prefix}audit"


def _written(entry: AuditEntry) -> dict[Any, Any]:
    details = {name: _short(value) for name, value in entry.details.items() if value not in (None, "")}
    return {
        "at": entry.at.isoformat(timespec="milliseconds"),
        "kind": entry.kind,
        "name": _short(entry.name),
        "action": entry.action,
        "company": _short(entry.company),
        "outcome": entry.outcome,
        "details": json.dumps(details, ensure_ascii=False),
    }


def _short(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return value.encode(errors="replace").decode()[:LONGEST_TEXT]  # half a character cannot be stored


def _read(entry_id: str, fields: Mapping[str, str]) -> AuditEntry:
    """Never raises: an entry that was damaged is shown with what is left of it."""
    added = datetime.fromtimestamp(int(entry_id.partition("-")[0]) / 1000, UTC)
    return AuditEntry(
        at=_time(fields.get("at", ""), added),
        kind=fields.get("kind", ""),
        name=fields.get("name", ""),
        action=fields.get("action", ""),
        company=fields.get("company", ""),
        outcome=fields.get("outcome", ""),
        details=_details(fields),
        id=entry_id,
    )


def _time(text: str, otherwise: datetime) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return otherwise
    return found if found.tzinfo else otherwise


def _details(fields: Mapping[str, str]) -> Mapping[str, Any]:
    try:
        found = json.loads(fields.get("details", "{}"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
