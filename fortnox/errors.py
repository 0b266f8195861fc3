"""Everything that can go wrong with Fortnox, as one tree: the type says what happens next.

    FortnoxError
    ├── Transient                    try again later; `retry_after` where Fortnox (or our limiter) said when
    │   ├── Throttled                too many requests: the company waits, it is no attempt
    │   │   └── WindowFull           our own limiter said so; nothing was sent
    │   ├── Unavailable              no connection, a timeout, 5xx, an answer that is not JSON
    │   ├── TokenRefused             even a token just issued was refused
    │   └── ClientRefused            client id or secret are wrong: the operator's, never the company's
    ├── Rejected                     this request will not do as it is: a person is needed
    │   ├── NotFound                 what the path names does not exist
    │   ├── PrerequisiteMissing      held behind that customer, project or invoice
    │   │   ├── UnknownCustomer
    │   │   ├── UnknownProject       also: its period is over
    │   │   └── UnknownInvoice
    │   ├── NumberTaken              look whose it is
    │   │   └── NumberReserved       by a customer that was deleted in Fortnox
    │   ├── ValueRefused             a value that Fortnox does not take
    │   ├── FileRefused              too large, too many, of the wrong type
    │   ├── ConfigurationNeeded      something to set up in Fortnox
    │   │   ├── PeriodLocked
    │   │   └── AccessMissing        one part is closed: held until it opens; the grant itself lives
    │   │       ├── MissingScope
    │   │       ├── MissingLicence
    │   │       └── StillBlocked      our own memory said so, or told a person before
    │   ├── CodeRefused              an authorization code that is used, expired or wrong
    │   └── RequestRefused           a malformed request: a bug of ours
    ├── GrantDead                    nobody but the company can mend it: connect again
    └── OutcomeUnknown               a write that may have landed: look before writing again

`str()` and `repr()` of an error may be logged. Its `message` is Fortnox's own sentence, which may repeat a
value of the company's: it is for the company's mail, never for a log.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar


class Outcome(StrEnum):
    """What happens next."""

    WAIT = "wait"  # nothing was done and nothing is wrong: come back in `retry_after` seconds
    RETRY = "retry"
    FAIL = "fail"
    HOLD = "hold"  # behind the prerequisite that the error names
    RECONNECT = "reconnect"
    UNKNOWN = "unknown"  # look before writing again


@dataclass(frozen=True, slots=True)
class Details:
    """What is known of a request that went wrong. No body, and the message stays out of `repr`."""

    method: str = ""
    path: str = ""  # the kind of path: `/3/customers/{number}`, never the number
    status: int | None = None  # None: no answer came
    code: str = ""  # Fortnox's, `2000433`; a word at OAuth and the attachments, `invalid_grant`
    request_id: str = ""
    situation: str = ""  # the row of `fortnox.codes.SITUATIONS` that explains it
    message: str = field(default="", repr=False)


class FortnoxError(Exception):
    """Base of all. `outcome` says what happens next."""

    outcome: ClassVar[Outcome]
    suggests_outage: ClassVar[bool] = False  # several in a row: Fortnox itself is down

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
        """Fortnox's own words. They may repeat a value: for the company's mail, not for a log."""
        return self.details.message

    def __str__(self) -> str:
        known = self.details
        answer = f"status {known.status}" if known.status is not None else "no answer"
        parts = [f"{known.method} {known.path}: {answer}" if known.method else ""]
        parts += [f"code {known.code}" if known.code else "", known.situation]
        parts += [f"request {known.request_id}" if known.request_id else ""]
        return ", ".join(part for part in parts if part) or type(self).__name__


class Transient(FortnoxError):
    """It may well go through later. `retry_after` in seconds, where it is known."""

    outcome = Outcome.RETRY

    def __init__(self, details: Details, retry_after: float | None = None) -> None:
        super().__init__(details)
        self.args = (details, retry_after)
        self.retry_after = retry_after


class Throttled(Transient):
    """429. `retry_after` is always there."""

    outcome = Outcome.WAIT
    retry_after: float

    def __init__(self, details: Details, retry_after: float) -> None:
        super().__init__(details, retry_after)


class WindowFull(Throttled):
    """Our own limiter has no room for `retry_after` seconds; nothing was sent."""


class Unavailable(Transient):
    """Fortnox cannot be reached or does not answer as Fortnox; what was asked has done no harm."""

    suggests_outage = True


class TokenRefused(Transient):
    """A token just issued was refused (401 twice). Not a dead grant: that, the token endpoint tells."""

    suggests_outage = True


class ClientRefused(Transient):
    """Fortnox refuses our client id or secret: every company stands, and only the operator can mend it."""

    suggests_outage = True


class Rejected(FortnoxError):
    """Fortnox understood and refused. Nothing was changed."""

    outcome = Outcome.FAIL

    @property
    def may_mean_taken(self) -> bool:
        """Fortnox's code for a number that is taken is not published, so it may be one that is known for something
        else. Not where the refusal names what is missing.
        """
        return not isinstance(self, AccessMissing | PrerequisiteMissing)


class NotFound(Rejected):
    """What the path names does not exist in Fortnox."""


class PrerequisiteMissing(Rejected):
    """Refused because of something else that must be right first; `kind` as in an ordering key."""

    outcome = Outcome.HOLD
    kind: ClassVar[str]


class UnknownCustomer(PrerequisiteMissing):
    kind = "customer"


class UnknownProject(PrerequisiteMissing):
    """The project is unknown, or the document's date lies outside its period."""

    kind = "project"


class UnknownInvoice(PrerequisiteMissing):
    kind = "invoice"


class NumberTaken(Rejected):
    """The number is in use. By what, only a look tells."""


class NumberReserved(NumberTaken):
    """The number belonged to something deleted in Fortnox, which keeps it reserved for ever."""


class ValueRefused(Rejected):
    """A value that Fortnox does not take: its characters, its length, its form."""


class FileRefused(Rejected):
    """A file that Fortnox does not take."""


class ConfigurationNeeded(Rejected):
    """Something is to be set up, opened or switched on in Fortnox."""


class PeriodLocked(ConfigurationNeeded):
    """The bookkeeping is locked for that date."""


EVERYTHING = "everything"  # the part that is closed where the company has no licence for integrations


class AccessMissing(ConfigurationNeeded):
    """One part of Fortnox is closed to us. The grant lives, and other transfers go on."""

    outcome = Outcome.HOLD

    @property
    def part(self) -> str:
        """What is closed: `customers`, `inbox`, …; "" where a token was asked for."""
        return EVERYTHING if self.situation == "api-licence" else part_of(self.details.path)


class MissingScope(AccessMissing):
    """The consent does not cover it: connect again with that scope, or give the user the permission."""


class MissingLicence(AccessMissing):
    """The company has no licence for that module, or for the API."""


class StillBlocked(AccessMissing):
    """The part was found closed before; a person was told then."""


class CodeRefused(Rejected):
    """The one-time authorization code is used up, expired (10 minutes) or wrong."""


class RequestRefused(Rejected):
    """Fortnox does not understand the request: a bug of ours, or a change of theirs."""


class GrantDead(FortnoxError):
    """The company's consent is gone: it must connect again."""

    outcome = Outcome.RECONNECT


class OutcomeUnknown(FortnoxError):
    """A write was sent and no readable answer came: it may have landed. Look before writing again."""

    outcome = Outcome.UNKNOWN
    suggests_outage = True


def part_of(path: str) -> str:
    """`/3/customers/{number}` → `customers`; `/api/fileattachments/attachments-v1` → `attachments`; else ""."""
    match path.split("/"):
        case ["", "3", part, *_]:
            return part
        case ["", "api", "fileattachments", *_]:
            return "attachments"
    return ""
