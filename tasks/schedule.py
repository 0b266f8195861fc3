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

from tasks.house import House, house_of
from tasks.names import EXPENSES, SCHEDULE_NIGHT, SCHEDULE_POLLS
from worker.ordering import Submission
from worker.stores import Connection, Timetable
from worker.stores.timetable import NIGHT_LASTS

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
    house = house_of(task.app)
    interval = house.settings.expense_poll_interval
    most = at_a_time(len(house.polls), interval, poll_tick(interval))
    return _ask(house, house.polls, most, lambda company: poll_asked(house, company))


@shared_task(name=SCHEDULE_NIGHT, bind=True)
def reconciliations(task: Task[Any, Any]) -> int:
    """Asks for the nightly reconciliations that are due. Returns how many were."""
    house = house_of(task.app)
    most = at_a_time(len(house.nights), NIGHT_LASTS, NIGHT_TICK)
    return _ask(house, house.nights, most, lambda company: reconciliation_asked(house, company))


def poll_tick(interval: timedelta) -> timedelta:
    """How often beat looks for polls that are due."""
    return min(LONGEST_TICK, interval / 4)


def at_a_time(companies: int, interval: timedelta, tick: timedelta) -> int:
    """How many one look asks for at most: twice the usual pace, so that a downtime ends in no storm."""
    return max(LEAST_AT_A_TIME, ceil(2 * companies * (tick / interval)))


def follow(house: House, connection: Connection) -> None:
    """Takes the company into the timetables, or out of them, as it chose; one that starts is polled at once."""
    now, company = datetime.now(UTC), connection.company
    if connection.state == "connected" and connection.integration.expenses.enabled:
        house.polls.add(company, now)
        house.nights.add(company, now)
        poll_asked(house, company, anew=True)
    else:
        house.polls.remove(company)
        house.nights.remove(company)


def poll_asked(house: House, company: str, *, anew: bool = False) -> bool:
    """Has the company polled; False where a poll of it is open already, or failed for good.

    One that failed as a system was down is tried again, for that may be over; with `anew`, any that failed.
    """
    known = house.ordering.publish(
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
    record = house.ordering.event(company, POLL_ID) if known else None
    if record is not None and record.status == "failed" and (anew or record.code == DOWN):
        house.ordering.retry(company, POLL_ID)
        return True
    return not known


def reconciliation_asked(house: House, company: str) -> bool:
    """Has all looked at again that changed lately. A poll that failed for good is tried once more by that."""
    house.expenses(company).ask_import(house.settings.expense_reconciliation_days)
    return poll_asked(house, company, anew=True)


def expenses_key(company: str) -> str:
    """The ordering key of all that is done about a company's expenses: one thing at a time."""
    return f"{company}/{EXPENSES}"


def _ask(house: House, timetable: Timetable, most: int, ask: Callable[[str], bool]) -> int:
    now = datetime.now(UTC)
    companies = timetable.due(now, most)
    asked = sum(map(ask, companies))
    timetable.done(companies, now)  # last: who dies before leaves them due, and asking twice does no harm
    if companies:
        log.info("schedule.asked", due=len(companies), asked=asked)
    return len(companies)
