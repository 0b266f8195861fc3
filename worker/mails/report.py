"""The Celery task `mail.report`: one round of telling. Asked for with each failure, and by beat every 10 s."""

from datetime import UTC, datetime
from typing import Any

from celery import Task, shared_task
from redis.exceptions import LockError

from tasks.house import House, house_of
from tasks.names import REPORT
from worker.mails.desk import ROUND, Desk
from worker.mails.smtp import TIMEOUT_OF_DATA, Courier

# Seconds. A round begins no mail after `ROUND`, and a slow server may take its time for the last one; after that it is
# ended. Without a sign of life for as long, another worker tells; its message, which comes back before, finds the lock.
SOFT_LIMIT = round(ROUND + TIMEOUT_OF_DATA) + 20
HARD_LIMIT = SOFT_LIMIT + 10
ONE_AT_A_TIME = HARD_LIMIT + 10


@shared_task(name=REPORT, bind=True, soft_time_limit=SOFT_LIMIT, time_limit=HARD_LIMIT)
def report(task: Task[Any, Any]) -> int:
    """Mails what is due. Returns how many mails were sent."""
    return tell(house_of(task.app))


def tell(house: House, now: datetime | None = None) -> int:
    """One round, unless another worker is at it. `now` is the time to go by, for simulations."""
    lock = house.redis.lock("mf:reporting", timeout=ONE_AT_A_TIME, blocking=False)
    try:
        with lock, Courier(house.settings.smtp_url) as courier:
            return Desk(house, courier, lambda: now or datetime.now(UTC), lock.reacquire).round()
    except LockError:
        return 0
