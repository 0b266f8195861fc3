"""The pause of a company whose grant is dead: begun when somebody notices, over when the grant lives.

Who noticed may be late: the company may have consented anew meanwhile, and what resumes it has run. So after each pause
the store is read again, and beat's look at idle connections ends what a process left that died in between.
"""

import structlog

from delivery.services import Services
from fortnox.codes import explain
from fortnox.errors import GrantDead

log = structlog.get_logger(__name__)


def pause(services: Services, company: str, dead: GrantDead) -> None:
    """The company's events wait for a new consent, and a person is told, once."""
    log.warning("connection.dead", company=company)
    services.ordering.pause(company, explain(dead).reason)
    end_if_stale(services, company)
    services.request_report()


def end_if_stale(services: Services, company: str) -> None:
    """Lets a paused company go on whose grant is not dead (any more). One that is disconnected waits for nothing."""
    if not services.stores.connections.dead(company):
        log.info("connection.resumed", company=company)
        services.ordering.resume(company)


def end_stale(services: Services) -> None:
    """The same for all companies that are paused."""
    for company, reason in services.ordering.stopped().items():
        if reason:  # else Fortnox is down
            end_if_stale(services, company)
