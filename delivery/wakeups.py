"""The Celery messages that the system sends itself. Each may be lost, late or doubled without harm."""

import json
from pathlib import Path
from typing import Final

from config.celery import POLLS_QUEUE, TRANSFERS_QUEUE
from tasks.flows import EXPENSES, POLL, TRANSFERS, UNREADABLE

WAKEUP: Final = "wakeup-"  # how the delivery tag of each begins


def wakeup_sender(prefix: str = "mf:") -> str:
    """How the ordering engine sends wake-ups: the source of a Lua function (see `Ordering`)."""
    tasks = {kind: (task, TRANSFERS_QUEUE) for kind, task in (*TRANSFERS.items(), ("otherwise", UNREADABLE))}
    tasks[EXPENSES] = (POLL, POLLS_QUEUE)
    source = (Path(__file__).parent / "wakeup.lua").read_text()
    return source.replace("@tasks@", json.dumps(tasks)).replace("@prefix@", prefix).replace("@tag@", WAKEUP)


def is_wakeup(delivery_tag: str) -> bool:
    """Whether the ordering engine sent the message: it knows which are not answered yet, and repeats them."""
    return delivery_tag.startswith(WAKEUP)
