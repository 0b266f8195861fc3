"""`/transfers`: the transfer log. The first page shows what happens by itself (`/transfers/live`)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from console.access import SIGNED_IN, Boards, Serving, allow, narrowed
from console.live import Look, live
from console.pages import page, rendered
from delivery.services import Services
from fortnox.situations import SITUATIONS
from messages import Message
from messages.catalogue import SWEDEN
from operations.board import BoardKeeper
from operations.errors import WrongArgument
from operations.transfers import TransferPage, keys_of, subject, transfers
from ordering.history import Filter, listed_at
from ordering.newest import mark
from ordering.records import STATUSES

router = APIRouter()


@dataclass(frozen=True)
class Asked:
    """What the reader asks for, as the address has it."""

    company: str = ""
    number: str = ""
    status: str = ""
    cause: str = ""
    since: str = ""
    until: str = ""

    @property
    def query(self) -> str:
        return urlencode({name: value for name, value in vars(self).items() if value})

    def page(self, after: str, back: Sequence[str]) -> str:
        """The address of the page that begins there."""
        places = [("after", after)] * bool(after) + [("back", place) for place in back]
        query = "&".join(filter(None, (self.query, urlencode(places))))
        return f"/transfers?{query}" if query else "/transfers"

    def filter(self) -> Filter:
        """Raises `WrongArgument` where something cannot be asked for."""
        if self.number and not self.company:
            raise WrongArgument(Message("transfers.number-needs-company"))
        return Filter(
            company=self.company,
            status=self.status if self.status in STATUSES else "",
            keys=keys_of(self.company, self.number) if self.number else (),
            code=self.cause,
            since=_time(self.since, time.min),
            until=_time(self.until, time.max),
        )


def asked(
    request: Request,
    company: str = "",
    number: str = "",
    status: str = "",
    cause: str = "",
    since: str = "",
    until: str = "",
) -> Asked:
    given = Asked(company.strip(), number.strip(), status, cause.strip(), since, until)
    return replace(given, company=narrowed(request, given.company))


Question = Annotated[Asked, Depends(asked)]


MOST_BACK = 20  # pages that "newer" goes back; before them comes the first page


@router.get("/transfers")
@allow(*SIGNED_IN, own=True)
def log(
    request: Request,
    services: Serving,
    boards: Boards,
    wanted: Question,
    after: str = "",
    back: Annotated[list[str] | None, Query()] = None,
) -> Response:
    """`after`: where the page begins. `back`: where the pages before it began, the first page left out."""
    found = transfers(services, wanted.filter(), boards, after=after[:500])
    before = [one[:500] for one in back or ()][-MOST_BACK:]
    newest = not after and not wanted.until
    return page(
        request,
        "transfers.html",
        found=found,
        asked=wanted,
        newest=newest,
        first=wanted.page("", ()),
        newer=wanted.page(before[-1] if before else "", before[:-1]) if after else "",
        older=wanted.page(found.next, [*before, after] if after else []) if found.next else "",
        statuses=STATUSES,
        situations=SITUATIONS,
        subject=subject,
        listed_at=listed_at,
        with_company=not wanted.company,
    )


@router.get("/transfers/live")
@allow(*SIGNED_IN, own=True)
def live_log(request: Request, services: Serving, boards: Boards, wanted: Question) -> Response:
    return live(_look(request, services, boards, wanted))


def _look(request: Request, services: Services, boards: BoardKeeper, wanted: Asked) -> Look:
    """Reads the log only when something has happened to any event."""
    seen: list[str] = ["", ""]

    def look() -> tuple[str, str]:
        now = mark(services.ordering)
        if now != seen[0]:
            found = transfers(services, wanted.filter(), boards)
            seen[:] = now, _rows(request, wanted, found)
        return seen[0], seen[1]

    return look


def _rows(request: Request, wanted: Asked, found: TransferPage) -> str:
    return rendered(
        request,
        "transfer_rows.html",
        records=found.records,
        more=found.next != "",
        subject=subject,
        listed_at=listed_at,
        with_company=not wanted.company,
    )


def _time(given: str, of_day: time) -> datetime | None:
    """A day or a time by the clock in Sweden."""
    if not given:
        return None
    try:
        found = datetime.fromisoformat(given)
    except ValueError:
        raise WrongArgument(Message("transfers.no-time", given=given)) from None
    if len(given) == len("2026-11-22"):
        found = datetime.combine(found, of_day)
    return found if found.tzinfo else found.replace(tzinfo=SWEDEN)
