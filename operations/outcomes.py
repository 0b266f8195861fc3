"""What became of an event, for whoever sent it."""

from typing import Any

from delivery.services import Services
from messages import Message
from messages.catalogue import say
from operations.errors import OperationError, UnknownEvent
from ordering import EventRecord
from ordering.records import in_utc


def find_outcomes(services: Services, event_id: str, company: str | None = None) -> list[EventRecord]:
    """The events of this id: the company's, or without one that of each company that has it.

    Raises `OperationError` where there is none.
    """
    companies = services.ordering.companies() if company is None else [company]
    if found := services.ordering.events([(name, event_id) for name in companies]):
        return found
    if company is not None:
        raise UnknownEvent(company, event_id)
    raise OperationError(Message("operation.unknown-id", event=event_id))


def as_outcome(record: EventRecord) -> dict[str, Any]:
    """The event in the fields of the stream's entries; `at` is null until it has settled."""
    return {
        "id": record.id,
        "company": record.company,
        "type": record.type,
        "key": record.key,
        "status": record.status,
        "code": record.code,
        "reason": say(record.reason),
        "documentNumber": record.document,
        "voucher": record.voucher,
        "at": None if record.settled_at is None else in_utc(record.settled_at),
    }
