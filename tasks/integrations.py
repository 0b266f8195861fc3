"""The life of a connection: enabled with a one-time code, updated, disabled."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import structlog
from celery import shared_task

from fortnox import errors as e
from fortnox.oauth import Grant
from moment.events import Integration
from tasks.checks import Found, ledger_of, look, problems, stopped
from tasks.names import TRANSFERS
from tasks.schedule import follow
from tasks.tokens import to_tokens
from tasks.transfer import Job, TransferTask
from worker.ordering import Done, Failed, Outcome, Skipped
from worker.stores import Connection, Problem

log = structlog.get_logger(__name__)

NEW_CODE = "Enable the integration in Moment again and approve it in Fortnox: that gives a new code."


@shared_task(name=TRANSFERS["integration"], base=TransferTask, bind=True)
def transfer(task: TransferTask, company: str, event_id: str) -> Any:
    return task.deliver(company, event_id, transfer_integration)


def transfer_integration(job: Job) -> Outcome:
    """Connects, changes or disconnects the company. What was closed to it may be open afterwards."""
    match job.event.type:
        case "integration.enabled":
            outcome = enable(job)
        case "integration.updated":
            outcome = update(job)
        case _:
            outcome = disable(job)
    if isinstance(outcome, Done):
        job.house.closed.reopen(job.claim.company)
    return outcome


def enable(job: Job) -> Outcome:
    """Exchanges the code, which lives 10 minutes and works once, lets the company's events go, and checks."""
    if not job.taken("connected"):
        if refused := _connect(job):
            return refused
        job.record("connected")
    job.house.ordering.resume(job.claim.company)
    follow(job.house, job.house.connections.get(job.claim.company))
    return check(job)


def update(job: Job) -> Outcome:
    """Takes over the company's new choices, and checks them. Raises `NeverConnected`."""
    connection = job.house.connections.get(job.claim.company)
    connection = connection.model_copy(update={"integration": without_code(job.event.integration)})
    job.house.connections.save(connection)
    follow(job.house, connection)
    return check(job) if connection.state == "connected" else Done()


def disable(job: Job) -> Outcome:
    """Ends transfers at once, then revokes the refresh token where there is one, and forgets all tokens."""
    company, connections = job.claim.company, job.house.connections
    connection = connections.find(company)
    if connection is None:
        return Skipped("The company was not connected.")
    disabled = connection.model_copy(update={"state": "disabled", "problems": ()})
    connections.save(disabled)
    follow(job.house, disabled)
    job.house.tokens.end(company)
    job.house.ordering.resume(company)
    return Done()


def check(job: Job) -> Outcome:
    """Looks whether what the company chose can work, in one go, and keeps what was found with the connection."""
    company, connections = job.claim.company, job.house.connections
    found = look(job, connections.get(company))
    connection = _identified(connections.get(company), found)
    if connection.integration.service_account and found.rotating and _goes_without_refresh_token(job, connection):
        found = replace(found, rotating=False)
    listed = problems(connection.integration, found)
    connections.save(connection.model_copy(update={"problems": listed}))
    if stopped(connection.integration, listed):
        return Failed(*_told(listed), "NothingWorks")
    return Done(notice=" ".join(map(str, listed)))


def _told(listed: tuple[Problem, ...]) -> tuple[str, str]:
    """Reason and remedy that hold all problems."""
    remedies = dict.fromkeys(problem.remedy for problem in listed)
    return " ".join(problem.what for problem in listed), " ".join([*remedies, "Then retry the event."])


def _connect(job: Job) -> Outcome | None:
    """None when the company is connected by this event."""
    company, connections = job.claim.company, job.house.connections
    sealed = job.event.integration.authorization_code
    if sealed is None:
        return Failed("integration.authorizationCode: is missing.", NEW_CODE, "NoCode")
    code = job.house.vault.open(sealed)
    digest = hashlib.sha256(code.encode()).hexdigest()[:16]
    before = connections.find(company)
    if before is not None and before.code_digest == digest:
        return None if before.enabled_by == job.claim.id else _used(before)
    grant = job.house.oauth.exchange_code(code, company=company)
    if before is not None and before.tenant_id not in (None, grant.tenant_id):
        log.warning("connection.other_ledger", tenant_id=grant.tenant_id, before=before.tenant_id)
        job.house.links(company, before.tenant_id).forget_all()
    connections.begin(_connection(job, grant, digest), to_tokens(grant))
    return None


def _used(before: Connection) -> Outcome:
    used = f"The authorization code was used already, on {before.connected_at:%Y-%m-%d %H:%M} UTC: it works once."
    if before.state == "connected":
        return Skipped(f"{used} The connection that was made with it stands.")
    return Failed(used, NEW_CODE, "CodeUsed")


def _connection(job: Job, grant: Grant, digest: str) -> Connection:
    return Connection(
        company=job.claim.company,
        state="connected",
        tenant_id=grant.tenant_id,
        integration=without_code(job.event.integration),
        connected_at=datetime.now(UTC),
        enabled_by=job.claim.id,
        code_digest=digest,
        scopes=tuple(sorted(grant.scopes)),
    )


def _identified(connection: Connection, found: Found) -> Connection:
    """Which ledger it is; the tenant id is in the token as a rule, and else among the company's information."""
    tenant_id = connection.tenant_id or (found.ledger.database_number if found.ledger else None)
    return connection.model_copy(update={"ledger": ledger_of(found), "tenant_id": tenant_id})


def _goes_without_refresh_token(job: Job, connection: Connection) -> bool:
    """A service account asks for new tokens by its tenant id: no refresh token, nothing to race for.

    Until Fortnox has shown that it takes that, the refresh token stays: no consent is lost to a wrong choice.
    """
    held = job.house.connections.held(connection.company)
    if held is None or connection.tenant_id is None:
        return False
    try:
        grant = job.house.oauth.client_credentials(connection.tenant_id, company=connection.company)
    except (e.GrantDead, e.Rejected):
        return False
    job.house.connections.save(connection)  # its tenant id is what the next token is asked for with
    return job.house.connections.renewed(connection.company, held.version, to_tokens(grant)) in ("kept", "revived")


def without_code(integration: Integration) -> Integration:
    return integration.model_copy(update={"authorization_code": None})
