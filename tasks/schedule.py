"""Who is polled when. Beat sends the two tasks here; each asks for what is due and does none of it.

A poll is an event of the engine's under an id that comes again: while one of a company is open, another is not queued,
however long there was no worker or no beat.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any, Final

import structlog
from celery import Task, shared_task

from delivery.services import Services
from ordering import Submission
from stores import Connection, Timetable
from stores.timetable import NIGHT_LASTS
from tasks.base import services_of
from tasks.flows import EXPENSES, SCHEDULE_NIGHT, SCHEDULE_POLLS

log = structlog.get_logger(__name__)

POLL_TYPE: Final = f"{EXPENSES}.poll"
POLL_ID: Final = "expenses-poll"
DOWN: Final = "down"  # the code of a poll that failed as one of the two systems did not serve for a day
LONGEST_TICK = timedelta(seconds=5)
NIGHT_TICK = timedelta(minutes=1)  # how often beat looks for reconciliations that are due
LEAST_AT_A_TIME = 10


@shared_task(name=SCHEDULE_POLLS, bind=True)
def polls(task: Task[Any, Any]) -> int:
    """Asks for the polls that are due. Returns how many were."""
    services = services_of(task.app)
    interval = services.settings.expense_poll_interval
    most = at_a_time(len(services.polling.polls), interval, poll_tick(interval))
    return _ask(services, services.polling.polls, most, lambda company: poll_asked(services, company))


@shared_task(name=SCHEDULE_NIGHT, bind=True)
def reconciliations(task: Task[Any, Any]) -> int:
    """Asks for the nightly reconciliations that are due. Returns how many were."""
    services = services_of(task.app)
    most = at_a_time(len(services.polling.nights), NIGHT_LASTS, NIGHT_TICK)
    return _ask(services, services.polling.nights, most, lambda company: reconciliation_asked(services, company))


def poll_tick(interval: timedelta) -> timedelta:
    """How often beat looks for polls that are due."""
    return min(LONGEST_TICK, interval / 4)


def at_a_time(companies: int, interval: timedelta, tick: timedelta) -> int:
    """How many one look asks for at most: twice the usual pace, so that a downtime ends in no storm."""
    return max(LEAST_AT_A_TIME, ceil(2 * companies * (tick / interval)))


def follow(services: Services, connection: Connection) -> None:
    """Takes the company into the timetables, or out of them, as it chose; one that starts is polled at once."""
    now, company = datetime.now(UTC), connection.company
    if connection.state == "connected" and connection.integration.expenses.enabled:
        services.polling.polls.add(company, now)
        services.polling.nights.add(company, now)
        poll_asked(services, company, anew=True)
    else:
        services.polling.polls.remove(company)
        services.polling.nights.remove(company)


def poll_asked(services: Services, company: str, *, anew: bool = False) -> bool:
    """Has the company polled; False where a poll of it is open already, or failed for good.

    One that failed as a system was down is tried again, for that may be over; with `anew`, any that failed.
    """
    known = services.ordering.publish(
        Submission(
            company=company,
            id=POLL_ID,
            key=expenses_key(company),
            type=POLL_TYPE,
            body=json.dumps({"company": company}),
            occurred_at=datetime.now(UTC),
            recurring=True,
        )
    ).known
    record = services.ordering.event(company, POLL_ID) if known else None
    if record is not None and record.status == "failed" and (anew or record.code == DOWN):
        services.ordering.retry(company, POLL_ID)
        return True
    return not known


def reconciliation_asked(services: Services, company: str) -> bool:
    """Has all looked at again that changed lately. A poll that failed for good is tried once more by that."""
    services.stores.expenses(company).ask_import(services.settings.expense_reconciliation_days)
    return poll_asked(services, company, anew=True)


def expenses_key(company: str) -> str:
    """The ordering key of all that is done about a company's expenses: one thing at a time."""
    return f"{company}/{EXPENSES}"


def _ask(services: Services, timetable: Timetable, most: int, ask: Callable[[str], bool]) -> int:
    now = datetime.now(UTC)
    companies = timetable.due(now, most)
    asked = sum(map(ask, companies))
    timetable.done(companies, now)  # last: who dies before leaves them due, and asking twice does no harm
    if companies:
        log.info("schedule.asked", due=len(companies), asked=asked)
    return len(companies)
