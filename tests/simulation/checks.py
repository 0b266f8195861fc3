"""Compares what Redis holds with what the promises say: the statuses after every step, every key now and then."""

from collections.abc import Container, Iterable, Sequence
from typing import Any

from messages import Message
from ordering import Wakeup
from ordering.records import STATUSES, in_utc, to_time
from tests.simulation.model import ACTIVE, FORGOTTEN, IDLE, OPEN, SETTLED, Event, Key, Model
from tests.simulation.server import Kept, Wire, pack

PREFIX = "mf:"
_NOTHING = Kept("zset", expires=False, value={})
_EVENT_FIELDS = ("status", "key", "place", "accepted", "blocker", "started")  # the others are for people to read


class Violation(AssertionError):
    """A promise is broken."""


def insist(holds: object, broken: str) -> None:
    if not holds:
        raise Violation(broken)


class Looks:
    """What is read behind every step, and the comparison of it with the model."""

    def __init__(self, wire: Wire, model: Model) -> None:
        self._wire = wire
        self._model = model
        self._events: list[Event] = []
        self._reads: list[bytes] = []
        self._companies: list[str] = []
        self._settled: dict[str, list[str]] = {}  # what was seen of a settled event, and found right
        self._company_reads: list[bytes] = [pack("SMEMBERS", f"{PREFIX}unblocked")]
        self.unblocked: frozenset[str] = frozenset()
        self._watch()

    def admit(self, company: str, event_id: str) -> None:
        """Looks at this event too from now on; `accept` has to follow."""
        if company not in self._companies:
            self._companies.append(company)
            self._company_reads += [
                pack("HMGET", f"{PREFIX}company:{company}", "paused", "rests", "probing"),
                pack("SMEMBERS", f"{PREFIX}company-released:{company}"),
            ]
        hash_ = f"{PREFIX}event:{company}:{event_id}"
        self._reads.append(pack("HMGET", hash_, "status", "place", "blocker", "fence", "attempts"))
        self._watch()

    def accept(self, event: Event) -> None:
        self._events.append(event)

    def forget(self) -> None:
        """Those that the model no longer knows are no longer looked at."""
        kept = [at for at, event in enumerate(self._events) if self._model.events.get(event.ref) is event]
        self._reads = [self._reads[at] for at in kept]
        self._events = [self._events[at] for at in kept]
        self._watch()

    def _watch(self) -> None:
        self._wire.watch_for([*self._reads, *self._company_reads])

    def settle_down(self) -> Container[str]:
        """Lets the model settle down. The events that the engine put off looking at."""
        looked = self._wire.looked
        self.unblocked = frozenset(looked[len(self._events)])
        put_off: Container[str] = ()
        if self.unblocked:
            put_off = {e.ref for e, seen in zip(self._events, looked, strict=False) if seen[2] in self.unblocked}
        self._model.settle_down(put_off)
        return put_off

    def compare(self, wakeups: Sequence[Wakeup]) -> None:
        """Lets the model settle down and compares every event with it. `wakeups`: what the action returned."""
        model = self._model
        looked = self._wire.looked
        count = len(self._events)
        put_off = self.settle_down()
        self._compare_told_of_sequences()
        gone = False
        for at, event in enumerate(self._events):
            if model.events.get(event.ref) is not event:
                gone = True
                insist(looked[at][0] is None or event.ref in model.events, f"{event.ref} is over and not forgotten")
                continue
            status, place, blocker, fence, attempts = looked[at]
            ours = event.status
            if ours in SETTLED and looked[at] == self._settled.get(event.ref):
                continue
            if ours in IDLE:
                self._compare_idle(event, status, blocker or "", event.ref in put_off)
            elif status != ours or blocker is not None:
                raise Violation(f"{event.ref} is {status} (for {blocker}); by the promises it is {ours}")
            else:
                event.blocker = ""
            if int(place) != event.place:
                raise Violation(f"{event.ref} has place {place}; its place is {event.place}")
            if (fence or "") != event.fence:
                raise Violation(f"{event.ref} has fence {fence}; its last holder got {event.fence}")
            if int(attempts or 0) != event.attempts and ours not in FORGOTTEN:
                raise Violation(f"{event.ref} counts {attempts} attempts; it had {event.attempts}")
            if ours in SETTLED:
                self._settled[event.ref] = looked[at]
        model.just_published = ""
        self._compare_companies(looked[count + 1 :], wakeups)
        if gone:
            self.forget()

    def _compare_told_of_sequences(self) -> None:
        """Once a day for each company, one of the events that their sequence alone superseded is reported."""
        model = self._model
        events, model.by_sequence = model.by_sequence, []
        for name in {event.company: None for event in events}:
            company = model.companies[name]
            refs = [event.ref for event in events if event.company == name]
            scores = {ref: self._wire.execute_command("ZSCORE", f"{PREFIX}reports", ref) for ref in refs}
            now = [ref for ref in refs if scores[ref] is not None and int(scores[ref]) == model.now]
            new = [ref for ref in now if model.reports.get(ref) != model.now]
            if company.stale_told == model.today:
                insist(not new, f"{name} was told of sequences today, and is told again of {new}")
            else:
                insist(len(new) == 1 or (not new and now), f"{name} should be told of one of {refs}, and is of {new}")
                company.stale_told = model.today
                model.reports |= dict.fromkeys(new, model.now)

    def _compare_idle(self, event: Event, status: str, blocker: str, put_off: bool) -> None:
        allowed = IDLE if put_off else self._model.allowed(event)
        if status not in allowed:
            raise Violation(f"{event.ref} is {status}; by the promises it is {' or '.join(sorted(allowed))}")
        if blocker != event.blocker and not put_off:
            open_, broken = self._model.blockers(event)
            rightly = open_ if status == "waiting" else [event.refused_by, *broken, *open_]
            insist(not blocker or blocker in rightly, f"{event.ref} is {status} for {blocker}, which is not in its way")
        event.status, event.blocker = status, blocker
        if status == "held" and event.ref == self._model.just_published and not self._failure_untold(blocker):
            self._model.reports[event.ref] = self._model.now
        if status != "held":
            event.refused_for = ""
        if status == "ready":
            event.refused_by = ""

    def _failure_untold(self, key: str) -> bool:
        """Whether the report of the key's first failure is still to be told: it then names what waits behind it."""
        failed = [event for event in self._model.keys[key].events if event.status == "failed"]
        return bool(failed) and min(failed, key=lambda event: event.place).ref in self._model.reports

    def _compare_companies(self, looked: Sequence[Any], wakeups: Sequence[Wakeup]) -> None:
        model = self._model
        told = [f"{w.company}:{w.id}" for w in wakeups]
        insist(len(told) == len(set(told)), f"an event is woken twice by one call: {told}")
        for ref in told:
            insist(ref in model.events and model.events[ref].status == "ready", f"{ref} is woken and is not ready")
        for at, name in enumerate(self._companies):
            (paused, rests, probing), released = looked[2 * at], set(looked[2 * at + 1])
            company = model.companies.get(name)
            if company is None:
                continue
            if paused != _stored(company.paused):
                raise Violation(f"{name} is paused: {paused}; it should be: {company.paused}")
            if int(rests or 0) != (company.rests or 0):
                raise Violation(f"{name} rests until {rests}; it should until {company.rests}")
            if (probing is not None) != company.probing:
                raise Violation(f"{name} is probing: {probing}; it should be: {company.probing}")
            self._compare_released(name, released, told)

    def _compare_released(self, name: str, released: set[str], told: list[str]) -> None:
        """Slots (6): the first of the ready ones get those that are free, and their workers are told."""
        model, rules = self._model, self._model.rules
        company = model.companies[name]
        new: list[Event] = []
        left: list[Event] = []
        controls_left: list[Event] = []
        slots = len(released)
        for event in model.events.values():
            if event.company != name or (event.status != "ready" and event.status != "running"):
                continue
            if event.id not in released:
                insist(event.status == "ready", f"{event.ref} runs and holds no slot")
                insist(not event.released, f"{event.ref} lost its slot")
                (controls_left if event.control else left).append(event)
                continue
            released.discard(event.id)
            if event.ref in told:
                model.woke(event, again=event.released)
            if not event.released:
                new.append(event)
                event.released = True
        insist(not released, f"slots of {name} are held by what is neither ready nor running: {released}")
        for event in new:
            insist(event.ref in told, f"{event.ref} got a slot and no worker was told")
            insist(company.rests is None, f"{event.ref} got a slot while {name} rests")
            insist(event.control or company.paused is None, f"{event.ref} got a slot while {name} is paused")
        if not (new or left or controls_left):
            return
        cap = 1 if company.probing else rules.release_limit
        ordinary_new = [e for e in new if not e.control]
        insist(not ordinary_new or slots <= cap, f"{name} has {slots} slots taken; it may have {cap}")
        first_left = min((e.place for e in left), default=None)
        last_new = max((e.place for e in ordinary_new), default=0)
        insist(
            first_left is None or last_new < first_left, f"place {last_new} of {name} got a slot before {first_left}"
        )
        if company.rests is None:
            idle = bool(left) and slots < cap and company.paused is None
            insist(not idle, f"{name} has a free slot and ready events: {[e.id for e in left]}")
            idle = bool(controls_left) and not company.probing
            insist(not idle, f"control events of {name} are left ready: {[e.id for e in controls_left]}")


def check_structure(found: dict[str, Kept], model: Model, unblocked: Iterable[str]) -> None:
    """Every key of Redis holds exactly what the model says it should, and there is no other."""
    found = {key: kept for key, kept in found.items() if key != f"{PREFIX}counters"}
    _check_log(found, model)
    expected = _expected(model, unblocked)
    for name in model.companies:  # counts of what is over and was not to be remembered
        expected.setdefault(f"{PREFIX}company:{name}", {})
    if unblocked:
        expected[f"{PREFIX}unblocked"] = set(unblocked)
    for key in found.keys() | expected.keys():
        ours, theirs = expected.get(key), found.get(key)
        if theirs is None:
            insist(not ours, f"{key} is missing: {ours}")
            continue
        if ours is None:
            raise Violation(f"{key} is an orphan: {theirs.value}")
        value = theirs.value
        if isinstance(value, dict) and key.startswith(f"{PREFIX}company:"):
            value = {field: kept for field, kept in value.items() if not (field.startswith("n:") and kept == "0")}
        if isinstance(value, dict) and key.startswith(f"{PREFIX}event:"):
            value = {field: kept for field, kept in value.items() if field in _EVENT_FIELDS}
        insist(value == ours, f"{key} is {value}; by the promises it is {ours}")
    for event in model.events.values():
        forgotten = event.status in ("done", "superseded", "skipped")
        for kind in ("event", "body", "progress"):
            kept = found.get(f"{PREFIX}{kind}:{event.ref}")
            insist(kept is None or kept.expires == forgotten, f"{kind} of {event.ref} ({event.status}): {kept}")


def check_outcomes(entries: Iterable[tuple[str, list[str]]], model: Model) -> None:
    """The stream for producers has one entry for each time that an event settled, and no other."""
    told = [dict(zip(fields[::2], fields[1::2], strict=True)) for _, fields in entries]
    found = sorted((f"{one['company']}:{one['id']}", one["status"], one["at"]) for one in told)
    ours = sorted((ref, status, in_utc(to_time(at))) for ref, status, at in model.outcomes)
    insist(found == ours, f"the stream has {found}; what settled is {ours}")


def _check_log(found: dict[str, Kept], model: Model) -> None:
    """Every settled event that is remembered is found by its status and by its key; takes these indices out."""
    for name in model.companies:
        for status in FORGOTTEN:
            index = found.pop(f"{PREFIX}company-{status}:{name}", _NOTHING)
            events = {e.id: str(e.settled) for e in model.of_company(name) if e.status == status}
            insist(index.value == events, f"{name} lists {index.value} as {status}; they are {events}")
            insist(index.expires or not events, f"the list of what is {status} of {name} never ends")
    for name, key in model.keys.items():
        index = found.pop(f"{PREFIX}key-settled:{name}", _NOTHING)
        events = {e.id: str(e.settled) for e in key.events if e.status in FORGOTTEN}
        failed = {e.id: str(e.settled) for e in key.events if e.status == "failed"}  # forgotten here, kept elsewhere
        insist(isinstance(index.value, dict), f"{name} has no list of what is settled")
        listed = dict(index.value)
        insist(events.items() <= listed.items(), f"{name} lists {listed}; settled are {events}")
        insist(listed.items() <= (events | failed).items(), f"{name} lists {listed}; settled are {events | failed}")


def _expected(model: Model, unblocked: Iterable[str]) -> dict[str, Any]:
    """The engine's keys (layout: ordering/lua/common.lua) as they follow from the model."""
    keys: dict[str, Any] = {
        "tickets": str(model.tickets),
        "fences": str(model.fences),
        "clock": "" if model.clock is None else str(model.clock),
        "workers": {name: str(until) for name, until in model.workers.items()},
        **{f"worker:{name}": dict(claims) for name, claims in model.claims.items()},
        "companies": {c for c, known in model.companies.items() if known.published},
        "due": {e.ref: str(e.due) for e in model.events.values() if e.status == "retrying"},
        "leases": {e.ref: str(e.lease) for e in model.events.values() if e.status == "running"},
        "woken": {e.ref: str(e.woken) for e in model.events.values() if e.status == "ready" and e.released},
        "resting": {name: str(c.rests) for name, c in model.companies.items() if c.rests is not None},
        "reports": {ref: str(at) for ref, at in model.reports.items()},
    }
    if not model.tickets:
        del keys["tickets"]
    if not model.fences:
        del keys["fences"]
    for name in model.companies:
        keys |= _expected_company(model, name)
    for name in {*model.keys, *(event.blocker for event in model.events.values())} - {""}:
        keys |= _expected_key(model, name, name in unblocked)
    for event in model.events.values():
        keys[f"event:{event.ref}"] = _expected_event(event)
        keys[f"progress:{event.ref}"] = dict(event.progress)
        over = event.status in ("done", "superseded") and not event.again
        keys[f"body:{event.ref}"] = "" if over else event.body
    return {PREFIX + name: value for name, value in keys.items() if value}


def _expected_company(model: Model, name: str) -> dict[str, Any]:
    company = model.companies[name]
    events = list(model.of_company(name))
    counts = dict(company.counts)
    for event in events:
        counts[event.status] = counts.get(event.status, 0) + 1
    fields = {f"n:{status}": str(counts[status]) for status in STATUSES if counts.get(status)}
    fields |= {} if company.paused is None else {"paused": company.paused.to_json()}
    fields |= {} if company.rests is None else {"rests": str(company.rests)}
    fields |= {"troubles": str(company.troubles), "troubled": company.troubled} if company.troubles else {}
    fields |= {"probing": "1"} if company.probing else {}
    told = {"stale_told": company.stale_told, "jump_told": company.jump_told}
    fields |= {field: str(day) for field, day in told.items() if day is not None}
    left = [e for e in events if e.status == "ready" and not e.released]
    return {
        f"company:{name}": fields,
        f"company-ready:{name}": {e.id: str(e.place) for e in left if not e.control},
        f"company-control:{name}": {e.id: str(e.place) for e in left if e.control},
        f"company-released:{name}": {e.id for e in events if e.released},
        f"company-keys:{name}": {e.id: e.key for e in events if e.status in OPEN or e.status == "failed"},
        f"company-held:{name}": {e.id for e in events if e.status == "held"},
        f"company-open:{name}": {e.id: str(e.accepted) for e in events if e.status in OPEN},
        f"company-failed:{name}": {e.id: str(e.settled) for e in events if e.status == "failed"},
    }


def _expected_key(model: Model, name: str, put_off: bool) -> dict[str, Any]:
    key = model.keys.get(name, Key())
    known = {"through": key.through, "sequence": key.sequence, "done_at": key.done_at}
    company = name.partition("/")[0]
    waiting = [e for e in model.of_company(company) if e.blocker == name]
    held = [e for e in waiting if e.status == "held"]
    refused = [e for e in held if e.refused_by or (put_off and e.refused_for == name)]
    return {
        f"key:{name}": {field: str(value) for field, value in known.items() if value is not None},
        f"key-active:{name}": next((e.id for e in key.events if e.status in ACTIVE), ""),
        f"key-line:{name}": {e.id: str(e.place) for e in key.line()},
        f"key-failed:{name}": {e.id: str(e.place) for e in key.events if e.broken},
        f"key-waiters:{name}": {e.ref: str(e.place) for e in waiting if e.status == "waiting"},
        f"key-held:{name}": {e.ref: str(e.place) for e in held if e not in refused},
        f"key-refused:{name}": {e.ref: str(e.refused_at) for e in refused},
    }


def _stored(reason: Message | None) -> str | None:
    return reason.to_json() if reason else None


def _expected_event(event: Event) -> dict[str, str]:
    fields = {"status": event.status, "key": event.key, "place": str(event.place), "accepted": str(event.accepted)}
    fields |= {"blocker": event.blocker} if event.blocker else {}
    fields |= {"started": "1"} if event.started else {}
    return fields
