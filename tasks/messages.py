"""The Celery messages that the system sends itself. Each may be lost, late or doubled without harm."""

from collections.abc import Iterable

import structlog
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from tasks.names import REPORT, task_for
from worker.ordering import Wakeup

log = structlog.get_logger(__name__)


def send_wakeups(app: Celery, wakeups: Iterable[Wakeup]) -> None:
    """Tells workers that these events may start. What is not sent, any worker's pump sends within seconds."""
    for wakeup in wakeups:
        try:
            app.send_task(
                task_for(wakeup.type),
                args=(wakeup.company, wakeup.id),
                argsrepr=f"({wakeup.key.replace('/', ' ')})",
            )
        except (OperationalError, RedisError) as error:
            log.warning("wakeup.not_sent", company=wakeup.company, key=wakeup.key, error=type(error).__name__)


def ask_for_report(app: Celery) -> None:
    """Has the failures told that nobody was told of. Beat asks too, so a lost message only costs seconds."""
    try:
        app.send_task(REPORT)
    except (OperationalError, RedisError) as error:
        log.warning("report.not_asked", error=type(error).__name__)
