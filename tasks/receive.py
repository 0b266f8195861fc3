"""Events from producers that speak Celery's protocol: task `events.receive`, queue `events`, one argument, the event.

A valid event is admitted; anything else is kept whole as a failed event, and a person is told. The message is
acknowledged only after Redis has the event.
"""

from typing import Any

import structlog
from celery import Task, shared_task
from celery.exceptions import Reject
from redis.exceptions import RedisError

from delivery.admission import take
from tasks.base import services_of
from tasks.flows import RECEIVE

log = structlog.get_logger(__name__)


class ProducerTask(Task[Any, Any]):
    """A task whose messages come from producers: their arguments are shown nowhere."""

    abstract = True
    Request = "worker.requests:HiddenArguments"


@shared_task(name=RECEIVE.name, base=ProducerTask, bind=True)
def receive(task: ProducerTask, event: Any) -> str:
    """Admit one event. Return "accepted", "known" or "refused"."""
    try:
        return take(services_of(task.app), event)
    except RedisError as error:
        # Celery acknowledges a message whose task raises; this one goes back into the queue instead.
        log.warning("event.not_taken", error=type(error).__name__)
        raise Reject(requeue=True) from None
