"""A company's connection to Fortnox: enabled with a one-time code, updated, disabled."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from delivery.context import TransferContext
from delivery.pauses import pause
from delivery.polling import follow
from delivery.retry_policy import decide
from delivery.tokens import to_tokens
from fortnox import errors as e
from fortnox.oauth import Grant
from messages import Message
from moment.events import Integration
from ordering import Done, Failed, Outcome, Skipped
from stores import Connection
from stores.vault import Unsealable
from tasks.base import transfer_task
from tasks.checks import LedgerSetup, ledger_of, look, problems, stopped
from tasks.flows import INTEGRATION

log = structlog.get_logger(__name__)

NEW_CODE = Message("integration.new-code")
REMOVE = Message("integration.remove-in-fortnox")


@transfer_task(INTEGRATION.task)
def transfer_integration(context: TransferContext) -> Outcome:
    """Connect, change or disconnect the company. Its access blocks are lifted: they may be out of date afterwards."""
    match context.event.type:
        case "integration.enabled":
            outcome = enable(context)
        case "integration.updated":
            outcome = update(context)
        case _:
            outcome = disable(context)
    if isinstance(outcome, Done):
        context.services.fortnox.access_blocks.reopen(context.claim.company)
    return outcome


def enable(context: TransferContext) -> Outcome:
    """Exchange the code (valid for 10 minutes, once), release the company's events, and check the connection."""
    company, connections = context.claim.company, context.services.stores.connections
    if not context.taken("connected"):
        before = connections.find(company)
        if refused := _refusal(context, before):
            works = before is not None and before.state == "connected" and not connections.dead(company)
            return _former_stands(refused) if works else refused
        context.record("connected")
    context.services.ordering.resume(company)
    follow(context.services.polling, context.services.ordering, connections.get(company))
    return check(context)


def update(context: TransferContext) -> Outcome:
    """Store the company's new choices and check them. Raises `NeverConnected`."""
    connection = context.services.stores.connections.get(context.claim.company)
    context.lease.check()
    chosen = connection.model_copy(update={"integration": without_code(context.event.integration)})
    connection = context.services.stores.connections.save(chosen)
    follow(context.services.polling, context.services.ordering, connection)
    return check(context) if connection.state == "connected" else Done()


def disable(context: TransferContext) -> Outcome:
    """Stop transfers at once, then revoke the refresh token, if any, and delete all tokens."""
    company, connections = context.claim.company, context.services.stores.connections
    version, connection = connections.version(company), connections.find(company)
    if connection is None:
        return Skipped(Message("integration.was-not-connected"))
    context.lease.check()  # the event ends the connection that was read, not a later one
    disabled = connections.save(connection.model_copy(update={"state": "disabled", "problems": ()}))
    follow(context.services.polling, context.services.ordering, disabled)
    ended = version is None or context.services.fortnox.tokens.end(company, version)
    context.services.ordering.resume(company)
    if connection.integration.service_account:
        return Done(Message("integration.service-consent-stays"), REMOVE)
    return Done() if ended else Done(Message("integration.consent-not-ended"), REMOVE)


def check(context: TransferContext) -> Outcome:
    """Check whether the company's choices can work, and store the problems found with the connection."""
    company, connections = context.claim.company, context.services.stores.connections
    connection = connections.get(company)
    try:
        found = look(context, connection)
    except e.GrantDead as dead:  # the pause is mailed; the next consent is checked
        pause(context.services, company, dead)
        return Done()
    connection = connections.save(_identified(connection, found))
    if connection.integration.service_account and found.rotating and _goes_without_refresh_token(context, connection):
        found = replace(found, rotating=False)
    listed = problems(connection.integration, found)
    connections.save(connection.model_copy(update={"problems": listed}))
    if stopped(connection.integration, listed):
        remedies = dict.fromkeys(problem.remedy for problem in listed)
        return Failed(
            Message.join(*(problem.what for problem in listed)),
            Message.join(*remedies, Message("integration.then-retry")),
            "NothingWorks",
        )
    return Done(notice=Message.join(*(part for problem in listed for part in (problem.what, problem.remedy))))


def _refusal(context: TransferContext, before: Connection | None) -> Outcome | None:
    """Why this event does not connect the company, if so."""
    try:
        return _connect(context, before)
    except (e.Rejected, Unsealable) as error:
        return decide(error, context.claim, (), chance=0)


def _former_stands(refused: Outcome) -> Outcome:
    """An unusable code leaves a working connection as it is and blocks nothing; a person is told."""
    if not isinstance(refused, Failed):
        return refused
    return Done(Message.join(refused.reason, Message("integration.former-stands")), refused.remedy)


def _connect(context: TransferContext, before: Connection | None) -> Outcome | None:
    company, connections = context.claim.company, context.services.stores.connections
    sealed = context.event.integration.authorization_code
    if sealed is None:
        return Failed(Message("integration.no-code"), NEW_CODE, "NoCode")
    code = context.services.vault.open(sealed)
    digest = hashlib.sha256(code.encode()).hexdigest()[:16]
    if before is not None and before.code_digest == digest:
        return None if before.enabled_by == context.claim.id else _used(context, before)
    context.lease.check()
    grant = context.services.fortnox.oauth.exchange_code(code, company=company)
    if before is not None and before.tenant_id not in (None, grant.tenant_id):
        log.warning("connection.other_ledger", tenant_id=grant.tenant_id, before=before.tenant_id)
        context.services.stores.links(company, before.tenant_id).forget_all()
    connection = _connection(context, grant, digest)
    connections.begin(connection.model_copy(update={"revision": before.revision if before else 0}), to_tokens(grant))
    return None


def _used(context: TransferContext, before: Connection) -> Outcome:
    used = Message("integration.code-used", at=before.connected_at)
    if before.state == "connected" and not context.services.stores.connections.dead(context.claim.company):
        return Skipped(Message.join(used, Message("integration.its-connection-stands")))
    return Failed(used, NEW_CODE, "CodeUsed")


def _connection(context: TransferContext, grant: Grant, digest: str) -> Connection:
    return Connection(
        company=context.claim.company,
        state="connected",
        tenant_id=grant.tenant_id,
        integration=without_code(context.event.integration),
        connected_at=datetime.now(UTC),
        enabled_by=context.claim.id,
        code_digest=digest,
        scopes=tuple(sorted(grant.scopes)),
    )


def _identified(connection: Connection, found: LedgerSetup) -> Connection:
    """The connection with its ledger. The tenant id is in the token or, failing that, in the company information."""
    tenant_id = connection.tenant_id or (found.ledger.database_number if found.ledger else None)
    return connection.model_copy(update={"ledger": ledger_of(found), "tenant_id": tenant_id})


def _goes_without_refresh_token(context: TransferContext, connection: Connection) -> bool:
    """Try to get tokens by the tenant id alone. Return whether that works, and the refresh token is gone.

    A service account needs no refresh token, which can be lost. Where Fortnox refuses, the refresh token is kept, so a
    company that chose a service account by mistake loses no consent.
    """
    held = context.services.stores.connections.held(connection.company)
    if held is None or connection.tenant_id is None:
        return False
    try:
        grant = context.services.fortnox.oauth.client_credentials(connection.tenant_id, company=connection.company)
    except (e.GrantDead, e.Rejected):
        return False
    return context.services.stores.connections.renewed(connection.company, held.version, to_tokens(grant)) in (
        "kept",
        "revived",
    )


def without_code(integration: Integration) -> Integration:
    return integration.model_copy(update={"authorization_code": None})
