"""The names of the tasks, which producers, operators and Flower rely on (queues: `config.celery`)."""

from typing import Final

RECEIVE: Final = "events.receive"
REPORT: Final = "mail.report"
PROBE: Final = "access.probe"
KEEP_ALIVE: Final = "connections.keep_alive"

TRANSFERS: Final = {
    "customer": "transfer.customer",
    "project": "transfer.project",
    "invoice": "transfer.invoice",
    "integration": "transfer.integration",
}
UNREADABLE: Final = "transfer.unreadable"


def task_for(event_type: str) -> str:
    """The task that transfers events of this type: `customer.updated` → `transfer.customer`."""
    return TRANSFERS.get(event_type.partition(".")[0], UNREADABLE)
