"""Plain Celery: a task for each event, in no order."""

from typing import Any

from celery import Celery, Task

from bench.handler import FirstAttemptFails, handle
from bench.plan import RETRY_AFTER
from bench.systems import Publish
from config import Settings
from config.celery import celery_options
from moment.events import InvoiceEvent, parse_event

NAME = "transfer.plain"


def create_app(settings: Settings) -> Celery:
    app = Celery("bench-celery")
    app.conf.update(celery_options(settings), worker_consumer="bench.consumer:PlainConsumer")
    app.task(name=NAME, bind=True, max_retries=None)(transfer)
    return app


def transfer(task: Task[Any, Any], event: dict[str, Any]) -> None:
    parsed = parse_event(event)
    assert isinstance(parsed, InvoiceEvent)
    try:
        handle(parsed, task.request.retries)
    except FirstAttemptFails as failure:
        raise task.retry(exc=failure, countdown=RETRY_AFTER) from None


def publisher(app: Celery) -> Publish:
    return lambda event: app.send_task(NAME, args=(event,))
