"""What befalls a connection while its company works: codes that are no good, a grant that dies, an end, a return."""

from contextlib import suppress

import pytest

from delivery.context import TransferContext
from fortnox import errors as e
from messages import Message
from messages.catalogue import say
from ordering import Done, LeaseLost, Outcome
from tasks.keep_alive import keep_alive
from tests.sentences import sentence
from tests.unattended import Unattended
from tests.unit.factories import customer_json, integration_json


@pytest.fixture
def acme(unattended: Unattended) -> Unattended:
    """Connected, with a refresh token."""
    unattended.connect(service_account=False)
    return unattended


def withdraw(acme: Unattended) -> None:
    """A person of the company removes the consent in Fortnox."""
    acme.sandbox.post("grants/revoke", {"tenant": "acme"})


def dies(acme: Unattended) -> None:
    """The consent is withdrawn, and a transfer notices."""
    withdraw(acme)
    acme.publish(customer_json(event_id="noticed"))
    assert acme.run("noticed") == "pause"
    assert acme.services.ordering.paused("acme")


# --- A code that is no good ---


@pytest.mark.parametrize("code", ["mistyped", None], ids=["refused", "missing"])
def test_a_code_that_is_no_good_ends_no_connection_that_works_and_holds_nothing_up(
    acme: Unattended, code: str | None
) -> None:
    before = acme.services.stores.connections.get("acme")
    acme.publish(integration_json(event_id="wrong", authorization_code=code, error_email="other@acme.example"))
    acme.publish(customer_json())

    assert acme.run("wrong") == "done"

    told = acme.event("wrong")
    assert say(told.reason).endswith("The connection that was made before goes on as it was.")
    assert told.remedy
    assert acme.reported() == ["wrong"]
    assert acme.services.stores.connections.get("acme") == before
    assert acme.run("e1") == "done"


def test_an_older_code_that_was_used_ends_no_connection_that_works(unattended: Unattended) -> None:
    older = unattended.connect("first")
    unattended.connect("second")
    unattended.publish(integration_json(event_id="again", authorization_code=older))
    assert unattended.run("again") == "done"
    assert unattended.services.stores.connections.get("acme").enabled_by == "second"


def test_a_code_that_is_no_good_fails_where_no_connection_works(acme: Unattended) -> None:
    dies(acme)
    acme.publish(integration_json(event_id="wrong", authorization_code="mistyped"))
    acme.run("wrong")
    assert acme.event("wrong").status == "failed"


def test_failed_tries_to_connect_are_superseded_by_one_that_works(unattended: Unattended) -> None:
    for event_id in ("first", "second"):
        unattended.publish(integration_json(event_id=event_id, authorization_code="mistyped"))
        unattended.run(event_id)
        assert unattended.event(event_id).status == "failed"
    unattended.publish(customer_json())
    unattended.publish(integration_json(event_id="other", type="integration.updated", authorization_code=None))
    unattended.run("other")
    assert unattended.event("other").status == "failed"  # there is nothing to change yet

    unattended.connect("third")

    assert {one: unattended.event(one).status for one in ("first", "second", "other")} == {
        "first": "superseded",
        "second": "superseded",
        "other": "failed",
    }
    assert say(unattended.event("first").reason) == "A later one went through."
    assert unattended.services.ordering.counts("acme")["failed"] == 1
    assert set(unattended.reported()) <= {"other"}
    assert unattended.run("e1") == "done"


def test_the_code_of_a_connection_that_has_died_is_not_said_to_stand(unattended: Unattended) -> None:
    code = unattended.connect(service_account=False)
    dies(unattended)
    unattended.publish(integration_json(event_id="again", authorization_code=code))
    unattended.run("again")
    assert (unattended.event("again").status, unattended.event("again").code) == ("failed", "CodeUsed")


# --- The grant dies ---


def test_a_pause_that_is_settled_after_the_company_connected_again_does_not_last(acme: Unattended) -> None:
    acme.publish(customer_json())

    def late(context: TransferContext) -> Outcome:
        withdraw(acme)
        with pytest.raises(e.GrantDead) as dead:
            context.fortnox.company_information()
        acme.connect("again", service_account=False)
        raise dead.value

    assert acme.run("e1", late) == "pause"
    assert acme.services.ordering.paused("acme") is None
    assert acme.run("e1") == "done"


def test_beat_ends_a_pause_that_a_process_left_when_the_grant_lived_already(acme: Unattended) -> None:
    acme.services.ordering.pause("acme", sentence("What a process settled before it died."))
    keep_alive.apply()
    assert acme.services.ordering.paused("acme") is None


def test_beat_leaves_a_company_paused_whose_grant_is_dead(acme: Unattended) -> None:
    dies(acme)
    keep_alive.apply()
    assert acme.services.ordering.paused("acme")


def test_choices_that_change_while_the_grant_is_dead_are_kept_and_told_of_by_no_mail_of_their_own(
    acme: Unattended,
) -> None:
    dies(acme)
    acme.publish(integration_json(event_id="update", type="integration.updated", error_email="ny@acme.example"))

    assert acme.run("update") == "done"

    assert acme.reported() == [""]
    assert acme.services.stores.connections.get("acme").integration.error_email == "ny@acme.example"
    acme.connect("again", service_account=False)
    assert acme.services.ordering.paused("acme") is None


def test_a_grant_that_is_found_dead_by_a_change_of_the_choices_pauses_the_company(acme: Unattended) -> None:
    withdraw(acme)
    acme.publish(integration_json(event_id="update", type="integration.updated"))
    assert acme.run("update") == "done"
    assert acme.services.ordering.paused("acme")
    assert acme.reported() == [""]


# --- The end ---


def test_a_transfer_that_meets_the_end_of_its_connection_is_skipped(acme: Unattended) -> None:
    acme.publish(customer_json())

    def meets_the_end(context: TransferContext) -> Outcome:
        acme.publish(integration_json(event_id="off", type="integration.disabled"))
        assert acme.run("off") == "done"
        context.fortnox.company_information()
        return Done()

    assert acme.run("e1", meets_the_end) == "skipped"
    assert acme.event("e1").reason == Message("transfer.disabled")


def test_the_end_of_a_service_accounts_connection_says_where_its_consent_is_removed(unattended: Unattended) -> None:
    unattended.connect()
    unattended.publish(integration_json(event_id="off", type="integration.disabled"))
    assert unattended.run("off") == "done"
    assert "removed in Fortnox" in say(unattended.event("off").reason)
    assert unattended.reported() == ["off"]


def test_an_end_that_fortnox_refuses_forgets_the_tokens_and_says_so(acme: Unattended) -> None:
    acme.sandbox.fault("fail_next", status=400, path="/oauth-v1/revoke", body="oauth")
    acme.publish(integration_json(event_id="off", type="integration.disabled"))
    assert acme.run("off") == "done"
    assert "did not confirm" in say(acme.event("off").reason)
    assert acme.services.stores.connections.held("acme") is None


def test_the_end_of_a_dead_grant_has_nothing_to_say(acme: Unattended) -> None:
    dies(acme)
    acme.publish(integration_json(event_id="off", type="integration.disabled"))
    assert acme.run("off") == "done"
    assert say(acme.event("off").reason) == ""
    assert acme.services.ordering.paused("acme") is None


def test_a_change_that_was_overtaken_changes_nothing(acme: Unattended, monkeypatch: pytest.MonkeyPatch) -> None:
    """A holder of `integration.disabled` that was stopped: another did it meanwhile, and the company came back."""
    acme.publish(integration_json(event_id="off", type="integration.disabled"))
    store, find = acme.services.stores.connections, acme.services.stores.connections.find

    def stopped(company: str) -> object:
        found = find(company)
        monkeypatch.setattr(store, "find", find)
        record = acme.event("off")
        assert record.status == "running"
        acme.services.redis.zadd("mf:leases", {"acme:off": 0})
        acme.services.ordering.pump()
        assert acme.run("off") == "done"
        acme.connect("back", service_account=False)
        return found

    monkeypatch.setattr(store, "find", stopped)
    with suppress(LeaseLost):
        acme.run("off")
    assert store.get("acme").state == "connected"
    assert store.held("acme") is not None
