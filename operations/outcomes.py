"""What became of an event, for whoever sent it."""

from delivery.services import Services
from messages import Message
from operations.errors import OperationError, UnknownEvent
from ordering import EventRecord


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
