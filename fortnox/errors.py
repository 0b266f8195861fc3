"""All errors of Fortnox as one tree. The type says what happens next.

    FortnoxError
    ├── Transient                    try again later, after `retry_after` seconds if known
    │   ├── Throttled                too many requests: the company waits; not an attempt
    │   │   └── WindowFull           our own limiter refused; nothing was sent
    │   ├── Unavailable              no connection, a timeout, 5xx, or an unreadable answer
    │   ├── TokenRefused             a token just issued was refused
    │   └── ClientRefused            client id or secret is wrong: the operator acts, not the company
    ├── Rejected                     understood and refused: a person is needed
    │   ├── NotFound                 the path names something that does not exist
    │   ├── PrerequisiteMissing      held behind that customer, project or invoice
    │   │   ├── UnknownCustomer
    │   │   ├── UnknownProject       or the date lies outside its period
    │   │   └── UnknownInvoice
    │   ├── NumberTaken              look up what has the number
    │   │   └── NumberReserved       a customer deleted in Fortnox keeps it
    │   ├── ValueRefused             Fortnox does not accept a value
    │   ├── FileRefused              too large, too many, of the wrong type
    │   ├── ConfigurationNeeded      something must be set up in Fortnox
    │   │   ├── PeriodLocked
    │   │   └── AccessMissing        one part of Fortnox is closed: held until it opens
    │   │       ├── MissingScope
    │   │       ├── MissingLicence
    │   │       └── StillBlocked     known from an earlier refusal; nobody is told again
    │   ├── CodeRefused              the authorization code is used, expired or wrong
    │   └── RequestRefused           a malformed request: a bug of ours
    ├── GrantDead                    the company must connect again
    └── OutcomeUnknown               a write that may have taken effect: look before writing again

`str()` and `repr()` of an error may be logged. `message` is Fortnox's own sentence and may repeat a value of the
company: it belongs in the company's mail, never in a log.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar


class Outcome(StrEnum):
    """What happens next."""

    WAIT = "wait"  # nothing was done: come back in `retry_after` seconds
    RETRY = "retry"
    FAIL = "fail"
    HOLD = "hold"  # behind the missing prerequisite
    RECONNECT = "reconnect"
    UNKNOWN = "unknown"  # look before writing again


@dataclass(frozen=True, slots=True)
class Details:
    """What is known of a failed request. It holds no body, and `repr` leaves the message out."""

    method: str = ""
    path: str = ""  # the kind of path: `/3/customers/{number}`, never the number
    status: int | None = None  # None: no answer came
    code: str = ""  # Fortnox's, `2000433`; OAuth and attachments use words, `invalid_grant`
    request_id: str = ""
    situation: str = ""  # explains it: a key of `fortnox.situations.SITUATIONS`
    message: str = field(default="", repr=False)


class FortnoxError(Exception):
    """Base class. `outcome` says what happens next."""

    outcome: ClassVar[Outcome]
    suggests_outage: ClassVar[bool] = False  # several in a row mean that Fortnox is down

    def __init__(self, details: Details) -> None:
        super().__init__(details)
        self.details = details

    @property
    def code(self) -> str:
        return self.details.code

    @property
    def status(self) -> int | None:
        return self.details.status

    @property
    def situation(self) -> str:
        return self.details.situation

    @property
    def message(self) -> str:
        """Fortnox's own words. They may repeat a value: for the company's mail, never for a log."""
        return self.details.message

    def __str__(self) -> str:
        known = self.details
        answer = f"status {known.status}" if known.status is not None else "no answer"
        parts = [f"{known.method} {known.path}: {answer}" if known.method else ""]
        parts += [f"code {known.code}" if known.code else "", known.situation]
        parts += [f"request {known.request_id}" if known.request_id else ""]
        return ", ".join(part for part in parts if part) or type(self).__name__


class Transient(FortnoxError):
    """May succeed later. `retry_after` is in seconds, None if unknown."""

    outcome = Outcome.RETRY

    def __init__(self, details: Details, retry_after: float | None = None) -> None:
        super().__init__(details)
        self.args = (details, retry_after)
        self.retry_after = retry_after


class Throttled(Transient):
    """Too many requests (429). `retry_after` is always set."""

    outcome = Outcome.WAIT
    retry_after: float

    def __init__(self, details: Details, retry_after: float) -> None:
        super().__init__(details, retry_after)


class WindowFull(Throttled):
    """Our own limiter has no capacity for `retry_after` seconds. Nothing was sent."""


class Unavailable(Transient):
    """Fortnox cannot be reached or gives no readable answer. The request did no harm."""

    suggests_outage = True


class TokenRefused(Transient):
    """A token just issued was refused (401 twice). Only the token endpoint can say that the grant is dead."""

    suggests_outage = True


class ClientRefused(Transient):
    """Fortnox refuses our client id or secret. It stops every company, and only the operator can correct it."""

    suggests_outage = True


class Rejected(FortnoxError):
    """Fortnox understood and refused. Nothing was changed."""

    outcome = Outcome.FAIL

    @property
    def may_mean_taken(self) -> bool:
        """Whether the number may be taken: Fortnox does not publish that code, so any other code may stand for it.

        False if the refusal names what is missing.
        """
        return not isinstance(self, AccessMissing | PrerequisiteMissing)


class NotFound(Rejected):
    """The path names something that does not exist in Fortnox."""


class PrerequisiteMissing(Rejected):
    """Refused because something else must exist first. `kind` as in an ordering key."""

    outcome = Outcome.HOLD
    kind: ClassVar[str]


class UnknownCustomer(PrerequisiteMissing):
    kind = "customer"


class UnknownProject(PrerequisiteMissing):
    """The project does not exist, or the document's date lies outside its period."""

    kind = "project"


class UnknownInvoice(PrerequisiteMissing):
    kind = "invoice"


class NumberTaken(Rejected):
    """The number is in use. A look-up shows by what."""


class NumberReserved(NumberTaken):
    """The number belonged to something deleted in Fortnox and stays reserved for ever."""


class ValueRefused(Rejected):
    """Fortnox does not accept a value: its characters, length or form."""


class FileRefused(Rejected):
    """Fortnox does not accept a file: too large, too many, or of the wrong type."""


class ConfigurationNeeded(Rejected):
    """Something must be set up, opened or switched on in Fortnox."""


class PeriodLocked(ConfigurationNeeded):
    """The bookkeeping is locked for that date."""


EVERYTHING = "everything"  # closed if the company has no licence for integrations


class AccessMissing(ConfigurationNeeded):
    """One part of Fortnox is closed to us. The grant is valid, and other transfers continue."""

    outcome = Outcome.HOLD

    @property
    def part(self) -> str:
        """The closed part: `customers`, `inbox`, …; "" for a token request."""
        return EVERYTHING if self.situation == "api-licence" else part_of(self.details.path)


class MissingScope(AccessMissing):
    """The consent lacks the scope: connect again with it, or give the user the permission."""


class MissingLicence(AccessMissing):
    """The company has no licence for the module or for the API."""


class StillBlocked(AccessMissing):
    """The part is known to be closed, and a person has been notified. Nothing was sent."""


class CodeRefused(Rejected):
    """The one-time authorization code is used, expired (10 minutes) or wrong."""


class RequestRefused(Rejected):
    """Fortnox does not understand the request: a bug here, or a change in Fortnox."""


class GrantDead(FortnoxError):
    """The company's consent has ended. It must connect again."""

    outcome = Outcome.RECONNECT


class OutcomeUnknown(FortnoxError):
    """A write was sent and no readable answer came. It may have taken effect: look before writing again."""

    outcome = Outcome.UNKNOWN
    suggests_outage = True


def part_of(path: str) -> str:
    """Return the part of Fortnox of a path: `customers` for `/3/customers/{number}`; "" if unknown."""
    match path.split("/"):
        case ["", "3", part, *_]:
            return part
        case ["", "api", "fileattachments", *_]:
            return "attachments"
    return ""
