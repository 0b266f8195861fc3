"""What becomes of an event, decided from its error."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, ResponseError

from delivery.leases import HandedBack, Moved
from delivery.retry_policy import OutOfTime, decide
from fortnox import errors as e
from mappers.errors import TotalsDiffer
from messages import Message
from moment.errors import KeyRefused, MomentUnavailable, NotThere
from moment.events import InvalidEvent, Problem
from ordering import Claim, Failed, Held, Outcome, Pause, Release, Retry, TargetUnavailable
from ordering.backoff import ATTEMPTS
from stores import NeverConnected, Overtaken
from stores.vault import Unsealable

NEEDS = ("acme/integration", "acme/customer/10001", "acme/project/1")


def a_claim(attempts: int = 0) -> Claim:
    return Claim("acme", "e1", 1, "invoice.finalized", "acme/invoice/1001", attempts, "{}", {}, datetime.now(UTC))


def decided(error: Exception, attempts: int = 0) -> Outcome:
    return decide(error, a_claim(attempts), NEEDS, chance=0.5)


def details(situation: str = "", **known: str) -> e.Details:
    return e.Details("POST", "/3/invoices", 400, situation=situation, **known)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (e.WindowFull(details(), 2.5), Release),
        (e.Throttled(details(), 5.0), Release),
        (e.Unavailable(details()), TargetUnavailable),
        (e.OutcomeUnknown(details()), TargetUnavailable),
        (e.Rejected(details(message="Nej", code="1")), Failed),
        (e.PeriodLocked(details("period-locked")), Failed),
        (e.GrantDead(details("grant-dead")), Pause),
        (e.UnknownCustomer(details("customer-unknown")), Held),
        (e.UnknownProject(details("project-unknown")), Held),
        (e.UnknownInvoice(details()), Failed),  # the event needs no invoice: nothing would release it
        (TotalsDiffer(Decimal(1), Decimal(2), "SEK", ()), Failed),
        (InvalidEvent((Problem("customer", "is missing", ""),)), Failed),
        (NeverConnected("acme"), Failed),
        (RedisConnectionError("gone"), Release),  # not the event's doing: no attempt is charged
        (OutOfMemoryError("OOM command not allowed"), Release),
        (ResponseError("WRONGTYPE"), Retry),
        (OutOfTime(), Retry),
        (Unsealable(), Failed),
        (MomentUnavailable("POST", "/companies/{company}/projectExpenses", 503), Retry),  # Fortnox is not at fault
        (KeyRefused("GET", "/companies/{company}/projects", 401), Retry),
        (NotThere("GET", "/companies/{company}/projects", 404), Failed),
    ],
)
def test_each_kind_of_error_has_one_outcome(error: Exception, outcome: type[Outcome]) -> None:
    assert isinstance(decided(error), outcome)


@pytest.mark.parametrize(
    ("error", "key"),
    [
        (HandedBack(), "delivery.worker-stopped"),
        (Moved(), "delivery.ledger-changed"),
        (Overtaken("acme"), "delivery.connection-changed"),
    ],
)
def test_what_is_no_failure_gives_the_event_back_at_once_and_says_why(error: Exception, key: str) -> None:
    assert decided(error) == Release(reason=Message(key))


def test_a_rejection_that_names_a_prerequisite_is_held_behind_that_key() -> None:
    held = decided(e.UnknownProject(details("project-period")))
    assert isinstance(held, Held)
    assert held.key == "acme/project/1"


def test_of_several_projects_the_one_that_fortnox_names_is_waited_for() -> None:
    error = e.UnknownProject(details("project-period", message="… är inte aktiv för projekt 20."))
    held = decide(error, a_claim(), (*NEEDS, "acme/project/2", "acme/project/20"), chance=0.5)
    assert isinstance(held, Held)
    assert held.key == "acme/project/20"


@pytest.mark.parametrize(
    ("path", "situation", "key"),
    [
        ("/3/customers/{number}", "licence", "acme/access/customers"),
        ("/3/projects", "project-module-off", "acme/access/projects"),
        ("/3/inbox", "scope", "acme/access/inbox"),
        ("/api/fileattachments/attachments-v1", "scope", "acme/access/attachments"),
        ("/3/invoices/{number}/bookkeep", "api-licence", "acme/access/everything"),
    ],
)
def test_what_a_closed_part_refuses_waits_behind_that_part(path: str, situation: str, key: str) -> None:
    held = decided(e.MissingLicence(e.Details("POST", path, 403, "2001101", situation=situation)))
    assert isinstance(held, Held)
    assert (held.key, held.tell, held.code) == (key, True, f"{situation} 2001101")


def test_a_part_known_to_be_closed_is_not_told_again() -> None:
    held = decided(e.StillBlocked(e.Details(path="/3/customers", situation="licence")))
    assert isinstance(held, Held)
    assert not held.tell


def test_a_scope_refused_at_the_token_endpoint_or_to_the_connections_own_event_fails() -> None:
    at_login = e.MissingScope(e.Details("POST", "/oauth-v1/token", 400, "invalid_scope", situation="scope"))
    assert isinstance(decided(at_login), Failed)
    refused = e.MissingScope(e.Details("GET", "/3/accounts/{number}", 403, situation="scope"))
    claim = Claim("acme", "on", 1, "integration.enabled", "acme/integration", 0, "{}", {}, datetime.now(UTC))
    assert isinstance(decide(refused, claim, (), chance=0.5), Failed)


def test_a_full_window_rests_the_company_for_as_long_as_the_limiter_says() -> None:
    decision = decided(e.WindowFull(details(), 2.5))
    assert isinstance(decision, Release)
    assert decision.rest == timedelta(seconds=2.5)


def test_after_the_last_attempt_it_fails_and_says_how_often_it_was_tried() -> None:
    failed = decided(e.Unavailable(details()), attempts=ATTEMPTS - 1)
    assert isinstance(failed, Failed)
    assert failed.reason.parts[-1] == Message("delivery.gave-up", n=ATTEMPTS)


def test_an_unknown_error_is_a_bug_that_fails_loudly(caplog: pytest.LogCaptureFixture) -> None:
    failed = decided(ZeroDivisionError("secret detail"))
    assert isinstance(failed, Failed)
    assert failed.code == "bug"
    assert failed.reason == Message("delivery.bug", error="ZeroDivisionError")
