"""The Celery messages that the system sends itself. Each may be lost, late or doubled without harm."""

import json
from pathlib import Path
from typing import Final

import structlog
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from config.celery import POLLS_QUEUE, TRANSFERS_QUEUE
from delivery.services import services_of
from tasks.flows import EXPENSES, POLL, REPORT, TRANSFERS, UNREADABLE

log = structlog.get_logger(__name__)

WAKEUP: Final = "wakeup-"  # how the delivery tag of each begins
ASKED_MS = 1000  # what fails after the round that was asked for, beat tells of within 10 s


def wakeup_sender(prefix: str = "mf:") -> str:
    """How the ordering engine sends wake-ups: the source of a Lua function (see `Ordering`)."""
    tasks = {kind: (task, TRANSFERS_QUEUE) for kind, task in (*TRANSFERS.items(), ("otherwise", UNREADABLE))}
    tasks[EXPENSES] = (POLL, POLLS_QUEUE)
    source = (Path(__file__).parent / "wakeup.lua").read_text()
    return source.replace("@tasks@", json.dumps(tasks)).replace("@prefix@", prefix).replace("@tag@", WAKEUP)


def is_wakeup(delivery_tag: str) -> bool:
    """Whether the ordering engine sent the message: it knows which are not answered yet, and repeats them."""
    return delivery_tag.startswith(WAKEUP)


def ask_for_report(app: Celery) -> None:
    """Has the failures told that nobody was told of. Beat asks too, so a lost message only costs seconds.

    Ten thousand that fail together ask once a second, not each: a round tells of all.
    """
    try:
        if services_of(app).redis.set("mf:mail:asked", 1, nx=True, px=ASKED_MS):
            app.send_task(REPORT)
    except (OperationalError, RedisError) as error:
        log.warning("report.not_asked", error=type(error).__name__)
