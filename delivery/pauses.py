"""Pauses a company whose grant is dead, and resumes it when it has a living one.

A pause may come late: the company may have consented again meanwhile, and the resume for that has already run. So after
each pause the connection is read again, and the keep-alive task ends pauses that a dead process left behind.
"""

import structlog

from delivery.services import Services
from fortnox.codes import explain
from fortnox.errors import GrantDead

log = structlog.get_logger(__name__)


def pause(services: Services, company: str, dead: GrantDead) -> None:
    """Pause the company until it consents again, and have a person told, once."""
    log.warning("connection.dead", company=company)
    services.ordering.pause(company, explain(dead).reason)
    end_if_stale(services, company)
    services.request_report()


def end_if_stale(services: Services, company: str) -> None:
    """Resume a paused company whose grant is not dead. A disconnected company has no grant to wait for."""
    if not services.stores.connections.dead(company):
        log.info("connection.resumed", company=company)
        services.ordering.resume(company)


def end_stale(services: Services) -> None:
    """Call `end_if_stale` for all paused companies."""
    for company, reason in services.ordering.stopped().items():
        if reason:  # no reason: Fortnox is down
            end_if_stale(services, company)
