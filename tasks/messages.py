"""The Celery messages that the system sends itself. Each may be lost, late or doubled without harm."""

import json
from pathlib import Path

import structlog
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from config.celery import TRANSFERS_QUEUE
from tasks.names import REPORT, TRANSFERS, UNREADABLE

log = structlog.get_logger(__name__)


def wakeup_sender(prefix: str = "mf:") -> str:
    """How the ordering engine sends wake-ups: the source of a Lua function (see `Ordering`)."""
    names = {"tasks": json.dumps(TRANSFERS), "otherwise": UNREADABLE, "queue": TRANSFERS_QUEUE, "prefix": prefix}
    source = (Path(__file__).parent / "wakeup.lua").read_text()
    for name, value in names.items():
        source = source.replace(f"@{name}@", value)
    return source


def ask_for_report(app: Celery) -> None:
    """Has the failures told that nobody was told of. Beat asks too, so a lost message only costs seconds."""
    try:
        app.send_task(REPORT)
    except (OperationalError, RedisError) as error:
        log.warning("report.not_asked", error=type(error).__name__)
