"""What can go wrong with Moment's API, as one tree: the type says what happens next.

    MomentError
    ├── MomentUnavailable     no connection, a timeout, 429, 5xx, an answer that is not JSON: try again later
    ├── KeyRefused            MOMENT_API_KEY is wrong or expired: the operator's; tried again until it is mended
    └── MomentRefused         understood and refused: a person is needed
        ├── NotThere          what the path names does not exist
        ├── ProjectNotThere    the expense's project does not exist (any more)
        ├── ExpenseExists     an expense with this externalId exists: compare it
        └── ExpenseInvoiced   it was invoiced to the customer already, and is not changed

`str()` of an error may be logged: it names no value of the company's. `message` is Moment's own sentence, for the mail.
"""

from messages import Message


class MomentError(Exception):
    """Base of all. `status` None: no answer came."""

    def __init__(self, method: str, path: str, status: int | None, message: str = "", field: str = "") -> None:
        super().__init__(method, path, status, message, field)
        self.method = method
        self.path = path  # the kind of path, never the number
        self.status = status
        self.message = message
        self.field = field

    @property
    def reason(self) -> Message:
        """For a person. May repeat a value: not for a log."""
        if said := ": ".join(part for part in (self.field, self.message) if part):
            return Message("moment.refused", said=said)
        return Message("moment.refused-with-status", status=str(self.status))

    def __str__(self) -> str:
        answer = "no answer" if self.status is None else f"status {self.status}"
        return f"{type(self).__name__}: {self.method} {self.path}: {answer}" + (f", {self.field}" if self.field else "")


class MomentUnavailable(MomentError):
    """It may well go through later. A repeated write does no harm: an expense has an id of ours."""

    @property
    def reason(self) -> Message:
        if self.status is None:
            return Message("moment.no-answer")
        return Message("moment.answered", status=str(self.status))


class KeyRefused(MomentError):
    """Moment refuses our API key."""

    @property
    def reason(self) -> Message:
        return Message("moment.key-refused", status=str(self.status))


class MomentRefused(MomentError):
    """Moment understood and refused. Nothing was changed."""


class NotThere(MomentRefused):
    """What the path names does not exist."""


class ProjectNotThere(MomentRefused):
    """The expense's project does not exist in Moment."""


class ExpenseExists(MomentRefused):
    """An expense with this externalId exists."""


class ExpenseInvoiced(MomentRefused):
    """The expense was invoiced to the customer: it stays as it is."""
