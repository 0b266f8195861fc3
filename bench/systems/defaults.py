"""Plain Celery with its defaults, except late acknowledgement: no task events, four messages a process."""

from celery import Celery

from bench.systems.celery import NAME, publisher, transfer
from config import Settings
from config.queues import TRANSFERS_QUEUE

__all__ = ["create_app", "publisher"]


def create_app(settings: Settings) -> Celery:
    app = Celery("bench-defaults")
    app.conf.update(
        broker_url=settings.redis_url.get_secret_value(),
        broker_connection_retry_on_startup=True,
        task_acks_late=True,
        task_default_queue=TRANSFERS_QUEUE,
    )
    app.task(name=NAME, bind=True, max_retries=None)(transfer)
    return app
