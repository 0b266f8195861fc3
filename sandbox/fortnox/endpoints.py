"""What a resource registers with the gateway."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from sandbox.fortnox.ledger import Ledger
from sandbox.http import Answer, Call

LedgerHandler: TypeAlias = Callable[[Ledger, Call], Answer]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method on one path. `scope` must be granted; `media` is the content type a body must have."""

    method: str
    template: str
    handler: LedgerHandler
    scope: str
    media: str = "application/json"
    is_action: bool = False  # PUT without a body: `{}` is refused

    @property
    def resource(self) -> str:
        return self.template.split("/")[2]
