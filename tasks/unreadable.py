"""Events that were refused on arrival and that a person retries: each is parsed once more."""

from delivery.context import TransferContext
from messages import Message
from moment.events import parse_event
from ordering import Failed, Outcome
from tasks.base import transfer_task
from tasks.flows import UNREADABLE


@transfer_task(UNREADABLE, read=parse_event)
def refuse(context: TransferContext) -> Outcome:
    """Reached only by an event that is valid now: it has to be published again to get its place in the order."""
    return Failed(Message("event.readable-now"), Message("event.send-again"), "SendAgain")
