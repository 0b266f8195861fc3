"""Customers: each change in Moment is written to Fortnox."""

from typing import Any

from celery import shared_task

from delivery.context import TransferContext
from delivery.snapshots import customer_identity, transfer_snapshot
from mappers import to_customer
from ordering import Outcome
from tasks.base import TransferTask
from tasks.flows import CUSTOMER


@shared_task(name=CUSTOMER.task.name, base=TransferTask, bind=True)
def transfer(task: TransferTask, company: str, event_id: str) -> Any:
    return task.deliver(company, event_id, transfer_customer)


def transfer_customer(context: TransferContext) -> Outcome:
    """Create or update the customer: one request if something changed, else none."""
    if off := context.switched_off():
        return off
    customer = context.event.customer
    context.services.stores.names.remember(context.claim.company, customer.customer_number, customer.name)
    return transfer_snapshot(context, context.fortnox.customers, to_customer(customer), customer_identity)
