"""From an HTTP answer to a value or an error: the one place that looks at status and envelope. Pure. No I/O.

Fortnox answers refusals in several shapes (all read here): `{"ErrorInformation": {…}}` with capital or small
keys and a code that is a number or text, `{"message": "unauthorized"}` from its gateway, `{"error", "id",
"message"}` from the attachments, `{"error", "error_description"}` from OAuth under a wrong content type,
HTML, and nothing at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import simplejson

from fortnox import errors as e
from fortnox.codes import situation_of
from fortnox.redaction import redact
from fortnox.situations import SITUATIONS

Json = Any  # objects, arrays, text, whole numbers and Decimal: never float

DEFAULT_RETRY_AFTER = 5.0  # the length of Fortnox's window: by then there is room
LONGEST_RETRY_AFTER = 3600.0
NOT_JSON = object()
NO_VALID_IDENTIFIER = "2000729"  # with 404 it is what some resources say for "not found"


@dataclass(frozen=True, slots=True)
class Call:
    """What was asked. `repeatable`: doing it twice is the same as doing it once."""

    method: str
    path: str
    request_id: str
    repeatable: bool


class Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]  # case-insensitive
    body: bytes


class Envelope(NamedTuple):
    """A refusal, whichever its spelling."""

    code: str
    message: str
    request_id: str = ""


def read(call: Call, reply: Reply) -> Json:
    """The JSON of a good answer, None for an empty one. Raises the `FortnoxError` of any other."""
    document = parse(reply.body)
    refusal = envelope(document, reply.status)
    if reply.status in range(200, 300) and refusal is None:
        if document is not NOT_JSON:
            return document
        raise unreadable(call, reply.status, "The answer is not JSON.")
    raise error_of(call, reply, document, refusal)


def error_of(call: Call, reply: Reply, document: Json, refusal: Envelope | None) -> e.FortnoxError:
    """The error of an answer that is not a good one. A known code decides; then the status; then the text."""
    status = reply.status
    code, message, request_id = refusal or Envelope("", "")
    details = e.Details(
        method=call.method,
        path=call.path,
        status=status,
        code=code,
        request_id=request_id or call.request_id,
        situation=situation_of(code, message, call.path),
        message=redact(message),
    )
    if status == 429:
        return e.Throttled(details, retry_after(reply.headers) or DEFAULT_RETRY_AFTER)
    if status == 401:
        return e.TokenRefused(replace(details, situation="login"))
    if details.situation and SITUATIONS[details.situation].error is not e.Unavailable:
        return _kind_of(details)(details)
    if status >= 500 or status == 408:
        return _no_good_answer(call, details, retry_after(reply.headers))
    if status in range(300, 400) or (status == 403 and document is NOT_JSON):
        return e.Unavailable(details)  # a gateway or a service page; Fortnox itself has not seen the request
    if status in range(200, 300):
        return e.Rejected(details)
    kind: type[e.FortnoxError] = _BY_STATUS.get(status, e.Rejected)
    return kind(_explained(details, status, document))


def envelope(document: Json, status: int) -> Envelope | None:
    """The refusal in a document, if it holds one. Keys in any case, the code a number or text."""
    if not isinstance(document, dict):
        return None
    fields = _lower(document)
    information = fields.get("errorinformation")
    if isinstance(information, dict):
        inner = _lower(information)
        return Envelope(_text(inner.get("code")), _text(inner.get("message")))
    if status < 400:
        return None
    if isinstance(fields.get("error"), str):
        message = fields.get("error_description") or fields.get("message")
        return Envelope(_text(fields["error"]), _text(message), _text(fields.get("id"))[:64])
    return Envelope(_text(fields.get("code")), _text(fields.get("message")))


def unreadable(call: Call, status: int, why: str) -> e.FortnoxError:
    """Fortnox said yes and we cannot read what: a write has landed, or a service page answered."""
    return _no_good_answer(call, e.Details(call.method, call.path, status, request_id=call.request_id, message=why))


def unanswered(call: Call, why: str, *, sent: bool) -> e.FortnoxError:
    """No answer came. Without having been sent, nothing can have happened."""
    details = e.Details(call.method, call.path, request_id=call.request_id, message=redact(why))
    return _no_good_answer(call, details) if sent else e.Unavailable(details)


def oauth_error(call: Call, reply: Reply, refused: type[e.FortnoxError]) -> e.FortnoxError:
    """The error of a token request; `refused` is what `invalid_grant` means there."""
    document = parse(reply.body)
    refusal = envelope(document, reply.status)
    code = refusal.code if refusal else ""
    known: dict[str, tuple[str, type[e.FortnoxError]]] = {
        "invalid_grant": ("code-used" if refused is e.CodeRefused else "grant-dead", refused),
        "invalid_client": ("client", e.ClientRefused),
        "unauthorized_client": ("service-account", e.ConfigurationNeeded),
        "invalid_scope": ("scope", e.MissingScope),
    }
    if code in known and reply.status < 500:
        situation, kind = known[code]
        message = redact(refusal.message) if refusal else ""
        return kind(e.Details(call.method, call.path, reply.status, code, call.request_id, situation, message))
    if reply.status == 401:  # only our own client credentials are at stake there
        return e.ClientRefused(e.Details(call.method, call.path, 401, code, call.request_id, situation="client"))
    return error_of(call, reply, document, refusal)


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds to wait, from either form of `Retry-After`; None where it is missing or makes no sense."""
    given = headers.get("Retry-After", "").strip()
    try:
        seconds = float(given)
    except ValueError:
        try:
            moment = parsedate_to_datetime(given)
        except ValueError:
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = (moment - (now or datetime.now(UTC))).total_seconds()
    return min(seconds, LONGEST_RETRY_AFTER) if seconds > 0 else None


def parse(body: bytes) -> Json:
    """The JSON of a body with exact numbers; None for an empty body, `NOT_JSON` for anything else."""
    if not body.strip():
        return None
    try:
        return simplejson.loads(body.decode("utf-8"), use_decimal=True)
    except (ValueError, RecursionError):
        return NOT_JSON


def _no_good_answer(call: Call, details: e.Details, wait: float | None = None) -> e.FortnoxError:
    # Any 5xx on a write counts as unknown: a gateway's 502 or 504 comes after Fortnox has been asked, and a
    # 500 may come after the commit. One look is cheaper than one double.
    return e.Unavailable(details, wait) if call.repeatable else e.OutcomeUnknown(details)


def _kind_of(details: e.Details) -> type[e.FortnoxError]:
    """`Kan inte hitta kunden` is a missing prerequisite in an invoice, but just not found at its own path."""
    own_path = _OWN_PATHS.get(details.situation)
    at_its_own = own_path is not None and details.path.startswith(own_path)
    nothing_there = details.status == 404 and details.code == NO_VALID_IDENTIFIER
    return e.NotFound if at_its_own or nothing_there else SITUATIONS[details.situation].error


def _explained(details: e.Details, status: int, document: Json) -> e.Details:
    """Gives a status that speaks for itself its situation."""
    if status == 404 and document is NOT_JSON:
        status = 405  # a page instead of Fortnox's JSON: the address is wrong, so the request is
    situation = {403: "scope", 405: "request", 406: "request", 413: "file", 415: "request"}.get(status, "")
    if not situation:
        return details
    return replace(details, situation=situation)


_OWN_PATHS = {
    "customer-unknown": "/3/customers/",
    "project-unknown": "/3/projects/",
    "invoice-unknown": "/3/invoices/",
    "account-unknown": "/3/accounts/",
    "currency-unknown": "/3/currencies/",
}
_BY_STATUS: dict[int, type[e.FortnoxError]] = {
    403: e.MissingScope,
    404: e.NotFound,
    405: e.RequestRefused,
    406: e.RequestRefused,
    413: e.FileRefused,
    415: e.RequestRefused,
}


def _lower(document: Mapping[str, Json]) -> dict[str, Json]:
    return {str(name).lower(): value for name, value in document.items()}


def _text(value: Json) -> str:
    return "" if value is None or isinstance(value, dict | list | bool) else str(value)
