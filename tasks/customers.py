"""Customers: Moment's customer as it is now, in Fortnox."""

from typing import Any

from celery import shared_task

from mappers import to_customer
from tasks.existing import customer_identity, transfer_snapshot
from tasks.names import TRANSFERS
from tasks.transfer import Job, TransferTask
from worker.ordering import Outcome


@shared_task(name=TRANSFERS["customer"], base=TransferTask, bind=True)
def transfer(task: TransferTask, company: str, event_id: str) -> Any:
    return task.deliver(company, event_id, transfer_customer)


def transfer_customer(job: Job) -> Outcome:
    """Creates or updates the customer: one request when something changed, none when not."""
    if off := job.switched_off("customers"):
        return off
    customer = job.event.customer
    job.house.names.remember(job.claim.company, customer.customer_number, customer.name)
    return transfer_snapshot(job, job.fortnox.customers, to_customer(customer), customer_identity)
