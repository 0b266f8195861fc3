"""What goes wrong: workers killed, a worker stopped for longer than its lease, Redis killed or failed over."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.chaos.cluster import Cluster, Worker
from tests.chaos.failovers import KINDS, Failover, fail_over
from tests.chaos.options import Options

PAUSE = 4.0  # seconds of peace before the next fail-over


@dataclass
class Damage:
    """What was done, for the report."""

    kills: int = 0
    kills_at_work: int = 0  # of workers that had started
    stops: int = 0
    redis_restarts: int = 0
    redis_away: list[float] = field(default_factory=list)  # seconds until it answered again
    failovers: list[Failover] = field(default_factory=list)


class Nemesis:
    """Three threads, one for each kind of trouble."""

    def __init__(self, cluster: Cluster, options: Options) -> None:
        self.damage = Damage()
        self.error: Exception | None = None
        self._cluster = cluster
        self._options = options
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._guarded, args=(trouble,), name=trouble.__name__, daemon=True)
            for trouble in (
                self.kill_workers,
                self.stop_workers,
                self.fail_over if options.failovers else self.kill_redis,
            )
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """No more trouble; whatever was stopped goes on."""
        self._ended.set()
        for thread in self._threads:
            thread.join(timeout=60)

    def kill_workers(self) -> None:
        dice = self._dice("kills")
        while not self._ended.wait(self._options.kill_every):
            worker = self._pick(dice)
            if worker is not None:
                self.damage.kills += 1
                self.damage.kills_at_work += worker.is_ready
                worker.kill()

    def stop_workers(self) -> None:
        dice = self._dice("stops")
        while not self._ended.wait(self._options.stop_every):
            worker = self._pick(dice)
            if worker is None:
                continue
            worker.stop()
            self.damage.stops += 1
            self._ended.wait(self._options.stop_seconds)
            worker.resume()

    def kill_redis(self) -> None:
        dice = self._dice("redis")
        while not self._ended.wait(self._options.redis_every * dice.uniform(0.7, 1.3)):
            killed = time.monotonic()
            self._cluster.redis.kill()
            self._ended.wait(dice.uniform(0, 2))
            self._cluster.redis.start(timeout=60)
            self.damage.redis_restarts += 1
            self.damage.redis_away.append(time.monotonic() - killed)

    def fail_over(self) -> None:
        """One after the other, of each kind in turn; each begins when Redis is whole again."""
        replicated = self._cluster.replicated
        assert replicated is not None
        kinds = list(KINDS)
        while not self.is_through and not self._ended.wait(PAUSE):
            kind = kinds[len(self.damage.failovers) % len(kinds)]
            self.damage.failovers.append(fail_over(replicated, kind))

    @property
    def is_through(self) -> bool:
        """Whether there were as many fail-overs as wanted."""
        return len(self.damage.failovers) >= self._options.failovers

    def _pick(self, dice: random.Random) -> Worker | None:
        """Any of them, at work or just starting. A stopped one is left to become a zombie."""
        moving = [worker for worker in self._cluster.workers if not worker.is_stopped]
        return dice.choice(moving) if moving else None

    def _dice(self, name: str) -> random.Random:
        return random.Random(f"{self._options.seed}/{name}")

    def _guarded(self, trouble: Callable[[], None]) -> None:
        try:
            trouble()
        except Exception as error:  # noqa: BLE001 - told by the main thread
            self.error = error
