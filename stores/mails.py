"""What is left to mail, and what was mailed. Only the holder of the lock of `mail.report` writes.

mail:due            sorted set by time (ms): topics with pending events, and when their next mail may be sent
mail:pending:<t>    sorted set by position: ids of the events that the topic's next mail reports
mail:topic:<t>      hash: started, mails and events (sent since), last_sent, maybe_sent
mail:position       counter: the order in which events became pending
mail:outages        hash: company → its outage, as JSON
mail:deferred       sorted set by time (ms): company:<id>, mails that some addresses of the company have yet to get
mail:deferred:<ref> hash: the mail itself, the addresses that lack it, and since when (ms)
mail:backoff        hash: a company, or "" for the server → "tries until": no mail is tried before that
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple, get_args

from redis import Redis

from ordering.queries import PREFIX

HOUR = 3_600_000  # ms between two mails of one topic
QUIET = 24 * HOUR  # a topic without mails for this long begins anew: a new thread, counted from one
FORGOTTEN = 30 * 24 * HOUR
MAX_EVENTS = 20_000  # in one mail; the next one takes the rest
FIRST_WAIT, LONGEST_WAIT = 10_000, 120_000  # ms between two tries

OutageKind = Literal["paused", "unavailable"]


class Topic(NamedTuple):
    """One cause of one company. Its pending events share a mail."""

    company: str
    cause: str

    @property
    def ref(self) -> str:
        return f"{self.company}:{self.cause}"


@dataclass(frozen=True, slots=True)
class TopicHistory:
    """What was mailed about a topic since it started: mails, events, and the time of the last mail (ms).

    `maybe_sent` is the position up to which a mail may have reached the server: its answer never came.
    """

    started: int = 0
    mails: int = 0
    events: int = 0
    last_sent: int = 0
    maybe_sent: int = 0


class DeferredMail(NamedTuple):
    """A mail as it was sent, the addresses that lack it, and since when (ms)."""

    mail: str
    addresses: tuple[str, ...]
    since: int


@dataclass(frozen=True, slots=True)
class Outage:
    """Nothing of a company goes through: it is `paused` until a person connects it, or Fortnox is `unavailable`.

    `step` is the last one mailed about (see `mails.outages`). Times in ms; `recovered` is 0 while it lasts.
    """

    kind: OutageKind
    since: int
    reason: str = ""  # a `Message` as JSON
    step: int = 0
    recovered: int = 0


class MailState:
    """Everything that `mails` keeps in Redis."""

    def __init__(self, redis: Redis, prefix: str = PREFIX) -> None:
        self._redis = redis
        self._prefix = f"{prefix}mail:"

    # Topics

    def add_pending(self, topic: Topic, ids: Sequence[str], now: int) -> None:
        """Add events to the topic's next mail: due now, or an hour after its last mail. May be repeated."""
        history = self.history(topic)
        position = self._redis.incrby(self._key("position"), len(ids)) - len(ids)  # type: ignore[operator]
        waits = self._redis.zscore(self._key("due"), topic.ref) is not None
        due = max(now, history.last_sent + HOUR if history.last_sent else now)
        with self._redis.pipeline(transaction=True) as pipeline:
            if not waits and now - max(history.last_sent, history.started) > QUIET:
                pipeline.delete(self._topic(topic))
                pipeline.hset(self._topic(topic), "started", str(now))
            pipeline.zadd(self._pending(topic), {one: position + at for at, one in enumerate(ids, 1)}, nx=True)
            pipeline.zadd(self._key("due"), {topic.ref: due}, nx=True)
            pipeline.execute()

    def due_topics(self, now: int, most: int) -> list[tuple[int, Topic]]:
        """Topics whose mail may be sent now, with the time since when (ms), oldest first."""
        found = self._due("due", now, most)
        return [
            (at, Topic(company, cause)) for at, (company, _, cause) in ((at, ref.partition(":")) for at, ref in found)
        ]

    def due_count(self, now: int) -> int:
        """How many topics have a mail that may be sent now."""
        return int(self._redis.zcount(self._key("due"), "-inf", now))  # type: ignore[arg-type]

    def history(self, topic: Topic) -> TopicHistory:
        names = ["started", "mails", "events", "last_sent", "maybe_sent"]
        found: Any = self._redis.hmget(self._topic(topic), names)
        return TopicHistory(*map(_int, found))

    def pending(self, topic: Topic, upto: int) -> tuple[list[str], int]:
        """The ids of the topic's pending events in order, and the position of the last.

        With `upto`, only events up to that position: a mail that may have been sent is repeated as it was.
        """
        found: Any = self._redis.zrange(
            self._pending(topic), "-inf", upto or "+inf", byscore=True, withscores=True, offset=0, num=MAX_EVENTS
        )
        return [one for one, _ in found], int(found[-1][1]) if found else upto

    def drop_pending(self, topic: Topic, ids: Sequence[str]) -> None:
        """Take events out of the topic's next mail."""
        if ids:
            self._redis.zrem(self._pending(topic), *ids)

    def mark_maybe_sent(self, topic: Topic, upto: int) -> None:
        """Called before a mail is handed over: if this process dies meanwhile, the same mail is sent again."""
        self._redis.hset(self._topic(topic), "maybe_sent", str(upto))

    def mark_not_sent(self, topic: Topic) -> None:
        """The server certainly does not have the mail."""
        self._redis.hdel(self._topic(topic), "maybe_sent")

    def mark_sent(self, topic: Topic, upto: int, events: int, now: int, *, maybe: bool = False) -> None:
        """The server has the mail with these events, or none of them needed one any more (0 events).

        `maybe`: an earlier mail may have been sent. Its number in the thread is then used up, since another mail with
        the same number would look like the same mail.
        """
        key = self._topic(topic)
        left: Any = self._redis.zcount(self._pending(topic), f"({upto}", "+inf")
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.zremrangebyscore(self._pending(topic), "-inf", upto)
            pipeline.hdel(key, "maybe_sent")
            if events or maybe:
                pipeline.hincrby(key, "mails", 1)
            if events:
                pipeline.hincrby(key, "events", events)
                pipeline.hset(key, "last_sent", str(now))
            pipeline.pexpire(key, FORGOTTEN)
            if left:
                pipeline.persist(key)
                pipeline.zadd(self._key("due"), {topic.ref: now + HOUR if events else now})
            else:
                pipeline.zrem(self._key("due"), topic.ref)
            pipeline.execute()

    # Outages

    def outages(self) -> dict[str, Outage]:
        """By company. An outage that cannot be read is left out, and so begins anew."""
        found: Any = self._redis.hgetall(self._key("outages"))
        outages = {company: _outage(stored) for company, stored in found.items()}
        return {company: outage for company, outage in outages.items() if outage is not None}

    def save_outage(self, company: str, outage: Outage | None) -> None:
        """None forgets it."""
        if outage is None:
            self._redis.hdel(self._key("outages"), company)
        else:
            self._redis.hset(self._key("outages"), company, json.dumps(asdict(outage)))

    # Mails that some addresses have yet to get

    def defer(self, ref: str, deferred: DeferredMail, at: int) -> None:
        """Try again at that time (ms). `ref` is `company:<Message-ID>`."""
        key = self._key(f"deferred:{ref}")
        fields = {"mail": deferred.mail, "addresses": " ".join(deferred.addresses), "since": deferred.since}
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hset(key, mapping=fields)
            pipeline.zadd(self._key("deferred"), {ref: at})
            pipeline.execute()

    def due_deferred(self, now: int, most: int) -> list[tuple[int, str]]:
        """Refs of mails to try again now, with the time since when (ms), oldest first."""
        return self._due("deferred", now, most)

    def deferred(self, ref: str) -> DeferredMail | None:
        """None where it is gone."""
        names = ["mail", "addresses", "since"]
        mail, addresses, since = self._redis.hmget(self._key(f"deferred:{ref}"), names)  # type: ignore[misc]
        return DeferredMail(mail, tuple(addresses.split()), _int(since)) if mail and addresses else None

    def drop_deferred(self, ref: str) -> None:
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.zrem(self._key("deferred"), ref)
            pipeline.delete(self._key(f"deferred:{ref}"))
            pipeline.execute()

    # Back-off

    def backoffs(self) -> dict[str, int]:
        """Companies whose last mail could not be sent, "" for the server, and until when none is tried (ms)."""
        found: Any = self._redis.hgetall(self._key("backoff"))
        return {scope: _int(value.partition(" ")[2]) for scope, value in found.items()}

    def back_off(self, scope: str, now: int, wait: int = 0) -> None:
        """Try nothing for `wait` ms; without it twice as long as the last time, from 10 s to 2 minutes."""
        before: Any = self._redis.hget(self._key("backoff"), scope)
        tries = _int((before or "").partition(" ")[0])
        until = now + (wait or min(FIRST_WAIT * 2 ** min(tries, 10), LONGEST_WAIT))
        self._redis.hset(self._key("backoff"), scope, f"{tries + 1} {until}")

    def clear_backoff(self, *scopes: str) -> None:
        self._redis.hdel(self._key("backoff"), *scopes)

    def _due(self, name: str, now: int, most: int) -> list[tuple[int, str]]:
        found: Any = self._redis.zrange(self._key(name), "-inf", now, byscore=True, offset=0, num=most, withscores=True)
        return [(int(at), ref) for ref, at in found]

    def _key(self, name: str) -> str:
        return f"{self._prefix}{name}"

    def _topic(self, topic: Topic) -> str:
        return self._key(f"topic:{topic.ref}")

    def _pending(self, topic: Topic) -> str:
        return self._key(f"pending:{topic.ref}")


def _int(stored: str | None) -> int:
    """0 where there is no number."""
    return int(stored) if stored and stored.isdecimal() and len(stored) < 20 else 0


def _outage(stored: str) -> Outage | None:
    try:
        outage = Outage(**json.loads(stored))
    except (ValueError, TypeError, RecursionError):
        return None
    sound = outage.kind in get_args(OutageKind) and all(
        isinstance(ms, int) for ms in (outage.since, outage.step, outage.recovered)
    )
    return outage if sound and isinstance(outage.reason, str) else None
