"""When beat last ran an entry of its schedule, read from what RedBeat stores, without importing RedBeat and Celery."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final
from zoneinfo import ZoneInfo

from redis import Redis

PREFIX: Final = "redbeat:"


def beat_age(redis: Redis, schedule: str) -> timedelta | None:
    """How long ago beat last ran this entry of its schedule. None where it never did."""
    meta: Any = redis.hget(f"{PREFIX}{schedule}", "meta")
    last = json.loads(meta, object_hook=_decoded)["last_run_at"] if meta else None
    return None if last is None else datetime.now(UTC) - last


def _decoded(fields: dict[str, Any]) -> Any:
    """A time as `redbeat.decoder` writes it: in a named zone, or in seconds from UTC."""
    if fields.pop("__type__", None) != "datetime":
        return fields
    zone = fields.pop("timezone", "UTC")
    return datetime(**fields, tzinfo=ZoneInfo(zone) if isinstance(zone, str) else timezone(timedelta(seconds=zone)))
