"""Celery with the usual recipe for running one task per key: take a lock in Redis, or retry later.

From Celery's own cookbook ("ensuring a task is only executed one at a time"), with a `retry` where the cookbook
gives up: https://docs.celeryq.dev/en/stable/tutorials/task-cookbook.html
"""

from contextlib import suppress
from typing import Any

from celery import Celery, Task
from redis import Redis
from redis.exceptions import LockNotOwnedError

from bench.handler import FirstAttemptFails, handle
from bench.plan import RETRY_AFTER
from bench.systems import Publish
from config import Settings
from config.celery import celery_options
from moment.events import InvoiceEvent, parse_event

NAME = "transfer.locked"
LOCK_SECONDS = 30
LOCKED_RETRY = 0.1  # s until the next try for the lock


def create_app(settings: Settings) -> Celery:
    app = Celery("bench-lock")
    app.conf.update(celery_options(settings), worker_consumer="bench.consumer:PlainConsumer")
    redis = Redis.from_url(settings.redis_url.get_secret_value())

    @app.task(name=NAME, bind=True, max_retries=None)
    def transfer(task: Task[Any, Any], event: dict[str, Any], attempt: int = 0) -> None:
        parsed = parse_event(event)
        assert isinstance(parsed, InvoiceEvent)
        lock = redis.lock(f"lock:{parsed.key}", timeout=LOCK_SECONDS)
        if not lock.acquire(blocking=False):
            raise task.retry(args=(event, attempt), countdown=LOCKED_RETRY)
        try:
            handle(parsed, attempt)
        except FirstAttemptFails as failure:
            raise task.retry(args=(event, attempt + 1), exc=failure, countdown=RETRY_AFTER) from None
        finally:
            _release(lock)

    return app


def _release(lock: Any) -> None:
    with suppress(LockNotOwnedError):
        lock.release()


def publisher(app: Celery) -> Publish:
    return lambda event: app.send_task(NAME, args=(event,))
