"""Companies and their connections to Fortnox: what they are, connecting, changing choices, disconnecting, settings.

Connecting, changing and disconnecting are events like those from Moment, in order with all others.
"""

import re
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from delivery.admission import admit
from delivery.services import Services
from messages import Message
from moment.events import COMPANY_PATTERN, Integration, parse_event
from operations.audit import Actor, acting, audited
from operations.errors import OperationError, WrongArgument
from operations.events import LogLine, export
from operations.naming import check_company
from operations.states import State, company_state, company_states
from ordering import EventRecord
from ordering.history import Filter
from ordering.records import UNSETTLED
from stores import CompanySettings, Connection
from stores.forgetting import forget as forget_stored

SETTLES_WITHIN: Final = 30.0  # seconds; a code from Fortnox lives ten minutes
COMPANY_CODE: Final = re.compile(COMPANY_PATTERN)
LOOK: Final = 0.1  # seconds between two looks


@dataclass(frozen=True)
class CompanyDetails:
    """A company's connection and state; when its refresh token was last used; how many events have each status."""

    connection: Connection
    state: State
    refreshed: datetime | None
    events: Mapping[str, int]


def check_code(company: str) -> None:
    """Raises `WrongArgument` where no company can have this code."""
    if not COMPANY_CODE.fullmatch(company):
        raise WrongArgument(Message("operation.no-company-code", company=company))


def states(services: Services) -> dict[str, State]:
    """Each company and its state."""
    return company_states(services, services.ordering.companies())


def show(services: Services, company: str) -> CompanyDetails:
    """Raises `WrongArgument` where the company is unknown, and `OperationError` where it has no connection."""
    check_company(services, company)
    connection, found = _connection(services, company), services.ordering.states([company])[company]
    refreshed = services.stores.connections.last_refreshed(company)
    return CompanyDetails(connection, company_state(connection.state, found), refreshed, found.counts)


def detailed(services: Services, company: str) -> tuple[State, Mapping[str, int]]:
    """The company's state, connected or not, and how many events have each status. Raises `WrongArgument`."""
    check_company(services, company)
    found = services.ordering.states([company])[company]
    return company_states(services, [company])[company], found.counts


def changed(stored: Integration, given: Mapping[str, Any]) -> dict[str, Any]:
    """The `integration` of an event: stored choices, with those that are given (by path, not None) in their place."""
    fields = stored.model_dump(mode="json", by_alias=True, exclude={"authorization_code"})
    for path, value in given.items():
        within, _, name = path.rpartition(".")
        if value is not None:
            (fields[within] if within else fields)[name] = value
    return fields


@audited("consent.asked")
def consent_address(services: Services, company: str, chosen: Integration, *, by: Actor) -> str:
    """Where a system administrator of the company consents to what its choices need.

    Its state is stored, and good for ten minutes. Raises `WrongArgument` without a redirect address.
    """
    if services.settings.fortnox_redirect_uri is None:
        raise WrongArgument(Message("operation.no-redirect-address"))
    state = services.stores.consents.ask(company)
    return services.fortnox.oauth.authorize_url(state, services.scopes(chosen), service_account=chosen.service_account)


def code_of(services: Services, company: str, address: str) -> str:
    """The code in the address to which Fortnox redirected; its state is compared, and used up.

    Raises `WrongArgument` where the state is not one that this company was asked with in the last ten minutes, and
    where there is no code.
    """
    try:
        fields = parse_qs(urlsplit(address).query)
    except ValueError:
        fields = {}
    codes, states = fields.get("code", []), fields.get("state", [])
    if len(states) != 1 or not services.stores.consents.use(company, states[0]):
        raise WrongArgument(Message("operation.unknown-consent", company=company))
    if len(codes) != 1:
        raise WrongArgument(Message("operation.no-code"))
    return codes[0]


@audited("company.connected")
def connect(services: Services, company: str, integration: Mapping[str, Any], code: str, *, by: Actor) -> Connection:
    """Connect the company with a one-time code. Raises `OperationError`, and its old connection then continues.

    Also raises `InvalidEvent`.
    """
    record = _deliver(services, company, "integration.enabled", {**integration, "authorizationCode": code})
    connection = _connection(services, company)
    if connection.enabled_by != record.id:
        raise OperationError(why(record))  # what the company had before goes on
    return connection


def change(services: Services, company: str, integration: Mapping[str, Any], *, by: Actor) -> Connection:
    """Change the choices of a connected company. Raises `OperationError` and `InvalidEvent`."""
    before = services.stores.connections.find(company)
    stored = changed(before.integration, {}) if before else {}
    names = ", ".join(sorted(name for name, value in integration.items() if name in stored and stored[name] != value))
    with acting(services, by, "company.changed", company, changed=names):
        _deliver(services, company, "integration.updated", integration)
    return _connection(services, company)


@audited("company.disconnected")
def disconnect(services: Services, company: str, *, by: Actor) -> Message:
    """End the connection: its tokens are revoked and forgotten. Return what is left to do. Raises `OperationError`."""
    check_company(services, company)
    _connection(services, company)
    return why(_deliver(services, company, "integration.disabled", {}))


def check_forgettable(services: Services, company: str) -> int:
    """How many events would be forgotten with the company.

    Raises `WrongArgument` where it is unknown, and `OperationError` where it is connected or an event is under way.
    """
    check_company(services, company)
    connection = services.stores.connections.find(company)
    if connection is not None and connection.state == "connected":
        raise OperationError(Message("operation.still-connected", company=company))
    counts = services.ordering.counts(company)
    if any(counts[status] for status in ("ready", "running", "retrying")):
        raise OperationError(Message("operation.under-way", company=company))
    return sum(counts.values())


def log_of(services: Services, company: str) -> Iterator[tuple[LogLine, str]]:
    """The company's transfer log, newest event first, each with the event's JSON where that is still kept."""
    for line in export(services, Filter(company)):
        yield line, services.ordering.body(company, line.record.id) or ""


def forget(services: Services, company: str, *, by: Actor) -> None:
    """Forget the company with all its events, choices and tokens. Raises as `check_forgettable`.

    Its audit log is forgotten with it; the one of all keeps what was done.
    """
    with acting(services, by, "company.forgotten", company, for_company=False):
        _forget(services, company)


def _forget(services: Services, company: str) -> None:
    check_forgettable(services, company)
    connection = services.stores.connections.find(company)
    counts, now = services.ordering.counts(company), datetime.now(UTC)
    if not services.ordering.forget(company, sum(counts[status] for status in (*UNSETTLED, "failed"))):
        raise OperationError(Message("operation.under-way", company=company))
    while services.ordering.forget_settled(company, now):
        pass
    forget_stored(services.redis, company, connection.revision if connection else 0)


def settings(services: Services, company: str) -> CompanySettings:
    """The settings of the company. Raises `WrongArgument`."""
    check_company(services, company)
    return services.stores.company_settings.get(company)


def change_settings(services: Services, company: str, changes: Mapping[str, str], *, by: Actor) -> CompanySettings:
    """Change settings of the company, and return all. Raises `WrongArgument`, and then changes none."""
    before = settings(services, company).model_dump(mode="json", by_alias=True)
    with acting(services, by, "company.set", company) as act:
        try:
            found = services.stores.company_settings.change(company, dict(changes))
        except ValidationError as error:
            raise WrongArgument(Message.join(*map(_fault, error.errors(include_url=False)))) from None
        after = found.model_dump(mode="json", by_alias=True)
        differing = (f"{name} {before[name]} → {after[name]}" for name in after if after[name] != before[name])
        act.details["changed"] = ", ".join(differing)
    return found


def why(record: EventRecord) -> Message:
    """Why the event ended as it did, and what to do."""
    return Message.join(record.reason, record.remedy)


def _connection(services: Services, company: str) -> Connection:
    connection = services.stores.connections.find(company)
    if connection is None:
        raise OperationError(Message("operation.not-connected", company=company))
    return connection


def _deliver(services: Services, company: str, event_type: str, integration: Mapping[str, Any]) -> EventRecord:
    """Publish the event and wait until it is done. Raises `OperationError` where it fails or no worker takes it, and
    `InvalidEvent`.
    """
    event_id = f"cli-{uuid.uuid4().hex[:12]}"
    given = {
        "id": event_id,
        "company": company,
        "type": event_type,
        "occurredAt": datetime.now(UTC).isoformat(),
        "integration": integration,
    }
    admit(parse_event(given), services.ordering, services.vault)
    deadline = time.monotonic() + SETTLES_WITHIN
    while (record := services.ordering.event(company, event_id)) is None or record.status in UNSETTLED:
        if time.monotonic() > deadline:
            raise OperationError(Message("operation.no-worker", seconds=f"{SETTLES_WITHIN:.0f}"))
        time.sleep(LOOK)
    if record.status != "done":
        raise OperationError(why(record))
    return record


def _fault(fault: ErrorDetails) -> Message:
    name = ".".join(map(str, fault["loc"]))
    if fault["type"] == "extra_forbidden":
        known = ", ".join(str(field.alias) for field in CompanySettings.model_fields.values())
        return Message("operation.unknown-setting", setting=name, known=known)
    if fault["type"] == "string_pattern_mismatch":
        example = next(field.default for field in CompanySettings.model_fields.values() if field.alias == name)
        return Message("operation.setting-form", setting=name, value=repr(fault["input"]), example=str(example))
    return Message("operation.wrong-setting", setting=name, value=repr(fault["input"]), why=fault["msg"])
