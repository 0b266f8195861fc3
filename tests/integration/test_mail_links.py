"""A mail's link: it opens one company's pages for two weeks, does nothing by itself, and can be revoked."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from redis import Redis

from operations import audit
from stores.forgetting import forget
from stores.mail_links import GOOD_FOR, MailLinks
from tests import commands
from tests.browsing import Browser, running_console
from tests.unattended import Unattended
from tests.unit.factories import customer_json, invoice_json


@pytest.fixture
def failed(acme: Unattended) -> Unattended:
    event = invoice_json(event_id="i1", project=None)
    event["invoice"]["lines"][0]["accountNumber"] = "9999"
    acme.publish(event, customer_json(company="other", event_id="o1"))
    acme.run("i1")
    return acme


@pytest.fixture
def links(failed: Unattended) -> MailLinks:
    return failed.services.stores.mail_links


@pytest.fixture
def browser(failed: Unattended) -> Iterator[Browser]:
    with running_console(failed.services) as address:
        yield Browser(address, failed.services)


def expired(links: MailLinks, token: str) -> str:
    """The same link, made just more than two weeks ago."""
    fernet = links._fernets[0]
    text = fernet.decrypt(token.encode() + b"=" * (-len(token) % 4))
    return fernet.encrypt_at_time(text, int(time.time() - GOOD_FOR.total_seconds()) - 60).decode().rstrip("=")


def test_a_link_opens_what_the_mail_is_about_and_nothing_happens_by_itself(
    failed: Unattended, links: MailLinks, browser: Browser
) -> None:
    answer = browser.get(f"/l/{links.make('acme', event='i1')}")

    assert (answer.status_code, answer.url) == (200, f"{browser.address}/events/acme/i1")
    assert failed.event("i1").status == "failed"
    assert audit.page(failed.services).entries == []


def test_from_a_link_its_company_alone_is_seen_and_acted_on_in_the_links_name(
    failed: Unattended, links: MailLinks, browser: Browser
) -> None:
    browser.get(f"/l/{links.make('acme', event='i1')}")

    for path in ("/events/other/o1", "/companies/other", "/audit", "/companies/other/settings"):
        assert browser.get(path).status_code == 404, path
    assert browser.get("/companies/acme").status_code == 200
    assert browser.post("/events/acme/i1", {"action": "retry"}, page="/events/acme/i1").status_code == 200
    assert failed.event("i1").status != "failed"
    (entry,) = audit.page(failed.services).entries
    assert (entry.kind, entry.company, len(entry.name)) == ("link", "acme", 8)
    refused = browser.post("/events/other/o1", {"action": "skip", "reason": "x"}, page="/events/acme/i1")
    assert refused.status_code == 404


def test_what_to_do_is_said_without_commands_to_a_companys_people(
    failed: Unattended, links: MailLinks, browser: Browser
) -> None:
    failed.publish(customer_json(company="lone", event_id="l1"))
    with pytest.raises(Exception, match="NeverConnected"):
        failed.app.tasks["transfer.customer"].run("lone", "l1")
    operator = Browser(browser.address, failed.services).sign_in("operator")
    browser.get(f"/l/{links.make('lone', event='l1')}")

    assert "moment-fortnox companies connect lone" in operator.text("/events/lone/l1")
    text = browser.text("/events/lone/l1")
    assert "moment-fortnox " not in text
    assert "contact the operator" in text


def test_acting_needs_the_form_of_this_browser(failed: Unattended, links: MailLinks, browser: Browser) -> None:
    browser.get(f"/l/{links.make('acme', event='i1')}")

    answer = browser.http.post(f"{browser.address}/events/acme/i1", data={"action": "retry"}, timeout=30)

    assert (answer.status_code, failed.event("i1").status) == (403, "failed")


def test_a_link_to_a_cause_and_one_to_the_company_lead_there(links: MailLinks, browser: Browser) -> None:
    for made, path in (
        (links.make("acme", cause="failed:account-unknown 2001304"), "/failures?company=acme&cause="),
        (links.make("acme"), "/companies/acme"),
    ):
        answer = browser.get(f"/l/{made}")
        assert answer.status_code == 200
        assert answer.url.startswith(browser.address + path)


def test_every_link_that_is_not_good_gets_one_and_the_same_answer(
    failed: Unattended, links: MailLinks, browser: Browser
) -> None:
    good = links.make("acme", event="i1")
    unknown = links.make("nobody", event="i1")
    links.revoke("nobody")
    revoked = links.make("other", event="o1")
    links.revoke("other")
    wrong = (
        "x",
        "å",
        good[:-5],
        good[:-9] + ("A" if good[-9] != "A" else "B") + good[-8:],
        "gAAAAA" * 20,
        "x" * 10_000,
        "%00",
    )
    answers = set()
    for token in (expired(links, good), unknown, revoked, *wrong):
        answer = browser.get(f"/l/{token}")
        assert answer.status_code == 404, token
        answers.add(answer.text.replace(token, ""))
        assert browser.get("/companies/acme", allow_redirects=False).is_redirect
    assert len({text.replace("%C3%A5", "").replace("\x00", "") for text in answers}) <= 2  # two of them are escaped
    assert "acme" not in "".join(answers)


def test_revoking_ends_the_links_and_what_they_opened_of_that_company_alone(
    failed: Unattended, links: MailLinks, browser: Browser, redis_url: str
) -> None:
    first, of_other = links.make("acme", event="i1"), links.make("other")
    browser.get(f"/l/{first}")
    environment = {"REDIS_URL": redis_url, "FORTNOX_API_URL": failed.sandbox.fortnox}

    done = commands.run("companies", "revoke-links", "acme", environment=environment)

    assert done.returncode == 0, done.stderr
    assert browser.get("/companies/acme", allow_redirects=False).is_redirect
    assert links.open(first) is None
    assert links.open(of_other) is not None
    assert links.open(links.make("acme")) is not None
    assert audit.page(failed.services, "acme").entries[0].action == "links.revoked"
    assert commands.run("companies", "revoke-links", "acmee", environment=environment).returncode == 2


def test_whoever_is_signed_in_stays_who_they_are(links: MailLinks, browser: Browser) -> None:
    browser.sign_in("operator")

    browser.get(f"/l/{links.make('acme', event='i1')}")

    assert browser.get("/audit").status_code == 200


def test_a_link_of_another_company_changes_the_company(links: MailLinks, browser: Browser) -> None:
    browser.get(f"/l/{links.make('acme')}")
    browser.get(f"/l/{links.make('other')}")

    assert (browser.get("/companies/other").status_code, browser.get("/companies/acme").status_code) == (200, 404)


def test_a_new_link_is_asked_for_with_one_that_was_ours_however_old_and_at_most_every_ten_minutes(
    failed: Unattended, links: MailLinks, browser: Browser
) -> None:
    asked_for_by = expired(links, links.make("acme", event="i1"))
    links.revoke("acme")
    of_nobody = expired(links, links.make("new"))
    answers = {token: browser.post(f"/l/{token}", page=f"/l/{token}") for token in (asked_for_by, "x", of_nobody)}

    assert {answer.status_code for answer in answers.values()} == {200}
    assert len({answer.text for answer in answers.values()}) == 1
    assert [company for company, _ in links.asked(10)] == ["acme"]
    links.mailed("acme")
    browser.post(f"/l/{asked_for_by}", page=f"/l/{asked_for_by}")
    assert links.asked(10) == []
    assert [entry.action for entry in audit.page(failed.services).entries] == ["link.asked"] * 2


def test_asking_needs_the_form_of_this_browser(links: MailLinks, browser: Browser) -> None:
    answer = browser.http.post(f"{browser.address}/l/{links.make('acme')}", timeout=30)

    assert (answer.status_code, links.asked(10)) == (403, [])


def test_redis_has_no_token_and_what_is_sealed_in_redis_is_none(failed: Unattended, links: MailLinks) -> None:
    token = links.make("acme", event="i1")
    redis: Any = failed.services.redis
    everything = "".join(str(redis.dump(name)) + name for name in redis.keys("*"))

    assert token[20:60] not in everything
    assert links.open(failed.services.vault.seal('{"company": "acme", "series": "x"}')) is None
    sealed = redis.hget("mf:connection:acme", "tokens")
    assert links.open(sealed.rstrip("=")) is None


def test_links_outlive_a_rotation_of_keys_until_the_old_key_is_dropped(redis_client: "Redis", redis_url: str) -> None:
    old, new = (SecretStr(Fernet.generate_key().decode()) for _ in range(2))
    redis: Any = Redis.from_url(redis_url, decode_responses=True)
    made = MailLinks(redis, [old], sandbox=False).make("acme", event="i1")

    rotated = MailLinks(redis, [new, old], sandbox=False)
    found = rotated.open(made)
    assert found is not None
    assert (found.company, found.event) == ("acme", "i1")
    assert MailLinks(redis, [new], sandbox=False).open(rotated.make("acme")) is not None
    assert MailLinks(redis, [new], sandbox=False).open(made) is None
    redis.close()


def test_a_company_that_is_forgotten_has_no_links(failed: Unattended, links: MailLinks) -> None:
    token = links.make("other")
    links.ask("other")
    forget(failed.services.redis, "other", 0)

    assert (links.open(token), links.asked(10)) == (None, [])
    assert [key for key in failed.services.redis.keys("*") if "other" in key and "mail" in key] == []
