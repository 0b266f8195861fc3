"""Watches the run from outside: how soon a dead holder's event is taken up, and workers that end by themselves.

The name of an event's holder ends with its process id. Recovery is measured from when that process was last seen alive
(neither gone nor stopped). While its company rests, because Fortnox refused or failed it, nothing of it is to be
taken up: that time does not count.
"""

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import psutil
from redis.exceptions import RedisError

from config.redis import redis_client
from tests.chaos.cluster import Cluster

LOOK_EVERY = 0.2  # seconds


@dataclass(frozen=True, slots=True)
class Hold:
    """A holder of an event: its fencing token, and when it was last seen alive (ms)."""

    fence: str
    seen: float


@dataclass(slots=True)
class Lapse:
    """An event whose holder is dead."""

    hold: Hold
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

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(name="watch", daemon=True)
        self.recoveries = Recoveries()
        self._cluster = cluster
        self._redis = redis_client(cluster.settings, decode_responses=True, socket_timeout=10)
        self._ended = threading.Event()
        self._holds: dict[str, Hold] = {}
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
        running: Any = self._redis.zrange("mf:leases", 0, -1)
        holds = {}
        for ref, (fence, holder) in self._events(running, ["fence", "holder"]).items():
            hold = self._holds.get(ref)
            if _is_alive(int((holder or "").rpartition("/")[2] or 0)):
                holds[ref] = Hold(fence or "", now)
            elif hold is not None and hold.fence == fence:
                holds[ref] = hold
                self._lapsed.setdefault(ref, Lapse(hold, now))
        self._holds = holds
        self._take_note(now)

    def _take_note(self, now: float) -> None:
        for ref, found in self._events(self._lapsed, ["fence", "claimed", "settled", "status", "lapses"]).items():
            fence, claimed, settled, status, lapses = found
            lapse = self._lapsed[ref]
            if fence != lapse.hold.fence:
                taken_up = float(claimed or now)
            elif status not in {"waiting", "ready", "running"}:
                taken_up = float(settled or now)  # set aside
            else:
                company: Any = self._redis.hmget(f"mf:company:{ref.partition(':')[0]}", ["rests", "probing"])
                lapse.rested += now - lapse.looked if any(company) else 0
                lapse.looked = now
                continue
            del self._lapsed[ref]
            silent = taken_up - lapse.hold.seen
            self.recoveries.seconds.append((silent - lapse.rested) / 1000)
            self.recoveries.rests.append(lapse.rested / 1000)
            self.recoveries.lapses[int(lapses or 0)] += 1

    def _events(self, refs: Any, names: list[str]) -> dict[str, list[str | None]]:
        pipeline = self._redis.pipeline(transaction=False)
        refs = list(refs)
        for ref in refs:
            pipeline.hmget(f"mf:event:{ref}", names)
        return dict(zip(refs, pipeline.execute(), strict=True))


def _is_alive(process: int) -> bool:
    """Whether this process is there and goes on."""
    try:
        return psutil.Process(process).status() not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
