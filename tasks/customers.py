"""Customers: each change in Moment is written to Fortnox."""

from dataclasses import replace

from delivery.context import TransferContext
from delivery.snapshots import customer_identity, transfer_snapshot
from mappers import to_customer
from mappers.vat import vat_fields
from messages import Message
from ordering import Done, Outcome
from tasks.base import transfer_task
from tasks.flows import CUSTOMER
from tasks.vat import CustomersWithVat


@transfer_task(CUSTOMER.task)
def transfer_customer(context: TransferContext) -> Outcome:
    """Create or update the customer: one request if something changed, else none.

    A business in the EU gets its VAT number and type: with an update that is one more request, once.
    """
    if off := context.switched_off():
        return off
    customer = context.event.customer
    context.services.stores.names.remember(context.claim.company, customer.customer_number, customer.name)
    customers = CustomersWithVat(context, vat_fields(customer))
    outcome = transfer_snapshot(context, customers, to_customer(customer), customer_identity)
    if customers.notice and isinstance(outcome, Done):
        return replace(outcome, notice=Message.join(outcome.notice, customers.notice))
    return outcome
