"""All companies at a glance: state, events, what needs a person. Read by a thread of its own, as it takes a while."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from heapq import nlargest
from typing import Final

import structlog
from redis.exceptions import RedisError

from delivery.bugs import report_error
from delivery.services import Services
from fortnox.limiter import Limiter
from operations.failures import FailedEvents, Failure, by_cause
from operations.states import State, company_state
from ordering import EventRecord
from ordering.glance import newest_times
from ordering.listed import ListedTimes
from ordering.newest import has_many_companies
from ordering.records import STATUSES

log = structlog.get_logger(__name__)

AT_A_TIME: Final = 100  # companies: some 5 ms, in which no page is made
FRESH: Final = 2.0  # seconds after which it is read again, at least; ten times as long as reading takes
LATEST: Final = 50  # companies whose open events are looked into for the newest
LOOKED_AT: Final = 60.0  # seconds after which nobody seems to look any more


@dataclass(frozen=True, slots=True)
class CompanyRow:
    """A company. `newest`: when its newest open event was accepted. `used`: which share of its rate to Fortnox it used
    in the last seconds, 0 to 1.
    """

    name: str
    ledger: str
    state: State
    events: Mapping[str, int]
    oldest: datetime | None
    newest: datetime | None
    failed_since: datetime | None
    used: float

    @property
    def waiting(self) -> int:
        """Events that are under way."""
        return sum(self.events[status] for status in ("waiting", "ready", "running", "retrying"))


@dataclass(frozen=True)
class Board:
    """All companies by name, as of `at`; how many events have each status; why events failed, by cause."""

    at: datetime
    companies: tuple[CompanyRow, ...]
    events: Mapping[str, int]
    failures: tuple[Failure, ...]

    @cached_property
    def paused(self) -> list[CompanyRow]:
        """The companies whose grant has ended."""
        return [row for row in self.companies if row.state.name == "paused"]

    @cached_property
    def by_name(self) -> Mapping[str, CompanyRow]:
        """Each company's row."""
        return {row.name: row for row in self.companies}

    def has_some(self, company: str, status: str) -> bool:
        """Whether the company has events of the status."""
        row = self.by_name.get(company)
        return row is not None and row.events[status] > 0

    @cached_property
    def latest(self) -> tuple[str, ...]:
        """The companies that have the newest open events, at most `LATEST`."""
        rows = [(row.newest, row.name) for row in self.companies if row.newest]
        return tuple(name for _, name in nlargest(LATEST, rows))

    @cached_property
    def oldest(self) -> datetime | None:
        """When the oldest event under way was accepted."""
        return min((row.oldest for row in self.companies if row.oldest), default=None)


class Sort(StrEnum):
    """By what companies are listed."""

    NEED = "need"  # those that need somebody first
    NAME = "name"
    WAITING = "waiting"
    FAILED = "failed"
    HELD = "held"
    OLDEST = "oldest"
    USED = "used"


def chosen_companies(board: Board, text: str = "", state: str = "", sort: Sort = Sort.NEED) -> list[CompanyRow]:
    """The companies whose code or name holds the text and that are in this state, sorted. `state`: of `State`, or
    `failed`, `held` and `waiting` for those that have such events. Pure.
    """
    wanted = text.casefold()
    rows = [
        row
        for row in board.companies
        if (not wanted or wanted in row.name.casefold() or wanted in row.ledger.casefold()) and _is_in(row, state)
    ]
    return rows if sort is Sort.NAME else sorted(rows, key=PLACES[sort])  # equal ones stay in the order of names


def _is_in(row: CompanyRow, state: str) -> bool:
    if state in ("failed", "held"):
        return bool(row.events[state])
    return row.waiting > 0 if state == "waiting" else state in ("", row.state.name)


def _need(row: CompanyRow) -> float:
    return -(4 * (row.state.name == "paused") + 2 * (row.events["failed"] > 0) + (row.events["held"] > 0))


# Where a row is in each order but that of names: the lowest comes first.
PLACES: Final[Mapping[Sort, Callable[[CompanyRow], float]]] = {
    Sort.NEED: _need,
    Sort.WAITING: lambda row: -row.waiting,
    Sort.FAILED: lambda row: -row.events["failed"],
    Sort.HELD: lambda row: -row.events["held"],
    Sort.OLDEST: lambda row: row.oldest.timestamp() if row.oldest else float("inf"),
    Sort.USED: lambda row: -row.used,
}


def read_board(services: Services, failed: FailedEvents, listed: ListedTimes, pause: float = 0.0) -> Board:
    """Read everything, in pieces with `pause` seconds between them. `listed` is read where there are many companies."""
    now, rows = datetime.now(UTC), list[CompanyRow]()
    names, many = services.ordering.companies(), has_many_companies(services.ordering)
    for at in range(0, len(names), AT_A_TIME):
        some = names[at : at + AT_A_TIME]
        rows += read_rows(services, some)
        if many:
            listed.read(some, now)
        time.sleep(pause)
    listed.keep(names if many else ())
    records = failed.of(row.name for row in rows if row.events["failed"])
    failed.keep(records)
    total: Counter[str] = Counter()
    for row in rows:
        total.update(row.events)
    return Board(now, tuple(rows), {status: total[status] for status in STATUSES}, tuple(by_cause(records)))


def read_rows(services: Services, companies: Iterable[str]) -> list[CompanyRow]:
    """These companies as they are now."""
    names = list(companies)
    connections = services.stores.connections.glances(names)
    states, newest = services.ordering.states(names), newest_times(services.ordering, names)
    used = Limiter(services.redis, services.settings.fortnox_rate_limit).used(names)
    return [
        CompanyRow(
            name=name,
            ledger=connections[name].ledger if name in connections else "",
            state=company_state(connections[name].state if name in connections else "none", states[name]),
            events=states[name].counts,
            oldest=states[name].oldest,
            newest=newest[name],
            failed_since=states[name].failed_since,
            used=used[name],
        )
        for name in names
    ]


class BoardKeeper:
    """Keeps a board that is at most a few seconds old while somebody looks at it."""

    def __init__(self, services: Services) -> None:
        self.failed = FailedEvents(services)
        self._services = services
        self.begin_anew()
        self._board: Board | None = None
        self._looked = time.monotonic()
        self._wanted = threading.Event()
        self._stopped = threading.Event()
        self._read = threading.Lock()

    def board(self, at_least: datetime | None = None) -> Board:
        """The board; read now where none was read yet, or the last one is older than `at_least`."""
        self._looked = time.monotonic()
        self._wanted.set()
        board = self._board
        if board is None or (at_least is not None and board.at < at_least):
            board = self._refresh()
        return board

    def all_failed(self) -> list[EventRecord]:
        """The failed events of all companies that have some, as the board says."""
        return self.failed.of(row.name for row in self.board().companies if row.events["failed"])

    def begin_anew(self) -> None:
        """Redis no longer holds what was read from it."""
        self.listed = ListedTimes(self._services.ordering, self._services.settings.retention_days)

    def start(self) -> None:
        """Begin to read, in a thread of its own."""
        threading.Thread(target=self._run, name="board", daemon=True).start()

    def stop(self) -> None:
        """Read no more."""
        self._stopped.set()
        self._wanted.set()

    def _refresh(self, pause: float = 0.0) -> Board:
        asked = datetime.now(UTC)
        with self._read:
            if self._board is None or self._board.at < asked:
                self._board = read_board(self._services, self.failed, self.listed, pause)
            return self._board

    def _run(self) -> None:
        while not self._stopped.is_set():
            began = time.monotonic()
            try:
                self._refresh(pause=0.02)
            except RedisError as error:
                log.warning("console.board_not_read", error=type(error).__name__)
            except Exception as error:
                log.error("console.board_not_read", error=type(error).__name__, exc_info=error)
                report_error(error, thread="board")
            self._stopped.wait(max(FRESH, 10 * (time.monotonic() - began)))
            if not self._stopped.is_set() and time.monotonic() - self._looked > LOOKED_AT:
                self._wanted.clear()
                self._wanted.wait()
