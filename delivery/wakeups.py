"""The Celery messages that the system sends itself. Each may be lost, late or doubled without harm."""

import json
from pathlib import Path
from typing import Final

from ordering.queries import PREFIX
from tasks.flows import FLOWS, UNREADABLE

WAKEUP: Final = "wakeup-"  # how the delivery tag of each begins


def wakeup_sender(prefix: str = PREFIX) -> str:
    """How the ordering engine sends wake-ups: the source of a Lua function (see `Ordering`)."""
    tasks = {flow.kind: (flow.task.name, flow.task.queue) for flow in FLOWS}
    tasks["otherwise"] = (UNREADABLE.name, UNREADABLE.queue)
    source = (Path(__file__).parent / "wakeup.lua").read_text()
    return source.replace("@tasks@", json.dumps(tasks)).replace("@prefix@", prefix).replace("@tag@", WAKEUP)


def is_wakeup(delivery_tag: str) -> bool:
    """Whether the ordering engine sent the message: it knows which are not answered yet, and repeats them."""
    return delivery_tag.startswith(WAKEUP)
