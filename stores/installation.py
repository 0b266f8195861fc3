"""Tells when Redis no longer holds what it held: it was emptied, replaced, or went back to an older copy.

The hash `installation` has a random id, made when a process first finds none, and a counter of looks. Each process that
runs for long looks every few seconds and remembers what it saw. An id that is gone or another, or a counter that went
back, is a loss: it is kept in the hash `installation:losses` until a person acknowledges it.
"""

import json
import secrets
import threading
from collections import deque
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from redis import Redis

from messages import Message
from ordering.queries import PREFIX
from ordering.records import to_epoch_ms, to_time
from stores.epoch import UNSEEN

LossKind = Literal["emptied", "replaced", "set-back"]

LOOK: Final = Path(__file__).parent / "lua" / "look.lua"
# A fail-over may lose the last write. Only what goes back behind the look before the last one is an older copy.
LOOKS_KEPT: Final = 2
# Begin the fields that say that the loss of an id at this time (ms) was mailed, or acknowledged. The loss itself stays
# for processes that look only afterwards.
MAILED: Final = "mailed:"
ACKNOWLEDGED: Final = "acknowledged:"


class Loss(NamedTuple):
    """What happened to Redis. `id` is the installation id that was remembered.

    `at`: when it was found. `before`: when the process that found it had last looked. `back_to`: of a copy, when it
    was made. `gone`: how many of the events and polls accepted since then are known to be gone.
    """

    id: str
    kind: LossKind
    at: datetime
    before: datetime
    back_to: datetime
    gone: int

    @property
    def message(self) -> Message:
        """What happened, in a sentence."""
        match self.kind:
            case "emptied":
                return Message("redis.lost.emptied", at=self.at, before=self.before)
            case "replaced":
                return Message("redis.lost.replaced", at=self.at, before=self.before)
            case "set-back":
                return Message("redis.lost.set-back", at=self.at, back_to=self.back_to, gone=self.gone)


class Installation:
    """One process's memory of the installation. Safe to share between threads."""

    def __init__(self, redis: Redis, prefix: str = PREFIX) -> None:
        self._redis = redis
        self._losses = f"{prefix}installation:losses"
        self._keys = [f"{prefix}installation", self._losses, f"{prefix}tickets"]
        self._look = redis.register_script(LOOK.read_text())
        self._lock = threading.Lock()
        self._id = ""
        self._looks: deque[int] = deque(maxlen=LOOKS_KEPT)
        self._tickets = 0
        self._looked = "0"

    def look(self) -> Loss | None:
        """Compare Redis with what this process remembers, and remember what it is now. Returns the loss it met.

        Raises `RedisError`.
        """
        with self._lock:
            remembered = self._id
            least = self._looks[0] if self._looks else 0
            new_id = secrets.token_hex(16)
            answer: Any = self._look(
                keys=self._keys, args=[remembered, least, self._tickets, self._looked, new_id, UNSEEN]
            )
            self._id, looks, self._tickets, self._looked, loss = answer
            if loss:
                self._looks.clear()
            self._looks.append(looks)
        return _loss(remembered, loss) if loss else None

    def losses(self) -> list[Loss]:
        """The losses that nobody has acknowledged, the oldest first."""
        return self._without(ACKNOWLEDGED)

    def losses_to_mail(self) -> list[Loss]:
        """The losses that were neither acknowledged nor mailed."""
        return self._without(ACKNOWLEDGED, MAILED)

    def mark_mailed(self, loss: Loss) -> None:
        self._redis.hset(self._losses, MAILED + loss.id, _ms(loss))

    def acknowledge(self, losses: Iterable[Loss]) -> None:
        """A person has seen these losses."""
        if marks := {ACKNOWLEDGED + loss.id: _ms(loss) for loss in losses}:
            self._redis.hset(self._losses, mapping=marks)

    def _without(self, *marks: str) -> list[Loss]:
        found: Any = self._redis.hgetall(self._losses)
        losses = [_loss(id_, stored) for id_, stored in found.items() if not id_.startswith((MAILED, ACKNOWLEDGED))]
        unmarked = (loss for loss in losses if all(found.get(mark + loss.id) != _ms(loss) for mark in marks))
        return sorted(unmarked, key=lambda loss: loss.at)


def _ms(loss: Loss) -> str:
    return str(to_epoch_ms(loss.at))


def _loss(id_: str, stored: str) -> Loss:
    found = json.loads(stored)
    at, before, back_to = (to_time(found[name]) for name in ("at", "before", "back_to"))
    return Loss(id_, found["kind"], at, before, back_to, int(found["gone"]))
