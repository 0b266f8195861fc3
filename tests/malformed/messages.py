"""Malformed Celery messages for the queue `events`, as a stranger may put them into the broker's list. Pure."""

import base64
import json
from random import Random
from typing import Any

from tests.malformed.events import malformed_event
from tests.malformed.oddities import SPOILS, as_json, odd, spoilt
from tests.unit.factories import customer_json

QUEUE = "events"
# Attributes and methods of Celery's request, in whose place Celery puts headers of these names.
ATTRIBUTES = (
    "chain",
    "chord",
    "callbacks",
    "errbacks",
    "get",
    "update",
    "headers",
    "delivery_info",
    "args",
    "hostname",
)


def malformed_message(chance: Random, marker: str, company: str) -> tuple[str, bytes]:
    """What is wrong with it, and the bytes for the list. They hold the marker, plain or in base64."""
    kind = chance.choice(("event", "body", "headers", "envelope", "envelope", "bytes"))
    name, event = "", json.dumps(customer_json(event_id=marker, company=company)).encode()
    if kind == "event":
        name, event = malformed_event(chance, marker, company)
    body = b"[[" + event + b'],{},{"callbacks":null,"errbacks":null,"chain":null,"chord":null}]'
    headers: Any = {"lang": "py", "task": "events.receive", "id": marker, "root_id": marker, "shadow": marker}
    names = [kind, name]
    if kind == "body":
        changed: Any = None
        while marker not in str(changed):
            name, changed = spoilt(chance, [[{"id": marker, "marker": marker}], {}, {"callbacks": None, "chain": None}])
        names.append(name)
        body = as_json(chance, changed)
    elif kind == "headers":
        name, headers = spoilt(
            chance, headers | {"eta": None, "expires": None, "retries": 0, "timelimit": [None, None], "group": None}
        )
        names.append(name)
        if chance.random() < 0.3:
            attribute = chance.choice(ATTRIBUTES)
            headers[attribute] = odd(chance)
            names.append(f"{attribute} in the headers")
        headers["marker"] = marker
    envelope: Any = {
        "marker": marker,
        "body": base64.b64encode(body).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": headers,
        "properties": {
            "delivery_tag": marker,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": QUEUE},
            "priority": 0,
            "body_encoding": "base64",
        },
    }
    if kind == "envelope":
        name, envelope = spoilt(chance, envelope)
        names.append(name)
        envelope["marker"] = marker
    raw = as_json(chance, envelope)
    if kind == "bytes":
        spoil = chance.choice(list(SPOILS))
        names.append(spoil)
        raw = SPOILS[spoil](chance, raw)
    return "; ".join(names), raw


def good_message(event: Any, tag: str) -> bytes:
    """An ordinary message."""
    body = base64.b64encode(json.dumps([[event], {}, {}]).encode()).decode()
    return json.dumps(
        {
            "body": body,
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": {"lang": "py", "task": "events.receive", "id": tag, "root_id": tag, "retries": 0},
            "properties": {
                "delivery_tag": tag,
                "delivery_info": {"exchange": "", "routing_key": QUEUE},
                "priority": 0,
                "body_encoding": "base64",
            },
        }
    ).encode()
