"""Projects: each change in Moment is written to Fortnox."""

from typing import Any

from celery import shared_task

from delivery.context import TransferContext
from delivery.snapshots import project_identity, transfer_snapshot
from mappers import to_project
from ordering import Outcome
from tasks.base import TransferTask
from tasks.flows import PROJECT


@shared_task(name=PROJECT.task.name, base=TransferTask, bind=True)
def transfer(task: TransferTask, company: str, event_id: str) -> Any:
    return task.deliver(company, event_id, transfer_project)


def transfer_project(context: TransferContext) -> Outcome:
    """Create or update the project: one request if something changed, else none."""
    if off := context.switched_off():
        return off
    return transfer_snapshot(context, context.fortnox.projects, to_project(context.event.project), project_identity)
