"""`/companies/{company}/settings`: what a company chose. Saving shows what changed."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from console.access import SIGNED_IN, Role, Serving, allow, visitor_of
from console.pages import address, page
from console.receipts import told
from delivery.services import Services
from messages import NOTHING, Message
from operations.chart import known_accounts, read_accounts
from operations.choices import OPERATORS_ALONE, change_choices, choices_of
from operations.errors import OperationError

router = APIRouter()

TICKED = (
    *("transfers.customers", "transfers.projects", "transfers.invoices"),
    *("expenses.enabled", "expenses.billableByDefault", "payments.enabled", "swapReferences"),
)
LISTED = "expenses.accountNumbers"


@router.get("/companies/{company}/settings")
@allow(*SIGNED_IN)
def form(request: Request, services: Serving, company: str) -> Response:
    return _form(request, services, company, choices_of(services, company).values())


@router.post("/companies/{company}/settings")
@allow(Role.OPERATOR, Role.COMPANY)
async def save(request: Request, services: Serving, company: str) -> Response:
    sent = await request.form()
    given = {name: value for name, value in sent.items() if isinstance(value, str)}
    return await run_in_threadpool(_save, request, services, company, given)


@router.get("/companies/{company}/accounts")
@allow(*SIGNED_IN)
def accounts(request: Request, services: Serving, company: str) -> Response:
    """The names of the accounts, read from Fortnox where they are not known."""
    return page(request, "accounts.html", company=company, names=read_accounts(services, company))


def _save(request: Request, services: Services, company: str, form: Mapping[str, str]) -> Response:
    shown = choices_of(services, company).values()
    given = _given(form, shown)
    try:
        changes = change_choices(services, company, given, by=visitor_of(request).actor)
    except OperationError as error:
        return _form(request, services, company, shown | given, problem=error.message)
    done = Message.join(Message("settings.saved"), *changes) if changes else Message("settings.nothing-changed")
    return told(request, address("companies", company, "settings"), done)


def _given(form: Mapping[str, str], shown: Mapping[str, Any]) -> dict[str, Any]:
    """The form's values as `Choices.values` has them. A box that is not ticked is not in a form."""
    given: dict[str, Any] = {name: form[name].strip() for name in shown if name in form}
    given |= {name: name in form for name in TICKED if name in shown}
    if LISTED in given:
        given[LISTED] = [part.strip() for part in given[LISTED].replace(";", ",").split(",") if part.strip()]
    return given


def _form(
    request: Request, services: Services, company: str, values: Mapping[str, Any], *, problem: Message = NOTHING
) -> Response:
    return page(
        request,
        "settings.html",
        status=422 if problem else 200,
        company=company,
        values=values,
        connected="errorEmail" in values,
        names=known_accounts(services, company),
        operators_alone=OPERATORS_ALONE,
        problem=problem,
    )
