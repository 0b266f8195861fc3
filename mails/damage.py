"""What cannot be read or written: it is reported as such, and never ends a round of mails."""

from datetime import datetime
from typing import Final

import sentry_sdk

from messages import Message
from ordering import EventRecord

DAMAGED: Final = "damaged-record"  # the code of such an event's failure
DAMAGED_CAUSE: Final = f"failed:{DAMAGED}"
UNREADABLE: Final = (  # OSError: `datetime.fromtimestamp` beyond the calendar; Redis' own errors are none of these
    *(ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError, OSError),
)


def damaged_record(company: str, event_id: str, now: datetime) -> EventRecord:
    """Stands in for the record of an event that cannot be read."""
    return EventRecord(
        id=event_id,
        company=company,
        type="",
        key=f"{company}/damaged/{event_id}",
        status="failed",
        reason=Message("mail.damaged.reason"),
        remedy=Message("mail.damaged.remedy"),
        code=DAMAGED,
        attempts=0,
        occurred_at=now,
        accepted_at=now,
        settled_at=None,
        blocker="",
    )


def report_bug(company: str, error: Exception) -> None:
    """To Sentry, with the company."""
    with sentry_sdk.new_scope() as scope:
        scope.set_tag("company", company)
        sentry_sdk.capture_exception(error)
