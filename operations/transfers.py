"""The transfer log, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from delivery.services import Services
from mails.entities import entity_of_key
from messages import Message
from operations.errors import WrongArgument
from operations.naming import check_company
from ordering import EventRecord
from ordering.history import Filter, find_some
from ordering.newest import has_many_companies, newest
from ordering.records import EPOCH, IndexEntry, to_epoch_ms
from tasks.flows import EXPENSES, NUMBERED

LOOKS: Final = 3000  # events looked at for a page; those that fit may be rare


@dataclass(frozen=True, slots=True)
class TransferPage:
    """Some events, newest first. `next`: for the page after this; "" where there is none. It may be that none of
    those looked at fitted, and yet there are more.
    """

    records: Sequence[EventRecord]
    next: str
    cut: bool = False  # older ones are found by company alone: there are too many companies


def transfers(services: Services, wanted: Filter, *, after: str = "", limit: int = 50) -> TransferPage:
    """The newest events that fit. Raises `WrongArgument` where the company is unknown or `after` is no `next`."""
    if wanted.company:
        check_company(services, wanted.company)
    elif not wanted.keys and not wanted.code and wanted.status != "failed" and has_many_companies(services.ordering):
        return TransferPage(newest(services.ordering, wanted, limit), "", cut=True)
    records, end = find_some(services.ordering, wanted, limit, _place(after), LOOKS)
    return TransferPage(records, f"{to_epoch_ms(end.at)}/{end.company}/{end.id}" if end else "")


def keys_of(company: str, number: str) -> tuple[str, ...]:
    """The ordering keys that a number can have: of an invoice, a customer or a project. Pure."""
    return tuple(f"{company}/{kind}/{number}" for kind in NUMBERED)


def subject(record: EventRecord) -> Message:
    """What the event is about, as the reader knows it: `invoice 1001`."""
    if record.key.split("/")[1:] == [EXPENSES.kind]:
        return Message("mail.entity.expenses")
    return entity_of_key(record.key, record.id).label


def _place(after: str) -> IndexEntry | None:
    if not after:
        return None
    ms, slash, rest = after.partition("/")
    company, second, event_id = rest.partition("/")
    if not (slash and second and ms.isascii() and ms.isdecimal() and len(ms) < 14):
        raise WrongArgument(Message("operation.no-such-place"))
    return IndexEntry(company, event_id, EPOCH + timedelta(milliseconds=int(ms)))
