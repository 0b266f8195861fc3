"""Companies and their connections to Fortnox: what they are, connecting, changing choices, disconnecting, settings.

Connecting, changing and disconnecting are events like those from Moment, in order with all others.
"""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from delivery.admission import admit
from delivery.services import Services
from messages import Message
from moment.events import Integration, parse_event
from operations.errors import OperationError, WrongArgument
from operations.status import connection_state
from ordering import EventRecord
from ordering.records import UNSETTLED
from stores import CompanySettings, Connection

SETTLES_WITHIN: Final = 30.0  # seconds; a code from Fortnox lives ten minutes
LOOK: Final = 0.1  # seconds between two looks


@dataclass(frozen=True)
class CompanyDetails:
    """A company's connection; why its transfers are paused, if they are; when its refresh token was last used."""

    connection: Connection
    paused: Message | None
    refreshed: datetime | None


def connection_states(services: Services) -> dict[str, str]:
    """Each company and the state of its connection (`operations.status.connection_state`)."""
    return {name: connection_state(services, name) for name in services.ordering.companies()}


def show(services: Services, company: str) -> CompanyDetails:
    """Raises `OperationError` where the company has no connection."""
    connections = services.stores.connections
    return CompanyDetails(
        _connection(services, company), services.ordering.paused(company), connections.last_refreshed(company)
    )


def changed(stored: Integration, given: Mapping[str, Any]) -> dict[str, Any]:
    """The `integration` of an event: stored choices, with those that are given (by path, not None) in their place."""
    fields = stored.model_dump(mode="json", by_alias=True, exclude={"authorization_code"})
    for path, value in given.items():
        within, _, name = path.rpartition(".")
        if value is not None:
            (fields[within] if within else fields)[name] = value
    return fields


def consent_address(services: Services, company: str, *, service_account: bool) -> str:
    """Where a system administrator of the company consents. Its state is stored, and good for ten minutes.

    Raises `WrongArgument` without a redirect address.
    """
    if services.settings.fortnox_redirect_uri is None:
        raise WrongArgument(Message("operation.no-redirect-address"))
    state = services.stores.consents.ask(company)
    return services.fortnox.oauth.authorize_url(state, service_account=service_account)


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


def connect(services: Services, company: str, integration: Mapping[str, Any], code: str) -> Connection:
    """Connect the company with a one-time code. Raises `OperationError`, and its old connection then continues.

    Also raises `InvalidEvent`.
    """
    record = _deliver(services, company, "integration.enabled", {**integration, "authorizationCode": code})
    connection = _connection(services, company)
    if connection.enabled_by != record.id:
        raise OperationError(why(record))  # what the company had before goes on
    return connection


def change(services: Services, company: str, integration: Mapping[str, Any]) -> Connection:
    """Change the choices of a connected company. Raises `OperationError` and `InvalidEvent`."""
    _deliver(services, company, "integration.updated", integration)
    return _connection(services, company)


def disconnect(services: Services, company: str) -> Message:
    """End the connection: its tokens are revoked and forgotten. Return what is left to do. Raises `OperationError`."""
    _connection(services, company)
    return why(_deliver(services, company, "integration.disabled", {}))


def settings(services: Services, company: str, changes: Mapping[str, str] | None = None) -> CompanySettings:
    """The settings of the company, after `changes`, if any. Raises `WrongArgument`, and then changes none."""
    store = services.stores.company_settings
    try:
        return store.change(company, dict(changes)) if changes else store.get(company)
    except ValidationError as error:
        raise WrongArgument(Message.join(*map(_fault, error.errors(include_url=False)))) from None


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
    return Message("operation.wrong-setting", setting=name, value=repr(fault["input"]), why=fault["msg"])
