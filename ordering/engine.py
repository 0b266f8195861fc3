"""The ordering engine: one method per transition, typed values in and out, all state in Redis."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Any, Final

from redis import Redis
from redis.exceptions import ConnectionError, ResponseError

from messages import NOTHING, Message
from ordering.outcomes import (
    Done,
    Failed,
    Held,
    Outcome,
    Pause,
    Release,
    Retry,
    Skipped,
    Snooze,
    Superseded,
    TargetUnavailable,
)
from ordering.queries import PAGE, PREFIX, Queries
from ordering.records import (
    Admission,
    Claim,
    Pumped,
    Submission,
    Unreported,
    Wakeup,
    ref,
    to_epoch_ms,
    to_ms,
    to_time,
    wakeups,
)

SETTLING: Final = ("done", "failed", "skipped", "superseded", "pause")  # outcomes by which an event may settle
SENTENCE: Final = 2000  # characters of a reason in the stream of outcomes
LAYOUT: Final = "2"  # version of the keys in Redis; see lua/common.lua


class LeaseLost(RuntimeError):
    """The event's lease lapsed, so it is no longer this holder's: nothing that the holder does now may count."""

    def __init__(self, company: str, event_id: str) -> None:
        super().__init__(company, event_id)
        self.company = company
        self.event_id = event_id

    def __str__(self) -> str:
        return f"the lease on event {self.event_id} of {self.company} lapsed"


class UnknownLayout(RuntimeError):
    """Redis holds the state of another version of this system."""

    def __init__(self, found: str) -> None:
        super().__init__(found)
        self.found = found

    def __str__(self) -> str:
        return (
            f"Redis holds layout version {self.found}, this version works with {LAYOUT}. Run the version that "
            "wrote it until nothing is waiting, or point REDIS_URL at another database."
        )


class Ordering(Queries):
    """The ordering engine over one Redis. Safe to share between threads; not across a fork."""

    def __init__(
        self,
        redis: Redis,
        *,
        lease: timedelta = timedelta(seconds=30),
        worker_lease: timedelta = timedelta(seconds=4),
        release_limit: int = 8,
        retention: timedelta = timedelta(days=90),
        prefix: str = PREFIX,
        rewake: timedelta = timedelta(seconds=4),
        crash_limit: int = 3,
        lapse_limit: int = 10,
        breaker_threshold: int = 3,
        breaker_rest: tuple[timedelta, timedelta] = (timedelta(seconds=5), timedelta(minutes=5)),
        clock: Callable[[], int] | None = None,
        sender: str = "local send, take = nil, nil",
        confirmed: Callable[[Redis], AbstractContextManager[Redis]] = nullcontext,
    ) -> None:
        """`redis` must decode responses. `clock` (ms) replaces the server's, for tests with simulated time.

        `sender`: Lua source of `send(company, id, type, key)`. The script that releases an event calls it to send the
        wake-up, if the queue is in the same Redis. Without it, wake-ups are returned and the caller sends them. Its
        `take(type)` takes the next one off the queue (company and id; nil where there is none), for `settle_and_claim`.

        A claim lasts as long as its `lease` is renewed, and no longer than its worker lives: a worker is dead that did
        not call `pump` for `worker_lease`. What a dead worker held goes on at once.

        `confirmed`: a context that gives a client, and ends when what was written with it cannot be lost any more.

        An event is set aside as failed after the process that held it died `crash_limit` times in a row (`died` says
        so), or after its lease lapsed `lapse_limit` times in a row. The second limit is higher because a lapsed lease
        may be the machine's fault.
        """
        super().__init__(
            redis,
            release_limit=release_limit,
            retention=retention,
            prefix=prefix,
            rewake=rewake,
            clock=clock,
            sender=sender,
        )
        self.lease = lease
        self.worker_lease = worker_lease
        self._confirmed = confirmed
        self._crash_limit = crash_limit
        self._lapse_limit = lapse_limit
        self._breaker = (breaker_threshold, *map(to_ms, breaker_rest))

    def check_layout(self) -> None:
        """Marks an empty Redis with our layout version. Raises `UnknownLayout` where another version's state is."""
        key = f"{self.prefix}layout"
        found = self.redis.get(key)
        if found is None:
            with suppress(ResponseError, ConnectionError):  # a read-only Redis can still be looked at
                self.redis.setnx(key, LAYOUT)
            found = self.redis.get(key)
        if found not in (None, LAYOUT):
            raise UnknownLayout(str(found))

    def publish(self, event: Submission) -> Admission:
        """Accepts an event: once this returns, it is never lost. With `refused`, it is kept as failed."""
        with self._confirmed(self.redis) as client:
            accepted, woken = self._run(
                "publish",
                event.company,
                event.id,
                event.key,
                "\n".join(event.needs),
                event.type,
                int(event.snapshot),
                int(event.control),
                "" if event.sequence is None else event.sequence,
                to_epoch_ms(event.occurred_at),
                event.body,
                event.refused.to_json(),
                event.refused_remedy.to_json(),
                int(event.recurring),
                _in_english(event.refused),
                client=client,
            )
        return Admission(known=not accepted, wakeups=wakeups(woken))

    def claim(self, company: str, event_id: str, holder: str = "") -> Claim | None:
        """Takes an event that may start now; None if it may not.

        `holder` names the process, `<worker>/<process>`, which holds one event at a time: what it claimed before and
        did not settle, because the answer never reached it, goes on.
        """
        answer, _ = self._run("claim", company, event_id, to_ms(self.lease), holder, token_hex(8))
        return _claim(answer)

    def renew(self, claim: Claim) -> bool:
        """Extends the claim by another lease, and the life of its worker. False if another holder has the event."""
        leases = to_ms(self.lease), to_ms(self.worker_lease)
        return bool(self._run("renew", claim.company, claim.id, claim.fence, *leases))

    def record(self, claim: Claim, step: str, value: str = "", *, confirmed: bool = False) -> None:
        """Records a step as taken, so that a later claim does not repeat it. Raises `LeaseLost`.

        `confirmed`: what is about to happen must not be forgotten, whatever becomes of this Redis.
        """
        with self._confirmed(self.redis) if confirmed else nullcontext(self.redis) as client:
            recorded = self._run("record", claim.company, claim.id, claim.fence, step, value, client=client)
        if not recorded:
            raise LeaseLost(claim.company, claim.id)

    def died(self, company: str, event_id: str, holder: str) -> tuple[Wakeup, ...]:
        """Frees what a process held that has died: the event that it was woken for, or what it claimed after that.

        A false report breaks promise 1: two transfers of one key may run.
        """
        return wakeups(self._run("died", company, event_id, holder, self._crash_limit)[1])

    def settle(self, claim: Claim, outcome: Outcome) -> tuple[Wakeup, ...]:
        """Applies the outcome. Returns the wake-ups of what became ready.

        Raises `LeaseLost`, and then nothing was changed.
        """
        settled, woken = self._run(
            "settle", claim.company, claim.id, claim.fence, *self._arguments(outcome), "", "", ""
        )
        if not settled:
            raise LeaseLost(claim.company, claim.id)
        return wakeups(woken)

    def settle_and_claim(self, claim: Claim, outcome: Outcome, holder: str) -> tuple[Claim | None, tuple[Wakeup, ...]]:
        """Settles, and claims the event of the queue's next wake-up in the same write: None where there is none.

        Raises `LeaseLost`, and then nothing was changed.
        """
        next_claim = (holder, to_ms(self.lease), token_hex(8))
        settled, woken, *claimed = self._run(
            "settle", claim.company, claim.id, claim.fence, *self._arguments(outcome), *next_claim
        )
        if not settled:
            raise LeaseLost(claim.company, claim.id)
        return _claim(claimed[0]) if claimed else None, wakeups(woken)

    def pump(self, most: int = 100, worker: str = "") -> Pumped:
        """Applies what is due by time. Call it when `next_due` has passed; any number of workers may.

        `worker`: the name of the worker that calls, which thereby lives for another `worker_lease`.
        """
        next_due, woken = self._run(
            "pump", most, to_ms(self._rewake), self._lapse_limit, worker, to_ms(self.worker_lease)
        )
        wait = None if next_due == "-1" else timedelta(milliseconds=int(next_due))
        return Pumped(next_due=wait, wakeups=wakeups(woken))

    def leave(self, worker: str) -> tuple[Wakeup, ...]:
        """Ends a worker that has stopped. What its processes still held goes on at once."""
        return wakeups(self._run("leave", worker)[1])

    def pause(self, company: str, reason: Message) -> None:
        """Makes the company's events wait until `resume`, and reports it. Accepting goes on, and control events run."""
        self._run("pause", company, reason.to_json())

    def resume(self, company: str) -> tuple[Wakeup, ...]:
        """Lets the company go on, whether it was paused, resting or probing."""
        return wakeups(self._run("resume", company)[1])

    def reopen(self, company: str, key: str) -> tuple[Wakeup, ...]:
        """Retries the events that the target refused because of this key, as after the success of an event of it."""
        return wakeups(self._run("reopen", company, key)[1])

    def retry(self, company: str, event_id: str, *, mark: str = "") -> tuple[str, tuple[Wakeup, ...]]:
        """Runs a failed, skipped, held or retrying event again, or one that was done with something left out.

        `mark` is recorded like a step taken: a person's word to the next transfer. Returns the event's new status, ""
        where it cannot be retried, "unknown" where it is not remembered.
        """
        status, woken = self._run("retry", company, event_id, mark)
        return status, wakeups(woken)

    def skip(self, company: str, event_id: str, reason: Message) -> tuple[bool, tuple[Wakeup, ...]]:
        """Gives up an event, and lets go on what waited for it. False if it is running or settled for good."""
        skipped, woken = self._run("skip", company, event_id, reason.to_json(), _in_english(reason))
        return bool(skipped), wakeups(woken)

    def forget(self, company: str, seen: int) -> bool:
        """Forgets the company's open and failed events, and all that is counted of it. `seen`: how many those are.

        False, and nothing is changed, where one of them is ready, running or retrying, or others came or went.
        """
        return bool(self._run("forget", company, seen))

    def forget_settled(self, company: str, until: datetime, most: int = PAGE) -> int:
        """Forgets some of the company's events that were settled until then. Returns how many; 0 where none is left."""
        return int(self._run("forget_settled", company, to_epoch_ms(until), most))

    def reported(self, *reports: Unreported) -> None:
        """Marks these as told to a person. What was reported anew since they were read stays unreported."""
        if reports:
            flat = [part for one in reports for part in (ref(one.company, one.id), one.at)]
            self._run("reported", *flat)

    def _arguments(self, outcome: Outcome) -> Iterable[object]:
        """ARGV[7…] of settle.lua."""
        delay: int | str = ""
        code = held = said = ""
        reason = remedy = NOTHING
        tell = False
        match outcome:
            case Done(reason, remedy):
                name, tell = "done", bool(reason)
            case Failed(reason, remedy, code, said):
                name = "failed"
            case Held(held, reason, remedy, code, said, tell):
                name = "held"
            case Skipped(reason):
                name = "skipped"
            case Superseded(reason):
                name = "superseded"
            case Retry(after, reason, code):
                name, delay = "retry", to_ms(after)
            case TargetUnavailable(after, reason, code):
                name, delay = "unavailable", to_ms(after)
            case Release(rest, reason):
                name, delay = "release", "" if rest is None else to_ms(rest)
            case Snooze(after, reason):
                name, delay = "snooze", to_ms(after)
            case Pause(reason, remedy, code):
                name = "pause"
        again = isinstance(outcome, Done) and outcome.again
        return (
            name,
            reason.to_json(),
            remedy.to_json(),
            code,
            delay,
            held,
            int(tell),
            *self._breaker,
            int(again),
            said,
            _in_english(reason) if name in SETTLING else "",
            outcome.document if isinstance(outcome, Done) else "",
            outcome.voucher if isinstance(outcome, Done) else "",
        )


def _claim(answer: Any) -> Claim | None:
    """What claim.lua and settle.lua answer."""
    if answer[0] == 0:
        return None
    fence, type_, key, attempts, body, progress, accepted, company, event_id = answer
    return Claim(
        company=company,
        id=event_id,
        fence=fence,
        type=type_,
        key=key,
        attempts=int(attempts),
        body=body,
        progress=dict(zip(progress[::2], progress[1::2], strict=True)),
        accepted_at=to_time(accepted),
    )


def _in_english(reason: Message) -> str:
    """The sentence for the stream of outcomes, whose readers have no catalogue."""
    if not reason:
        return ""
    from messages.catalogue import say  # imported when used: the catalogues take time to load

    return say(reason)[:SENTENCE].encode(errors="replace").decode()
