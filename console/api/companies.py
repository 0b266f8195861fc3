"""The companies that a key is for, and what failed of them."""

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from console.api.answers import ApiFaults
from console.api.keys import Here, Key, check_company
from delivery.services import Services
from messages.catalogue import say
from operations.companies import detailed
from operations.failures import Failure, failures
from operations.states import CONNECTED, State, as_fields, company_states
from stores.producer_keys import EVERY, ProducerKey

router = APIRouter()

PAGE: Final = 500  # companies in one answer


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


class Cause(BaseModel):
    """A cause for which events have failed: how many, since when, and what is said of the oldest."""

    cause: str
    code: str
    reason: str
    said: str = Field(description="Fortnox's own words.")
    events: int
    oldest: datetime | None


class Failures(BaseModel):
    """The causes for which events of a company have failed, the most frequent first."""

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


@router.get(
    "/companies/{company}/failures",
    response_model=Failures,
    responses={404: {"model": ApiFaults}},
    tags=["companies"],
)
def failed(services: Here, key: Key, company: Annotated[str, Path(examples=["acme"])]) -> Failures:
    """What failed of a company, by cause."""
    check_company(key, company)
    detailed(services, company)
    return Failures(failures=[Cause(**_cause(one)) for one in failures(services, company)])


def _known(services: Services, key: ProducerKey) -> list[str]:
    known = services.ordering.companies()
    return known if EVERY in key.companies else [name for name in known if key.allows(name)]


def _state(name: str, state: State) -> CompanySummary:
    connection = "connected" if state.name in CONNECTED else state.name
    return CompanySummary(company=name, connection=connection, **as_fields(state))


def _cause(one: Failure) -> dict[str, Any]:
    return {
        "cause": one.cause,
        "code": one.code,
        "reason": say(one.reason),
        "said": one.said,
        "events": one.events,
        "oldest": one.oldest,
    }
