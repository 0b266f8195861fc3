"""`moment-fortnox health`: whether the system makes progress, and if not, why."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import typer
from redis.exceptions import RedisError, ResponseError

from cli.console import Json, complaint, fail, out, print_json, settings
from config.queues import MAIL_QUEUE, POLLS_QUEUE, TRANSFERS_QUEUE
from config.redis import DURABLE
from ordering.engine import UnknownLayout
from stores.beat import beat_age
from stores.heartbeats import MAIL, POLLS, PUMP, WORKER
from tasks.flows import REPORT_SCHEDULE
from worker.bootstrap import App, create_app

STUCK_AFTER = timedelta(seconds=60)  # any worker's pump moves what is due within a second, and says so each 5 s
TAKEN_AFTER = timedelta(seconds=90)  # a worker takes something at least each minute: beat sends it a tick
LONG_TAKEN_AFTER = timedelta(seconds=300)  # a round of mails or a poll may have a process to itself for minutes
BEAT_AFTER = timedelta(seconds=60)  # beat heartbeats every ten seconds; another takes over within 35


class Part(StrEnum):
    """What can be looked at alone; a service's own health check looks at its part."""

    REDIS = "redis"
    DELIVERY = "delivery"
    BACKGROUND = "background"
    BEAT = "beat"


def health(
    part: Annotated[Part | None, typer.Argument(help="Look at this part alone.")] = None, json: Json = False
) -> None:
    """Exit 0 when Redis keeps what it gets, what is due moves on, workers take it and beat ticks; else 1, and why."""
    app, overdue = create_app(settings()), None
    try:
        app.services.ordering.check_layout()
        reasons = [reason for name, check in CHECKS.items() if part in (None, name) for reason in check(app)]
        overdue = round(app.services.ordering.overdue().total_seconds(), 1) if json else None
    except (RedisError, UnknownLayout) as error:
        reasons = [complaint(app, error)]
    if json:
        print_json({"healthy": not reasons, "reasons": reasons, "overdueSeconds": overdue})
    if reasons:
        fail(" ".join(reasons))
    if not json:
        out.print("healthy")


def _redis(app: App) -> Iterator[str]:
    try:
        app.services.telemetry.heartbeats.check_writable()
    except ResponseError as error:  # out of memory, a replica, or a disk that is full
        yield complaint(app, error)
    try:
        for name, wanted in DURABLE.items():
            found = app.services.redis.config_get(name).get(name)  # type: ignore[union-attr]
            if found != wanted:
                yield f"Redis may lose what it accepted: {name} is {found}, it must be {wanted}."
    except ResponseError:
        return  # a hosted Redis does not tell its settings


def _delivery(app: App) -> Iterator[str]:
    overdue = app.services.ordering.overdue()
    if overdue > STUCK_AFTER:
        yield f"What is due has not moved on for {_seconds(overdue)}: does a worker run?"
    ages = app.services.telemetry.heartbeats.ages()
    pumped = ages.get(PUMP)
    if pumped is None:
        yield "No worker has ever run."
    elif pumped > STUCK_AFTER:
        yield f"No worker has looked for what is due for {_seconds(pumped)}: does one run?"
    yield from _taken(app, TRANSFERS_QUEUE, ages.get(WORKER), TAKEN_AFTER, "Transfers wait", "events,transfers")
    for thread, worker in app.services.telemetry.threads.all_down():
        yield f"The {thread} of worker {worker} ended unexpectedly and is being restarted: see its log."


def _background(app: App) -> Iterator[str]:
    ages = app.services.telemetry.heartbeats.ages()
    for queue, part, what in ((MAIL_QUEUE, MAIL, "Mails wait to be sent"), (POLLS_QUEUE, POLLS, "Polls wait")):
        yield from _taken(app, queue, ages.get(part), LONG_TAKEN_AFTER, what, "mail,polls")


def _taken(app: App, queue: str, ago: timedelta | None, at_most: timedelta, what: str, queues: str) -> Iterator[str]:
    if (ago is None or ago > at_most) and app.services.redis.llen(queue):
        since = "ever" if ago is None else f"for {_seconds(ago)}"
        yield f"{what}, and no worker took any {since}: does one with --queues={queues} run?"


def _beat(app: App) -> Iterator[str]:
    ago = beat_age(app.services.redis, REPORT_SCHEDULE.name)
    if ago is None:
        yield "Beat has never run."
    elif ago > BEAT_AFTER:
        yield f"Beat has not ticked for {_seconds(ago)}."


def _seconds(time: timedelta) -> str:
    return f"{time.total_seconds():.0f} s"


CHECKS: dict[Part, Callable[[App], Iterator[str]]] = {
    Part.REDIS: _redis,
    Part.DELIVERY: _delivery,
    Part.BACKGROUND: _background,
    Part.BEAT: _beat,
}
