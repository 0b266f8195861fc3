"""Tokens that work once, and what threatens them: races, stopped holders, lost answers, a Redis that is away."""

import signal
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from cryptography.fernet import Fernet
from pydantic import SecretStr

from delivery.tokens import TokenKeeper, to_tokens
from fortnox import errors as e
from fortnox.oauth import OAuth
from local import EmbeddedRedis
from moment.events import Integration
from stores import Connection, ConnectionStore, NeverConnected, Overtaken, Tokens, Vault
from tests.services import CLIENT_ID, CLIENT_SECRET, Sandbox
from tests.waiting import wait_until

COMPANY = "acme"
KEY = SecretStr(Fernet.generate_key().decode())
REFRESH = "/oauth-v1/token"
REVOKE = "/oauth-v1/revoke"


@pytest.fixture
def redis_decoded(redis_url: str) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        client.flushdb()
        yield client


@pytest.fixture
def store(redis_decoded: "redis.Redis") -> ConnectionStore:
    return ConnectionStore(redis_decoded, Vault([KEY]))


@pytest.fixture
def keeper(redis_decoded: "redis.Redis", store: ConnectionStore, oauth: OAuth) -> TokenKeeper:
    return TokenKeeper(redis_decoded, store, oauth, lease=timedelta(seconds=1))


@pytest.fixture
def connect(
    sandbox: Sandbox, store: ConnectionStore, oauth: OAuth, redis_decoded: "redis.Redis"
) -> Callable[..., None]:
    """Connects the company with a refresh token, or as a service account."""

    def connected(*, service: bool = False, seconds: float = 3600, expired: bool = False) -> None:
        sandbox.tenant(COMPANY)
        sandbox.post("options", {"access_token_seconds": seconds})
        grant = oauth.exchange_code(sandbox.code(COMPANY, service=service))
        before = store.find(COMPANY)
        connection = Connection(
            revision=before.revision if before else 0,
            company=COMPANY,
            state="connected",
            tenant_id=grant.tenant_id,
            integration=Integration(service_account=service),
            connected_at=datetime.now(UTC),
        )
        tokens = to_tokens(grant)
        store.begin(connection, tokens.model_copy(update={"refresh_token": None}) if service else tokens)
        if expired:
            redis_decoded.hset(f"mf:connection:{COMPANY}", mapping={"renew_at": 0, "expires_at": 0})

    return connected


def shown(sandbox: Sandbox) -> list[int]:
    """How often each refresh token was sent to Fortnox, the newest last."""
    return [token["shown"] for token in sandbox.get("tokens/refresh", tenant=COMPANY)["tokens"]]


def in_threads(work: Callable[[], Any], count: int = 8) -> list[Any]:
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:  # noqa: BLE001 - a result like any other
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return results


def test_a_token_that_is_good_for_a_while_is_given_out_without_asking(
    connect: Callable[..., None], keeper: TokenKeeper, sandbox: Sandbox
) -> None:
    connect()
    assert keeper.access_token(COMPANY) == keeper.access_token(COMPANY)
    assert shown(sandbox) == [0]


def test_an_expired_token_is_renewed_once_however_many_ask(
    connect: Callable[..., None], keeper: TokenKeeper, sandbox: Sandbox
) -> None:
    connect(expired=True)
    sandbox.post("options", {"refresh_seconds": 0.3})
    tokens = in_threads(lambda: keeper.access_token(COMPANY))
    assert len(set(tokens)) == 1
    assert isinstance(tokens[0], str)
    assert shown(sandbox) == [1, 0]


def test_a_refused_token_is_renewed_once_however_many_were_refused(
    connect: Callable[..., None], keeper: TokenKeeper, sandbox: Sandbox
) -> None:
    connect()
    refused = keeper.access_token(COMPANY)
    tokens = in_threads(lambda: keeper.renew(COMPANY, refused))
    assert len(set(tokens)) == 1
    assert tokens[0] != refused
    assert shown(sandbox) == [1, 0]


def test_a_token_is_renewed_ahead_of_its_end_and_serves_while_somebody_is_at_it(
    connect: Callable[..., None], keeper: TokenKeeper, store: ConnectionStore, redis_decoded: "redis.Redis"
) -> None:
    connect(seconds=3600)
    before = keeper.access_token(COMPANY)
    redis_decoded.hset(f"mf:connection:{COMPANY}", "renew_at", 0)
    with redis_decoded.lock(f"mf:renewing:{COMPANY}", timeout=30):
        assert keeper.access_token(COMPANY) == before
    assert keeper.access_token(COMPANY) != before


def test_ahead_is_a_fifth_of_a_short_life(connect: Callable[..., None], redis_decoded: "redis.Redis") -> None:
    for seconds, ahead in ((3600, 120), (10, 2)):
        connect(seconds=seconds)
        found: Any = redis_decoded.hmget(f"mf:connection:{COMPANY}", ["expires_at", "renew_at"])
        assert (int(found[0]) - int(found[1])) / 1000 == pytest.approx(ahead, abs=0.5)


def test_a_transfer_that_finds_no_token_for_long_gives_its_slot_back(
    connect: Callable[..., None], store: ConnectionStore, oauth: OAuth, redis_decoded: "redis.Redis"
) -> None:
    connect(expired=True)
    keeper = TokenKeeper(redis_decoded, store, oauth, patience=timedelta(seconds=0.1))
    with redis_decoded.lock(f"mf:renewing:{COMPANY}", timeout=30), pytest.raises(e.Throttled):
        keeper.access_token(COMPANY)


def test_a_token_that_is_due_serves_on_while_fortnox_gives_no_other(
    connect: Callable[..., None], keeper: TokenKeeper, redis_decoded: "redis.Redis", sandbox: Sandbox
) -> None:
    connect()
    before = keeper.access_token(COMPANY)
    redis_decoded.hset(f"mf:connection:{COMPANY}", "renew_at", 0)
    sandbox.fault("fail_next", status=503, path=REFRESH, body="html", count=2)
    assert keeper.access_token(COMPANY) == before
    assert keeper.access_token(COMPANY) != before


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "drop_response_after_write"},
        {"kind": "fail_after_write", "status": 502, "body": "html"},
        {"kind": "fail_after_write", "status": 200, "body": "html"},
    ],
    ids=["broken connection", "gateway", "unreadable"],
)
def test_a_lost_answer_is_asked_for_again_at_once(
    fault: dict[str, Any],
    connect: Callable[..., None],
    keeper: TokenKeeper,
    store: ConnectionStore,
    sandbox: Sandbox,
) -> None:
    connect(expired=True)
    sandbox.post("options", {"refresh_race_window": 5.0})
    sandbox.fault(**fault, path=REFRESH)
    keeper.access_token(COMPANY)
    sandbox.post("options", {"refresh_race_window": 0.0})
    keeper.keep_alive(COMPANY)  # the pair that was kept is the one that works
    held = store.held(COMPANY)
    assert held is not None
    assert held.version.generation == 2


def test_an_answer_that_is_no_answer_is_a_trouble_and_not_an_unknown_write(
    connect: Callable[..., None], keeper: TokenKeeper, sandbox: Sandbox
) -> None:
    connect(expired=True)
    sandbox.fault("fail_next", status=503, path=REFRESH, body="html", count=2)
    with pytest.raises(e.Unavailable):
        keeper.access_token(COMPANY)
    assert keeper.access_token(COMPANY)


def test_invalid_grant_is_not_believed_when_somebody_else_has_renewed(
    connect: Callable[..., None], keeper: TokenKeeper, store: ConnectionStore, oauth: OAuth, sandbox: Sandbox
) -> None:
    connect()
    held = store.held(COMPANY)
    assert held is not None
    assert held.tokens.refresh_token is not None
    sandbox.post("options", {"refresh_race_window": 0.0})
    newer = to_tokens(oauth.refresh(held.tokens.refresh_token))

    class Late(OAuth):
        """Stopped before it asked; meanwhile another stores its pair."""

        def refresh(self, refresh_token: SecretStr, *, company: str = "") -> Any:
            assert store.renewed(COMPANY, held.version, newer) == "kept"
            return super().refresh(refresh_token, company=company)

    late = TokenKeeper(
        keeper._redis, store, Late(sandbox.fortnox, CLIENT_ID, SecretStr(CLIENT_SECRET)), lease=timedelta(seconds=1)
    )
    assert late.renew(COMPANY, held.tokens.access_token.get_secret_value()) == newer.access_token.get_secret_value()


def test_a_holder_that_was_stopped_overwrites_nothing_newer(
    connect: Callable[..., None], store: ConnectionStore
) -> None:
    connect()
    held = store.held(COMPANY)
    assert held is not None
    newer = held.tokens.model_copy(update={"access_token": SecretStr("newer")})
    older = held.tokens.model_copy(update={"access_token": SecretStr("late")})
    assert store.renewed(COMPANY, held.version, newer) == "kept"
    assert store.renewed(COMPANY, held.version, older) == "spare"
    found = store.held(COMPANY)
    assert found is not None
    assert found.tokens.access_token.get_secret_value() == "newer"


def test_of_two_simultaneous_refreshes_the_pair_that_works_is_found_though_it_came_late(
    connect: Callable[..., None], keeper: TokenKeeper, store: ConnectionStore, oauth: OAuth, sandbox: Sandbox
) -> None:
    connect()
    sandbox.post("options", {"refresh_race_window": 5.0})
    held = store.held(COMPANY)
    assert held is not None
    assert held.tokens.refresh_token is not None
    void, works = (to_tokens(oauth.refresh(held.tokens.refresh_token)) for _ in range(2))
    assert store.renewed(COMPANY, held.version, void) == "kept"
    assert store.renewed(COMPANY, held.version, works) == "spare"
    assert keeper.renew(COMPANY, void.access_token.get_secret_value())
    found = store.held(COMPANY)
    assert found is not None
    assert not found.dead


def test_the_pair_that_works_revives_a_grant_whose_newer_pair_was_found_dead(
    connect: Callable[..., None], store: ConnectionStore, oauth: OAuth, redis_decoded: "redis.Redis", sandbox: Sandbox
) -> None:
    """The last one to come of two simultaneous refreshes, after the other's pair was tried in vain."""
    connect()
    sandbox.post("options", {"refresh_race_window": 5.0})
    held = store.held(COMPANY)
    assert held is not None
    assert held.tokens.refresh_token is not None
    void = to_tokens(oauth.refresh(held.tokens.refresh_token))
    assert store.renewed(COMPANY, held.version, void) == "kept"
    told: list[str] = []

    class Slow(OAuth):
        """Has asked with the old token before, and gets its answer only now."""

        def refresh(self, refresh_token: SecretStr, *, company: str = "") -> Any:
            assert held.tokens.refresh_token is not None
            grant = super().refresh(held.tokens.refresh_token, company=company)
            with pytest.raises(e.GrantDead):
                TokenKeeper(redis_decoded, store, oauth).keep_alive(COMPANY)
            return grant

    slow = TokenKeeper(
        redis_decoded, store, Slow(sandbox.fortnox, CLIENT_ID, SecretStr(CLIENT_SECRET)), revived=told.append
    )
    slow._keep(COMPANY, held, to_tokens(slow._ask(COMPANY, held.tokens)))
    assert told == [COMPANY]
    sandbox.post("options", {"refresh_race_window": 0.0})
    TokenKeeper(redis_decoded, store, oauth).keep_alive(COMPANY)


def test_a_grant_is_not_dead_while_a_pair_that_was_kept_aside_is_untried(
    connect: Callable[..., None], store: ConnectionStore
) -> None:
    connect()
    held = store.held(COMPANY)
    assert held is not None
    assert store.renewed(COMPANY, held.version, held.tokens) == "kept"
    assert store.renewed(COMPANY, held.version, held.tokens) == "spare"
    newer = store.version(COMPANY)
    assert newer is not None
    assert not store.mark_dead(COMPANY, newer)
    assert not store.dead(COMPANY)


def test_a_late_pair_revives_a_grant_that_was_believed_dead(
    connect: Callable[..., None], store: ConnectionStore, oauth: OAuth, redis_decoded: "redis.Redis", sandbox: Sandbox
) -> None:
    connect()
    held = store.held(COMPANY)
    assert held is not None
    told: list[str] = []

    class Slow(OAuth):
        """Gets its answer, and is stopped for so long that another asks in vain."""

        def refresh(self, refresh_token: SecretStr, *, company: str = "") -> Any:
            grant = super().refresh(refresh_token, company=company)
            assert store.mark_dead(COMPANY, held.version)
            return grant

    slow = Slow(sandbox.fortnox, CLIENT_ID, SecretStr(CLIENT_SECRET))
    keeper = TokenKeeper(redis_decoded, store, slow, revived=told.append)
    assert keeper.renew(COMPANY, held.tokens.access_token.get_secret_value())
    assert told == [COMPANY]


def test_a_dead_grant_is_told_once_and_fortnox_is_not_asked_again(
    connect: Callable[..., None], keeper: TokenKeeper, sandbox: Sandbox
) -> None:
    connect(expired=True)
    sandbox.post("grants/revoke", {"tenant": COMPANY})
    for _ in range(3):
        with pytest.raises(e.GrantDead):
            keeper.access_token(COMPANY)
    assert shown(sandbox) == [1]


def test_a_renewal_survives_a_time_limit_that_ends_the_task(
    connect: Callable[..., None], keeper: TokenKeeper, store: ConnectionStore, sandbox: Sandbox
) -> None:
    """Celery's soft limit is an exception in the task's own thread, at any instruction."""
    connect(expired=True)
    sandbox.post("options", {"refresh_seconds": 0.5})

    class SoftLimit(Exception):
        pass

    def interrupt(*_: Any) -> None:
        raise SoftLimit

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(SoftLimit):
            keeper.access_token(COMPANY)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    def renewed() -> bool:
        held = store.held(COMPANY)
        return held is not None and held.version.generation == 1

    wait_until(renewed, what="the renewal to be stored")
    assert keeper.access_token(COMPANY)
    assert shown(sandbox) == [1, 0]


def test_a_pair_that_comes_while_redis_is_away_is_stored_when_it_is_back(
    sandbox: Sandbox, oauth: OAuth, tmp_path: Path, connect: Callable[..., None], store: ConnectionStore
) -> None:
    connect()
    held = store.held(COMPANY)
    assert held is not None
    with EmbeddedRedis(tmp_path) as server, redis.Redis.from_url(server.url, decode_responses=True) as client:
        own = ConnectionStore(client, Vault([KEY]))
        own.begin(store.get(COMPANY).model_copy(update={"revision": 0}), held.tokens)

        class Away(OAuth):
            def refresh(self, refresh_token: SecretStr, *, company: str = "") -> Any:
                grant = super().refresh(refresh_token, company=company)
                server.kill()
                threading.Timer(0.7, server.start).start()
                return grant

        keeper = TokenKeeper(client, own, Away(sandbox.fortnox, CLIENT_ID, SecretStr(CLIENT_SECRET)))
        keeper.keep_alive(COMPANY)
        found = own.held(COMPANY)
        assert found is not None
        assert found.version.generation == 1


def test_a_service_account_has_no_refresh_token_to_lose(
    connect: Callable[..., None], keeper: TokenKeeper, sandbox: Sandbox
) -> None:
    connect(service=True, expired=True)
    assert keeper.access_token(COMPANY)
    assert shown(sandbox) == [0]


def test_an_end_forgets_the_tokens_and_what_a_renewal_under_way_brings(
    connect: Callable[..., None], keeper: TokenKeeper, store: ConnectionStore
) -> None:
    connect()
    held = store.held(COMPANY)
    assert held is not None
    assert keeper.end(COMPANY, held.version)
    assert store.renewed(COMPANY, held.version, held.tokens) == "gone"
    with pytest.raises(NeverConnected):
        keeper.access_token(COMPANY)


@pytest.mark.parametrize("refusal", ["oauth", "withdrawn"])
def test_an_end_forgets_the_tokens_whatever_fortnox_says_and_says_so(
    refusal: str, connect: Callable[..., None], keeper: TokenKeeper, store: ConnectionStore, sandbox: Sandbox
) -> None:
    connect()
    version = store.version(COMPANY)
    assert version is not None
    if refusal == "withdrawn":
        sandbox.post("grants/revoke", {"tenant": COMPANY})  # Fortnox then answers `revoked: false`
    else:
        sandbox.fault("fail_next", status=400, path=REVOKE, body=refusal)
    assert not keeper.end(COMPANY, version)
    assert store.held(COMPANY) is None


def test_an_end_forgets_tokens_that_no_key_opens(
    connect: Callable[..., None], keeper: TokenKeeper, store: ConnectionStore, redis_decoded: "redis.Redis"
) -> None:
    connect()
    redis_decoded.hset(f"mf:connection:{COMPANY}", "tokens", "sealed with a key that is lost")
    version = store.version(COMPANY)
    assert version is not None
    assert not keeper.end(COMPANY, version)
    assert store.held(COMPANY) is None


def test_an_end_that_was_stopped_leaves_a_new_consent_alone(
    connect: Callable[..., None], store: ConnectionStore, redis_decoded: "redis.Redis", sandbox: Sandbox
) -> None:
    connect()
    version = store.version(COMPANY)
    assert version is not None

    class Stopped(OAuth):
        """Hears of the end of the old consent only after the company has given a new one."""

        def revoke(self, refresh_token: SecretStr, *, company: str = "") -> bool:
            connect()
            return True

    keeper = TokenKeeper(redis_decoded, store, Stopped(sandbox.fortnox, CLIENT_ID, SecretStr(CLIENT_SECRET)))
    keeper.end(COMPANY, version)
    assert store.held(COMPANY) is not None
    keeper.end(COMPANY, version)  # nor does one that comes after it
    assert store.held(COMPANY) is not None


def test_an_end_keeps_its_lease_while_fortnox_is_slow(
    connect: Callable[..., None], keeper: TokenKeeper, store: ConnectionStore, sandbox: Sandbox
) -> None:
    connect()
    version = store.version(COMPANY)
    assert version is not None
    sandbox.fault("delay", seconds=2.0, path=REVOKE)  # twice the lease
    token = store.held(COMPANY)
    assert token is not None
    end = threading.Thread(target=keeper.end, args=(COMPANY, version))
    end.start()
    wait_until(lambda: keeper._redis.exists(f"mf:renewing:{COMPANY}"), what="the end to begin")
    with pytest.raises(NeverConnected):  # it waited until the tokens were gone
        keeper.renew(COMPANY, token.tokens.access_token.get_secret_value())
    end.join(timeout=60)
    assert sandbox.requests(COMPANY)[-1] == "POST /oauth-v1/revoke"


def test_whoever_comes_late_changes_nothing_of_a_connection(
    connect: Callable[..., None], store: ConnectionStore
) -> None:
    connect()
    seen, held = store.get(COMPANY), store.held(COMPANY)
    assert held is not None
    changed = store.save(seen.model_copy(update={"ledger": "Nya AB"}))
    with pytest.raises(Overtaken):
        store.save(seen.model_copy(update={"state": "disabled"}))
    with pytest.raises(Overtaken):
        store.begin(seen, held.tokens)
    assert store.get(COMPANY) == changed
    assert store.version(COMPANY) == held.version


def test_an_end_waits_for_a_renewal_so_that_the_token_it_revokes_is_the_last(
    connect: Callable[..., None], keeper: TokenKeeper, store: ConnectionStore, sandbox: Sandbox
) -> None:
    connect(expired=True)
    version = store.version(COMPANY)
    assert version is not None
    sandbox.post("options", {"refresh_seconds": 0.5})
    renewal = threading.Thread(target=in_threads, args=(lambda: keeper.access_token(COMPANY), 1))
    renewal.start()
    wait_until(lambda: keeper._redis.exists(f"mf:renewing:{COMPANY}"), what="the renewal to begin")
    keeper.end(COMPANY, version)
    renewal.join(timeout=60)
    assert sandbox.requests(COMPANY)[-2:] == ["POST /oauth-v1/token", "POST /oauth-v1/revoke"]
    assert not any(token["usable"] for token in sandbox.get("tokens/refresh", tenant=COMPANY)["tokens"])


def test_a_new_consent_is_not_touched_by_a_renewal_of_the_old_one(
    connect: Callable[..., None], store: ConnectionStore
) -> None:
    connect()
    old = store.held(COMPANY)
    assert old is not None
    connect()
    assert store.renewed(COMPANY, old.version, old.tokens) == "gone"
    found = store.held(COMPANY)
    assert found is not None
    assert not found.spare


def test_a_clock_that_is_wrong_by_an_hour_renews_nothing_early(
    connect: Callable[..., None], store: ConnectionStore
) -> None:
    """Whether a token is due is asked of Redis: no worker's clock is in it."""
    connect()
    held = store.held(COMPANY)
    assert held is not None
    late = Tokens(access_token=SecretStr("a"), refresh_token=SecretStr("r"), lifetime=timedelta(hours=1))
    store.renewed(COMPANY, held.version, late)
    found = store.held(COMPANY)
    assert found is not None
    assert not found.due


def test_tokens_are_sealed_at_rest(connect: Callable[..., None], store: ConnectionStore, redis_url: str) -> None:
    connect()
    held = store.held(COMPANY)
    assert held is not None
    assert held.tokens.refresh_token is not None
    with redis.Redis.from_url(redis_url) as raw:
        stored: Any = raw.hgetall(f"mf:connection:{COMPANY}")
    dump = b"".join(stored.values())
    for secret in (held.tokens.access_token, held.tokens.refresh_token):
        assert secret.get_secret_value().encode() not in dump
        assert secret.get_secret_value() not in repr(held)
