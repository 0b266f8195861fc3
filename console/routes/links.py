"""`/l/{token}`: a mail's link. It opens a session for its company alone, and does nothing else: scanners open links."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from console.access import ALL, Role, Serving, allow, visitor_of
from console.pages import page
from console.routes.sign_in import begin
from mails.links import path_of
from operations.mail_links import ask_anew
from stores import Session

router = APIRouter()


@router.get("/l/{token}")
@allow(*ALL)
def follow(request: Request, services: Serving, token: str) -> Response:
    """Go on to what the mail is about. A link that is too old, revoked or none of ours gets one and the same page."""
    link = services.stores.mail_links.open(token)
    if link is None:
        return page(request, "link_gone.html", status=404, contact=services.settings.contact)
    visitor = visitor_of(request)
    if visitor.role is Role.ANYBODY or (visitor.role is Role.COMPANY and visitor.company != link.company):
        begin(request, services, Session(Role.COMPANY, link.name, link.company, link.series))
    where = path_of(link.company, event=link.event, cause=link.cause, connect=link.connect)
    return RedirectResponse(where, 303)


@router.post("/l/{token}")
@allow(*ALL)
def ask(request: Request, services: Serving, token: str) -> Response:
    """A new link goes to its company's error address alone. The answer is the same whether the link was one of ours."""
    ask_anew(services, token)
    return page(request, "link_asked.html", contact=services.settings.contact)
