"""Connecting a company: through Fortnox's consent page, or with a pasted Authorization-Code."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from console.access import SIGNED_IN, Role, Serving, allow, browser_of, narrowed, visitor_of
from console.pages import address, page
from console.receipts import told
from delivery.services import Services
from messages import NOTHING, Message
from moment.events import InvalidEvent
from operations.companies import check_code, connect
from operations.consenting import ConsentRefused, ask_consent, come_back, connection_to_be
from operations.errors import OperationError, WrongArgument
from stores import Connection

router = APIRouter()

CONNECTS = (Role.OPERATOR, Role.COMPANY)
Email = Annotated[str, Form(alias="email", max_length=500)]
Service = Annotated[str, Form(alias="account")]


@router.get("/companies/{company}/connect")
@allow(*CONNECTS)
def form(request: Request, services: Serving, company: str) -> Response:
    check_code(company)
    return _form(request, services, company)


@router.post("/companies/{company}/connect")
@allow(*CONNECTS)
def to_fortnox(
    request: Request, services: Serving, company: str, email: Email = "", account: Service = "service"
) -> Response:
    """Send the browser to Fortnox, where a system administrator consents."""
    check_code(company)
    choices = _choices(request, services, company, email, account)
    by = visitor_of(request).actor
    try:
        where = ask_consent(services, company, choices, browser=browser_of(request), by=by)
    except OperationError as error:
        return _form(request, services, company, problem=error.message)
    return RedirectResponse(where, 303)


@router.post("/companies/{company}/connect/code")
@allow(*CONNECTS)
def with_code(
    request: Request,
    services: Serving,
    company: str,
    code: Annotated[str, Form(max_length=3000)] = "",
    email: Email = "",
    account: Service = "service",
) -> Response:
    """Connect with an Authorization-Code that a person got from Fortnox."""
    check_code(company)
    if not code.strip():
        return _form(request, services, company, problem=Message("connect.code-missing"))
    choices = _choices(request, services, company, email, account)
    try:
        integration = connection_to_be(services, company, choices)
        connection = connect(services, company, integration, code.strip(), by=visitor_of(request).actor)
    except InvalidEvent as error:
        return _form(request, services, company, problem=error.message)
    except OperationError as error:
        return _form(request, services, company, problem=error.message)
    return _connected(request, connection)


@router.get("/connect/callback")
@allow(*SIGNED_IN, own=True)
def callback(request: Request, services: Serving, state: str = "", code: str = "", error: str = "") -> Response:
    """Fortnox sends the browser back here. Its state is this browser's, unused and not too old, or nothing is done."""
    visitor = visitor_of(request)
    if visitor.role is Role.VIEWER:
        return page(request, "not_connected.html", status=403, company="", problem=Message("consent.unknown"))
    try:
        connection = come_back(
            services,
            state[:200],
            code[:3000],
            error[:200],
            browser=browser_of(request),
            company=narrowed(request, ""),
            by=visitor.actor,
        )
    except ConsentRefused as refused:
        return page(request, "not_connected.html", status=422, company=refused.company, problem=refused.message)
    except WrongArgument as wrong:
        return page(request, "not_connected.html", status=422, company="", problem=wrong.message)
    except OperationError as failed:
        return page(request, "not_connected.html", status=422, company="", problem=failed.message)
    return _connected(request, connection)


def _connected(request: Request, connection: Connection) -> Response:
    done = Message("connect.done", ledger=connection.ledger or connection.company)
    return told(request, address("companies", connection.company), done)


def _choices(request: Request, services: Services, company: str, email: str, account: str) -> dict[str, object]:
    """What the form says. A company's visitor does not change where failures are mailed."""
    chosen: dict[str, object] = {"serviceAccount": account != "person"}
    if email.strip() and visitor_of(request).role is Role.OPERATOR:
        chosen["errorEmail"] = email.strip()
    return chosen


def _form(request: Request, services: Services, company: str, *, problem: Message = NOTHING) -> Response:
    connection = services.stores.connections.find(company)
    return page(
        request,
        "connect.html",
        status=422 if problem else 200,
        company=company,
        connection=connection,
        problem=problem,
        consents=services.settings.fortnox_redirect_uri is not None,
    )
