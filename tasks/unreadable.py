"""Events that were refused on arrival and that a person retries: each is parsed once more."""

from typing import Any

from celery import shared_task

from delivery.context import TransferContext
from messages import Message
from ordering import Failed, Outcome
from tasks.base import TransferTask
from tasks.flows import UNREADABLE


@shared_task(name=UNREADABLE.name, base=TransferTask, bind=True)
def transfer(task: TransferTask, company: str, event_id: str) -> Any:
    return task.deliver(company, event_id, refuse)


def refuse(context: TransferContext) -> Outcome:
    """Reached only by an event that is valid now: it has to be published again to get its place in the order."""
    return Failed(Message("event.readable-now"), Message("event.send-again"), "SendAgain")
