"""How beat and the workers show that they are alive."""

from contextlib import suppress
from typing import Any

from celery import Task, shared_task, signals
from redis.exceptions import RedisError

from config.queues import MAIL_QUEUE, POLLS_QUEUE
from stores.heartbeats import MAIL, POLLS, WORKER
from tasks.base import services_of
from tasks.flows import TICK
from worker.sentry import check_in

BACKGROUND = {MAIL_QUEUE: MAIL, POLLS_QUEUE: POLLS}


@shared_task(name=TICK.name, bind=True)
def tick(task: Task[Any, Any]) -> None:
    """Show that beat and a worker of the transfers are alive: beat sends this each minute."""
    services_of(task.app).telemetry.heartbeats.beat(WORKER)
    check_in()


@signals.task_prerun.connect
def _took(task: Task[Any, Any], **_: Any) -> None:
    """Show that a background worker is alive. Beat sends something to each of its queues every minute."""
    part = BACKGROUND.get((task.request.delivery_info or {}).get("routing_key") or "")
    if part is not None:
        with suppress(RedisError):  # the task will report it
            services_of(task.app).telemetry.heartbeats.beat(part)
