"""The names of the tasks, which producers, operators and Flower rely on (queues: `config.celery`)."""

from typing import Final

RECEIVE: Final = "events.receive"
REPORT: Final = "mail.report"
PROBE: Final = "access.probe"
KEEP_ALIVE: Final = "connections.keep_alive"
TICK: Final = "watch.tick"

POLL: Final = "polls.expenses"
SCHEDULE_POLLS: Final = "schedule.polls"
SCHEDULE_NIGHT: Final = "schedule.reconciliations"

TRANSFERS: Final = {
    "customer": "transfer.customer",
    "project": "transfer.project",
    "invoice": "transfer.invoice",
    "integration": "transfer.integration",
}
EXPENSES: Final = "expenses"  # events of the kind `expenses.…` are made here, not by Moment
UNREADABLE: Final = "transfer.unreadable"
