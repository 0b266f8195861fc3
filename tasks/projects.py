"""Projects: Moment's project as it is now, in Fortnox."""

from typing import Any

from celery import shared_task

from mappers import to_project
from tasks.existing import project_identity, transfer_snapshot
from tasks.names import TRANSFERS
from tasks.transfer import Job, TransferTask
from worker.ordering import Outcome


@shared_task(name=TRANSFERS["project"], base=TransferTask, bind=True)
def transfer(task: TransferTask, company: str, event_id: str) -> Any:
    return task.deliver(company, event_id, transfer_project)


def transfer_project(job: Job) -> Outcome:
    """Creates or updates the project: one request when something changed, none when not."""
    if off := job.switched_off("projects"):
        return off
    return transfer_snapshot(job, job.fortnox.projects, to_project(job.event.project), project_identity)
