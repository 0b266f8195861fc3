"""What is looked at in a company's ledger because something changed there, or may have: which events do that."""

import json
from datetime import UTC, datetime
from typing import Final

from delivery.services import Services
from ordering import Ordering, Submission
from tasks.flows import HINTS

LOOK_ID: Final = "hints"
LOOK_TYPE: Final = f"{HINTS.kind}.look"
CHANGE_TYPE: Final = f"{HINTS.kind}.change"  # tells a person of one change
LOCKED: Final = "locked-period"


def looks_key(company: str) -> str:
    """The ordering key of the looks: one transfer at a time."""
    return f"{company}/{HINTS.kind}"


def look(services: Services, company: str, what: str) -> None:
    """Queue a look: `invoice/1001`, `financial-year` or `locked-period`."""
    services.stores.looks(company).add(what, datetime.now(UTC))
    services.feed.look(looks_key(company))


def looks_asked(ordering: Ordering, company: str) -> None:
    """Queue the transfer that looks, unless one is open."""
    ordering.publish(
        Submission(
            company=company,
            id=LOOK_ID,
            key=looks_key(company),
            type=LOOK_TYPE,
            body=json.dumps({"company": company}),
            occurred_at=datetime.now(UTC),
            recurring=True,
        )
    )
