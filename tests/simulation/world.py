"""One seeded world: producers, workers, a broker, operators and a clock, around one ordering engine.

`World.run` draws an action at a time from the seed, does it to the engine and to the model, and compares the
two; at the end the faults stop and everything has to drain. The same seed gives the same run.
"""

import json
import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from messages import Message
from ordering import OUTCOMES, Claim, Done, LeaseLost, Ordering, Outcome, Submission, Unreported, Wakeup, queries
from ordering.records import wakeups as read_wakeups
from tests.simulation.checks import PREFIX, Looks, check_outcomes, check_structure, insist
from tests.simulation.model import OPEN, Event, Model, Rules, ms
from tests.simulation.server import Server, Wire

# The queue that `settle_and_claim` takes from: what the world offers.
OFFERED: Final = "offered"
QUEUE: Final = f"""
local send = nil
local function take()
  local wakeup = redis.call('LPOP', '{OFFERED}')
  if not wakeup then return nil end
  local found = cjson.decode(wakeup)
  return found[1], found[2]
end
"""
WAKING: Final = (*("publish", "claim", "settle", "died", "leave", "pump"), *("resume", "reopen", "retry", "skip"))
BY_HAND: Final = Message("test.by-hand")
START: Final = 1_700_000_000_000
RETENTION: Final = timedelta(days=90)
REMEMBERED: Final = 30  # actions that a failure prints
UNTIL_DRAINED: Final = 180_000  # ms from when the last retry or rest ends: a lease, a repeated wake-up, probes


@dataclass(slots=True)
class Clock:
    """The engine's time. Nobody else's matters."""

    now: int = START

    def __call__(self) -> int:
        return self.now


@dataclass(slots=True, eq=False)
class Worker:
    """Holds at most one event. Its own clock is wrong by `skew` ms; it uses it for what it works out itself."""

    name: str
    clock: Clock
    skew: int
    claim: Claim | None = None

    def time(self) -> int:
        return self.clock.now + self.skew


class WatchedOrdering(Ordering):
    """Keeps the wake-ups of the last call: with the queue in the same Redis they would be sent by the scripts."""

    woken: tuple[Wakeup, ...] = ()

    def _run(self, script: str, *arguments: object, client: Any = None) -> Any:
        answer = super()._run(script, *arguments, client=client)
        has_woken = script in WAKING and isinstance(answer, list)
        self.woken = read_wakeups(answer[1]) if has_woken else ()
        return answer


@dataclass(frozen=True, slots=True)
class Engine:
    """The engine under test, over one server, with some settings; and what those mean to the model."""

    ordering: WatchedOrdering
    rules: Rules
    clock: Clock


def build_engine(wire: Wire, rules: Rules, scripts: Path | None = None) -> Engine:
    """`scripts`: a directory of the engine's Lua to use instead of its own (see `variants.py`)."""
    clock = Clock()
    with _scripts_from(scripts):
        ordering = WatchedOrdering(
            wire,
            lease=timedelta(milliseconds=rules.lease),
            worker_lease=timedelta(milliseconds=rules.worker_lease),
            release_limit=rules.release_limit,
            retention=RETENTION,
            prefix=PREFIX,
            rewake=timedelta(milliseconds=rules.rewake),
            crash_limit=rules.crash_limit,
            lapse_limit=rules.lapse_limit,
            breaker_threshold=rules.breaker_threshold,
            breaker_rest=(timedelta(milliseconds=rules.first_rest), timedelta(milliseconds=rules.longest_rest)),
            clock=clock,
            sender=QUEUE,
        )
    return Engine(ordering, rules, clock)


@contextmanager
def _scripts_from(directory: Path | None) -> Iterator[None]:
    own = queries.LUA
    queries.LUA = directory or own  # type: ignore[misc]
    try:
        yield
    finally:
        queries.LUA = own  # type: ignore[misc]


class World:
    """The state of one run. What can happen in it is in `actions.py`."""

    def __init__(
        self, seed: int, engine: Engine, server: Server, *, skewed: bool = True, remembered: int | None = REMEMBERED
    ) -> None:
        """`remembered`: how many actions `history` keeps; None for all."""
        self.seed = seed
        self.rng = random.Random(seed)
        self.clock = engine.clock
        self.clock.now = START
        self.server = server
        self.ordering = engine.ordering
        server.wire.watch_for(())
        server.wire.execute_command("FLUSHDB")
        self.model = Model(engine.rules)
        self.model.now = START
        self.looks = Looks(server.wire, self.model)
        self.broker: list[Wakeup] = []
        self.ghosts: list[Claim] = []  # in the hands of workers that are thought dead
        self._skews = random.Random(seed + 1) if skewed else None  # their own chance: they must change nothing
        self.hosts = [f"h{n}" for n in range(self.rng.randint(1, 2))]  # workers as the engine knows them
        self.started = len(self.hosts)
        self.workers = [self.someone(f"{self.rng.choice(self.hosts)}/w{n}") for n in range(self.rng.randint(1, 4))]
        self.published: list[Submission] = []
        self.steps = 0
        self.history: deque[str] = deque(maxlen=remembered)

    def someone(self, name: str) -> Worker:
        """A worker, or a producer, whose clock is wrong by up to ten minutes."""
        return Worker(name, self.clock, self._skews.randint(-600_000, 600_000) if self._skews else 0)

    # The engine's calls, each done to the model too, and compared

    def publish(self, event: Submission) -> None:
        ref = f"{event.company}:{event.id}"
        older = self.model.events.get(ref)
        if older is None or self.model.gives_way(older, event):
            self.looks.admit(event.company, event.id)
        admission = self.ordering.publish(event)
        needs = f" needs {', '.join(event.needs)}" if event.needs else ""
        known = " again" if admission.known else ""
        self._step("publishes %s (%s)%s%s", event.id, event.key, needs, known)
        new = self.model.publish(event)
        insist(admission.known is not new, f"{event.id} is told to be known: {admission.known}")
        if new:
            self.looks.accept(self.model.events[ref])
        self._told(admission.wakeups)

    def claim(self, worker: Worker, company: str, event_id: str) -> bool:
        """Whether the worker got it."""
        event = self.model.events.get(f"{company}:{event_id}")
        expected = self.model.may_be_claimed(event)
        claim = self.ordering.claim(company, event_id, worker.name)
        self._step("%s claims %s: %s", worker.name, event_id, _number(claim) or "not now")
        insist((claim is not None) == expected, f"{event_id} may be claimed: {expected}; it was: {claim is not None}")
        if claim is not None and event is not None:
            self._compare_claim(claim, event)
            worker.claim = claim
        self.model.claim(event, claim.fence if claim else None, worker.name)
        self._told(self.ordering.woken)
        return claim is not None

    def _compare_claim(self, claim: Claim, event: Event) -> None:
        insist(_number(claim) == self.model.fences + 1, f"fence {claim.fence} after {self.model.fences}")
        insist(claim.attempts == event.attempts, f"claimed with {claim.attempts} attempts; it had {event.attempts}")
        insist(claim.progress == event.progress, f"claimed with steps {claim.progress}; it took {event.progress}")
        insist(claim.body == event.body and claim.key == event.key, f"claimed with {claim}")
        for other in self.model.keys[event.key].events:
            insist(other.status != "running", f"{event.ref} is claimed while {other.ref} of its key runs")

    def record(self, who: str, claim: Claim, step: str, value: str) -> bool:
        """Whether the claim is still good."""
        holds = self._holds(claim)
        try:
            self.ordering.record(claim, step, value)
            recorded = True
        except LeaseLost:
            recorded = False
        self._step("%s records %s of %s: %s", who, step, claim.id, recorded)
        self._compare_hold(claim, holds, recorded)
        if recorded:
            self.model.record(self._event(claim), step, value)
        self._told(())
        return recorded

    def renew(self, who: str, claim: Claim) -> bool:
        self.model.follow_clock()
        holds = self._holds(claim)
        renewed = self.ordering.renew(claim)
        self._step("%s renews %s: %s", who, claim.id, renewed)
        self._compare_hold(claim, holds, renewed)
        if renewed:
            self.model.renew(self._event(claim))
        self._told(())
        return renewed

    def died(self, worker: Worker, company: str, event_id: str) -> None:
        """Its parent saw the process die and says so."""
        wakeups = self.ordering.died(company, event_id, worker.name)
        self._step("%s is seen to have died with %s", worker.name, event_id)
        self.model.died(self.model.events.get(f"{company}:{event_id}"), worker.name)
        self._told(wakeups)

    def settle(self, who: str, claim: Claim, outcome: Outcome) -> bool:
        self.model.follow_clock()
        holds = self._holds(claim)
        wakeups: tuple[Wakeup, ...] = ()
        try:
            wakeups = self.ordering.settle(claim, outcome)
            settled = True
        except LeaseLost:
            settled = False
        self._step("%s settles %s as %s: %s", who, claim.id, outcome, settled)
        self._compare_hold(claim, holds, settled)
        if settled:
            self.model.settle(self._event(claim), outcome)
        self._told(wakeups)
        return settled

    def settle_and_claim(self, worker: Worker, claim: Claim, outcome: Outcome, offered: list[Wakeup]) -> None:
        """The worker settles, and gets the first of these wake-ups, of at most five, whose event may start."""
        self.model.follow_clock()
        holds = self._holds(claim)
        offers = [json.dumps([wakeup.company, wakeup.id]) for wakeup in offered]
        self.server.wire.execute_command("DEL", OFFERED)
        if offers:
            self.server.wire.execute_command("RPUSH", OFFERED, *offers)
        worker.claim, settled = None, True
        try:
            worker.claim, _ = self.ordering.settle_and_claim(claim, outcome, worker.name)
        except LeaseLost:
            settled = False
        told = self.ordering.woken
        taken = offered[: len(offered) - self.server.wire.execute_command("LLEN", OFFERED)]
        followed = worker.claim.id if worker.claim else "nothing"
        self._step("%s settles %s as %s: %s; then %s of %s", worker.name, claim.id, outcome, settled, followed, taken)
        self._compare_hold(claim, holds, settled)
        if not settled:
            insist(not taken, f"a lost lease took {taken}")
            return self._told(told)
        self.model.settle(self._event(claim), outcome)
        self.looks.settle_down()
        for wakeup in taken:
            event = self.model.events.get(f"{wakeup.company}:{wakeup.id}")
            first = [one for one in told if (one.company, one.id) == (wakeup.company, wakeup.id)]
            if event is not None and first and event.status == "ready":
                event.released = True
                self.model.woke(event, again=False)
            expected, last = self.model.may_be_claimed(event), wakeup is taken[-1]
            got = worker.claim is not None and last
            insist(got == expected, f"{wakeup.id} may be claimed: {expected}; it was: {got}")
            if worker.claim is not None and event is not None and last:
                self._compare_claim(worker.claim, event)
            self.model.claim(event, worker.claim.fence if worker.claim and last else None, worker.name)
            told = tuple(one for one in told if one not in first)
            self.broker += first
        insist(worker.claim is not None or len(taken) == min(5, len(offered)), f"only {taken} were taken of {offered}")
        self._told(told)
        for wakeup in taken:
            self.broker.remove(wakeup)

    def leave(self, host: str) -> None:
        """A worker stops as it should."""
        wakeups = self.ordering.leave(host)
        self._step("%s leaves", host)
        self.model.leave(host)
        self._told(wakeups)

    def restarts(self, host: str) -> None:
        """Another start of a worker, with a name of its own."""
        new = f"h{self.started}"
        self.started += 1
        self.hosts[self.hosts.index(host)] = new
        for worker in self.workers:
            if worker.name.startswith(f"{host}/"):
                if worker.claim is not None:
                    self.ghosts.append(worker.claim)
                worker.name, worker.claim = worker.name.replace(host, new), None
        self.history.append(f"{host} is gone, {new} starts")

    def pump(self, most: int, host: str = "") -> timedelta | None:
        """How long until it is to be called again."""
        pumped = self.ordering.pump(most, worker=host)
        self._step("pump of %s by %s: next in %s", most, host or "nobody", pumped.next_due)
        self.model.pump(most, host)
        overdue = self._overdue_wakeups()
        told = {f"{w.company}:{w.id}" for w in pumped.wakeups}
        released = {e.ref for e in self.model.events.values() if e.released and e.status == "ready"}
        self._told(pumped.wakeups)
        again = {event.ref for event in overdue[:most] if event.status == "ready"}
        insist(again <= told, f"wake-ups sent too long ago are not repeated: {again - told}")
        insist(told & released <= {event.ref for event in overdue}, f"wake-ups are repeated too early: {told}")
        due = self.model.next_due(bool(self.looks.unblocked))
        expected = None if due is None else timedelta(milliseconds=due)
        insist(pumped.next_due == expected, f"the next is due in {expected}, the pump says {pumped.next_due}")
        return pumped.next_due

    def pause(self, company: str) -> None:
        self.ordering.pause(company, BY_HAND)
        self._step("%s is paused", company)
        self.model.pause(company, BY_HAND)
        self._told(())

    def resume(self, company: str) -> None:
        wakeups = self.ordering.resume(company)
        self._step("%s is resumed", company)
        self.model.resume(company)
        self._told(wakeups)

    def reopen(self, company: str, key: str) -> None:
        wakeups = self.ordering.reopen(company, key)
        self._step("%s is reopened", key)
        self.model.reopen(key)
        self._told(wakeups)

    def retry(self, company: str, event_id: str) -> None:
        event = self.model.events.get(f"{company}:{event_id}")
        status, wakeups = self.ordering.retry(company, event_id)
        self._step("retry of %s: %s", event_id, status or "no")
        granted = self.model.retry(event)
        self._told(wakeups)
        expected = "unknown" if event is None else event.status if granted else ""
        insist(status == expected, f"retry of {event_id} gave {status!r}; it should give {expected!r}")

    def skip(self, company: str, event_id: str) -> None:
        event = self.model.events.get(f"{company}:{event_id}")
        skipped, wakeups = self.ordering.skip(company, event_id, BY_HAND)
        self._step("skip of %s: %s", event_id, skipped)
        insist(skipped == self.model.skip(event), f"skip of {event_id} gave {skipped}")
        self._told(wakeups)

    def reported(self, ref: str) -> None:
        """A person has been told. No script: nothing is looked at."""
        self.ordering.reported(Unreported(*ref.split(":", 1)))
        self.model.reported(ref)

    def passes(self, duration: int) -> None:
        """Time passes, in ms."""
        self.clock.now += duration
        self.model.now = self.clock.now
        self.history.append(f"{duration / 1000} s pass")

    def passes_retention(self) -> None:
        """So long that all that is settled is forgotten."""
        self.passes(round(RETENTION.total_seconds() * 1000) + 1)
        self.server.wire.forget(PREFIX)
        self.model.forget()
        self.looks.forget()

    # One run

    def run(self, steps: int, draw: Callable[["World"], None], structure: float) -> None:
        """Does `steps` actions drawn by `draw`, checks the whole of Redis at that share of them, then drains."""
        for _ in range(steps):
            draw(self)
            if self.rng.random() < structure:
                self.check_structure()
        self.drain()
        self.mend()
        self.check_structure()

    def check_structure(self) -> None:
        check_structure(self.server.wire.everything(PREFIX), self.model, self.looks.unblocked)
        check_outcomes(self.server.wire.execute_command("XRANGE", OUTCOMES, "-", "+"), self.model)

    def drain(self) -> None:
        """Without faults, with an honest worker and a pump, everything that can go on is done, and in time."""
        self.history.append("faults stop")
        for company in list(self.model.companies):
            self.resume(company)
        timers = [e.due for e in self.model.events.values() if e.status == "retrying"]
        end = max([self.clock.now, *timers]) + UNTIL_DRAINED
        honest = Worker("honest", self.clock, 0)
        while True:
            while self.broker:
                wakeup = self.broker.pop(0)
                if self.claim(honest, wakeup.company, wakeup.id) and honest.claim is not None:
                    self.settle("honest", honest.claim, Done())
            stuck = self.left()
            if not stuck and not self.looks.unblocked:
                return
            insist(self.clock.now < end, f"these do not go on: {stuck}")
            wait = self.pump(100)
            if not self.broker and (stuck := self.left()):
                insist(wait is not None, f"these wait for nothing: {stuck}")
                self.passes(max(1, ms(wait or timedelta())))

    def left(self) -> list[str]:
        """Events that should go on by themselves: open, neither held nor in line behind one that is."""
        model = self.model
        behind = {e.ref for e in model.events.values() if e.status == "held"}
        grew = True
        while grew:
            grew = False
            for event in model.events.values():
                if event.status == "waiting" and event.ref not in behind:
                    keys = (event.key, *event.needs)
                    others = (o for key in keys if key in model.keys for o in model.keys[key].events)
                    if any(o.place < event.place and o.ref in behind for o in others):
                        behind.add(event.ref)
                        grew = True
        open_ = (e for e in model.events.values() if e.status in OPEN and e.ref not in behind)
        return [f"{e.ref} is {e.status}" for e in open_]

    def mend(self) -> None:
        """A person retries all that failed, then what is still held, the first of each line; nothing is left then."""
        rounds = len(self.model.events) + 1
        while rounds and (stopped := [e for e in self.model.events.values() if e.status in ("failed", "held")]):
            rounds -= 1
            failed = [e for e in stopped if e.status == "failed"]
            for event in sorted(failed or stopped, key=lambda e: e.place):
                self.retry(event.company, event.id)
            self.drain()
        open_ = [f"{e.ref} is {e.status}" for e in self.model.events.values() if e.status in (*OPEN, "failed")]
        insist(not open_, f"all was retried, and these are left: {open_}")

    # What the calls share

    def _event(self, claim: Claim) -> Event:
        return self.model.events[f"{claim.company}:{claim.id}"]

    def _holds(self, claim: Claim) -> bool:
        return self.model.holds(f"{claim.company}:{claim.id}", claim.fence)

    def _compare_hold(self, claim: Claim, expected: bool, given: bool) -> None:
        insist(given == expected, f"holder {claim.fence} of {claim.id} may change something: {expected}; got: {given}")

    def _overdue_wakeups(self) -> list[Event]:
        """Released events whose wake-up was sent too long ago, the oldest first."""
        before = self.clock.now - self.model.rules.rewake
        sent = [e for e in self.model.events.values() if e.released and e.status == "ready" and e.woken <= before]
        return sorted(sent, key=lambda e: (e.woken, e.ref))

    def _step(self, words: str, *values: object) -> None:
        self.steps += 1
        self.history.append(words % values)

    def _told(self, wakeups: tuple[Wakeup, ...]) -> None:
        self.looks.compare(wakeups)
        self.broker += wakeups


def _number(claim: Claim | None) -> int:
    """The counter of its fencing token, without the nonce: a seed gives the same run again."""
    return int(claim.fence.partition("-")[0]) if claim else 0
