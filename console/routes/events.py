"""`/events/{company}/{id}`: one event. What a person may do with it is sent to the same address."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from console.access import SIGNED_IN, Role, Serving, allow, visitor_of
from console.live import live
from console.pages import address, page, rendered
from console.receipts import told
from delivery.services import Services
from fortnox.codes import labelled
from messages import NOTHING, Message
from operations.bodies import ShownBodies
from operations.documents import document_address
from operations.events import EventDetails, bodies, show, unmasked
from operations.neighbours import neighbours
from operations.retry import retry, skip
from operations.timelines import in_words
from operations.transfers import subject

router = APIRouter()

RETRIED = ("failed", "held", "retrying")
SKIPPED = ("failed", "held", "waiting", "ready", "retrying")


@router.get("/events/{company}/{event_id:path}")
@allow(*SIGNED_IN)
def event(request: Request, services: Serving, company: str, event_id: str) -> Response:
    return _page(request, services, company, event_id, bodies(services, company, event_id))


@router.post("/events/{company}/{event_id:path}")
@allow(Role.OPERATOR, Role.COMPANY)
def act(
    request: Request,
    services: Serving,
    company: str,
    event_id: str,
    action: Annotated[Literal["retry", "skip", "unmask"], Form()],
    reason: Annotated[str, Form(max_length=300)] = "",
) -> Response:
    """Try it again, do not transfer it, or show what is masked. Who did it is in the audit log."""
    by = visitor_of(request).actor
    if action == "unmask":
        return _page(request, services, company, event_id, unmasked(services, company, event_id, by=by), shown=True)
    if action == "skip" and not reason.strip():
        masked = bodies(services, company, event_id)
        return _page(request, services, company, event_id, masked, problem=Message("event.reason-missing"))
    if action == "skip":
        n = skip(services, company, event_id, reason.strip(), by=by)
        done = Message.join(Message("event.not-transferred"), Message("event.goes-on", n=n) if n else NOTHING)
    else:
        found = retry(services, company, event_id, by=by)
        done = Message("event.superseded-now") if found.became == "superseded" else Message("event.tried-again")
    return told(request, address("events", company, event_id), done)


@router.get("/live/{company}/{event_id:path}")
@allow(*SIGNED_IN)
def live_event(request: Request, services: Serving, company: str, event_id: str) -> Response:
    show(services, company, event_id)  # a 404 where it is unknown

    def look() -> tuple[str, str]:
        return "", rendered(request, "event_state.html", **_state(services, show(services, company, event_id)))

    return live(look)


def _page(
    request: Request,
    services: Services,
    company: str,
    event_id: str,
    kept: ShownBodies,
    *,
    shown: bool = False,
    problem: Message = NOTHING,
) -> Response:
    state = _state(services, show(services, company, event_id))
    status = 422 if problem else 200
    return page(request, "event.html", status=status, bodies=kept, unmasked=shown, problem=problem, **state)


def _state(services: Services, found: EventDetails) -> dict[str, Any]:
    """What changes by itself while the page is open."""
    record = found.record
    return {
        "found": found,
        "record": record,
        "subject": subject,
        "situation": labelled(record.code),
        "may_retry": record.status in RETRIED,
        "may_skip": record.status in SKIPPED,
        "timeline": [(entry.at, in_words(entry)) for entry in found.timeline],
        "neighbours": neighbours(services, record),
        "document": document_address(services.settings, record),
    }
