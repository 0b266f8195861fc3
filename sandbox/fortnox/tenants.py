"""The companies whose ledgers this sandbox holds."""

import copy

from sandbox.clock import Clock, elapsed
from sandbox.fortnox.happenings import Happenings
from sandbox.fortnox.ledger import Ledger


class Tenants:
    def __init__(self, clock: Clock, happenings: Happenings) -> None:
        self._clock = clock
        self.happenings = happenings
        self.clear()

    def clear(self) -> None:
        self.ledgers: dict[str, Ledger] = {}
        self._former: dict[str, tuple[float, Ledger]] = {}  # until when the API shows a ledger as it was
        self.happenings.clear()
        self.number = 1_000_000  # the last one given

    def get(self, name: str) -> Ledger | None:
        return self.ledgers.get(name)

    def ensure(self, name: str) -> Ledger:
        """The ledger of that name, with a default chart of accounts if it is new."""
        if name not in self.ledgers:
            self.number += 1
            self.ledgers[name] = Ledger(name, self.number, self._clock, self.happenings)
        return self.ledgers[name]

    def keep_showing(self, name: str, seconds: float) -> None:
        """Make the API show this ledger as it is now, for so long, whatever is changed meanwhile."""
        ledger = self.ledgers.get(name)
        if ledger is not None and self.as_it_was(name) is None:
            former = copy.deepcopy(ledger)
            former.clock, former.happenings = ledger.clock, ledger.happenings
            self._former[name] = elapsed() + seconds, former

    def as_it_was(self, name: str) -> Ledger | None:
        """The ledger as the API still shows it; None where that is as it is."""
        if name not in self._former:
            return None
        until, ledger = self._former[name]
        return ledger if until > elapsed() else None

    def by_database_number(self, number: str) -> Ledger | None:
        return next((one for one in self.ledgers.values() if str(one.database_number) == number), None)
