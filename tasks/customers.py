"""Customers: Moment's customer as it is now, in Fortnox."""

from typing import Any

from celery import shared_task

from fortnox import create_or_update
from mappers import to_customer
from tasks.names import TRANSFERS
from tasks.transfer import Job, TransferTask
from worker.ordering import Done, Outcome


@shared_task(name=TRANSFERS["customer"], base=TransferTask, bind=True)
def transfer(task: TransferTask, company: str, event_id: str) -> Any:
    return task.deliver(company, event_id, transfer_customer)


def transfer_customer(job: Job) -> Outcome:
    """Creates or updates the customer: one request when something changed, none when not."""
    if off := job.switched_off("customers"):
        return off
    mapped = to_customer(job.event.customer)
    create_or_update(job.fortnox.customers, job.links, mapped.payload)
    return Done(notice=mapped.notice)
