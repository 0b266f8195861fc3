"""The companies whose ledgers this sandbox holds."""

from sandbox.clock import Clock
from sandbox.fortnox.ledger import Ledger


class Tenants:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.clear()

    def clear(self) -> None:
        self.ledgers: dict[str, Ledger] = {}
        self.number = 1_000_000  # the last one given

    def get(self, name: str) -> Ledger | None:
        return self.ledgers.get(name)

    def ensure(self, name: str) -> Ledger:
        """The ledger of that name, with a default chart of accounts if it is new."""
        if name not in self.ledgers:
            self.number += 1
            self.ledgers[name] = Ledger(name, self.number, self._clock)
        return self.ledgers[name]

    def by_database_number(self, number: str) -> Ledger | None:
        return next((one for one in self.ledgers.values() if str(one.database_number) == number), None)
