"""Events: accepting them, and what became of one; retrying and skipping it."""

import json
from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, ValidationError
from starlette.concurrency import run_in_threadpool

from config.json_limits import check_json
from console.api.answers import ApiFault, ApiFaults, ApiRefusal, faulty
from console.api.bodies import check_lines, read_body
from console.api.keys import Here, Key, actor_of, check_company
from delivery.services import Services
from messages import Message
from messages.catalogue import say
from moment.events import Event, Problem
from operations import publish as publishing
from operations import retry as retrying
from operations.outcomes import as_outcome, find_outcomes
from operations.publish import BadEvent
from stores.producer_keys import ProducerKey

log = structlog.get_logger(__name__)
router = APIRouter(tags=["events"])

JSON: Final = "application/json"
JSON_LINES: Final = "application/x-ndjson"
FAULTS_NAMED: Final = 1_000  # of one body
SHORT: Final = 10_000  # bytes of a body that has a reason alone

Company = Annotated[str, Path(description="The company's code in Moment.", examples=["acme"])]
EventId = Annotated[str, Path(description="The event's id.", examples=["e1"])]


class Accepted(BaseModel):
    """How many events were accepted, and how many of them were known by their id before, so that nothing changed."""

    accepted: int
    known: int


class EventOutcome(BaseModel):
    """What became of an event, in the fields of the stream `moment:outcomes`."""

    id: str
    company: str
    type: str
    key: str
    status: str
    code: str
    reason: str
    documentNumber: str
    voucher: str
    at: str | None = Field(description="When it settled; null until then.")


class EventStatus(BaseModel):
    """The event's new status."""

    status: str


class SkipRequest(BaseModel):
    """Why an event is given up, for whoever looks later."""

    reason: str = Field("given up by a program", max_length=500, pattern=r"\S")


@router.post(
    "/events",
    status_code=202,
    response_model=Accepted,
    responses={
        403: {
            "model": ApiFaults,
            "description": "The key is not for the company of an event. Nothing was accepted.",
        },
        408: {"model": ApiFaults, "description": "The body took too long."},
        413: {"model": ApiFaults, "description": "The body is too large."},
        415: {"model": ApiFaults, "description": "The body's type is neither of the two."},
        422: {"model": ApiFaults, "description": "Something is no event of the contract. Nothing was accepted."},
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                JSON: {"schema": {"$ref": "#/components/schemas/Event"}},
                JSON_LINES: {"schema": {"type": "string", "description": "An event a line."}},
            },
        }
    },
)
async def accept(request: Request, services: Here, key: Key) -> JSONResponse:
    """Accept events: all, or none where one is no event of the contract.

    They are on disk in Redis when the answer is given. An event whose id is known changes nothing, so that a request
    that was not answered can be made again.
    """
    lines = _is_lines(request)
    async with read_body(request, services.settings.max_event_bytes) as body:
        if lines:
            check_lines(body)
        return await run_in_threadpool(_accept, services, key, body, lines)


def _accept(services: Services, key: ProducerKey, body: bytes, lines: bool) -> JSONResponse:
    events, bad = publishing.read_body(body, services.settings.max_event_bytes, lines=lines)
    if bad:
        return faulty(422, _faults(bad))
    if not events:
        return faulty(422, _faults([BadEvent(1, None, (Problem("", Message("api.no-events")),))]))
    if foreign := [one for one in events if not key.allows(one.company)]:
        faults = [ApiFault(path="company", message=say(Message("api.not-this-keys", company=foreign[0].company)))]
        return faulty(403, faults)
    accepted = _publish(services, events)
    known = len(events) - accepted
    log.info("api.events_accepted", producer=key.name, accepted=accepted, known=known)
    return JSONResponse(Accepted(accepted=accepted, known=known).model_dump(), 202)


def _publish(services: Services, events: list[Event]) -> int:
    return sum(publishing.publish(services, event) for event in events)


def _is_lines(request: Request) -> bool:
    """Whether the body is JSON lines. Raises `ApiRefusal` with 415 for what is neither these nor JSON, in UTF-8."""
    kind, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    plain = request.headers.get("content-encoding", "identity").lower() == "identity"
    if kind.strip().lower() not in (JSON, JSON_LINES) or charset not in ("", "utf-8") or not plain:
        raise ApiRefusal(415)
    return kind.strip().lower() == JSON_LINES


def _faults(bad: list[BadEvent]) -> list[ApiFault]:
    faults = [ApiFault(line=one.line, path=each.path, message=_in_words(each)) for one in bad for each in one.problems]
    return faults[:FAULTS_NAMED]


def _in_words(problem: Problem) -> str:
    return say(Message("api.fault", problem=problem.problem, value=problem.value) if problem.value else problem.problem)


@router.post(
    "/events/{company}/{event_id:path}/retry",
    response_model=EventStatus,
    responses={
        404: {"model": ApiFaults},
        409: {"model": ApiFaults, "description": "There is nothing to retry."},
    },
)
def retry(services: Here, key: Key, company: Company, event_id: EventId) -> EventStatus:
    """Run an event again, now."""
    check_company(key, company)
    return EventStatus(status=retrying.retry(services, company, event_id, by=actor_of(key)).became)


@router.post(
    "/events/{company}/{event_id:path}/skip",
    response_model=EventStatus,
    responses={
        404: {"model": ApiFaults},
        409: {"model": ApiFaults, "description": "It cannot be skipped."},
        413: {"model": ApiFaults, "description": "The body is too large."},
        422: {"model": ApiFaults, "description": "The body is not of this form."},
    },
    openapi_extra={"requestBody": {"content": {JSON: {"schema": SkipRequest.model_json_schema()}}}},
)
async def skip(request: Request, services: Here, key: Key, company: Company, event_id: EventId) -> Any:
    """Give up an event that is not running; what waited for it goes on. The body is optional."""
    check_company(key, company)
    async with read_body(request, SHORT) as body:
        try:
            reason = read_reason(body)
        except ValidationError as error:
            return faulty(
                422, [ApiFault(path=".".join(map(str, one["loc"])), message=one["msg"]) for one in error.errors()]
            )
        except ValueError:
            return faulty(422, [ApiFault(message=say(Message("api.not-json")))])
    await run_in_threadpool(retrying.skip, services, company, event_id, reason, by=actor_of(key))
    return EventStatus(status="skipped")


# Last, since its path takes the two before for ids.
@router.get("/events/{company}/{event_id:path}", response_model=EventOutcome, responses={404: {"model": ApiFaults}})
def outcome(services: Here, key: Key, company: Company, event_id: EventId) -> Any:
    """What became of an event."""
    check_company(key, company)
    return as_outcome(find_outcomes(services, event_id, company)[0])


def read_reason(body: bytes) -> str:
    """The reason in a body, which may be empty. Raises `ValueError`, `ValidationError` among them. Pure."""
    if not body.strip():
        return SkipRequest.model_validate({}).reason
    check_json(body, most=SHORT)
    return SkipRequest.model_validate(json.loads(body.decode())).reason
