"""The worker's consumer for systems without our services: it hands each message to Celery without looking at it."""

from collections.abc import Callable
from typing import Any

from celery.worker.consumer import Consumer

from worker.consumer import QuickConsumer


class PlainConsumer(QuickConsumer):
    """Celery creates it by its name."""

    def create_task_handler(self, *given: Any, **options: Any) -> Callable[..., Any]:
        return Consumer.create_task_handler(self, *given, **options)
