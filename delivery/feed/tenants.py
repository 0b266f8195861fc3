"""The companies on the feed: each is added with its access token, and again with the next before that ends.

Tokens are fetched in a few threads of their own, because a renewal takes most of a second. One company's dead grant is
told to its people and keeps no other from the feed.
"""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, NamedTuple

import structlog
from redis.exceptions import RedisError

from delivery.bugs import report_error
from delivery.pauses import pause
from delivery.services import Services
from fortnox.errors import FortnoxError, GrantDead
from fortnox.feed import FeedConnection
from stores import NeverConnected, Version
from stores.connections import TokenState
from stores.vault import Unsealable

log = structlog.get_logger(__name__)

BATCH: Final = 50  # tokens of one command; the most that Fortnox takes is not published
FETCHERS: Final = 4  # threads
UNDER_WAY: Final = 200  # tokens fetched and not yet added, at most
PAGE: Final = 500  # companies looked at in one round trip


class FetchedToken(NamedTuple):
    company: str
    token: str
    version: Version


class FeedTenants:
    """Which companies are on this socket, and which are to be. For one thread."""

    def __init__(self, services: Services, secret: str) -> None:
        self._services = services
        self._secret = secret
        self._fetchers = ThreadPoolExecutor(FETCHERS, thread_name_prefix="feed-token")
        self._wanted: dict[str, TokenState] = {}
        self._queue: dict[str, Callable[[], FetchedToken | None]] = {}  # company → how its token is fetched
        self._fetching: dict[str, Future[FetchedToken | None]] = {}
        self._doubted: dict[str, Version] = {}  # refused though it was new: left out until it is renewed
        self._last: dict[str, FetchedToken] = {}  # as they were sent
        self.added: dict[str, Version] = {}
        self._companies: dict[int, set[str]] = {}
        self._new: list[str] = []  # on this socket since `latecomers` was called

    def close(self) -> None:
        self._fetchers.shutdown(wait=False, cancel_futures=True)

    def begin(self) -> None:
        """A new socket has no company."""
        self.added.clear()
        self._new.clear()

    @property
    def wanted(self) -> int:
        """How many companies are connected by a living grant."""
        return len(self._wanted)

    @property
    def settled(self) -> bool:
        """Whether no company's token is on its way."""
        return not (self._queue or self._fetching)

    def companies(self, tenant_id: int) -> frozenset[str]:
        """The companies that have this ledger."""
        return frozenset(self._companies.get(tenant_id, ()))

    def latecomers(self) -> list[str]:
        """The companies that came onto this socket since this was last called."""
        found, self._new = self._new, []
        return found

    def scan(self, alive: Callable[[], None]) -> None:
        """Look which companies are connected, and queue those whose token the feed does not have yet."""
        names = self._services.ordering.companies()
        found: dict[str, TokenState] = {}
        for start in range(0, len(names), PAGE):
            found |= self._services.stores.connections.token_states(names[start : start + PAGE])
            alive()
        self._wanted = found
        self._companies = {}
        for company, state in found.items():
            if state.tenant_id is not None:
                self._companies.setdefault(state.tenant_id, set()).add(company)
        for company in to_add(found, self.added, self._doubted):
            if company not in self._fetching:
                self._queue.setdefault(company, lambda company=company: self._fetch(company))  # type: ignore[misc]
        for company in [one for one in self.added if one not in found]:
            del self.added[company]

    def leave(self, feed: FeedConnection) -> None:
        """Remove from the feed the tenants that no connected company has any more."""
        strangers = [number for number in feed.tenants() if number not in self._companies]
        if strangers:
            feed.remove_tenants(strangers)

    def add(self, feed: FeedConnection) -> int:
        """Add the companies whose tokens are there, one batch. Return how many the feed took. Raises `FeedLost`."""
        self._start()
        ready = [company for company, future in self._fetching.items() if future.done()][:BATCH]
        fetched = [one for company in ready if (one := self._fetched(self._fetching.pop(company))) is not None]
        if not fetched:
            return 0
        joined = feed.add_tenants(self._secret, [one.token for one in fetched])
        for one in fetched:
            self._last[one.company] = one
            if one.token in joined.tenants:
                if one.company not in self.added:
                    self._new.append(one.company)
                self.added[one.company] = one.version
                self._doubted.pop(one.company, None)
                if (number := joined.tenants[one.token]) is not None:
                    self._companies.setdefault(number, set()).add(one.company)
        self.doubt([one.company for one in fetched if one.token in joined.refused])
        return len(joined.tenants)

    def check(self, feed: FeedConnection) -> None:
        """Look which tenants the feed has. One that it dropped may have ended its grant."""
        there = feed.tenants()
        self.doubt([one for one in self.added if not self._is_there(one, there)])

    def dropped(self, tenant_ids: Iterable[int]) -> None:
        """The feed says that it removed these tenants."""
        self.doubt([company for number in tenant_ids for company in self.companies(number) if company in self.added])

    def doubt(self, companies: Iterable[str]) -> None:
        """The feed refused these companies' tokens: ask Fortnox for others, once. It alone says that a grant ended."""
        for company in companies:
            self.added.pop(company, None)
            last = self._last.get(company)
            if last is None or self._doubted.get(company) == last.version:
                continue
            log.warning("feed.token_refused", company=company)
            self._queue[company] = lambda last=last: self._renew(last)  # type: ignore[misc]

    def _is_there(self, company: str, there: frozenset[int]) -> bool:
        state = self._wanted.get(company)
        return state is None or state.tenant_id is None or state.tenant_id in there

    def _start(self) -> None:
        for company in list(self._queue)[: max(0, UNDER_WAY - len(self._fetching))]:
            self._fetching[company] = self._fetchers.submit(self._queue.pop(company))

    def _fetched(self, future: Future[FetchedToken | None]) -> FetchedToken | None:
        error = future.exception()
        if error is None:
            return future.result()
        report_error(error)
        log.error("feed.token_failed", error=type(error).__name__)
        return None

    def _fetch(self, company: str) -> FetchedToken | None:
        return self._got(company, lambda: self._services.fortnox.tokens.access_token(company))

    def _renew(self, refused: FetchedToken) -> FetchedToken | None:
        company = refused.company
        fetched = self._got(company, lambda: self._services.fortnox.tokens.renew(company, refused.token))
        if fetched is not None:
            self._doubted[company] = fetched.version
        return fetched

    def _got(self, company: str, ask: Callable[[], str]) -> FetchedToken | None:
        try:
            token = ask()
            version = self._services.stores.connections.version(company)
        except GrantDead as dead:
            pause(self._services, company, dead)
            return None
        except (FortnoxError, NeverConnected, Unsealable, RedisError) as error:
            log.warning("feed.no_token", company=company, error=type(error).__name__)
            return None
        return None if version is None else FetchedToken(company, token, version)


def to_add(wanted: Mapping[str, TokenState], added: Mapping[str, Version], doubted: Mapping[str, Version]) -> list[str]:
    """The companies to add, or to give a newer token: those that the feed lacks first. Pure."""
    new = [one for one, state in wanted.items() if one not in added and doubted.get(one) != state.version]
    newer = [one for one, state in wanted.items() if one in added and (state.due or added[one] != state.version)]
    return new + newer
