"""The life of a connection: enabled with a one-time code, updated, disabled."""

from datetime import UTC, datetime
from typing import Any

from celery import shared_task

from moment.events import Integration
from tasks.names import TRANSFERS
from tasks.tokens import to_tokens
from tasks.transfer import Job, TransferTask
from worker.ordering import Done, Failed, Outcome
from worker.stores import Connection


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
        job.house.doors.reopen(job.claim.company)
    return outcome


def enable(job: Job) -> Outcome:
    """Exchanges the code, which lives 10 minutes and works once, and lets the company's events go."""
    if not job.taken("connected"):
        sealed = job.event.integration.authorization_code
        if sealed is None:
            return Failed(
                "integration.authorizationCode: is missing.",
                "Enable the integration in Moment again and approve it in Fortnox.",
                "NoCode",
            )
        grant = job.house.oauth.exchange_code(job.house.vault.open(sealed), company=job.claim.company)
        service = job.event.integration.service_account
        tokens = to_tokens(grant)
        connection = Connection(
            company=job.claim.company,
            state="connected",
            tenant_id=grant.tenant_id,
            integration=without_code(job.event.integration),
            connected_at=datetime.now(UTC),
        )
        # A service account asks for new tokens by its tenant id: no refresh token, nothing to race for.
        job.house.connections.save_tokens(
            job.claim.company, tokens.model_copy(update={"refresh_token": None}) if service else tokens
        )
        job.house.connections.save(connection)
        job.record("connected")
    job.house.ordering.resume(job.claim.company)
    return Done()


def update(job: Job) -> Outcome:
    """Takes over the company's new choices. Raises `NeverConnected`."""
    changed = {"integration": without_code(job.event.integration)}
    job.house.connections.save(job.connection.model_copy(update=changed))
    return Done()


def disable(job: Job) -> Outcome:
    """Revokes the refresh token where there is one and forgets all tokens. Raises `NeverConnected`."""
    connection, tokens = job.connection, job.house.connections.tokens(job.claim.company)
    if tokens is not None and tokens.refresh_token is not None:
        job.house.oauth.revoke(tokens.refresh_token, company=job.claim.company)
    job.house.connections.forget_tokens(job.claim.company)
    job.house.connections.save(connection.model_copy(update={"state": "disabled"}))
    job.house.ordering.resume(job.claim.company)
    return Done()


def without_code(integration: Integration) -> Integration:
    return integration.model_copy(update={"authorization_code": None})
