"""A company consents in the browser: it is sent to Fortnox, and comes back with a code or without."""

from collections.abc import Iterable, Mapping
from typing import Any

from delivery.services import Services
from messages import Message
from moment.events import Integration
from operations.audit import Actor, audited
from operations.companies import changed, connect
from operations.errors import OperationError, WrongArgument
from stores import Connection


class ConsentRefused(OperationError):
    """Fortnox sent the person back without a code."""

    def __init__(self, company: str, message: Message) -> None:
        super().__init__(message)
        self.company = company


@audited("consent.asked")
def ask_consent(services: Services, company: str, choices: Mapping[str, Any], *, browser: str, by: Actor) -> str:
    """Fortnox's address where a system administrator of the company consents, in this browser within ten minutes.

    `choices`: of the connection to come, by path. Raises `WrongArgument` without a redirect address.
    """
    if services.settings.fortnox_redirect_uri is None:
        raise WrongArgument(Message("operation.no-redirect-address"))
    state = services.stores.consents.ask(company, browser, dict(choices))
    to_be = Integration.model_validate(connection_to_be(services, company, choices))
    return services.fortnox.oauth.authorize_url(state, services.scopes(to_be), service_account=to_be.service_account)


def come_back(
    services: Services, state: str, code: str, error: str, *, browser: str, company: str, by: Actor
) -> Connection:
    """Connect with what Fortnox sent the person back with. The state is used up.

    `company`: the only one that the person may connect; "" for any. Raises `WrongArgument` where the state is not of
    this browser, `ConsentRefused` where there is no code, and as `operations.companies.connect`.
    """
    consent = services.stores.consents.take(state, browser)
    if consent is None or company not in ("", consent.company):
        raise WrongArgument(Message("consent.unknown"))
    integration = connection_to_be(services, consent.company, consent.choices)
    if error or not code:
        raise ConsentRefused(consent.company, _why(error, services.scopes(Integration.model_validate(integration))))
    return connect(services, consent.company, integration, code, by=by)


def connection_to_be(services: Services, company: str, choices: Mapping[str, Any]) -> dict[str, Any]:
    """The `integration` of the event that connects: what the company chose before, with these choices, by path."""
    before = services.stores.connections.find(company)
    return changed(before.integration if before else Integration(), choices)


def _why(error: str, scopes: Iterable[str]) -> Message:
    if error == "access_denied":
        return Message("consent.denied")
    if error == "invalid_scope":
        return Message("consent.scope-refused", scopes=", ".join(scopes))
    return Message("consent.failed", said=error) if error else Message("consent.no-code")
