"""What can happen in a world, and how often: producers, workers, broker, operators, time, faults.

Each world draws its own mix, so that some are all crashes and some all collisions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from messages import NOTHING, Message
from ordering import (
    Claim,
    Done,
    Failed,
    Held,
    Outcome,
    Pause,
    Release,
    Retry,
    Skipped,
    Snooze,
    Submission,
    Superseded,
    TargetUnavailable,
)
from tests.simulation.model import JUMP
from tests.simulation.world import Worker, World

MOST_EVENTS: Final = 30  # of one world
STEPS: Final = ("created", "uploaded", "attached")
PLAIN: Final = tuple(str(n) for n in range(1, 13))
# As the engine's own names go on, and with what separates their parts.
ODD: Final = (
    "1",
    "1:settled",
    "1:line",
    "1:failed",
    "1:active",
    "1:held",
    "1:waiters",
    "1:",
    ":1",
    "1 2",
    "-line:1",
    "å",
)


class Mix:
    """How often each thing happens in one world, and how many there are of everything."""

    def __init__(self, world: World, *, restarts: bool) -> None:
        rng = world.rng
        self.companies = ["acme", "bolt", "core"][: rng.choice((1, 1, 1, 2, 3))]
        theme = rng.choice(THEMES)
        many = rng.choice(theme.keys)
        self.customers, self.projects, self.invoices = rng.randint(1, many), rng.randint(1, 2), rng.randint(1, 2 * many)
        self.numbers, self.ids = rng.choice(((PLAIN, "e{}"), (ODD, "e{}"), (ODD, "e1:{}:body")))
        self.sequences = rng.choice((0.0, 0.5, 1.0))
        self.in_a_row = rng.choice((0.0, 0.3, 1.0))
        self.needs_integration = rng.choice((0.0, 0.3, 1.0))
        self.lost, self.doubled = rng.choice((0.0, 0.1, 0.5)), rng.choice((0.0, 0.1, 0.3))
        factor = theme.factors.get
        actions = [(action, weight * factor(action, rng.choice((0.2, 1.0, 3.0)))) for action, weight in ACTIONS]
        if restarts:
            actions.append((restarts_redis, 3.0))
        self.actions = [action for action, _ in actions]
        self.weights = _cumulated([weight for _, weight in actions])
        outcomes = [(outcome, weight * factor(outcome, rng.choice((0.0, 1.0, 3.0)))) for outcome, weight in OUTCOMES]
        self.outcomes = [outcome for outcome, _ in outcomes]
        self.outcome_weights = _cumulated([weight + 0.01 for _, weight in outcomes])
        self.counters: dict[str, int] = {}
        self.backlog = rng.choice(theme.backlog)

    def begin(self, world: World) -> None:
        """What has been published before anything else happens."""
        for _ in range(self.backlog):
            publishes(world, self)

    def draw(self, world: World) -> None:
        """One action, done."""
        action = world.rng.choices(self.actions, cum_weights=self.weights)[0]
        action(world, self)


def _cumulated(weights: list[float]) -> list[float]:
    total, sums = 0.0, []
    for weight in weights:
        total += weight
        sums.append(total)
    return sums


# Producers


def publishes(world: World, mix: Mix) -> None:
    """A new event; now and then a known id again, whatever it now says."""
    rng = world.rng
    if world.published and (rng.random() < 0.1 or len(world.published) >= MOST_EVENTS):
        known = rng.choice(world.published)
        event = known if rng.random() < 0.5 else _an_event(world, mix, known.company, known.id)
    else:
        event = _an_event(world, mix, rng.choice(mix.companies), mix.ids.format(len(world.published)))
        world.published.append(event)
    world.publish(event)


def recurs(world: World, mix: Mix) -> None:
    """What is asked for again and again under one id."""
    company = world.rng.choice(mix.companies)
    event = Submission(
        company=company,
        id="poll",
        key=f"{company}/poll",
        type="poll.asked",
        body=f'{{"id":"poll","at":{world.steps}}}',
        occurred_at=datetime.fromtimestamp(world.someone("producer").time() / 1000, UTC),
        recurring=True,
    )
    if not any(one.company == company and one.id == "poll" for one in world.published):
        world.published.append(event)
    world.publish(event)


def _an_event(world: World, mix: Mix, company: str, event_id: str) -> Submission:
    rng = world.rng
    kind = rng.choices(("customer", "project", "invoice", "integration", "invalid"), cum_weights=(4, 7, 12, 13.5, 14))[
        0
    ]
    number = {"customer": mix.customers, "project": mix.projects, "invoice": mix.invoices}.get(kind, 1)
    chosen = mix.numbers[rng.randrange(number)]
    key = {"integration": f"{company}/integration", "invalid": f"{company}/invalid/{event_id}"}.get(
        kind, f"{company}/{kind}/{chosen}"
    )
    snapshot = kind in ("customer", "project")
    needs: list[str] = []
    if (snapshot or kind == "invoice") and rng.random() < mix.needs_integration:
        needs.append(f"{company}/integration")
    if kind == "invoice":
        needs.append(f"{company}/customer/{mix.numbers[rng.randrange(mix.customers)]}")
        needs += [f"{company}/project/{mix.numbers[rng.randrange(mix.projects)]}"] if rng.random() < 0.6 else []
        credited = mix.numbers[rng.randrange(mix.invoices)]
        needs += [f"{company}/invoice/{credited}"] if rng.random() < 0.3 and credited != chosen else []
    producer = world.someone("producer")
    return Submission(
        company=company,
        id=event_id,
        key=key,
        type=f"{kind}.changed",
        body=f'{{"id":"{event_id}","at":{world.steps}}}',
        occurred_at=datetime.fromtimestamp(producer.time() / 1000, UTC),
        needs=tuple(needs),
        snapshot=snapshot,
        control=kind == "integration",
        sequence=_sequence(world, mix, key) if snapshot else None,
        refused=_why("not a valid event") if kind == "invalid" else NOTHING,
    )


def _sequence(world: World, mix: Mix, key: str) -> int | None:
    """The key's counter; now and then that of an event which was overtaken on its way."""
    if world.rng.random() >= mix.sequences:
        return None
    mix.counters[key] = mix.counters.get(key, 0) + (1 if world.rng.random() < 0.95 else 2 * JUMP)
    return mix.counters[key] - world.rng.choice((0, 0, 0, 1, 2))


# Broker and workers


def delivers(world: World, mix: Mix) -> None:
    """Any wake-up under way reaches a worker without work; some are lost, some come twice."""
    idle = [worker for worker in world.workers if worker.claim is None]
    if not world.broker or not idle:
        return works(world, mix)
    at = world.rng.randrange(len(world.broker)) if world.rng.random() < 0.5 else 0
    wakeup = world.broker[at]
    if world.rng.random() >= mix.doubled:
        del world.broker[at]
    if world.rng.random() < mix.lost:
        world.history.append(f"a wake-up of {wakeup.id} is lost")
    else:
        world.claim(world.rng.choice(idle), wakeup.company, wakeup.id)


def claims_blindly(world: World, mix: Mix) -> None:
    """A wake-up from long ago, for whatever event."""
    idle = [worker for worker in world.workers if worker.claim is None]
    if world.published and idle:
        event = world.rng.choice(world.published)
        world.claim(world.rng.choice(idle), event.company, event.id)


def works(world: World, mix: Mix) -> None:
    """A worker goes on with what it holds, as far as it knows: its lease may have lapsed meanwhile."""
    busy = [(worker, worker.claim) for worker in world.workers if worker.claim is not None]
    if not busy:
        return publishes(world, mix) if len(world.published) < MOST_EVENTS else pumps(world, mix)
    worker, claim = world.rng.choice(busy)
    act = world.rng.random()
    if act < 0.25:
        holds = world.record(worker.name, claim, world.rng.choice(STEPS), str(world.steps))
    elif act < 0.4:
        holds = world.renew(worker.name, claim)
    else:
        return _settles(world, mix, worker, claim)
    if not holds:
        worker.claim = None


def _settles(world: World, mix: Mix, worker: Worker, claim: Claim) -> None:
    """It settles; dead before it can send the wake-ups, or not knowing that it did, it may come back."""
    sent = len(world.broker)
    outcome = _an_outcome(world, mix, worker, claim)
    if world.rng.random() < mix.in_a_row:
        offered = world.broker[: world.rng.randint(0, 6)]
        return world.settle_and_claim(worker, claim, outcome, offered)
    world.settle(worker.name, claim, outcome)
    worker.claim = None
    if world.rng.random() < 0.1:
        del world.broker[sent:]
        world.ghosts.append(claim)
        world.history.append(f"{worker.name} dies with the answer")


def crashes(world: World, mix: Mix) -> None:
    """A worker dies, or is thought dead and comes back later."""
    busy = [(worker, worker.claim) for worker in world.workers if worker.claim is not None]
    if busy:
        worker, claim = world.rng.choice(busy)
        world.history.append(f"{worker.name} dies with {claim.id}")
        worker.claim = None
        if world.rng.random() < 0.3:
            world.died(worker, claim.company, claim.id)
        else:
            world.ghosts.append(claim)


def worker_dies(world: World, mix: Mix) -> None:
    """A worker and all its processes; nobody says so."""
    world.restarts(world.rng.choice(world.hosts))


def worker_stops(world: World, mix: Mix) -> None:
    """It says so when its processes have ended."""
    host = world.rng.choice(world.hosts)
    world.leave(host)
    world.restarts(host)


def is_seen_dying(world: World, mix: Mix) -> None:
    """A process without work dies, with a message in hand for whatever event: another may hold that."""
    idle = [worker for worker in world.workers if worker.claim is None]
    if world.published and idle:
        event = world.rng.choice(world.published)
        world.died(world.rng.choice(idle), event.company, event.id)


def haunts(world: World, mix: Mix) -> None:
    """One that was thought dead goes on where it stopped."""
    if not world.ghosts:
        return
    claim = world.rng.choice(world.ghosts[-3:])
    act = world.rng.random()
    ghost = world.someone("a ghost")
    if act < 0.3:
        world.record(ghost.name, claim, world.rng.choice(STEPS), str(world.steps))
    elif act < 0.5:
        world.renew(ghost.name, claim)
    else:
        world.settle(ghost.name, claim, _an_outcome(world, mix, ghost, claim))


def _why(words: str) -> Message:
    return Message("test.reason", words=words)


def _failed(world: World, worker: Worker, claim: Claim) -> Outcome:
    return Failed(_why("no"))


def _pause(world: World, worker: Worker, claim: Claim) -> Outcome:
    return Pause(_why("the grant is dead"))


def _skipped(world: World, worker: Worker, claim: Claim) -> Outcome:
    return Skipped(_why("switched off"))


def _superseded(world: World, worker: Worker, claim: Claim) -> Outcome:
    return Superseded(_why("newer"))


def _done(world: World, worker: Worker, claim: Claim) -> Outcome:
    told = world.rng.random() < 0.2
    return Done(_why("a file is missing"), _why("send it"), again=world.rng.random() < 0.5) if told else Done()


def _wait(world: World, worker: Worker, longest: int) -> timedelta:
    """What a server's `Retry-After` date means to a worker: a duration, worked out by its own wrong clock."""
    seconds = world.rng.choice((0, 0.001, 1, 5, 30, longest))
    again_at = worker.time() + round(seconds * 1000)
    return timedelta(milliseconds=again_at - worker.time())


def _retry(world: World, worker: Worker, claim: Claim) -> Outcome:
    return Retry(_wait(world, worker, 3600), _why("timeout"))


def _trouble(world: World, worker: Worker, claim: Claim) -> Outcome:
    return TargetUnavailable(_wait(world, worker, 600), _why("503"))


def _yield(world: World, worker: Worker, claim: Claim) -> Outcome:
    return Release(None if world.rng.random() < 0.4 else _wait(world, worker, 60))


def _later(world: World, worker: Worker, claim: Claim) -> Outcome:
    return Snooze(_wait(world, worker, 60))


def _held(world: World, worker: Worker, claim: Claim) -> Outcome:
    """Refused for a customer or project that the event needs, as the handler names it; or for a key without events."""
    if world.rng.random() < 0.3:
        return Held(_access(claim.company), _why("no licence"), tell=world.rng.random() < 0.5)
    event = world.model.events.get(f"{claim.company}:{claim.id}")
    named = [key for key in event.needs if key.split("/")[1] in ("customer", "project")] if event else []
    return Held(world.rng.choice(named), _why("unknown")) if named else Done()


def _access(company: str) -> str:
    return f"{company}/access/customers"


OUTCOMES: Final[tuple[tuple[Callable[[World, Worker, Claim], Outcome], float], ...]] = (
    (_done, 6),
    (_retry, 1.5),
    (_trouble, 1.5),
    (_held, 1.5),
    (_yield, 1),
    (_later, 0.5),
    (_failed, 1.5),
    (_pause, 0.3),
    (_skipped, 0.4),
    (_superseded, 0.2),
)


def _an_outcome(world: World, mix: Mix, worker: Worker, claim: Claim) -> Outcome:
    make = world.rng.choices(mix.outcomes, cum_weights=mix.outcome_weights)[0]
    return make(world, worker, claim)


# Time


def pumps(world: World, mix: Mix) -> None:
    """Some worker's timer. It may die before it sends the wake-ups."""
    sent = len(world.broker)
    world.pump(world.rng.choice((1, 2, 100, 100)), world.rng.choice(("", *world.hosts)))
    if world.rng.random() < mix.lost / 2:
        del world.broker[sent:]


def time_passes(world: World, mix: Mix) -> None:
    """To the very ms at which something is due or lapses, just past it, or by any amount. Mostly a pump follows."""
    rng, rules = world.rng, world.model.rules
    due = world.model.next_due(False)
    if due is not None and rng.random() < 0.5:
        world.passes(max(0, due + rng.choice((-1, 0, 0, 0, 1))))
    else:
        world.passes(
            rng.choice((1, 100, 1_000, 1_900, 5_000, rules.rewake, rules.worker_lease, rules.lease + 1, 600_000))
        )
    if rng.random() < 0.6:
        pumps(world, mix)


def clock_is_set_back(world: World, mix: Mix) -> None:
    """By somebody, or by a server that takes over."""
    world.passes(-world.rng.choice((500, 2_000, 60_000, 3_600_000)))


def ages_pass(world: World, mix: Mix) -> None:
    """The retention of all that is settled passes."""
    world.passes_retention()


# People


def retries(world: World, mix: Mix) -> None:
    event = _someones_choice(world, ("failed", "failed", "held", "retrying", "skipped", "done"))
    world.retry(event.company, event.id) if event else None


def skips(world: World, mix: Mix) -> None:
    event = _someones_choice(world, ("failed", "held", "ready", "retrying", "waiting"))
    world.skip(event.company, event.id) if event else None


def _someones_choice(world: World, statuses: tuple[str, ...]) -> Submission | None:
    """An event in one of these statuses; now and then any."""
    status = world.rng.choice(statuses)
    events = [e for e in world.published if world.rng.random() < 0.1 or _status(world, e) == status]
    return world.rng.choice(events) if events else None


def _status(world: World, event: Submission) -> str:
    known = world.model.events.get(f"{event.company}:{event.id}")
    return known.status if known else "unknown"


def pauses(world: World, mix: Mix) -> None:
    if world.model.companies:
        world.pause(world.rng.choice(sorted(world.model.companies)))


def resumes(world: World, mix: Mix) -> None:
    if world.model.companies:
        world.resume(world.rng.choice(sorted(world.model.companies)))


def reopens(world: World, mix: Mix) -> None:
    """What was refused is allowed again; now and then nothing was refused for that key."""
    if world.published:
        event = world.rng.choice(world.published)
        world.reopen(event.company, _access(event.company) if world.rng.random() < 0.8 else event.key)


def is_told(world: World, mix: Mix) -> None:
    if world.model.reports:
        world.reported(min(world.model.reports, key=lambda ref: (world.model.reports[ref], ref)))


# Redis


def scripts_are_flushed(world: World, mix: Mix) -> None:
    world.server.wire.execute_command("SCRIPT FLUSH")
    world.history.append("Redis forgets the scripts")


def restarts_redis(world: World, mix: Mix) -> None:
    """Only on a durable server: it is killed and comes back with its data and no scripts."""
    world.server.restart()
    world.history.append("Redis is killed and started again")


ACTIONS: Final[tuple[tuple[Callable[[World, Mix], None], float], ...]] = (
    (publishes, 8),
    (recurs, 0.5),
    (delivers, 14),
    (works, 14),
    (crashes, 1),
    (haunts, 1.5),
    (is_seen_dying, 0.3),
    (claims_blindly, 1),
    (pumps, 1.5),
    (time_passes, 5),
    (ages_pass, 0.1),
    (clock_is_set_back, 0.2),
    (worker_dies, 0.4),
    (worker_stops, 0.3),
    (retries, 2),
    (skips, 1),
    (pauses, 0.4),
    (resumes, 1),
    (reopens, 1),
    (is_told, 0.3),
    (scripts_are_flushed, 0.03),
)


@dataclass(frozen=True)
class Theme:
    """What happens more often, or less, in some worlds, how many keys they have, and how many events to begin with."""

    factors: dict[Callable[..., object], float]
    keys: tuple[int, ...] = (1, 2, 2, 6)
    backlog: tuple[int, ...] = (0, 3, 8)


THEMES: Final = (
    Theme({}),
    # an outage: a backlog, and hardly anything goes through
    Theme(
        {_trouble: 8, _done: 0.1, works: 1.5, time_passes: 1.5, claims_blindly: 8, resumes: 0.1, pauses: 0.1}, keys=(6,)
    ),
    # dying workers: the same few events again and again
    Theme(
        {crashes: 12, haunts: 6, publishes: 0.3, time_passes: 4, _retry: 4, _yield: 6, _done: 0.2},
        keys=(1,),
    ),
    # refusals, and people who try again
    Theme({_held: 8, _failed: 3, _done: 0.5, works: 1, retries: 8, skips: 1}, keys=(1,)),
    Theme({_failed: 4, retries: 6, skips: 4}),
)
