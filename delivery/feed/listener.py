"""Listens to Fortnox's feed for all companies, in one worker at a time.

It adds the companies, subscribes from where the feed was last read, and keeps each event as a hint before it stores the
event's offset: what was received is not lost, and what comes twice is harmless. It holds a short lease; when its worker
dies, another takes over. A feed that is lost is connected again after a pause, which grows.
"""

import random
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from redis.exceptions import RedisError

from config.redis import redis_client
from delivery.attempt import this_worker
from delivery.feed.lease import LeaseOver, ThreadLease
from delivery.feed.status import NO_COMPANY
from delivery.feed.tenants import FeedTenants
from delivery.services import Services
from fortnox.feed import KINDS, PING_EVERY, PONG_WITHIN, TOPICS, FeedAnswer, FeedConnection, FeedEvent, FeedLost
from stores.counters import Tally
from stores.feed import LISTENER, MISSED, FeedState, Hint

log = structlog.get_logger(__name__)

MOST_AT_ONCE: Final = 500  # events kept in one round trip
MOST_WAITING: Final = 200_000  # hints; beyond that the feed is left alone, and read on from its offset later
WAIT: Final = 1.0  # seconds until the lease is asked for again
STEADY: Final = 60.0  # seconds after which a connection counts as good, so that the next pause is short again
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
SCAN_SHARE: Final = 50.0  # a scan of thousands of companies takes at most a fiftieth of the time
REPLAYED: Final = timedelta(days=14)  # https://www.fortnox.se/developer/guides-and-good-to-know/websockets
LOOK: Final = 0.25  # seconds that one step waits for an event


@dataclass(frozen=True, slots=True)
class Timing:
    """In seconds. A test shortens them."""

    lease: int = 8
    ping_every: float = PING_EVERY
    pong_within: float = PONG_WITHIN
    scan_every: float = 5.0  # for companies that connected, and tokens that are due
    check_every: float = 300.0  # which tenants the feed has
    gather: float = 20.0  # for the companies' tokens, before it subscribes
    say_every: float = 3.0


class FeedListener:
    """`step` is called again and again, by one thread."""

    def __init__(self, services: Services, name: str, timing: Timing | None = None) -> None:
        self._services = services
        self._timing = timing or Timing()
        self._redis = redis_client(services.settings)
        self._lease = ThreadLease(self._redis, LISTENER, name, self._timing.lease)
        self._tenants = FeedTenants(services, services.settings.fortnox_client_secret.get_secret_value())
        self._feed: FeedConnection | None = None
        self._subscribed = False
        self._failures = 0  # in a row
        self._why = ""
        self._since = 0.0
        self._tally = Tally()
        self._open_at = self._scan_at = self._check_at = self._say_at = self._subscribe_by = 0.0

    def step(self) -> float:
        """Listen for a moment, if this worker holds the lease. Return the seconds to wait. Raises `RedisError`."""
        try:
            if not self._lease.held():
                raise LeaseOver
            return self._step()
        except LeaseOver:
            self._hang_up()
            return WAIT
        except FeedLost as lost:
            self._lost(lost)
            return WAIT
        except RedisError:
            self._hang_up()  # what comes meanwhile could not be kept; it is read from its offset later
            raise

    def close(self) -> None:
        """Hang up, and let another worker listen at once. Raises `RedisError`."""
        self._hang_up()
        self._tenants.close()
        try:
            self._lease.release()
        finally:
            self._redis.close()

    def _step(self) -> float:
        now = time.monotonic()
        if now >= self._scan_at:
            self._tenants.scan(self._lease.check)
            took = time.monotonic() - now
            self._scan_at = now + max(self._timing.scan_every, took * SCAN_SHARE)
        self._say()
        if self._feed is None:
            return self._open() if now >= self._open_at and self._tenants.wanted else LOOK
        if not self._subscribed:
            return self._gather(self._feed)
        return self._listen(self._feed)

    def _open(self) -> float:
        settings = self._services.settings
        self._tally.add("feed_connections", "opened")
        self._feed = FeedConnection(
            settings.fortnox_feed_url,
            alive=self._lease.check,
            on_odd=lambda why: self._tally.add("feed_ignored", why),
            proxies=not settings.is_sandbox,
            ping_every=self._timing.ping_every,
            pong_within=self._timing.pong_within,
        )
        self._tenants.begin()
        self._scan_at = 0.0
        self._subscribe_by = time.monotonic() + self._timing.gather
        return 0.0

    def _gather(self, feed: FeedConnection) -> float:
        """Add the companies whose tokens are at hand; then subscribe. Whoever is added later may miss a replay."""
        took = self._tenants.add(feed)
        if not self._tenants.settled and time.monotonic() < self._subscribe_by:
            return 0.0 if took else LOOK / 5
        if not self._tenants.added:
            raise FeedLost("no company was taken")
        known = self._services.feed.offsets()
        too_old = not self._heard_lately()
        topics = feed.add_topics({topic: known.get(topic) for topic in TOPICS})
        feed.subscribe()
        missed = [topic for topic, offset in topics.items() if offset is None or too_old]
        if missed:
            self._missed(kind for topic in missed for kind in TOPICS[topic])
        self._tenants.latecomers()
        self._subscribed, self._since, self._why = True, time.time(), ""
        self._check_at = time.monotonic() + self._timing.check_every
        self._say_at = 0.0
        log.info("feed.subscribed", companies=len(self._tenants.added), topics=sorted(topics), missed=missed or None)
        return 0.0

    def _heard_lately(self) -> bool:
        heard = self._services.feed.heard()
        return heard is not None and datetime.now(UTC) - heard < REPLAYED

    def _missed(self, kinds: Iterable[str], company: str = "") -> None:
        """Keep as a hint that events of these kinds are not replayed; of all companies, or of one."""
        now = datetime.now(UTC)
        self._services.feed.take([Hint(company, " ".join(kinds), MISSED, "", now, now)], {}, Tally())

    def _listen(self, feed: FeedConnection) -> float:
        self._keep(feed)
        if self._failures and time.time() - self._since > STEADY:
            self._failures = 0
        self._tenants.add(feed)
        for company in self._tenants.latecomers():
            self._missed(sorted(KINDS), company)
        if time.monotonic() >= self._check_at:
            self._tenants.leave(feed)
            self._tenants.check(feed)
            self._check_at = time.monotonic() + self._timing.check_every
        return 0.0

    def _keep(self, feed: FeedConnection) -> None:
        """Keep the events that are there, then their offsets."""
        hints: list[Hint] = []
        offsets: dict[str, str] = {}
        message = feed.next(LOOK)
        while message is not None:
            if isinstance(message, FeedAnswer):
                self._answered(message)
            else:
                offsets[message.topic] = message.offset
                hints += self._hints(message)
            message = feed.next(0.0) if len(hints) < MOST_AT_ONCE else None
        tally, self._tally = self._tally, Tally()
        if not (hints or offsets or tally):
            return
        self._lease.check()
        if self._services.feed.take(hints, offsets, tally) > MOST_WAITING:
            raise FeedLost("too much waits")

    def _hints(self, event: FeedEvent) -> list[Hint]:
        received = datetime.now(UTC)
        if event.at is not None:
            self._tally.observe("feed_lag_seconds", seconds=max(0.0, (received - event.at).total_seconds()))
        if not event.known:
            self._tally.add("feed_ignored", "type")
            return []
        self._tally.add("feed_events", f"{event.kind}-{event.verb}")
        companies = self._tenants.companies(event.tenant_id)
        if not (companies and event.number):
            self._tally.add("feed_ignored", "number" if companies else "tenant")
            return []
        at = event.at or received
        what = (event.kind, event.verb, event.number, at, received, event.offset)
        return [Hint(company, *what) for company in companies]

    def _answered(self, answer: FeedAnswer) -> None:
        """An answer that nobody waits for."""
        if answer.command == "remove-tenants-v1":
            self._tenants.dropped(answer.tenant_ids)
        else:
            self._tally.add("feed_ignored", "answer")

    def _lost(self, lost: FeedLost) -> None:
        self._hang_up()
        self._why = lost.why
        self._failures += 1
        pause = pause_before(self._failures, random.random())
        self._open_at = time.monotonic() + pause
        self._say_at = 0.0
        self._tally.add("feed_connections", "lost")
        log.warning("feed.lost", why=lost.why, close_code=lost.code, again_in=round(pause, 1))

    def _hang_up(self) -> None:
        feed, self._feed, self._subscribed = self._feed, None, False
        self._tenants.begin()
        if feed is not None:
            feed.close()

    def _say(self) -> None:
        now = time.monotonic()
        if now < self._say_at:
            return
        self._say_at = now + self._timing.say_every
        why = self._why or ("" if self._tenants.wanted else NO_COMPANY)
        state = FeedState(self._subscribed, this_worker(), len(self._tenants.added), self._since, why)
        self._services.feed.say(state)
        if not self._subscribed and self._tally:
            tally, self._tally = self._tally, Tally()
            self._services.feed.take((), {}, tally)


def pause_before(failures: int, chance: float) -> float:
    """Seconds before the feed is connected again: doubled with each failure, with jitter. `chance`: 0 to 1. Pure."""
    return min(FIRST_PAUSE * 2.0 ** min(failures - 1, 10), LONGEST_PAUSE) * (0.5 + chance)
