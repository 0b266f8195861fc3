"""What flows between Moment and Fortnox, and the other Celery tasks: one record each. Pure data, without Celery.

Queues, routes, imports, beat's schedule, Fortnox's scopes and the engine's wake-ups all follow from these records. The
names of tasks are public: producers, operators and Flower rely on them.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Final, NamedTuple

from config.queues import EVENTS_QUEUE, MAIL_QUEUE, POLLS_QUEUE, TRANSFERS_QUEUE


class Schedule(NamedTuple):
    """Beat sends the task under this `name`. A message older than `expires` is dropped: the next one is on its way."""

    name: str
    every: Callable[[timedelta], timedelta]  # from the poll interval, a setting
    expires: timedelta


class TaskRecord(NamedTuple):
    """A Celery task: its public name, the module that defines it, and its queue.

    What beat sends, and polls, would fill Flower's first page and hide the transfers: they are not `monitored`.
    """

    name: str
    module: str
    queue: str = TRANSFERS_QUEUE
    schedule: Schedule | None = None

    @property
    def monitored(self) -> bool:
        return self.schedule is None and self.queue != POLLS_QUEUE


class Scope(NamedTuple):
    """A permission that the company grants in Fortnox. Without an `essential` one nothing of its flow goes through.

    With a `choice`, only companies that made it are asked.
    """

    name: str
    use: str
    essential: bool = False
    choice: str = ""


class Flow(NamedTuple):
    """One kind of thing that is transferred.

    `kind` begins its events' types (`invoice.finalized`) and follows the company in their ordering keys
    (`acme/invoice/1001`); `noun.<kind>` is its word in messages. `choice` names the company's choice to transfer it,
    "" where there is none. `numbered`: a thing of this kind has a number of Moment's. `polled`: Fortnox is asked for
    changes in each interval, for companies that chose so (`integration.<choice>.enabled`).
    """

    kind: str
    task: TaskRecord
    choice: str = ""
    numbered: bool = False
    polled: bool = False
    scopes: tuple[Scope, ...] = ()


def poll_tick(interval: timedelta) -> timedelta:
    """How often beat looks for polls that are due."""
    return min(timedelta(seconds=5), interval / 4)


def _schedule(name: str, seconds: int) -> Schedule:
    every = timedelta(seconds=seconds)
    return Schedule(name, lambda _: every, every)


NIGHT_TICK: Final = timedelta(minutes=1)  # how often beat looks for reconciliations that are due

CUSTOMER: Final = Flow(
    "customer",
    TaskRecord("transfer.customer", "tasks.customers"),
    choice="customers",
    numbered=True,
    scopes=(Scope("customer", "write customers", essential=True),),
)
PROJECT: Final = Flow(
    "project",
    TaskRecord("transfer.project", "tasks.projects"),
    choice="projects",
    numbered=True,
    scopes=(Scope("project", "write projects", essential=True),),
)
INVOICE: Final = Flow(
    "invoice",
    TaskRecord("transfer.invoice", "tasks.invoices"),
    choice="invoices",
    numbered=True,
    scopes=(
        Scope("invoice", "write and post invoices", essential=True),
        Scope("inbox", "upload an invoice's files"),
        Scope("connectfile", "attach them to the invoice"),
    ),
)
EXPENSES: Final = Flow(  # its events are made here, not by Moment
    "expenses",
    TaskRecord("polls.expenses", "tasks.expenses", POLLS_QUEUE),
    choice="expenses",
    polled=True,
    scopes=(Scope("supplierinvoice", "read approved supplier invoices", essential=True),),
)
PAYMENTS: Final = Flow(  # the same
    "payments",
    TaskRecord("polls.payments", "tasks.payments", POLLS_QUEUE),
    choice="payments",
    polled=True,
    scopes=(Scope("payment", "read payments of invoices", essential=True, choice="payments"),),
)
HINTS: Final = Flow(  # its events are made here: what is looked at because something changed in Fortnox
    "hints",
    TaskRecord("feed.look", "tasks.hints", POLLS_QUEUE),
    scopes=(Scope("settings", "read until when the books are locked", choice="invoices"),),
)
INTEGRATION: Final = Flow(
    "integration",
    TaskRecord("transfer.integration", "tasks.integrations"),
    scopes=(  # the checks of a connection read with these, and so do invoices
        Scope("bookkeeping", "read accounts and financial years"),
        Scope("currency", "read exchange rates"),
        Scope("companyinformation", "read the company's name and tenant id"),
    ),
)
FLOWS: Final = (CUSTOMER, PROJECT, INVOICE, EXPENSES, PAYMENTS, HINTS, INTEGRATION)

RECEIVE: Final = TaskRecord("events.receive", "tasks.receive", EVENTS_QUEUE)
UNREADABLE: Final = TaskRecord("transfer.unreadable", "tasks.unreadable")
# Each failure asks for a round of mails; this one covers a lost message and an SMTP server that was down.
REPORT_SCHEDULE: Final = _schedule("report", 10)
REPORT: Final = TaskRecord("mail.report", "tasks.report", MAIL_QUEUE, REPORT_SCHEDULE)
KEEP_ALIVE: Final = TaskRecord("connections.keep_alive", "tasks.keep_alive", POLLS_QUEUE, _schedule("keep-alive", 60))
# A licence that was bought, or a permission that was given, makes no event.
PROBE: Final = TaskRecord("access.probe", "tasks.probing", schedule=_schedule("probe", 600))
# Shows that beat and a worker of the transfers are alive, also where there is nothing to do.
TICK: Final = TaskRecord("watch.tick", "worker.heartbeat", schedule=_schedule("tick", 60))
# These two say what is due. They are quick, and must not wait behind what they ask for.
SCHEDULE_POLLS: Final = TaskRecord(
    "schedule.polls", "tasks.schedule", EVENTS_QUEUE, Schedule("polls", poll_tick, timedelta(seconds=30))
)
SCHEDULE_NIGHT: Final = TaskRecord(
    "schedule.reconciliations",
    "tasks.schedule",
    EVENTS_QUEUE,
    Schedule("reconciliations", lambda _: NIGHT_TICK, timedelta(seconds=60)),
)

TASKS: Final = (
    *(flow.task for flow in FLOWS),
    *(RECEIVE, UNREADABLE, REPORT, KEEP_ALIVE, PROBE, TICK, SCHEDULE_POLLS, SCHEDULE_NIGHT),
)
SCOPES: Final = {scope.name: scope.use for flow in FLOWS for scope in flow.scopes}
POLLED: Final = tuple(flow for flow in FLOWS if flow.polled)
NUMBERED: Final = tuple(flow.kind for flow in FLOWS if flow.numbered)


def numbered(type_: str) -> bool:
    """Whether an event of this type is about a thing with a number of Moment's."""
    flow = flow_of(type_)
    return flow is not None and flow.numbered


def flow_of(type_: str) -> Flow | None:
    """The flow of an event's type, such as `invoice.finalized`."""
    kind = type_.partition(".")[0]
    return next((flow for flow in FLOWS if flow.kind == kind), None)
