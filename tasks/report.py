"""The Celery task `mail.report`: one round of mails. Each failure asks for one, and beat does every 10 s."""

from datetime import UTC, datetime
from typing import Any

from celery import Task, shared_task
from redis.exceptions import LockError

from delivery.services import Services
from mails.dispatcher import ROUND, Dispatcher
from mails.smtp import TIMEOUT_OF_DATA, SmtpSender
from stores.locks import Locks
from tasks.base import services_of
from tasks.flows import REPORT

# Seconds. A round starts no mail after `ROUND`, and a slow server may need `TIMEOUT_OF_DATA` for the last one; then the
# task is ended. The lock outlives the task: the message of a dead worker comes back earlier, and finds it taken.
SOFT_LIMIT = round(ROUND + TIMEOUT_OF_DATA) + 20
HARD_LIMIT = SOFT_LIMIT + 10
ONE_AT_A_TIME = HARD_LIMIT + 10


@shared_task(name=REPORT.name, bind=True, soft_time_limit=SOFT_LIMIT, time_limit=HARD_LIMIT)
def report(task: Task[Any, Any]) -> int:
    """Mail what is due. Return how many mails were sent."""
    return tell(services_of(task.app))


def tell(services: Services, now: datetime | None = None) -> int:
    """One round, unless another worker runs one. `now` replaces the clock in simulations."""
    lock = Locks(services.redis).mail_round(ONE_AT_A_TIME)
    try:
        with lock, SmtpSender(services.settings.smtp_url) as smtp:
            return Dispatcher(services, smtp, lambda: now or datetime.now(UTC), lock.reacquire).round()
    except LockError:
        return 0
