"""The companies that a key is for, and what failed of them."""

from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from console.api.answers import ApiFaults
from console.api.keys import Here, Key, check_company
from delivery.services import Services
from messages.catalogue import say
from operations.companies import detailed
from operations.failures import Failure, by_cause, cause_name
from operations.naming import check_company as check_known
from operations.retry import Selection, chosen
from operations.states import CONNECTED, State, as_fields, company_states
from ordering import EventRecord
from ordering.history import listed_at
from stores.producer_keys import EVERY, ProducerKey

router = APIRouter()

PAGE: Final = 500  # companies in one answer
NAMED: Final = 100  # events of a cause that an answer names


class CompanySummary(BaseModel):
    """A company, its connection to Fortnox (`connected`, `paused`, `disabled`, `none`) and what it waits for now."""

    company: str
    connection: str
    state: str
    until: str | None
    why: str | None


class Companies(BaseModel):
    """Companies by code. `next`: the `after` of the next page; null on the last."""

    companies: list[CompanySummary]
    next: str | None


class CompanyWithEvents(CompanySummary):
    """A company, and how many of its events have each status."""

    events: dict[str, int]


class FailedEvent(BaseModel):
    """A failed event, to be retried or skipped."""

    company: str
    id: str


class Cause(BaseModel):
    """A cause for which events have failed: how many, since when, what is said of the oldest, and the oldest 100."""

    cause: str
    code: str
    reason: str
    said: str = Field(description="Fortnox's own words.")
    events: int
    companies: dict[str, int] = Field(description="How many events of each company.")
    oldest: datetime | None
    ids: list[FailedEvent]


class Failures(BaseModel):
    """The causes for which events have failed, the most frequent first."""

    failures: list[Cause]


@router.get("/companies", response_model=Companies, tags=["companies"])
def companies(
    services: Here,
    key: Key,
    after: Annotated[str, Query(description="Only companies after this code.", max_length=63)] = "",
) -> Companies:
    """The companies that the key is for, as far as they have had events."""
    names = [name for name in _known(services, key) if name > after]
    states = company_states(services, names[:PAGE])
    found = [_state(name, state) for name, state in states.items()]
    return Companies(companies=found, next=names[PAGE - 1] if len(names) > PAGE else None)


@router.get(
    "/companies/{company}",
    response_model=CompanyWithEvents,
    responses={404: {"model": ApiFaults}},
    tags=["companies"],
)
def company(services: Here, key: Key, company: Annotated[str, Path(examples=["acme"])]) -> CompanyWithEvents:
    """One company, with how many of its events have each status."""
    check_company(key, company)
    state, counts = detailed(services, company)
    return CompanyWithEvents(**_state(company, state).model_dump(), events=dict(counts))


@router.get("/failures", response_model=Failures, responses={404: {"model": ApiFaults}}, tags=["companies"])
def failed(
    services: Here,
    key: Key,
    company: Annotated[str, Query(description="Only this company's.", max_length=63)] = "",
) -> Failures:
    """What failed of the companies that the key is for, by cause."""
    if company:
        check_company(key, company)
        check_known(services, company)
    records = sorted(_failed(services, key, company), key=listed_at)
    return Failures(failures=[_cause(one, records) for one in by_cause(records)])


def _failed(services: Services, key: ProducerKey, company: str) -> list[EventRecord]:
    """The failed events of the company, or of all that the key is for."""
    if company or EVERY in key.companies:
        selections = [Selection(company)]
    else:
        selections = [Selection(name) for name in _known(services, key)]
    return [record for selection in selections for record in chosen(services, selection) if record]


def _known(services: Services, key: ProducerKey) -> list[str]:
    known = services.ordering.companies()
    return known if EVERY in key.companies else [name for name in known if key.allows(name)]


def _state(name: str, state: State) -> CompanySummary:
    connection = "connected" if state.name in CONNECTED else state.name
    return CompanySummary(company=name, connection=connection, **as_fields(state))


def _cause(one: Failure, records: Sequence[EventRecord]) -> Cause:
    of_cause = (record for record in records if cause_name(record) == one.cause)
    return Cause(
        cause=one.cause,
        code=one.code,
        reason=say(one.reason),
        said=one.said,
        events=one.events,
        companies=one.companies,
        oldest=one.oldest,
        ids=[FailedEvent(company=record.company, id=record.id) for record in islice(of_cause, NAMED)],
    )
