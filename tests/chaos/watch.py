"""Watches the run from outside: how soon a dead holder's event is taken up, and workers that end by themselves.

Whose worker held an event is written nowhere, so recovery is measured from the holder's last sign of life (its claim,
or the last renewal of its lease): the kill came later, so the true time is shorter. While the event's company rests,
because Fortnox refused or failed it, nothing of it is to be taken up: that time does not count.
"""

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from redis.exceptions import RedisError

from config.redis import redis_client
from tests.chaos.cluster import Cluster
from tests.chaos.options import Options

LOOK_EVERY = 0.2  # seconds


@dataclass(frozen=True, slots=True)
class LeaseHandle:
    """A holder of an event: its fencing token, and when its lease ends (ms)."""

    fence: str
    until: float


@dataclass(slots=True)
class Lapse:
    """An event whose holder let its lease run out."""

    hold: LeaseHandle
    looked: float  # ms
    rested: float = 0.0  # ms that its company has rested since


@dataclass
class Recoveries:
    """Seconds from a dead holder's last sign of life until another had its event."""

    seconds: list[float] = field(default_factory=list)
    rests: list[float] = field(default_factory=list)  # of them: how long the company rested meanwhile
    lapses: Counter[int] = field(default_factory=Counter)  # how many were the event's first in a row, its second …

    @property
    def slowest(self) -> float:
        return max(self.seconds, default=0.0)


class Watch(threading.Thread):
    """Looks a few times a second, until told to end."""

    def __init__(self, cluster: Cluster, options: Options) -> None:
        super().__init__(name="watch", daemon=True)
        self.recoveries = Recoveries()
        self._cluster = cluster
        self._lease = options.lease * 1000
        self._redis = redis_client(cluster.settings, decode_responses=True, socket_timeout=10)
        self._ended = threading.Event()
        self._holds: dict[str, LeaseHandle] = {}
        self._lapsed: dict[str, Lapse] = {}

    def end(self) -> None:
        self._ended.set()
        self.join(timeout=60)
        self._redis.close()

    @property
    def outstanding(self) -> int:
        """Events of dead holders that nobody has taken up yet."""
        return len(self._lapsed)

    def run(self) -> None:
        while not self._ended.wait(LOOK_EVERY):
            for worker in self._cluster.workers:
                if not worker.is_stopped:
                    worker.revive()
            try:
                self._look()
            except RedisError:
                continue  # it was killed; what was held then is still in the notes

    def _look(self) -> None:
        seconds, microseconds = self._redis.time()  # type: ignore[misc]
        now = seconds * 1000 + microseconds / 1000
        leases: Any = self._redis.zrange("mf:leases", 0, -1, withscores=True)
        running = dict(leases)
        fences = self._events(running, ["fence"])
        held = {ref: LeaseHandle(fences[ref][0] or "", until) for ref, until in running.items()}
        for ref, hold in self._holds.items():
            now_held = held.get(ref)
            if (now_held is None or now_held.fence != hold.fence) and hold.until <= now:
                self._lapsed.setdefault(ref, Lapse(hold, now))
        self._holds = held
        self._take_note(now)

    def _take_note(self, now: float) -> None:
        for ref, found in self._events(self._lapsed, ["fence", "claimed", "settled", "status", "lapses"]).items():
            fence, claimed, settled, status, lapses = found
            lapse = self._lapsed[ref]
            if fence != lapse.hold.fence:
                taken_up = float(claimed or now)
            elif status not in {"waiting", "ready", "running"}:
                taken_up = float(settled or now)  # set aside, or settled at the very end of its lease
            else:
                company: Any = self._redis.hmget(f"mf:company:{ref.partition(':')[0]}", ["rests", "probing"])
                lapse.rested += now - lapse.looked if any(company) else 0
                lapse.looked = now
                continue
            del self._lapsed[ref]
            silent = taken_up - (lapse.hold.until - self._lease)
            self.recoveries.seconds.append((silent - lapse.rested) / 1000)
            self.recoveries.rests.append(lapse.rested / 1000)
            self.recoveries.lapses[int(lapses or 0)] += 1

    def _events(self, refs: Any, names: list[str]) -> dict[str, list[str | None]]:
        pipeline = self._redis.pipeline(transaction=False)
        refs = list(refs)
        for ref in refs:
            pipeline.hmget(f"mf:event:{ref}", names)
        return dict(zip(refs, pipeline.execute(), strict=True))
