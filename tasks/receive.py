"""The Celery door: task `events.receive` on queue `events`, one argument, the event.

A valid event is admitted; anything else is kept whole as a failed event and a person is told. Either way the
message is done with only after Redis has the event (late acknowledgement).
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


class Door(Task[Any, Any]):
    """Its messages come from elsewhere, so what they show of themselves is not passed on."""

    abstract = True
    Request = "worker.requests:Unshown"


@shared_task(name=RECEIVE.name, base=Door, bind=True)
def receive(task: Door, event: Any) -> str:
    """Admits one event. Returns what became of it, for the log."""
    try:
        return take(task.app, event)
    except RedisError as error:
        # Celery acknowledges a message whose task raises; this one goes back into the queue instead.
        log.warning("event.not_taken", error=type(error).__name__)
        raise Reject(requeue=True) from None


def take(app: Celery, event: Any) -> str:
    """accepted, known or refused. Raises `RedisError` when Redis does not have the event."""
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
