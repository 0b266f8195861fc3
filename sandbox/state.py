"""Keeps the data of the stand-ins in a file between runs. Options, faults and request logs start empty."""

import os
import pickle
from pathlib import Path

from sandbox.clock import Clock
from sandbox.fortnox.oauth import OAuth
from sandbox.fortnox.tenants import Tenants
from sandbox.moment import Moment
from sandbox.smtp import Mailbox


class State:
    """The parts of the sandbox that are kept, and their file. Without a file nothing is kept."""

    def __init__(
        self, file: Path | None, clock: Clock, tenants: Tenants, oauth: OAuth, moment: Moment, mailbox: Mailbox
    ) -> None:
        self._file = file
        self._clock = clock
        # Which attributes of which part; the ledgers hold the clock, so that it is one for all again.
        self._parts: tuple[tuple[object, tuple[str, ...]], ...] = (
            (clock, ("offset",)),
            (tenants, ("ledgers", "number")),
            (oauth, ("grants", "codes", "access_tokens", "refresh_tokens")),
            (moment, ("companies", "public_files")),
            (mailbox, ("mails",)),
        )
        self._tenants = tenants

    def load(self) -> None:
        """Load the data of an earlier run. The sandbox wrote the file itself, so unpickling it is safe."""
        if self._file is None or not self._file.exists():
            return
        kept = pickle.loads(self._file.read_bytes())
        for part, names in self._parts:
            for name in names:
                setattr(part, name, kept[type(part).__name__, name])
        for ledger in self._tenants.ledgers.values():
            ledger.clock, ledger.happenings = self._clock, self._tenants.happenings

    def save(self) -> None:
        """Replace the file in one step: an interrupted write leaves the previous file."""
        if self._file is None:
            return
        kept = {(type(part).__name__, name): getattr(part, name) for part, names in self._parts for name in names}
        new = self._file.with_suffix(".new")
        new.write_bytes(pickle.dumps(kept))
        os.replace(new, self._file)
