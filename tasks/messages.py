"""The Celery messages that the system sends itself. Each may be lost, late or doubled without harm."""

import json
from pathlib import Path

import structlog
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from config.celery import POLLS_QUEUE, TRANSFERS_QUEUE
from tasks.names import EXPENSES, POLL, REPORT, TRANSFERS, UNREADABLE

log = structlog.get_logger(__name__)


def wakeup_sender(prefix: str = "mf:") -> str:
    """How the ordering engine sends wake-ups: the source of a Lua function (see `Ordering`)."""
    tasks = {kind: (task, TRANSFERS_QUEUE) for kind, task in (*TRANSFERS.items(), ("otherwise", UNREADABLE))}
    tasks[EXPENSES] = (POLL, POLLS_QUEUE)
    source = (Path(__file__).parent / "wakeup.lua").read_text()
    return source.replace("@tasks@", json.dumps(tasks)).replace("@prefix@", prefix)


def ask_for_report(app: Celery) -> None:
    """Has the failures told that nobody was told of. Beat asks too, so a lost message only costs seconds."""
    try:
        app.send_task(REPORT)
    except (OperationalError, RedisError) as error:
        log.warning("report.not_asked", error=type(error).__name__)
