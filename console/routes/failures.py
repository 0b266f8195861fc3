"""`/failures`: what failed, by cause; trying again one event, some, or all of a cause."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from console.access import SIGNED_IN, Boards, Role, Serving, allow, narrowed, visitor_of
from console.pages import address, page
from console.receipts import told
from delivery.services import Services
from fortnox.situation_pages import situation_page
from messages import Message
from operations.board import BoardKeeper
from operations.failures import by_cause, cause_name
from operations.jobs import retry_all
from operations.naming import check_company
from operations.retry import Selection, retry_each
from operations.transfers import subject
from ordering import EventRecord
from ordering.history import listed_at

router = APIRouter()

SHOWN = 100  # events of a cause


@router.get("/failures")
@allow(*SIGNED_IN, own=True)
def failures(request: Request, services: Serving, boards: Boards, company: str = "", cause: str = "") -> Response:
    company = narrowed(request, company.strip())
    records = _failed(services, boards, company)
    causes, board = by_cause(records), None if company else boards.board()
    if not cause:
        return page(request, "failures.html", causes=causes, company=company, board=board)
    failure = next((one for one in causes if one.cause == cause), None)
    chosen = [record for record in records if cause_name(record) == cause]
    return page(
        request,
        "cause.html",
        company=company,
        cause=cause,
        failure=failure,
        steps=situation_page(failure.situation).steps if failure and failure.situation else (),
        records=sorted(chosen, key=listed_at)[:SHOWN],
        number=len(chosen),
        subject=subject,
        listed_at=listed_at,
        board=board,
    )


@router.post("/failures")
@allow(Role.OPERATOR, Role.COMPANY, own=True)
def try_again(
    request: Request,
    services: Serving,
    cause: Annotated[str, Form(max_length=300)],
    company: Annotated[str, Form(max_length=100)] = "",
    event: Annotated[list[str] | None, Form()] = None,
    every: Annotated[str, Form()] = "",
) -> Response:
    """Try the ticked events again; or with `every` all of the cause, which goes on by itself."""
    company, by = narrowed(request, company.strip()), visitor_of(request).actor
    if every:
        return RedirectResponse(address("jobs", retry_all(services, Selection(company, cause=cause), by=by)), 303)
    refs = [(name, event_id) for name, _, event_id in (one.partition("/") for one in event or ())]
    wanted = [ref for ref in refs if company in ("", ref[0])]
    records = [one for one in services.ordering.events(wanted) if one.status == "failed" and cause_name(one) == cause]
    n = sum(bool(done.became) for done in retry_each(services, records, by=by))
    return told(request, address("failures", company=company), Message("failures.retried", n=n))


def _failed(services: Services, boards: BoardKeeper, company: str) -> list[EventRecord]:
    """The failed events of the company, or of all as the board has them."""
    if company:
        check_company(services, company)
        return boards.failed.of([company])
    return boards.all_failed()
