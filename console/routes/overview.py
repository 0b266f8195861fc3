"""`/`: what needs a person, and all companies."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from console.access import SIGNED_IN, Role, allow, services_of, visitor_of
from console.pages import address, page
from delivery.services import Services

router = APIRouter()


@router.get("/")
@allow(*SIGNED_IN, own=True)
def overview(request: Request, services: Annotated[Services, Depends(services_of)]) -> Response:
    """A company's visitor goes on to that company."""
    visitor = visitor_of(request)
    if visitor.role is Role.COMPANY:
        return RedirectResponse(address("companies", visitor.company), 303)
    return page(request, "overview.html", companies=services.ordering.companies())
