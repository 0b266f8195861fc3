"""What happened to an event, in words. Pure. No I/O."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from messages import NOTHING, Message
from stores import TimelineEntry

# What a request to Fortnox is for, by its method and the kind of its path.
REQUESTS: Final[Mapping[tuple[str, str], str]] = {
    ("GET", "customers"): "read-customer",
    ("POST", "customers"): "create-customer",
    ("PUT", "customers"): "update-customer",
    ("GET", "projects"): "read-project",
    ("POST", "projects"): "create-project",
    ("PUT", "projects"): "update-project",
    ("GET", "invoices"): "read-invoice",
    ("POST", "invoices"): "create-invoice",
    ("PUT", "bookkeep"): "post-invoice",
    ("POST", "inbox"): "upload-file",
    ("POST", "archive"): "upload-file",
    ("GET", "attachments-v1"): "read-files",
    ("POST", "attachments-v1"): "attach-files",
    ("GET", "supplierinvoices"): "read-supplier-invoices",
    ("POST", "token"): "renew-token",
    ("POST", "revoke"): "revoke-token",
}


def in_words(entry: TimelineEntry) -> Message:
    """One entry of an event's timeline."""
    told = entry.details
    match entry.what:
        case "admitted":
            return Message("timeline.admitted")
        case "claimed":
            return Message("timeline.claimed", attempt=str(told.get("attempt", "")))
        case "request":
            return _request(told)
        case "done" | "failed" | "superseded" | "skipped" | "held":
            return Message.join(Message(f"timeline.ended.{entry.what}"), _reason(told))
        case "retry" | "targetunavailable":
            return Message.join(Message("timeline.retry"), _reason(told), _next(told))
        case "release" | "snooze":
            return Message.join(Message("timeline.release"), _next(told))
        case "pause":
            return Message.join(Message("timeline.pause"), _reason(told))
        case "retried by hand":
            return Message("timeline.retried-by-hand", by=str(told.get("by", "")))
        case "skipped by hand":
            return Message.join(Message("timeline.skipped-by-hand", by=str(told.get("by", ""))), _reason(told))
        case "error":
            return Message("timeline.error", error=str(told.get("error", "")))
        case "lease lost":
            return Message("timeline.lease-lost")
        case "unknown fields":
            return Message("timeline.unknown-fields")
    return Message("timeline.other", what=entry.what)


def _request(told: Mapping[str, Any]) -> Message:
    parts = str(told.get("path", "")).rstrip("/").split("/")
    resource = next((part for part in reversed(parts) if part and not part.startswith("{")), "")
    name = REQUESTS.get((str(told.get("method", "")), resource), "")
    what = Message(f"timeline.request.{name}") if name else Message("timeline.other-request", what=resource)
    if "status" not in told:
        return Message("timeline.unanswered", what=what)
    status, ms = str(told["status"]), str(told.get("ms", ""))
    if status.startswith("2"):
        return Message("timeline.answered", what=what, ms=ms)
    if status == "404" and told.get("method") == "GET":
        return Message("timeline.not-there", what=what, ms=ms)
    said = f"{status}, {told['code']}" if "code" in told else status
    return Message("timeline.refused", what=what, status=said, ms=ms)


def _reason(told: Mapping[str, Any]) -> Message:
    return Message.from_json(str(told.get("reason", "")))


def _next(told: Mapping[str, Any]) -> Message:
    at = told.get("next")
    return Message("timeline.next", at=at) if isinstance(at, datetime) else NOTHING
