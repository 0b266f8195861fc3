"""`/audit`: who did what when, from console, command line and mail link alike."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from console.access import Role, Serving, allow
from console.pages import page
from operations.audit import actor_in_words, in_words, outcome_in_words
from operations.audit import page as audit_page

router = APIRouter()


@router.get("/audit")
@allow(Role.OPERATOR, Role.VIEWER)
def audit(request: Request, services: Serving, company: str = "", before: str = "") -> Response:
    found = audit_page(services, company.strip(), before=before)
    return page(
        request,
        "audit.html",
        found=found,
        company=company.strip(),
        before=before,
        who=actor_in_words,
        what=in_words,
        outcome=outcome_in_words,
    )
