"""`/companies/{company}`: a company's connection, its checks in words, and disconnecting it."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import Response

from console.access import SIGNED_IN, Boards, Role, Serving, allow, visitor_of
from console.charts import hours_chart
from console.pages import address, page
from console.receipts import told
from delivery.consent import problems_of
from messages import Message
from operations.board import read_rows
from operations.companies import disconnect
from operations.failures import by_cause
from operations.naming import check_company
from ordering.glance import last_hours

router = APIRouter()


@router.get("/companies/{company}")
@allow(*SIGNED_IN)
def company_page(request: Request, services: Serving, boards: Boards, company: str) -> Response:
    check_company(services, company)
    (row,) = read_rows(services, [company])
    hours = last_hours(services.ordering, [company], datetime.now(UTC))[company]
    connection = services.stores.connections.find(company)
    return page(
        request,
        "company.html",
        company=company,
        row=row,
        connection=connection,
        problems=problems_of(connection) if connection else (),
        causes=by_cause(boards.failed.of([company])),
        chart=hours_chart(hours),
        ended=sum(hour.done for hour in hours),
        went_wrong=sum(hour.failed for hour in hours),
    )


@router.get("/companies/{company}/disconnect")
@allow(Role.OPERATOR)
def ask_to_disconnect(request: Request, services: Serving, company: str) -> Response:
    check_company(services, company)
    (row,) = read_rows(services, [company])
    return page(request, "disconnect.html", company=company, row=row)


@router.post("/companies/{company}/disconnect")
@allow(Role.OPERATOR)
def end_connection(request: Request, services: Serving, company: str) -> Response:
    left = disconnect(services, company, by=visitor_of(request).actor)
    done = Message.join(Message("company.disconnected"), left)
    return told(request, address("companies", company), done)
