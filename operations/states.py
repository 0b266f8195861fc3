"""What a company or an event is waiting for: one state, from everything that is known of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from delivery.services import Services
from messages import NOTHING, Message
from ordering import EventRecord
from ordering.records import CompanyState


@dataclass(frozen=True, slots=True)
class State:
    """Of a company: `connected`, `resting`, `unavailable`, `paused`, `disabled` or `none` (it never connected).

    Of an event: its status; or, while it is ready and cannot start, `resting`, `unavailable`, `paused`, or `capacity`
    where the company's other transfers have all its slots. `until`: when it goes on; `behind`: the ordering key that it
    waits for; `why`: why the company is paused.
    """

    name: str
    until: datetime | None = None
    behind: str = ""
    why: Message = NOTHING


CONNECTED = ("connected", "resting", "unavailable")  # states of a company whose grant is good


def company_states(services: Services, companies: Iterable[str]) -> dict[str, State]:
    """The state of each of these companies, in three round trips."""
    names = list(companies)
    connections, found = services.stores.connections.states(names), services.ordering.states(names)
    return {name: company_state(connections.get(name, "none"), found[name]) for name in names}


def company_state(connection: str, state: CompanyState) -> State:
    """`connection`: connected, disabled or none. Pure."""
    if connection != "connected":
        return State(connection)
    return _hindrance(state) or State("connected")


def event_state(services: Services, record: EventRecord) -> State:
    """What the event waits for now."""
    match record.status:
        case "retrying":
            due, rests = services.ordering.next_attempt(record), _company(services, record).rests_until
            return State("retrying", until=max(filter(None, (due, rests)), default=None))
        case "waiting" | "held":
            return State(record.status, behind=record.blocker)
        case "ready":
            hindrance = _hindrance(_company(services, record))
            if hindrance and not (hindrance.name == "paused" and record.type.startswith("integration.")):
                return hindrance
            return State("ready" if services.ordering.is_released(record) else "capacity")
    return State(record.status)


def as_fields(state: State) -> dict[str, Any]:
    """For JSON: `state`, `until`, `why`."""
    from messages.catalogue import say  # the catalogues take a moment to load, and few lists need them

    return {
        "state": state.name,
        "until": state.until.isoformat(timespec="seconds") if state.until else None,
        "why": say(state.why) or None,
    }


def _company(services: Services, record: EventRecord) -> CompanyState:
    return services.ordering.states([record.company])[record.company]


def _hindrance(state: CompanyState) -> State | None:
    if state.paused:
        return State("paused", why=state.paused)
    if state.rests_until:
        return State("unavailable" if state.probing else "resting", until=state.rests_until)
    return State("unavailable") if state.probing else None
