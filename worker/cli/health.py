"""`moment-fortnox health`: whether the system makes progress, and if not, why."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

import typer
from redbeat import RedBeatSchedulerEntry
from redis.exceptions import ResponseError

from worker.assembly import REPORT_SCHEDULE, App
from worker.cli.console import Json, connected, fail, out, print_json

STUCK_AFTER = timedelta(seconds=60)  # any worker's pump moves what is due within a second
BEAT_AFTER = timedelta(seconds=60)  # beat ticks every ten seconds; another takes over within 35


class Part(StrEnum):
    """What can be looked at alone; a service's own health check looks at its part."""

    REDIS = "redis"
    DELIVERY = "delivery"
    BEAT = "beat"


def health(
    part: Annotated[Part | None, typer.Argument(help="Look at this part alone.")] = None, json: Json = False
) -> None:
    """Exit 0 when Redis can be written to, what is due moves on and beat ticks; 1 with the reason when not."""
    with connected() as app:
        reasons = [reason for name, check in CHECKS.items() if part in (None, name) and (reason := check(app))]
    if json:
        print_json({"healthy": not reasons, "reasons": reasons})
    if reasons:
        fail(" ".join(reasons))
    if not json:
        out.print("healthy")


def _redis(app: App) -> str | None:
    try:
        app.house.redis.set("mf:health", "", ex=60)
    except ResponseError as error:  # out of memory, a replica, or a disk that is full
        return f"Redis takes no writes ({error})."
    return None


def _delivery(app: App) -> str | None:
    overdue = app.house.ordering.overdue()
    if overdue > STUCK_AFTER:
        return f"What is due has not moved on for {overdue.total_seconds():.0f} s: does a worker run?"
    return None


def _beat(app: App) -> str | None:
    key = f"{app.conf.redbeat_key_prefix}{REPORT_SCHEDULE}"
    try:
        meta: dict[str, Any] = RedBeatSchedulerEntry.load_meta(key, app=app)
    except KeyError:
        return "Beat has never run."
    last: datetime | None = meta.get("last_run_at")
    if last is None:
        return "Beat has never run."
    ago = datetime.now(UTC) - last.astimezone(UTC)
    return f"Beat has not ticked for {ago.total_seconds():.0f} s." if ago > BEAT_AFTER else None


CHECKS: dict[Part, Callable[[App], str | None]] = {Part.REDIS: _redis, Part.DELIVERY: _delivery, Part.BEAT: _beat}
