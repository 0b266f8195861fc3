"""Events from producers that speak Celery's protocol: task `events.receive`, queue `events`, one argument, the event.

A valid event is admitted; anything else is kept whole as a failed event, and a person is told. The message is
acknowledged only after Redis has the event.
"""

from typing import Any

import structlog
from celery import Celery, Task, shared_task
from celery.exceptions import Reject
from redis.exceptions import RedisError

from delivery.admission import admit, refused
from moment.events import InvalidEvent, parse_event
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
        return take(task.app, event)
    except RedisError as error:
        # Celery acknowledges a message whose task raises; this one goes back into the queue instead.
        log.warning("event.not_taken", error=type(error).__name__)
        raise Reject(requeue=True) from None


def take(app: Celery, event: Any) -> str:
    """Admit one event. Return "accepted", "known" or "refused". Raises `RedisError` when Redis did not take it."""
    services = services_of(app)
    try:
        parsed = parse_event(event)
    except InvalidEvent as error:
        submission = refused(event, error, services.vault)
        admission = services.ordering.publish(submission)
        log.warning(
            "event.refused",
            company=submission.company,
            event_id=submission.id,
            problems=[problem.path for problem in error.problems],
        )
        services.request_report()
        return "known" if admission.known else "refused"
    admission = admit(parsed, services.ordering, services.vault)
    log.info(
        "event.accepted",
        company=parsed.company,
        key=str(parsed.key),
        event_id=parsed.id,
        type=parsed.type,
        known=admission.known,
    )
    return "known" if admission.known else "accepted"
