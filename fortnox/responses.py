"""From an HTTP answer to a value or an error: the one place that reads status and envelope. Pure. No I/O.

Fortnox has several forms of refusal: `{"ErrorInformation": {…}}` with capital or small keys and a code that is a number
or text, `{"message": "unauthorized"}` from its gateway, `{"error", "id", "message"}` from the attachments, `{"error",
"error_description"}` from OAuth under a wrong content type, HTML, and an empty body.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from config.json_limits import read_answer
from fortnox import errors as e
from fortnox.codes import situation_of
from fortnox.redaction import redact
from fortnox.situations import SITUATIONS

Json = Any  # objects, arrays, text, whole numbers and Decimal: never float

LARGEST_ANSWER = 32_000_000  # bytes; 500 list items are well under 1 MB
LONGEST_CODE, LONGEST_MESSAGE = 64, 2_000  # characters; the rest is cut before anything searches the text

DEFAULT_RETRY_AFTER = 5.0  # the length of Fortnox's window
LONGEST_RETRY_AFTER = 3600.0
NOT_JSON = object()
NO_VALID_IDENTIFIER = "2000729"  # some resources answer it with 404 for "not found"


@dataclass(frozen=True, slots=True)
class Call:
    """A request. `repeatable`: doing it twice is the same as doing it once."""

    method: str
    path: str
    request_id: str
    repeatable: bool


class Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]  # case-insensitive
    body: bytes


class Envelope(NamedTuple):
    """The content of a refusal, from any of its forms."""

    code: str
    message: str
    request_id: str = ""


def read(call: Call, reply: Reply) -> Json:
    """Return the JSON of a good answer, None for an empty one. Raises the `FortnoxError` of any other."""
    document = parse(reply.body)
    refusal = envelope(document, reply.status)
    if reply.status in range(200, 300) and refusal is None:
        if document is not NOT_JSON:
            return document
        raise unreadable(call, reply.status, "The answer is not JSON.")
    raise error_of(call, reply, document, refusal)


def error_of(call: Call, reply: Reply, document: Json, refusal: Envelope | None) -> e.FortnoxError:
    """Return the error of an answer. A known code decides; then the status; then the text."""
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
        return e.Unavailable(details)  # from a gateway or a service page: Fortnox has not seen the request
    if status in range(200, 300):
        return e.Rejected(details)
    kind: type[e.FortnoxError] = _BY_STATUS.get(status, e.Rejected)
    return kind(_explained(details, status, document))


def envelope(document: Json, status: int) -> Envelope | None:
    """Return the refusal in a document, if it holds one. Keys may be in any case, the code a number or text."""
    if not isinstance(document, dict):
        return None
    fields = _lower(document)
    information = fields.get("errorinformation")
    if isinstance(information, dict):
        inner = _lower(information)
        return _envelope(inner.get("code"), inner.get("message"))
    if status < 400:
        return None
    if isinstance(fields.get("error"), str):
        message = fields.get("error_description") or fields.get("message")
        return _envelope(fields["error"], message, fields.get("id"))
    return _envelope(fields.get("code"), fields.get("message"))


def unreadable(call: Call, status: int, why: str) -> e.FortnoxError:
    """Return the error of a good status with an unreadable body: a write took effect, or a service page answered."""
    return _no_good_answer(call, e.Details(call.method, call.path, status, request_id=call.request_id, message=why))


def unanswered(call: Call, why: str, *, sent: bool) -> e.FortnoxError:
    """Return the error of a request without an answer. A request that was not `sent` had no effect."""
    details = e.Details(call.method, call.path, request_id=call.request_id, message=redact(why))
    return _no_good_answer(call, details) if sent else e.Unavailable(details)


def oauth_error(call: Call, reply: Reply, refused: type[e.FortnoxError]) -> e.FortnoxError:
    """Return the error of a token request. `refused` is the error of `invalid_grant`."""
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
    """Return the seconds to wait, from either form of `Retry-After`; None if it is missing or makes no sense."""
    given = headers.get("Retry-After", "").strip()
    try:
        seconds = float(given)
    except ValueError:
        try:
            moment = parsedate_to_datetime(given)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            seconds = (moment - (now or datetime.now(UTC))).total_seconds()
        except (ValueError, OverflowError):
            return None
    return min(seconds, LONGEST_RETRY_AFTER) if seconds > 0 else None


def parse(body: bytes) -> Json:
    """Return the JSON of a body with exact numbers; None for an empty body, `NOT_JSON` for anything else.

    JSON beyond the limits (`config.json_limits`) is `NOT_JSON` too, and a number beyond them is not a number.
    """
    if not body.strip():
        return None
    try:
        return read_answer(body, most=LARGEST_ANSWER)
    except ValueError:
        return NOT_JSON


def _no_good_answer(call: Call, details: e.Details, wait: float | None = None) -> e.FortnoxError:
    # Any 5xx on a write counts as unknown: a gateway's 502 or 504 may come after Fortnox was asked, and a 500 after the
    # commit. A look-up is cheaper than a duplicate.
    return e.Unavailable(details, wait) if call.repeatable else e.OutcomeUnknown(details)


def _kind_of(details: e.Details) -> type[e.FortnoxError]:
    """Return the error's class. An unknown customer is `NotFound` at its own path, and a prerequisite of an invoice."""
    own_path = _OWN_PATHS.get(details.situation)
    at_its_own = own_path is not None and details.path.startswith(own_path)
    nothing_there = details.status == 404 and details.code == NO_VALID_IDENTIFIER
    return e.NotFound if at_its_own or nothing_there else SITUATIONS[details.situation].error


def _explained(details: e.Details, status: int, document: Json) -> e.Details:
    """Add the situation that the status alone implies."""
    if status == 404 and document is NOT_JSON:
        status = 405  # a page instead of Fortnox's JSON: the address is wrong
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


def _envelope(code: Json, message: Json, request_id: Json = None) -> Envelope:
    return Envelope(_text(code)[:LONGEST_CODE], _text(message)[:LONGEST_MESSAGE], _text(request_id)[:LONGEST_CODE])


def _lower(document: Mapping[str, Json]) -> dict[str, Json]:
    return {str(name).lower(): value for name, value in document.items()}


def _text(value: Json) -> str:
    return "" if value is None or isinstance(value, dict | list | bool) else str(value)
