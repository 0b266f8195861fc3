"""Which company's supplier invoices are polled, and when.

A poll is an event of the engine with an id that recurs: while a company has an open poll, no second one is queued,
however long there was no worker or no beat.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Final

import structlog
from redis.exceptions import RedisError

from config.redis import is_outage
from delivery.services import Polling, Stores
from ordering import Ordering, Submission
from stores import Connection, Timetable
from tasks.flows import EXPENSES, POLLED, Flow

log = structlog.get_logger(__name__)

POLL_ID: Final = f"{EXPENSES.kind}-poll"
DOWN: Final = "down"  # the code of a poll that failed because Fortnox or Moment was down for a day
LEAST_AT_A_TIME = 10


def at_a_time(companies: int, interval: timedelta, tick: timedelta) -> int:
    """How many companies one tick asks for at most: twice the usual pace, so that a downtime ends in no storm."""
    return max(LEAST_AT_A_TIME, ceil(2 * companies * (tick / interval)))


def follow(polling: Polling, ordering: Ordering, connection: Connection) -> None:
    """Add the company to the timetables or remove it, as it chose. A company that is added is polled at once."""
    now, company = datetime.now(UTC), connection.company
    for flow in POLLED:
        timetables = (polling.flows[flow.kind], *((polling.nights,) if flow is EXPENSES else ()))
        if connection.state == "connected" and getattr(connection.integration, flow.choice).enabled:
            for timetable in timetables:
                timetable.add(company, now)
            poll_asked(ordering, company, flow, anew=True)
        else:
            for timetable in timetables:
                timetable.remove(company)


def poll_asked(ordering: Ordering, company: str, flow: Flow = EXPENSES, *, anew: bool = False) -> bool:
    """Queue a poll of the company. Return False where one is open already, or failed for good.

    A poll that failed because a system was down is tried again; with `anew`, so is any that failed.
    """
    poll_id = f"{flow.kind}-poll"
    known = ordering.publish(_recurring(company, flow, poll_id, f"{flow.kind}.poll")).known
    record = ordering.event(company, poll_id) if known else None
    if record is not None and record.status == "failed" and (anew or record.code == DOWN):
        ordering.retry(company, poll_id)
        return True
    return not known


def hints_asked(ordering: Ordering, company: str, flow: Flow) -> None:
    """Queue a look at what the feed told of, unless one is open."""
    ordering.publish(_recurring(company, flow, f"{flow.kind}-hints", f"{flow.kind}.hints", hinted=True))


def _recurring(company: str, flow: Flow, event_id: str, type_: str, **more: bool) -> Submission:
    return Submission(
        company=company,
        id=event_id,
        key=polls_key(company, flow),
        type=type_,
        body=json.dumps({"company": company, **more}),
        occurred_at=datetime.now(UTC),
        recurring=True,
    )


def reconciliation_asked(stores: Stores, ordering: Ordering, company: str, days: int) -> bool:
    """Queue a poll that looks again at all that changed in the last `days`. A poll that failed for good is retried."""
    stores.expenses(company).ask_import(days)
    return poll_asked(ordering, company, anew=True)


def polls_key(company: str, flow: Flow) -> str:
    """The ordering key of the company's polls, looks and retries of one flow: they run one at a time."""
    return f"{company}/{flow.kind}"


def expenses_key(company: str) -> str:
    return polls_key(company, EXPENSES)


def ask_due(timetable: Timetable, most: int, ask: Callable[[str], bool]) -> int:
    """Call `ask` for up to `most` companies that are due. Return how many were."""
    now = datetime.now(UTC)
    companies = timetable.due(now, most)
    asked = sum(_asked(company, ask) for company in companies)
    timetable.done(companies, now)  # last: after a crash they are still due, and asking twice does no harm
    if companies:
        log.info("schedule.asked", due=len(companies), asked=asked)
    return len(companies)


def _asked(company: str, ask: Callable[[str], bool]) -> bool:
    try:
        return ask(company)
    except Exception as error:
        if isinstance(error, RedisError) and is_outage(error):
            raise
        log.error("schedule.not_asked", company=company, error=type(error).__name__, exc_info=error)
        return False
