"""Logging for people (console) and machines (JSON): one event per line, on standard error.

`structlog` and the standard library's loggers (Celery, kombu, urllib3) use the same handler, so every line
has the same fields: `timestamp` (aware, UTC), `level`, `logger`, `event` and the event's own ids.
`redact` removes secrets and e-mail addresses from every line, whoever logged it.
"""

import logging
import re
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from config.errors import shown_traceback
from config.settings import Settings

MASK = "***"

# Words that mark a field's value as secret or personal: `refresh_token`, `clientSecret`, `errorEmail`.
SECRET_WORDS = frozenset(
    {
        "authorization",
        "cookie",
        "credential",
        "credentials",
        "email",
        "passwd",
        "password",
        "secret",
        "secrets",
        "token",
        "tokens",
    }
)
# Endings that mark a secret only as a whole: an ordering `key` and Fortnox's `error_code` are none.
SECRET_ENDINGS = ("apikey", "authorizationcode", "basicauth", "encryptionkey", "encryptionkeys", "privatekey")
# Names that only look like secrets: a fencing token is a counter.
PLAIN_NAMES = frozenset({"fencingtoken", "tokentype"})

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
# Every repetition is bounded, so that no text, however long, takes more than a moment.
_SECRETS_IN_TEXT = (
    (re.compile(r"(?P<keep>\b[a-z][a-z0-9+.-]{0,20}://)[^\s/@]{1,1000}@", re.IGNORECASE), rf"\g<keep>{MASK}@"),
    (re.compile(r"(?P<keep>\b(?:Bearer|Basic)\s+)[\w.~+/=-]{8,}", re.IGNORECASE), rf"\g<keep>{MASK}"),
    (
        re.compile(
            r"(?P<keep>\b(?:access_token|refresh_token|client_secret|password|code)=)[^\s&'\"]+",
            re.IGNORECASE,
        ),
        rf"\g<keep>{MASK}",
    ),
    # The domain stays: it tells which company's address was refused.
    (
        re.compile(r"[\w.!#$%&'*+=?^`{|}~-]{1,128}@(?P<domain>[\w-]{1,64}(?:\.[\w-]{1,64}){1,32})"),
        rf"{MASK}@\g<domain>",
    ),
)

# Each pattern needs one of these.
_SUSPECT = re.compile(r"[@=]|\b(?:Bearer|Basic)\s", re.IGNORECASE)

LONGEST_TASK_NAME = 60  # characters: a name is a producer's choice

# Loggers that repeat, for every task, what our own events say.
QUIET_LOGGERS = {
    "celery.worker.strategy": logging.WARNING,  # "Task … received"
    "celery.app.trace": logging.WARNING,  # "Task … succeeded"; failures are ERROR and stay
    "celery.beat": logging.WARNING,  # "Scheduler: Sending due task …"
}


def configure_logging(settings: Settings, *, level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Send every logger's events to `stream` (standard error), as `settings.log_format` says.

    May be called again: the last call wins.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                *_shared_processors(),
                structlog.stdlib.ExtraAdder(),
                _without_task_data,
                _without_bodies,
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _exception_to_text,
                redact,
                _renderer(settings, handler.stream),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, quiet_level in QUIET_LOGGERS.items():
        logging.getLogger(name).setLevel(max(quiet_level, level))
    logging.captureWarnings(True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared_processors(),
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # a cached logger would ignore a test's capture
    )


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: the event with secrets masked, by field name and inside text, however deep."""
    return {name: _redacted(name, value) for name, value in event.items()}


def redact_text(text: str) -> str:
    """`text` with credentials in URLs and headers, and the local part of e-mail addresses, masked."""
    if not _SUSPECT.search(text):  # nearly every value of nearly every line
        return text
    for pattern, replacement in _SECRETS_IN_TEXT:
        text = pattern.sub(replacement, text)
    return text


@lru_cache(maxsize=1024)  # names are few and repeat on every line
def is_secret_name(name: str) -> bool:
    """Whether a field of this name, in snake_case, camelCase or kebab-case, is to be masked."""
    words = [word.lower() for word in _WORD.findall(name)]
    joined = "".join(words)
    if joined in PLAIN_NAMES:
        return False
    return joined.endswith(SECRET_ENDINGS) or joined == "code" or not SECRET_WORDS.isdisjoint(words)


def _redacted(name: object, value: object) -> object:
    if value is None or isinstance(value, bool):
        return value  # "is there a token?" is no secret
    if isinstance(name, str) and is_secret_name(name):
        return MASK
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, Mapping):
        return {key: _redacted(key, inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(None, inner) for inner in value]
    if isinstance(value, int | float):
        return value
    return redact_text(str(value))


def _exception_to_text(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The traceback as text, without messages that may quote an event."""
    given = event.pop("exc_info", None)
    error = given[1] if isinstance(given, tuple) else given if isinstance(given, BaseException) else None
    if given is True:
        error = sys.exc_info()[1]
    if error is not None:
        event["exception"] = shown_traceback(error)
    return event


def _without_task_data(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Celery repeats a task's arguments and traceback in `extra={"data": …}`, and quotes its error in the message."""
    if str(event.get("logger", "")).startswith("celery."):
        data = event.pop("data", None)
        if isinstance(data, Mapping) and "exc" in data and "name" in data:
            event["event"] = f"Task {data['name']}[{data.get('id')}] {data.get('description')}"
    return event


def _without_bodies(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Celery quotes the whole body, and so an event, of a message that it cannot read or that names no task of ours.

    What is kept of such a line is how it begins, the name of the task, and else the kind of error.
    """
    template = str(event["_record"].msg)
    if str(event.get("logger", "")).startswith("celery.worker") and re.search(r"\bbody\b", template):
        error = (event.get("exc_info") or (None, None))[1]
        what = "" if error is None else type(error).__name__
        if isinstance(error, KeyError):  # the task that was looked for
            what = repr(str(error.args[0])[:LONGEST_TASK_NAME])
        begins = template.splitlines()[0].partition("%")[0].rstrip(" :")
        event["event"] = f"{begins}: {what}" if what else begins
    return event


def _shared_processors() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _renderer(settings: Settings, stream: TextIO) -> Processor:
    if settings.log_format == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback)
