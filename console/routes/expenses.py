"""`/expenses/{company}`: supplier invoices that come back to Moment; what becomes of one, row by row; an import."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from console.access import SIGNED_IN, Role, Serving, allow, visitor_of
from console.pages import address, page
from messages import NOTHING
from operations.errors import OperationError
from operations.expenses import InvoiceExplanation, explain, status, why_waiting
from operations.jobs import import_expenses

router = APIRouter()


@router.get("/expenses/{company}")
@allow(*SIGNED_IN)
def expenses(request: Request, services: Serving, company: str, number: str = "") -> Response:
    """With a supplier invoice's number: what becomes of each row, asked of Fortnox and Moment now."""
    (found,) = status(services, company)
    explained: InvoiceExplanation | None = None
    problem = NOTHING
    if number.strip():
        try:
            explained = explain(services, company, number.strip()[:50])
        except OperationError as error:
            problem = error.message
    return page(
        request,
        "expenses.html",
        status=422 if problem else 200,
        company=company,
        found=found,
        waits_for=why_waiting(services, company, found.poll) if found.next_poll else NOTHING,
        connection=services.stores.connections.find(company),
        number=number.strip(),
        explained=explained,
        problem=problem,
    )


@router.post("/expenses/{company}")
@allow(Role.OPERATOR, Role.COMPANY)
def import_again(
    request: Request, services: Serving, company: str, days: Annotated[int, Form(ge=1, le=400)] = 30
) -> Response:
    """Import what changed within so many days. It goes on by itself."""
    job_id = import_expenses(services, company, days, by=visitor_of(request).actor)
    return RedirectResponse(address("jobs", job_id), 303)
