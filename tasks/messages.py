"""The Celery messages that the system sends itself. Each may be lost, late or doubled without harm."""

import base64
import json
from collections.abc import Iterable
from uuid import uuid4

import structlog
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from config.celery import TRANSFERS_QUEUE
from tasks.house import house_of
from tasks.names import REPORT, task_for
from worker.ordering import Wakeup

log = structlog.get_logger(__name__)

NO_OPTIONS = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


def send_wakeups(app: Celery, wakeups: Iterable[Wakeup]) -> None:
    """Tells workers that these events may start. What is not sent, any worker's pump sends within seconds.

    Every transfer sends one, so they go straight into the queue, all at once: Celery's `send_task` takes four times
    as long for each (docs/performance.md).
    """
    wakeups = tuple(wakeups)
    if not wakeups:
        return
    try:
        house_of(app).redis.lpush(TRANSFERS_QUEUE, *map(wakeup_message, wakeups))
    except RedisError as error:
        for wakeup in wakeups:
            log.warning("wakeup.not_sent", company=wakeup.company, key=wakeup.key, error=type(error).__name__)


def wakeup_message(wakeup: Wakeup) -> str:
    """The message as Celery and kombu's Redis transport write it.

    https://docs.celeryq.dev/en/stable/internals/protocol.html (version 2), and for the envelope
    `kombu.transport.virtual.base.Channel.prepare_message`.
    """
    task_id = str(uuid4())
    body = json.dumps([[wakeup.company, wakeup.id], {}, NO_OPTIONS])
    shown = f"({wakeup.key.replace('/', ' ')})"  # in Flower: the key says more than the id
    return json.dumps(
        {
            "body": base64.b64encode(body.encode()).decode(),
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": {
                "lang": "py",
                "task": task_for(wakeup.type),
                "id": task_id,
                "root_id": task_id,
                "parent_id": None,
                "group": None,
                "eta": None,
                "expires": None,
                "retries": 0,
                "timelimit": [None, None],
                "argsrepr": shown,
                "kwargsrepr": "{}",
            },
            "properties": {
                "correlation_id": task_id,
                "delivery_mode": 2,
                "delivery_info": {"exchange": "", "routing_key": TRANSFERS_QUEUE},
                "priority": 0,
                "body_encoding": "base64",
                "delivery_tag": str(uuid4()),
            },
        }
    )


def ask_for_report(app: Celery) -> None:
    """Has the failures told that nobody was told of. Beat asks too, so a lost message only costs seconds."""
    try:
        app.send_task(REPORT)
    except (OperationalError, RedisError) as error:
        log.warning("report.not_asked", error=type(error).__name__)
