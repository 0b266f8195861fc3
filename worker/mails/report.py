"""The Celery task `mail.report`: one round of telling. Asked for with each failure, and by beat every 10 s."""

from datetime import UTC, datetime
from typing import Any

from celery import Task, shared_task
from redis.exceptions import LockError

from tasks.house import House, house_of
from tasks.names import REPORT
from worker.mails.desk import Desk
from worker.mails.smtp import Courier

ONE_AT_A_TIME = 120  # seconds without a sign of life until another worker tells; a task is ended before (config.celery)


@shared_task(name=REPORT, bind=True)
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
