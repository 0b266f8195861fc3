"""`/`: what needs a person, and all companies."""

from datetime import UTC, datetime

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from console.access import SIGNED_IN, Boards, Role, Serving, allow, visitor_of
from console.charts import hours_chart
from console.pages import address, page
from operations.board import Sort, chosen_companies
from operations.companies import check_code
from ordering.glance import last_hours

router = APIRouter()

ON_A_PAGE = 50
STATES = ("failed", "held", "waiting", "paused", "resting", "unavailable", "connected", "disabled", "none")
CAUSES = 8  # shown before "all"


@router.get("/")
@allow(*SIGNED_IN, own=True)
def overview(
    request: Request,
    services: Serving,
    boards: Boards,
    q: str = "",
    state: str = "",
    sort: Sort = Sort.NEED,
    number: int = 1,
) -> Response:
    """A company's visitor goes on to that company."""
    visitor = visitor_of(request)
    if visitor.role is Role.COMPANY:
        return RedirectResponse(address("companies", visitor.company), 303)
    board = boards.board()
    rows = chosen_companies(board, q.strip(), state if state in STATES else "", sort)
    pages = max(1, -(-len(rows) // ON_A_PAGE))
    number = min(max(1, number), pages)
    shown = rows[(number - 1) * ON_A_PAGE : number * ON_A_PAGE]
    hours = last_hours(services.ordering, (row.name for row in shown), datetime.now(UTC))
    return page(
        request,
        "overview.html",
        board=board,
        causes=board.failures[:CAUSES],
        rows=shown,
        found=len(rows),
        charts={name: hours_chart(one) for name, one in hours.items()},
        hours=hours,
        q=q.strip(),
        state=state,
        states=STATES,
        sort=sort,
        sorts=list(Sort),
        number=number,
        pages=pages,
    )


@router.post("/companies")
@allow(Role.OPERATOR)
def add(request: Request, company: str = Form(max_length=100)) -> Response:
    """Go on to where a company is connected, also one that nothing is known of yet."""
    check_code(company.strip())
    return RedirectResponse(address("companies", company.strip(), "connect"), 303)
