"""The two tasks with which beat has companies polled and reconciled. They queue what is due and do none of it."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from celery import Task, shared_task

from delivery.feed.status import feed_status
from delivery.polling import LEAST_AT_A_TIME, ask_due, at_a_time, poll_asked, reconciliation_asked
from delivery.services import Services
from delivery.watching import LOCKED, look, looks_asked
from stores.timetable import NIGHT_LASTS
from tasks.base import services_of
from tasks.flows import NIGHT_TICK, PAYMENTS, POLLED, SCHEDULE_NIGHT, SCHEDULE_POLLS, Flow, poll_tick

HOUR: Final = timedelta(hours=1)


@shared_task(name=SCHEDULE_POLLS.name, bind=True)
def polls(task: Task[Any, Any]) -> int:
    """Queue the polls that are due. Return how many were."""
    services = services_of(task.app)
    due = sum(_polls_of(services, flow) for flow in POLLED)
    # What a locked period waits for: opening it makes no event.
    return due + ask_due(services.polling.locks, LEAST_AT_A_TIME, lambda company: _look_at_lock(services, company))


def _polls_of(services: Services, flow: Flow) -> int:
    interval, timetable = services.settings.expense_poll_interval, services.polling.flows[flow.kind]
    most = at_a_time(len(timetable), interval, poll_tick(interval))
    connected = feed_status(services).connected
    return ask_due(
        timetable,
        most,
        lambda company: (
            not (connected and _spaced(services, company, flow)) and poll_asked(services.ordering, company, flow)
        ),
    )


def _spaced(services: Services, company: str, flow: Flow) -> bool:
    """Whether the company, which has the feed, chose hourly polls and the last was within the hour."""
    if services.stores.company_settings.get(company).polls_with_feed != "hourly":
        return False
    stores = services.stores
    payments = stores.payments(company, stores.connections.ledger(company)) if flow is PAYMENTS else None
    cursor = (payments or stores.expenses(company)).cursor
    return cursor is not None and datetime.now(UTC) - cursor < HOUR


def _look_at_lock(services: Services, company: str) -> bool:
    look(services, company, LOCKED)
    looks_asked(services.ordering, company)
    return True


@shared_task(name=SCHEDULE_NIGHT.name, bind=True)
def reconciliations(task: Task[Any, Any]) -> int:
    """Queue the nightly reconciliations that are due. Return how many were."""
    services = services_of(task.app)
    timetable, days = services.polling.nights, services.settings.expense_reconciliation_days
    most = at_a_time(len(timetable), NIGHT_LASTS, NIGHT_TICK)
    return ask_due(
        timetable, most, lambda company: reconciliation_asked(services.stores, services.ordering, company, days)
    )
