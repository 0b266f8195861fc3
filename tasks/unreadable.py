"""Events that were refused when they came, and that a person retries: they are read once more."""

from typing import Any

from celery import shared_task

from delivery.context import TransferContext
from ordering import Failed, Outcome
from tasks.base import TransferTask
from tasks.flows import UNREADABLE


@shared_task(name=UNREADABLE.name, base=TransferTask, bind=True)
def transfer(task: TransferTask, company: str, event_id: str) -> Any:
    return task.deliver(company, event_id, refuse)


def refuse(context: TransferContext) -> Outcome:
    """Reached only by an event that reads well now: it has to come in by the door, to get its place in line."""
    return Failed("It was refused when it came, and can be read now.", "Send it again with a new id.", "SendAgain")
