"""Keeps idle companies connected: a refresh token that is not used expires after 45 days.

Companies are sorted by when their refresh token was last exchanged, so a tick reads only those that are due. It
exchanges a few a minute: ten thousand companies that connected on one day take a day.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from celery import Task, shared_task
from redis.exceptions import RedisError

from delivery.bugs import report_error
from delivery.pauses import end_stale, pause
from delivery.services import Services
from fortnox import errors as e
from stores import NeverConnected
from tasks.base import services_of
from tasks.flows import KEEP_ALIVE

log = structlog.get_logger(__name__)

UNUSED = timedelta(days=30)  # leaves two weeks for outages, of Fortnox or of ours
MOST = 10  # in one tick; each takes about 0.7 s
AGAIN = timedelta(hours=1)  # after a temporary error


@shared_task(name=KEEP_ALIVE.name, bind=True)
def keep_alive(task: Task[Any, Any]) -> int:
    """Exchange refresh tokens that have not been used for long. Return how many."""
    services = services_of(task.app)
    end_stale(services)
    return exchange_unused(services, datetime.now(UTC))


def exchange_unused(services: Services, now: datetime) -> int:
    """Exchange up to `MOST` of them, the longest unused first. One company's error does not stop the others."""
    exchanged = 0
    for company in services.stores.connections.unused_since(now - UNUSED, MOST):
        try:
            services.fortnox.tokens.keep_alive(company)
        except e.GrantDead as dead:
            pause(services, company, dead)
        except NeverConnected:
            log.info("connection.gone", company=company)  # disconnected meanwhile
        except RedisError:
            raise
        except Exception as error:  # noqa: BLE001 - a token that no key opens, or a bug: for the operator
            if not isinstance(error, e.FortnoxError):
                _tell_operator(company, error)
            log.warning("connection.not_kept_alive", company=company, error=type(error).__name__)
            services.stores.connections.look_again(company, now - UNUSED + AGAIN)
        else:
            exchanged += 1
    return exchanged


def _tell_operator(company: str, error: Exception) -> None:
    log.error("connection.needs_operator", company=company, error=type(error).__name__)
    report_error(error, company=company)
