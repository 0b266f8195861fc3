"""Sentry, for unexpected errors only: never for what an accountant or a retry solves. Without a DSN nothing is sent.

Reports hold nothing that could be a company's data: no values of variables, no task arguments, no breadcrumbs, and only
messages that cannot hold any (`config.errors.shown`). The stack, the tags and the event's id remain; the message is in
the event's timeline.
"""

from collections.abc import Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import sentry_sdk
from sentry_sdk.integrations import Integration
from sentry_sdk.integrations.logging import LoggingIntegration

from config.errors import WITHHELD, causes, shown
from config.logging import redact_text
from config.settings import Settings

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint


def set_up_sentry(settings: Settings, *integrations: Integration) -> None:
    """Call once in a process, before it forks others. Does nothing without a DSN."""
    if settings.sentry_dsn is None:
        return
    sentry_sdk.init(
        dsn=settings.sentry_dsn.get_secret_value(),
        release=f"moment-fortnox@{version('moment-fortnox')}",
        environment=settings.sentry_environment or ("sandbox" if settings.is_sandbox else "production"),
        send_default_pii=False,
        include_local_variables=False,  # they hold customers' data
        max_breadcrumbs=0,  # so do they
        max_request_body_size="never",
        auto_enabling_integrations=False,
        # Unexpected errors are captured where they are caught; a log line alone must wake nobody.
        integrations=[LoggingIntegration(level=None, event_level=None), *integrations],
        before_send=scrubbed,
        shutdown_timeout=2,
    )


def scrubbed(event: "Event", hint: "Hint") -> "Event":
    """The report without company data, grouped by where the error was raised."""
    error = hint.get("exc_info", (None, None, None))[1]
    harmless = {redact_text(shown(one)) for one in causes(error)} if error else set()
    values = list(_values(event))
    for value in values:
        text = redact_text(str(value.get("value") or ""))
        value["value"] = text if text in harmless else WITHHELD
    event.pop("extra", None)  # task arguments, the command line
    event.pop("request", None)
    event.pop("user", None)
    event.pop("breadcrumbs", None)
    if "logentry" in event or "message" in event:
        event.pop("logentry", None)
        event["message"] = WITHHELD
    if values:
        event["fingerprint"] = [str(values[-1].get("type")), _place(values[-1])]
    return event


def _values(event: "Event") -> Iterator[dict[str, Any]]:
    yield from (event.get("exception") or {}).get("values") or []


def _place(value: dict[str, Any]) -> str:
    """The innermost function of ours: the same fault, whichever task led to it."""
    frames = (value.get("stacktrace") or {}).get("frames") or []
    ours = [frame for frame in frames if frame.get("in_app")] or frames
    return f"{ours[-1].get('module')}.{ours[-1].get('function')}" if ours else "unknown"
