"""The pause of a company whose grant is dead: begun when somebody notices, over when the grant lives.

Who noticed may be late: the company may have consented anew meanwhile, and what resumes it has run. So after each pause
the store is read again, and beat's look at idle connections ends what a process left that died in between.
"""

import structlog

from fortnox.codes import explain
from fortnox.errors import GrantDead
from tasks.house import House
from tasks.messages import ask_for_report

log = structlog.get_logger(__name__)


def pause(house: House, company: str, dead: GrantDead) -> None:
    """The company's events wait for a new consent, and a person is told, once."""
    log.warning("connection.dead", company=company)
    house.ordering.pause(company, explain(dead).reason)
    end_if_stale(house, company)
    ask_for_report(house.app)


def end_if_stale(house: House, company: str) -> None:
    """Lets a paused company go on whose grant is not dead (any more). One that is disconnected waits for nothing."""
    if not house.connections.dead(company):
        log.info("connection.resumed", company=company)
        house.ordering.resume(company)


def end_stale(house: House) -> None:
    """The same for all companies that are paused."""
    for company, reason in house.ordering.stopped().items():
        if reason:  # else Fortnox is down
            end_if_stale(house, company)
