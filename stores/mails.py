"""What of the telling is done: one writer at a time, who holds the lock of `tasks.report`. All in Redis.

mail:due            sorted set by time (ms): topics with something untold, when their next mail may go
mail:untold:<t>     sorted set by place: ids of the events that the topic's next mail tells of
mail:topic:<t>      hash: started, n and total (mails and events told since), told (time of the last), doubt
mail:places         counter: the order in which things came to be told
mail:stops          hash: company → its standstill, as JSON
mail:later          sorted set by time (ms): company:<id>, mails that some addresses of the company did not get yet
mail:later:<ref>    hash: of such a one the mail itself, to whom it goes, and since when it was tried (ms)
mail:waits          hash: a company, or "" for the server → "tries until": not tried again before that
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from redis import Redis

HOUR = 3_600_000  # ms between two mails of one topic
QUIET = 24 * HOUR  # a topic that rested this long begins anew: a new thread, counted from one
FORGOTTEN = 30 * 24 * HOUR
IN_ONE_MAIL = 20_000  # events; what is more comes with the next
FIRST_WAIT, LONGEST_WAIT = 10_000, 120_000  # ms between two tries


class Topic(NamedTuple):
    """One cause of one company: what it has to tell goes into one mail."""

    company: str
    cause: str

    @property
    def ref(self) -> str:
        return f"{self.company}:{self.cause}"


@dataclass(frozen=True, slots=True)
class Told:
    """A topic's past. Times in ms. `doubt`: the place up to which a mail may have gone out, unknown whether it did."""

    started: int = 0
    n: int = 0
    total: int = 0
    last: int = 0
    doubt: int = 0


class Later(NamedTuple):
    """A mail as it was sent, the addresses that lack it, and since when (ms)."""

    mail: str
    to: tuple[str, ...]
    since: int


@dataclass(slots=True)
class Stop:
    """A company at a standstill: `what` is paused or outage, `steps` how many mails told of it. Times in ms."""

    what: str
    since: int
    reason: str = ""  # a `Message` as JSON
    steps: int = 0
    well_since: int = 0


class MailState:
    def __init__(self, redis: Redis, prefix: str = "mf:") -> None:
        self._redis = redis
        self._prefix = f"{prefix}mail:"

    # Topics

    def add(self, topic: Topic, ids: Sequence[str], now: int) -> None:
        """These are to be told: at once where the topic's last mail is an hour old, else in its next. Repeatable."""
        past = self.told_of(topic)
        place = self._redis.incrby(self._key("places"), len(ids)) - len(ids)  # type: ignore[operator]
        waits = self._redis.zscore(self._key("due"), topic.ref) is not None
        with self._redis.pipeline(transaction=True) as pipeline:
            if not waits and now - max(past.last, past.started) > QUIET:
                pipeline.delete(self._topic(topic))
                pipeline.hset(self._topic(topic), "started", str(now))
            pipeline.zadd(self._untold(topic), {one: place + at for at, one in enumerate(ids, 1)}, nx=True)
            pipeline.zadd(self._key("due"), {topic.ref: max(now, past.last + HOUR if past.last else now)}, nx=True)
            pipeline.execute()

    def due(self, now: int, most: int) -> list[tuple[int, Topic]]:
        """Topics whose mail may go now, and since when, the longest due first."""
        found: Any = self._redis.zrange(
            self._key("due"), "-inf", now, byscore=True, offset=0, num=most, withscores=True
        )
        return [(int(at), Topic(*ref.split(":", 1))) for ref, at in found]

    def due_count(self, now: int) -> int:
        """How many topics have a mail that may go now."""
        return int(self._redis.zcount(self._key("due"), "-inf", now))  # type: ignore[arg-type]

    def told_of(self, topic: Topic) -> Told:
        names = ["started", "n", "total", "told", "doubt"]
        found: Any = self._redis.hmget(self._topic(topic), names)
        return Told(*(int(value or 0) for value in found))

    def untold(self, topic: Topic, upto: int) -> tuple[list[str], int]:
        """The events to tell, in order, and the place of the last; those of a mail in doubt (`upto`) stay its own."""
        found: Any = self._redis.zrange(
            self._untold(topic), "-inf", upto or "+inf", byscore=True, withscores=True, offset=0, num=IN_ONE_MAIL
        )
        return [one for one, _ in found], int(found[-1][1]) if found else upto

    def doubt(self, topic: Topic, upto: int) -> None:
        """Before a mail is handed over: if nobody lives to say what came of it, the same goes out again."""
        self._redis.hset(self._topic(topic), "doubt", str(upto))

    def no_doubt(self, topic: Topic) -> None:
        """It surely did not go out."""
        self._redis.hdel(self._topic(topic), "doubt")

    def told(self, topic: Topic, upto: int, events: int, now: int, *, doubt: bool = False) -> None:
        """The server has the mail with these (or there was nothing left to tell: no events).

        After a `doubt` that a mail went out, its place in the thread is taken: another would look like the same.
        """
        key = self._topic(topic)
        left: Any = self._redis.zcount(self._untold(topic), f"({upto}", "+inf")
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.zremrangebyscore(self._untold(topic), "-inf", upto)
            pipeline.hdel(key, "doubt")
            if events or doubt:
                pipeline.hincrby(key, "n", 1)
            if events:
                pipeline.hincrby(key, "total", events)
                pipeline.hset(key, "told", str(now))
            pipeline.pexpire(key, FORGOTTEN)
            if left:
                pipeline.persist(key)
                pipeline.zadd(self._key("due"), {topic.ref: now + HOUR if events else now})
            else:
                pipeline.zrem(self._key("due"), topic.ref)
            pipeline.execute()

    # Standstills

    def stops(self) -> dict[str, Stop]:
        found: Any = self._redis.hgetall(self._key("stops"))
        return {company: Stop(**json.loads(stop)) for company, stop in found.items()}

    def keep_stop(self, company: str, stop: Stop | None) -> None:
        if stop is None:
            self._redis.hdel(self._key("stops"), company)
        else:
            self._redis.hset(self._key("stops"), company, json.dumps(asdict(stop)))

    # Mails that some addresses did not get yet

    def keep_later(self, ref: str, later: Later, at: int) -> None:
        """`ref` is `company:<id>`, the id the mail's own."""
        key = self._key(f"later:{ref}")
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hset(key, mapping={"mail": later.mail, "to": " ".join(later.to), "since": later.since})
            pipeline.zadd(self._key("later"), {ref: at})
            pipeline.execute()

    def later_due(self, now: int, most: int) -> list[tuple[int, str]]:
        """Those to try again, and since when, the longest due first."""
        found: Any = self._redis.zrange(
            self._key("later"), "-inf", now, byscore=True, offset=0, num=most, withscores=True
        )
        return [(int(at), ref) for ref, at in found]

    def later(self, ref: str) -> Later:
        mail, to, since = self._redis.hmget(self._key(f"later:{ref}"), ["mail", "to", "since"])  # type: ignore[misc]
        return Later(mail, tuple(to.split()), int(since))

    def no_later(self, ref: str) -> None:
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.zrem(self._key("later"), ref)
            pipeline.delete(self._key(f"later:{ref}"))
            pipeline.execute()

    # Waiting before the next try

    def waits(self) -> dict[str, int]:
        """Companies whose last mail could not go out, "" for the server, and until when none is tried (ms)."""
        found: Any = self._redis.hgetall(self._key("waits"))
        return {scope: int(value.split()[1]) for scope, value in found.items()}

    def put_off(self, scope: str, now: int, wait: int = 0) -> None:
        """For this long, else each time twice as long as before, from 10 s to 2 min."""
        before: Any = self._redis.hget(self._key("waits"), scope)
        tries = int(before.split()[0]) if before else 0
        until = now + (wait or min(FIRST_WAIT * 2 ** min(tries, 10), LONGEST_WAIT))
        self._redis.hset(self._key("waits"), scope, f"{tries + 1} {until}")

    def well(self, *scopes: str) -> None:
        self._redis.hdel(self._key("waits"), *scopes)

    def _key(self, name: str) -> str:
        return f"{self._prefix}{name}"

    def _topic(self, topic: Topic) -> str:
        return self._key(f"topic:{topic.ref}")

    def _untold(self, topic: Topic) -> str:
        return self._key(f"untold:{topic.ref}")
