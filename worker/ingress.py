"""Looks at each message of the broker before kombu and Celery unpack it, in the worker's main process. Pure. No I/O.

Anybody who reaches the queues can put anything there, and much of it would end the worker: kombu and Celery unpack a
message where nothing catches the error, and the broker then hands it to the next worker. So a message passes only if
each part that they use is as it should be; any other is kept as a failed event (`worker.consumer`).

https://docs.celeryq.dev/en/stable/internals/protocol.html
"""

import base64
import json
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from celery.app.task import Context
from kombu.transport.virtual import Message as Received

from config.json_limits import DEPTH
from messages import Message
from messages.catalogue import say
from moment.events import InvalidEvent
from moment.limits import check_limits
from tasks.flows import RECEIVE

SET_ASIDE: Final = "set-aside"  # the header of an envelope that stands for one that kombu cannot read
KEPT: Final = 400_000  # bytes of such an envelope that are handed on
AROUND: Final = 100_000  # bytes of a message beside the event
# A worker keeps a message until its time. After the visibility timeout, an hour, the broker would hand it out again.
LONGEST_DELAY: Final = timedelta(hours=1)
ENCODINGS: Final = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


class Task(NamedTuple):
    """What an ordinary message asks for."""

    name: str
    args: list[Any]
    kwargs: dict[str, Any]


class NotOrdinary(Exception):
    """The message does not pass, for this reason."""

    def __init__(self, reason: Message) -> None:
        super().__init__(reason)
        self.reason = reason


# --- The envelope, as it comes out of the queue ---


def readable(raw: bytes, queue: str, most: int) -> bytes:
    """The envelope as kombu can read and restore it; where it is no envelope, one that holds what came as its body.

    `most`: bytes of the largest event.
    """
    try:
        envelope = _envelope(raw, 2 * most + AROUND)
    except InvalidEvent as error:
        return _standing_for(raw, queue, say(Message.join(*(problem.message for problem in error.problems))))
    except (ValueError, RecursionError):
        return _standing_for(raw, queue, "no message of Celery's")
    info = envelope["properties"]["delivery_info"]
    if "headers" in envelope and info["routing_key"] == queue and info["exchange"] in ("", queue):
        return raw
    # Where it is restored, kombu marks it in its headers, and finds its queue by these.
    envelope.setdefault("headers", {})
    info.update(exchange="", routing_key=queue)
    return json.dumps(envelope).encode()


def _envelope(raw: bytes, most: int) -> dict[str, Any]:
    """Raises `InvalidEvent` or `ValueError`."""
    check_limits(raw, most=most)
    envelope: dict[str, Any] = json.loads(raw.decode())  # as it was checked: bytes could be taken for UTF-16
    _require(isinstance(envelope, dict))
    body, headers = envelope.get("body"), envelope.get("headers", {})
    properties: Any = envelope.get("properties")
    _require(isinstance(headers, dict) and isinstance(properties, dict) and isinstance(body, str | None))
    _require(not headers.get("compression"))  # a few bytes that become gigabytes
    _require(all(isinstance(envelope.get(name), str | None) for name in ("content-type", "content-encoding")))
    info, tag = properties.get("delivery_info"), properties.get("delivery_tag")
    _require(isinstance(tag, str) and 0 < len(tag) <= 300)
    _require(isinstance(info, dict) and all(isinstance(info.get(name), str) for name in ("exchange", "routing_key")))
    _require(type(properties.get("priority", 0)) in (int, type(None)))
    _require(all(isinstance(properties.get(name), str | None) for name in ("reply_to", "correlation_id")))
    encoding = properties.get("body_encoding")
    _require(encoding in (None, "base64"))
    if encoding and body:
        base64.b64decode(body)  # `binascii.Error` is a `ValueError`
    return envelope


def _require(holds: bool) -> None:
    if not holds:
        raise ValueError


def _standing_for(raw: bytes, queue: str, why: str) -> bytes:
    tag = str(uuid.uuid4())
    return json.dumps(
        {
            "body": base64.b64encode(raw[:KEPT]).decode(),
            "content-type": "application/octet-stream",
            "content-encoding": "binary",
            "headers": {SET_ASIDE: f"{why} ({len(raw)} bytes)"},
            "properties": {
                "delivery_tag": tag,
                "body_encoding": "base64",
                "delivery_info": {"exchange": "", "routing_key": queue},
            },
        }
    ).encode()


# --- The message, as kombu made it of the envelope ---


def ordinary(message: Received, tasks: Mapping[str, Any], most: int, now: datetime) -> Task:
    """What an ordinary message asks for at `now` (aware). Raises `NotOrdinary` for any other."""
    if why := message.headers.get(SET_ASIDE):
        raise NotOrdinary(Message("ingress.envelope", why=str(why)))
    encoding = str(message.content_encoding or "utf-8").lower()
    if message.errors or message.content_type != "application/json" or encoding not in ENCODINGS:
        raise NotOrdinary(Message("ingress.content-type", type=f"{message.content_type}, {encoding}"))
    fields, args, kwargs, embed = _parts(message, _payload(message, most))
    for name, fits in FIELDS.items():
        if name in fields and not fits(fields[name]):
            raise NotOrdinary(Message("ingress.field", field=name))
    for name in fields:
        if not _is_free(name, fields[name]):
            raise NotOrdinary(Message("ingress.field", field=name))
    if (eta := fields.get("eta")) and _aware(eta) > now + LONGEST_DELAY:
        raise NotOrdinary(Message("ingress.eta", eta=eta))
    task = fields.get("task")
    if not isinstance(task, str) or task not in tasks:
        raise NotOrdinary(Message("ingress.unknown-task", task=str(task)))
    if not isinstance(fields.get("id"), str):
        raise NotOrdinary(Message("ingress.field", field="id"))
    if any(embed.values()):
        raise NotOrdinary(Message("ingress.field", field="callbacks"))
    if not isinstance(args, list) or not isinstance(kwargs, dict) or not _fits(tasks[task], task, args, kwargs):
        raise NotOrdinary(Message("ingress.arguments", task=task))
    if task == RECEIVE.name and fields.get("expires"):
        raise NotOrdinary(Message("ingress.expires"))  # Celery would drop the event
    return Task(task, args, kwargs)


def as_received(message: Received) -> bytes:
    """What came, for a person: the body, then the headers."""
    body = message.body if isinstance(message.body, bytes) else str(message.body or "").encode("utf-8", "replace")
    if SET_ASIDE in message.headers:
        return body
    return body + b"\n" + json.dumps(message.headers, default=str).encode()


def _payload(message: Received, most: int) -> Any:
    body = message.body if isinstance(message.body, bytes) else str(message.body or "").encode("utf-8", "surrogatepass")
    try:
        check_limits(body, most=most + AROUND, depth=DEPTH + 2)  # arguments are in two lists
        return message.payload
    except InvalidEvent as error:
        raise NotOrdinary(error.message) from None
    except Exception as error:  # noqa: BLE001 - kombu has errors of its own for text that is no JSON
        raise NotOrdinary(Message("ingress.not-json", error=type(error).__name__)) from None


def _parts(message: Received, payload: Any) -> tuple[dict[str, Any], Any, Any, dict[str, Any]]:
    """The message's fields, arguments, and what Celery would send after the task: by its protocols 2 and 1."""
    if isinstance(payload, list) and len(payload) == 3 and "task" in message.headers:
        args, kwargs, embed = payload
        if isinstance(embed, dict | None):
            return message.headers, args, kwargs, embed or {}
    elif isinstance(payload, dict) and "task" in payload:
        embed = {name: payload.get(name) for name in ("callbacks", "errbacks", "chord", "chain")}
        return payload | message.headers, payload.get("args", []), payload.get("kwargs", {}), embed
    raise NotOrdinary(Message("ingress.no-task"))


def _fits(task: Any, name: str, args: list[Any], kwargs: dict[str, Any]) -> bool:
    """Whether the task can be called so. All but `events.receive` take plain values alone."""
    try:
        task.__header__(*args, **kwargs)
    except TypeError:
        return False
    return name == RECEIVE.name or all(isinstance(value, str | int) for value in (*args, *kwargs.values()))


def _is_free(name: str, value: object) -> bool:
    """Whether Celery can do with the field: each becomes an attribute of the task's request, in place of its own."""
    if name in FIELDS or name in ("args", "kwargs") or not hasattr(Context, name):
        return True
    if name == "headers":  # where Sentry's are
        return isinstance(value, dict | None)
    return not value and not callable(getattr(Context, name))


def _is_text(value: object) -> bool:
    return value is None or (isinstance(value, str) and len(value) <= 10_000)


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 300 and value.isprintable()


def _is_time(value: object) -> bool:
    if value is None:
        return True
    try:
        return isinstance(value, str) and 1990 <= datetime.fromisoformat(value).year <= 2200
    except ValueError:
        return False


def _aware(time: str) -> datetime:
    """A time that `_is_time`; without a zone it is UTC, as Celery reads it."""
    given = datetime.fromisoformat(time)
    return given if given.tzinfo else given.replace(tzinfo=UTC)


def _are_limits(value: object) -> bool:
    return value is None or (isinstance(value, list) and len(value) == 2 and all(map(_is_seconds, value)))


def _is_seconds(value: object) -> bool:
    return value is None or (type(value) in (int, float) and 0 < value <= 86_400)  # type: ignore[operator]


def _is_count(value: object) -> bool:
    return value is None or (type(value) is int and 0 <= value <= 1_000_000)


FIELDS: Final[Mapping[str, Callable[[object], bool]]] = {
    "id": _is_id,
    "task": _is_text,
    "eta": _is_time,
    "expires": _is_time,
    "retries": _is_count,
    "timelimit": _are_limits,
    "group_index": _is_count,
    "replaced_task_nesting": _is_count,
    **dict.fromkeys(
        ("root_id", "parent_id", "group", "taskset", "shadow", "lang", "meth", "argsrepr", "kwargsrepr", "origin"),
        _is_text,
    ),
    **dict.fromkeys(("utc", "ignore_result", "redelivered"), lambda value: isinstance(value, bool | None)),
    **dict.fromkeys(("stamps", "stamped_headers"), lambda value: not value),
}
