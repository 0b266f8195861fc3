"""The transfer log, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from delivery.services import Services
from mails.entities import entity_of_key
from messages import Message
from operations.board import BoardKeeper
from operations.errors import WrongArgument
from operations.naming import check_company
from ordering import EventRecord
from ordering.history import Filter, find_some
from ordering.listed import find_listed, with_newest
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


def transfers(
    services: Services, wanted: Filter, boards: BoardKeeper, *, after: str = "", limit: int = 50
) -> TransferPage:
    """The newest events that fit. The board helps where there are many companies.

    Raises `WrongArgument` where the company is unknown or `after` is no `next`.
    """
    place = _place(after)
    if wanted.company:
        check_company(services, wanted.company)
    elif has_many_companies(services.ordering):
        return _of_many(services, wanted, boards, place, limit)
    records, end = find_some(services.ordering, wanted, limit, place, LOOKS)
    return TransferPage(records, _next(end))


def _of_many(
    services: Services, wanted: Filter, boards: BoardKeeper, after: IndexEntry | None, limit: int
) -> TransferPage:
    """Those that the board's times lead to, and on the first page also what is newer than these times."""
    board = boards.board()
    boards.listed.catch_up()
    page = find_listed(services.ordering, boards.listed, wanted, limit, after, LOOKS, board.has_some)
    if after is None and wanted.until is None:
        fresh = newest(services.ordering, wanted, limit, board.latest)
        page = with_newest(page, fresh, limit)
    return TransferPage(page[0], _next(page[1]))


def keys_of(company: str, number: str) -> tuple[str, ...]:
    """The ordering keys that a number can have: of an invoice, a customer or a project. Pure."""
    return tuple(f"{company}/{kind}/{number}" for kind in NUMBERED)


def subject(record: EventRecord) -> Message:
    """What the event is about, as the reader knows it: `invoice 1001`."""
    if record.key.split("/")[1:] == [EXPENSES.kind]:  # of which one, only the event's body says
        return Message("mail.entity.expenses")
    return entity_of_key(record.key, record.id).label


def _next(end: IndexEntry | None) -> str:
    return f"{to_epoch_ms(end.at)}/{end.company}/{end.id}" if end else ""


def _place(after: str) -> IndexEntry | None:
    if not after:
        return None
    ms, slash, rest = after.partition("/")
    company, second, event_id = rest.partition("/")
    if not (slash and second and ms.isascii() and ms.isdecimal() and len(ms) < 14):
        raise WrongArgument(Message("operation.no-such-place"))
    return IndexEntry(company, event_id, EPOCH + timedelta(milliseconds=int(ms)))
