"""All errors of Moment's API as one tree. The type says what happens next.

    MomentError
    ├── MomentUnavailable     no connection, a timeout, 429, 5xx, or an unreadable answer: try again later
    ├── KeyRefused            MOMENT_API_KEY is wrong or expired: retried until the operator corrects it
    └── MomentRefused         understood and refused: a person is needed
        ├── NotThere          the path names something that does not exist
        ├── ProjectNotThere   the expense's project does not exist (any more)
        ├── ExpenseExists     an expense with this externalId exists: compare it
        └── ExpenseInvoiced   the customer was invoiced for it: it stays as it is

`str()` of an error may be logged: it has none of the company's data. `message` is Moment's own sentence, for the mail.
"""

from messages import Message


class MomentError(Exception):
    """Base class. `status` is None if no answer came."""

    def __init__(self, method: str, path: str, status: int | None, message: str = "", field: str = "") -> None:
        super().__init__(method, path, status, message, field)
        self.method = method
        self.path = path  # the kind of path, never the number
        self.status = status
        self.message = message
        self.field = field

    @property
    def reason(self) -> Message:
        """Why, for a person. May repeat a value: never log it."""
        if said := ": ".join(part for part in (self.field, self.message) if part):
            return Message("moment.refused", said=said)
        return Message("moment.refused-with-status", status=str(self.status))

    def __str__(self) -> str:
        answer = "no answer" if self.status is None else f"status {self.status}"
        return f"{type(self).__name__}: {self.method} {self.path}: {answer}" + (f", {self.field}" if self.field else "")


class MomentUnavailable(MomentError):
    """May succeed later. Repeating a write is harmless: an expense has an id of ours."""

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
    """The path names something that does not exist."""


class ProjectNotThere(MomentRefused):
    """The expense's project does not exist in Moment."""


class ExpenseExists(MomentRefused):
    """An expense with this externalId exists."""


class ExpenseInvoiced(MomentRefused):
    """The customer was invoiced for the expense: it stays as it is."""
