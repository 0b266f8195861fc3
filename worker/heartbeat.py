"""Watching whether beat and the workers move: what beat leaves behind, and how a worker shows it."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from celery import Celery, Task, shared_task, signals
from redbeat import RedBeatSchedulerEntry
from redis.exceptions import RedisError

from config.celery import MAIL_QUEUE, POLLS_QUEUE
from stores.heartbeats import MAIL, POLLS, WORKER
from tasks.base import services_of
from tasks.flows import TICK
from worker.sentry import check_in

BACKGROUND = {MAIL_QUEUE: MAIL, POLLS_QUEUE: POLLS}


@shared_task(name=TICK, bind=True)
def tick(task: Task[Any, Any]) -> None:
    """Beat asks each minute, a worker of the transfers answers: both move."""
    services_of(task.app).telemetry.heartbeats.beat(WORKER)
    check_in()


@signals.task_prerun.connect
def _took(task: Task[Any, Any], **_: Any) -> None:
    """A worker of the background took something; beat has something for each of its queues every minute."""
    part = BACKGROUND.get((task.request.delivery_info or {}).get("routing_key") or "")
    if part is not None:
        with suppress(RedisError):  # the task will say so
            services_of(task.app).telemetry.heartbeats.beat(part)


def beat_age(app: Celery, schedule: str) -> timedelta | None:
    """How long ago beat last ran this entry of its schedule; None when it never did."""
    key = f"{app.conf.redbeat_key_prefix}{schedule}"
    try:
        meta: dict[str, Any] = RedBeatSchedulerEntry.load_meta(key, app=app)
    except KeyError:
        return None
    last: datetime | None = meta.get("last_run_at")
    return None if last is None else datetime.now(UTC) - last.astimezone(UTC)
