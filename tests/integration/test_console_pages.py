"""What the console's pages show and do, over HTTP against a real Redis and the sandbox."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from operations import companies as company_operations
from stores.jobs import Job
from tests.browsing import Browser, running_console, words
from tests.unattended import Unattended
from tests.unit.factories import customer_json, invoice_json, project_json
from tests.waiting import wait_until


@pytest.fixture
def operator(acme: Unattended) -> Iterator[Browser]:
    with running_console(acme.services) as address:
        yield Browser(address, acme.services).sign_in("operator")


@pytest.fixture
def viewer(operator: Browser) -> Browser:
    return Browser(operator.address, operator.services).sign_in("viewer", "Vera")


@pytest.fixture
def person(operator: Browser) -> Browser:
    """Somebody of the company acme."""
    return Browser(operator.address, operator.services).sign_in("company", "link 1", "acme")


@contextmanager
def working(acme: Unattended) -> Iterator[None]:
    """Runs what is published, as a worker would, until the block ends."""
    stopped = threading.Event()

    def work() -> None:
        while not stopped.wait(0.02):
            for record in list(acme.services.ordering.unsettled("acme")):
                if record.status == "ready":
                    acme.run(record.id)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def an_invoice(number: int, account: str = "3010") -> dict[str, Any]:
    event = invoice_json(event_id=f"i{number}", invoice_number=number, project=None, attachments=[])
    event["invoice"]["lines"][0]["accountNumber"] = account
    return event


def publish_credit_note(acme: Unattended) -> None:
    """The event `credit` credits invoice 1001, and waits for it."""
    event = invoice_json(event_id="credit", invoice_number=1002, credited_invoice_number=1001, project=None)
    event["invoice"] |= {"totalIncludingVat": "-12500.00", "attachments": []}
    event["invoice"]["lines"][0] |= {"quantity": "-8", "amountExcludingVat": "-10000.00"}
    acme.publish(event)


def fail_invoice(acme: Unattended, *numbers: int) -> None:
    """Invoices that fail, as their account is not in the chart of accounts."""
    for number in numbers:
        acme.publish(an_invoice(number, "3019"))
        acme.run(f"i{number}")
        assert acme.event(f"i{number}").status == "failed"


def mend_account(acme: Unattended) -> None:
    acme.sandbox.post("accounts", {"tenant": "acme", "number": 3019, "description": "Försäljning", "vat_code": "MP1"})


def events_on(browser: Browser, path: str) -> list[str]:
    """`company-id` of each event that the page of the log lists."""
    return re.findall(r'id="event-([\w-]+)"', browser.get(path).text)


def log_pages(browser: Browser, path: str, rel: str) -> list[str]:
    """The addresses of this page of the log and of those that its link leads to, one after the other."""
    found = [path]
    while following := re.search(rf'rel="{rel}" href="([^"]+)"', browser.get(found[-1]).text):
        found.append(following.group(1).replace("&amp;", "&"))
    return found


def actions(acme: Unattended) -> list[tuple[str, str, str]]:
    """(action, name, outcome) of each entry of the audit log, oldest first."""
    return [(one.action, one.name, one.outcome) for one in reversed(acme.services.stores.audit.read("", 100, ""))]


# --- Looking ---


def test_every_page_can_be_looked_at_in_both_languages(acme: Unattended, operator: Browser) -> None:
    fail_invoice(acme, 1001)
    operator.post("/events/acme/i1001", {"action": "unmask"}, page="/events/acme/i1001")
    pages = [
        *("/", "/companies/acme", "/companies/acme/connect", "/companies/acme/settings", "/companies/acme/disconnect"),
        *("/companies/acme/accounts", "/transfers", "/events/acme/i1001", "/failures", "/expenses/acme", "/audit"),
        *("/situations", "/situations/period-locked", "/transfers?company=acme&number=1001&status=failed"),
    ]
    for language in ("sv", "en"):
        operator.http.headers["accept-language"] = language
        for path in pages:
            html = operator.get(path).text
            assert f'<html lang="{language}">' in html, path
            assert not re.search(r"\b(console|event|status|overview)\.[a-z-]+", words(html)), path
            assert "<script>" not in html
            assert " style=" not in html
            assert not re.findall(r'(?:src|href)="(?:https?:)?//', html), path


def test_an_unknown_company_is_the_same_404_everywhere(operator: Browser) -> None:
    for path in (
        *("/companies/nobody", "/companies/nobody/settings", "/companies/nobody/disconnect", "/events/nobody/e1"),
        *("/expenses/nobody", "/transfers?company=nobody", "/failures?company=nobody", "/audit?company=nobody"),
        *("/companies/nobody/accounts", "/events/acme/nothing", "/jobs/unknown", "/situations/unknown"),
    ):
        answer = operator.get(path)
        assert answer.status_code == 404, path
        assert "There is no such page" in answer.text


def test_the_overview_has_what_needs_somebody_on_top(acme: Unattended, operator: Browser) -> None:
    fail_invoice(acme, 1001, 1002)
    wait_until(
        lambda: "There is" not in operator.text("/") and "The account does not exist" in operator.text("/"),
        what="the board",
    )

    shown = operator.text("/")
    assert re.search(r"Needs action 2 The account does not exist acme", shown), shown
    assert "acme" in operator.text("/?q=ACME&state=failed&sort=failed")
    assert "No companies match" in operator.text("/?q=nobody")


def test_a_company_page_says_how_it_is_connected_and_what_to_mend(acme: Unattended, operator: Browser) -> None:
    acme.sandbox.post("tenants", {"tenant": "acme", "project_module": False})
    acme.connect("again")

    shown = operator.text("/companies/acme")
    assert "Connected" in shown
    assert "The project module is not switched on" in shown or "projects" in shown.lower()


def test_the_log_is_found_by_number_status_cause_and_day(acme: Unattended, operator: Browser) -> None:
    fail_invoice(acme, 1001, 1002)
    acme.publish(project_json(event_id="p1"))
    acme.run("p1")
    today, tomorrow = (f"{datetime.now(UTC) + timedelta(days=n):%Y-%m-%d}" for n in (-1, 2))

    def found(query: str) -> set[str]:
        return set(re.findall(r'id="event-acme-([\w-]+)"', operator.get(f"/transfers?{query}").text))

    assert found("company=acme") == {"e4", "e1", "i1001", "i1002", "p1"}
    assert found("") == found("company=acme")
    assert found("company=acme&number=1001") == {"i1001"}
    assert found("company=acme&status=failed") == {"i1001", "i1002"}
    assert found("cause=account-unknown") == {"i1001", "i1002"}
    assert found("cause=period-locked") == set()
    assert found(f"company=acme&since={today}") == found("company=acme")
    assert found(f"company=acme&since={tomorrow}") == set()
    assert operator.get("/transfers?number=1001").status_code == 422
    assert operator.get("/transfers?since=soon").status_code == 422
    assert operator.get("/transfers?after=nonsense").status_code == 422


def test_with_very_many_companies_the_newest_are_found_too(
    acme: Unattended, operator: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_invoice(acme, 1001, 1002)
    acme.publish(customer_json(event_id="fresh", customer_number="77"))
    monkeypatch.setattr("ordering.newest.MANY", 0)
    wanted = {
        "": {"fresh", "i1001", "i1002", "e1", "e4"},
        "status=failed": {"i1001", "i1002"},
        "cause=account-unknown": {"i1001", "i1002"},
        "cause=account-unknown&status=held": set(),
        "status=failed&until=2020-01-01": set(),
        "status=ready": {"fresh"},
        "status=done": {"e1", "e4"},
    }

    def found(query: str) -> set[str]:
        return set(re.findall(r'id="event-acme-([\w-]+)"', operator.get(f"/transfers?{query}").text))

    wait_until(lambda: {query: found(query) for query in wanted} == wanted, what="the board to know of the failures")


def test_the_log_of_very_many_companies_goes_on_page_by_page_and_back(
    acme: Unattended, operator: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ordering.newest.MANY", 0)
    for n in range(130):
        acme.publish(customer_json(event_id=f"c{n}", company=f"company{n % 9}", customer_number=str(20000 + n)))
    wait_until(
        lambda: (
            len(events_on(operator, "/transfers?status=ready")) == 50
            and 'rel="next"' in operator.get("/transfers").text
        ),
        what="the board to know of the events",
    )
    for first in ("/transfers", "/transfers?status=ready"):
        there = log_pages(operator, first, "next")
        seen = [event for path in there for event in events_on(operator, path)]
        assert len(seen) == len(set(seen))
        assert {f"company{n % 9}-c{n}" for n in range(130)} <= set(seen)
        assert log_pages(operator, there[-1], "prev") == there[::-1]
    assert '<a class="button" href="/transfers?status=ready">' in operator.get(there[-1]).text


def test_a_long_log_goes_on_page_by_page_and_back(acme: Unattended, operator: Browser) -> None:
    for n in range(120):
        acme.publish(customer_json(event_id=f"c{n}", customer_number=str(20000 + n)))

    there = log_pages(operator, "/transfers?company=acme", "next")

    seen = [event for path in there for event in events_on(operator, path)]
    assert sorted(one for one in seen if "-c" in one) == sorted(f"acme-c{n}" for n in range(120))
    assert log_pages(operator, there[-1], "prev") == there[::-1]


def test_an_event_is_told_in_words_with_what_holds_it(acme: Unattended, operator: Browser) -> None:
    fail_invoice(acme, 1001)
    publish_credit_note(acme)

    acme.services.telemetry.write_buffer.flush()
    failed, waiting = operator.text("/events/acme/i1001"), operator.text("/events/acme/credit")

    assert "Attempt 1 began." in failed
    assert "Fortnox said no (400" in failed
    assert "1 event waits for it" in failed
    assert "account" in failed
    assert "Waits for invoice 1001" in waiting


def test_a_transferred_event_leads_to_its_document(acme: Unattended, operator: Browser) -> None:
    acme.publish(an_invoice(1001))
    acme.run("i1001")

    acme.services.telemetry.write_buffer.flush()
    shown = operator.get("/events/acme/i1001").text

    assert "Post the invoice in Fortnox: done" in shown
    assert "1001" in words(shown)


# --- Acting ---


def test_personal_data_is_shown_after_a_click_that_is_logged(
    acme: Unattended, operator: Browser, viewer: Browser
) -> None:
    acme.publish(customer_json(event_id="c9", customer_number="99"))
    acme.run("c9")
    acme.services.telemetry.write_buffer.flush()
    name = customer_json()["customer"]["name"]

    assert name not in operator.text("/events/acme/c9")
    shown = operator.post("/events/acme/c9", {"action": "unmask"}, page="/events/acme/c9")

    assert name in shown.text
    assert ("event.unmasked", "Anna", "done") in actions(acme)
    assert viewer.post("/events/acme/c9", {"action": "unmask"}, page="/").status_code == 403


def test_a_failed_event_is_mended_and_tried_again(acme: Unattended, operator: Browser) -> None:
    fail_invoice(acme, 1001)
    mend_account(acme)

    answer = operator.post("/events/acme/i1001", {"action": "retry"}, page="/events/acme/i1001")

    assert "It is tried again now." in words(answer.text)
    assert acme.run("i1001") == "done"
    assert "Anna tried it again." in operator.text("/events/acme/i1001")
    assert "It is tried again now." not in operator.text(answer.url.removeprefix(operator.address)), "said once"
    assert ("event.retried", "Anna", "done") in actions(acme)


def test_not_transferring_needs_a_reason_and_releases_what_waits(acme: Unattended, operator: Browser) -> None:
    fail_invoice(acme, 1001)
    publish_credit_note(acme)

    refused = operator.post("/events/acme/i1001", {"action": "skip", "reason": "  "}, page="/events/acme/i1001")
    assert refused.status_code == 422
    assert acme.event("i1001").status == "failed"

    done = operator.post("/events/acme/i1001", {"action": "skip", "reason": "Anna ringde"}, page="/events/acme/i1001")
    assert "1 event that waited for it goes on" in words(done.text)
    assert acme.event("i1001").status == "skipped"
    assert "Anna ringde" in operator.text("/events/acme/i1001")


def test_some_or_all_of_a_cause_are_tried_again(acme: Unattended, operator: Browser) -> None:
    fail_invoice(acme, 1001, 1002, 1003)
    mend_account(acme)
    cause = re.search(r'href="(/failures\?cause=[^"]+)"', operator.get("/failures?company=acme").text)
    assert cause
    page = cause.group(1).replace("&amp;", "&")
    name = re.search(r'name="cause" value="([^"]+)"', operator.get(page).text)
    assert name
    assert "whose account" in operator.text(page) or "account number that is not in Fortnox" in operator.text(page)

    some = operator.post("/failures", {"cause": name.group(1), "company": "acme", "event": ["acme/i1002"]}, page=page)
    assert "1 event is tried again" in words(some.text)
    assert {one: acme.event(one).status for one in ("i1001", "i1002", "i1003")} == {
        "i1001": "failed",
        "i1002": "ready",
        "i1003": "failed",
    }

    every = operator.post("/failures", {"cause": name.group(1), "company": "acme", "every": "1"}, page=page)
    wait_until(
        lambda: "Done: 2 events are tried again." in operator.text(every.url.removeprefix(operator.address)),
        what="the job",
    )
    assert acme.event("i1001").status == acme.event("i1003").status == "ready"


def test_an_event_of_another_cause_or_company_is_not_retried_with_it(acme: Unattended, person: Browser) -> None:
    fail_invoice(acme, 1001)
    answer = person.post("/failures", {"cause": "failed:other", "event": ["acme/i1001", "other/x"]}, page="/failures")

    assert "0 events" in words(answer.text)
    assert acme.event("i1001").status == "failed"


def test_a_company_sees_and_does_its_own_alone(acme: Unattended, person: Browser) -> None:
    fail_invoice(acme, 1001)
    acme.publish(customer_json(event_id="o1", company="other"))

    assert person.get("/").url.endswith("/companies/acme")
    assert person.get("/companies/other").status_code == 404
    assert person.get("/events/other/o1").status_code == 404
    assert "o1" not in person.get("/transfers?company=other").text
    assert "i1001" in person.get("/transfers?company=other").text
    for path in ("/audit", "/companies/acme/disconnect", "/companies/other/settings", "/companies/other/accounts"):
        assert person.get(path).status_code == 404, path
    job = acme.services.stores.jobs.begin("retry", "other")
    assert person.get(f"/jobs/{job}").status_code == 404
    mend_account(acme)
    person.post("/events/acme/i1001", {"action": "retry"}, page="/events/acme/i1001")
    assert acme.run("i1001") == "done"


def test_a_viewer_looks_and_does_nothing(acme: Unattended, viewer: Browser) -> None:
    fail_invoice(acme, 1001)

    assert "Try again" not in viewer.text("/events/acme/i1001")
    for path, form in (
        ("/events/acme/i1001", {"action": "retry"}),
        ("/failures", {"cause": "x", "every": "1"}),
        ("/companies/acme/settings", {"language": "en"}),
        ("/companies/acme/disconnect", {}),
        ("/companies/acme/connect", {}),
        ("/expenses/acme", {"days": "3"}),
        ("/companies", {"company": "new"}),
    ):
        assert viewer.post(path, form, page="/").status_code == 403, path
    assert acme.event("i1001").status == "failed"


# --- Connecting ---


@pytest.fixture
def redirecting(acme: Unattended) -> Iterator[Callable[[], Browser]]:
    """A console whose redirect address is its own."""
    services = acme.services
    with running_console(services) as address:
        settings = services.settings.model_copy(update={"fortnox_redirect_uri": f"{address}/connect/callback"})
        object.__setattr__(services, "settings", settings)
        services.__dict__.pop("fortnox", None)
        yield lambda: Browser(address, services).sign_in("operator")


def consent(browser: Browser, decision: str = "approve", company: str = "acme") -> str:
    """Go to Fortnox from the console's page, decide there, and return the address that Fortnox leads back to."""
    page = f"/companies/{company}/connect"
    asked = browser.post(page, {"email": "e@acme.example", "account": "service"}, page=page, allow_redirects=False)
    assert asked.status_code == 303, asked.text
    there = asked.headers["location"]
    fields = dict(re.findall(r"name=\"(\w+)\" value=\"([^\"]*)\"", browser.http.get(there, timeout=30).text))
    decided = browser.http.post(
        there.partition("?")[0],
        data={name: value.replace("&amp;", "&") for name, value in fields.items()}
        | {"tenant": "acme", "decision": decision},
        allow_redirects=False,
        timeout=30,
    )
    return str(decided.headers["location"]).removeprefix(browser.address)


def test_a_company_is_connected_through_fortnoxs_consent_page(
    acme: Unattended, redirecting: Callable[[], Browser]
) -> None:
    before = acme.services.stores.connections.get("acme").enabled_by
    browser = redirecting()
    back = consent(browser)

    with working(acme):
        answer = browser.get(back)

    assert "Connected to" in words(answer.text)
    assert acme.services.stores.connections.get("acme").enabled_by != before
    again = browser.get(back)
    assert again.status_code == 422
    assert "was used already" in words(again.text)


def test_an_answer_of_another_browser_connects_nothing(acme: Unattended, redirecting: Callable[[], Browser]) -> None:
    before = acme.services.stores.connections.get("acme").revision
    back = consent(redirecting())

    answer = redirecting().get(back)

    assert answer.status_code == 422
    assert "does not belong to this browser" in words(answer.text)
    assert acme.services.stores.connections.get("acme").revision == before


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda back: re.sub(r"code=[^&]+", "", back), "Fortnox sent no code"),
        (lambda back: re.sub(r"state=[^&]+", "", back), "does not belong to this browser"),
        (lambda back: re.sub(r"state=[^&]+", "state=made-up", back), "does not belong to this browser"),
    ],
)
def test_a_return_without_code_or_state_is_said_in_words(
    redirecting: Callable[[], Browser], spoil: Callable[[str], str], said: str
) -> None:
    browser = redirecting()

    answer = browser.get(spoil(consent(browser)))

    assert answer.status_code == 422
    assert said in words(answer.text)
    assert "Nothing was changed" in words(answer.text)


def test_a_refused_consent_is_said_in_words(redirecting: Callable[[], Browser]) -> None:
    browser = redirecting()

    answer = browser.get(consent(browser, decision="deny"))

    assert "The approval was cancelled in Fortnox." in words(answer.text)


def test_a_new_company_is_connected_with_a_pasted_code(acme: Unattended, operator: Browser) -> None:
    gone_on = operator.post("/companies", {"company": "acme"}, page="/", allow_redirects=False)
    assert gone_on.headers["location"] == "/companies/acme/connect"
    assert operator.post("/companies", {"company": "no such/code"}, page="/").status_code == 422
    form = {"code": acme.sandbox.code("acme", service=True), "email": "ny@acme.example", "account": "service"}

    with working(acme):
        answer = operator.post("/companies/acme/connect/code", form, page="/companies/acme/connect")

    assert "Connected to" in words(answer.text)
    assert acme.services.stores.connections.get("acme").integration.error_email == "ny@acme.example"


def test_a_wrong_code_says_why_and_the_old_connection_holds(acme: Unattended, operator: Browser) -> None:
    form = {"code": "made-up", "email": "e@acme.example", "account": "service"}

    with working(acme):
        answer = operator.post("/companies/acme/connect/code", form, page="/companies/acme/connect")

    assert answer.status_code == 422
    assert "authorization code" in words(answer.text).lower()
    assert acme.services.stores.connections.get("acme").state == "connected"


def test_a_company_is_disconnected_after_a_page_that_says_what_waits(acme: Unattended, operator: Browser) -> None:
    assert "events wait and will not be transferred" in operator.text("/companies/acme/disconnect")

    with working(acme):
        answer = operator.post("/companies/acme/disconnect", page="/companies/acme/disconnect")

    assert "The company is disconnected." in words(answer.text)
    assert acme.services.stores.connections.get("acme").state == "disabled"


def test_where_no_worker_takes_it_that_is_said(
    acme: Unattended, operator: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(company_operations, "SETTLES_WITHIN", 0.1)

    answer = operator.post("/companies/acme/disconnect", page="/companies/acme/disconnect")

    assert answer.status_code == 422
    assert "worker" in words(answer.text)


# --- Settings ---


def settings_form(browser: Browser) -> dict[str, Any]:
    """The settings form of acme as a browser would send it unchanged."""
    html = browser.get("/companies/acme/settings").text
    form: dict[str, Any] = {}
    for tag in re.findall(r"<input[^>]+>", html):
        found = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if "name" in found and (found.get("type") != "checkbox" or " checked" in tag):
            form[found["name"]] = found.get("value", "")
    for name, options in re.findall(r'<select[^>]+name="([\w.]+)"[^>]*>(.*?)</select>', html, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', options)
        form[name] = chosen.group(1) if chosen else ""
    for name in ("csrf", "to"):
        form.pop(name, None)
    return form


def save(browser: Browser, form: dict[str, Any]) -> Any:
    return browser.post("/companies/acme/settings", form, page="/companies/acme/settings")


def test_saving_unchanged_settings_changes_nothing(acme: Unattended, operator: Browser) -> None:
    before = acme.services.stores.connections.get("acme").revision

    answer = save(operator, settings_form(operator))

    assert "Nothing was changed." in words(answer.text)
    assert acme.services.stores.connections.get("acme").revision == before


def test_saving_shows_what_changed(acme: Unattended, operator: Browser) -> None:
    form = settings_form(operator) | {
        "language": "en",
        "roundingAccount": "3741",
        "expenses.enabled": "1",
        "expenses.accountNumbers": "4010; 5000-5999",
        "expenses.fromDate": "2026-11-01",
        "swapReferences": "1",
        "payments.enabled": "1",
    }
    del form["transfers.projects"]

    with working(acme):
        answer = save(operator, form)

    shown = words(answer.text)
    for said in (
        "Projects: yes → no",
        "Bring expenses back: no → yes",
        "→ 4010, 5000-5999",
        "From: none → 2026-11-01",
        "Language of mails: sv → en",
        "Rounding account: 3740 → 3741",
        "Swap the references: no → yes",
        "Bring payments back: no → yes",
    ):
        assert said in shown, said
    integration = acme.services.stores.connections.get("acme").integration
    assert not integration.transfers.projects
    assert integration.expenses.account_numbers == ("4010", "5000-5999")

    with working(acme):
        cleared = save(operator, settings_form(operator) | {"expenses.fromDate": "", "expenses.accountNumbers": ""})
    assert "From: 2026-11-01 → none" in words(cleared.text)
    assert acme.services.stores.connections.get("acme").integration.expenses.from_date is None


def test_a_companys_own_people_change_its_settings_but_not_where_their_links_go(
    acme: Unattended, person: Browser
) -> None:
    shown = person.get("/companies/acme/settings").text
    assert re.search(r'name="errorEmail"[^>]* disabled', shown)
    assert "Only the operator can change this address" in words(shown)
    unchanged = acme.services.stores.connections.get("acme").integration
    form = settings_form(person) | {"roundingAccount": "3741", "payments.enabled": "1", "expenses.enabled": "1"}

    with working(acme):
        moved = save(person, form | {"errorEmail": "mine@elsewhere.example"})
        assert moved.status_code == 422
        assert "Only the operator can change this address" in words(moved.text)
        assert acme.services.stores.connections.get("acme").integration == unchanged
        del form["errorEmail"]  # as a browser sends it: what is disabled is left out
        answer = save(person, form)

    assert "Rounding account: 3740 → 3741" in words(answer.text)
    assert "Bring payments back: no → yes" in words(answer.text)
    now = acme.services.stores.connections.get("acme").integration
    assert now.expenses.enabled
    assert now.error_email == unchanged.error_email
    assert ("company.changed", "link 1", "done") in actions(acme)
    assert ("company.set", "link 1", "done") in actions(acme)
    assert person.post("/companies/other/settings", form, page="/companies/acme").status_code == 404


def test_failures_of_all_companies_say_from_when_they_are(acme: Unattended, operator: Browser) -> None:
    fail_invoice(acme, 1001)
    wait_until(lambda: "The account does not exist" in operator.text("/failures"), what="the board")

    (cause,) = set(re.findall(r'href="(/failures\?cause=[^"]+)"', operator.get("/failures").text))
    for path in ("/failures", cause.replace("&amp;", "&")):
        assert "New failures appear here within some seconds. As of" in operator.text(path), path
    assert "New failures appear" not in operator.text("/failures?company=acme")


@pytest.mark.parametrize(
    ("name", "value"),
    [("roundingAccount", "37"), ("language", "de"), ("expenses.accountNumbers", "abc"), ("expenses.fromDate", "soon")],
)
def test_a_wrong_setting_is_refused_in_words_and_nothing_changes(
    acme: Unattended, operator: Browser, name: str, value: str
) -> None:
    before = acme.services.stores.company_settings.get("acme")

    answer = save(operator, settings_form(operator) | {name: value})

    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert f'value="{value}"' in answer.text or name == "language", "what was typed is still there"
    assert acme.services.stores.company_settings.get("acme") == before


def test_accounts_are_shown_with_their_names_from_fortnox(acme: Unattended, operator: Browser) -> None:
    shown = operator.text("/companies/acme/accounts")
    assert "3740" in shown
    requests = len(acme.sandbox.requests("acme"))
    assert operator.text("/companies/acme/accounts") == shown
    assert len(acme.sandbox.requests("acme")) == requests, "asked for once a day"


# --- What takes longer ---


def test_a_job_whose_process_ended_is_shown_as_stopped(acme: Unattended, operator: Browser) -> None:
    store = acme.services.stores.jobs
    job = store.begin("retry")
    store.save(job, Job("retry", "", "running", 10, 30, 10))
    assert "10 of 30" in operator.text(f"/jobs/{job}")
    acme.services.redis.hset(f"mf:job:{job}", "at", 0)
    assert "Nobody watches the work any more" in operator.text(f"/jobs/{job}")


def test_a_live_log_tells_of_a_new_event(acme: Unattended, operator: Browser) -> None:
    stream = operator.get("/transfers/live?company=acme", headers={"accept": "text/event-stream"}, stream=True)
    assert stream.headers["content-type"].startswith("text/event-stream")
    lines = stream.iter_lines(decode_unicode=True)
    assert any("event-acme-e1" in line for line in iter(lambda: next(lines), ""))

    acme.publish(customer_json(event_id="c77", customer_number="77"))

    assert any("event-acme-c77" in line for line in lines)
    stream.close()


ODD = (
    "",
    "0",
    "-1",
    "99999999999999999999",
    "å/../x",
    "<script>",
    "%00",
    "a" * 5000,
    "0001-01-01",
    "9999-12-31",
    "{}",
    "acme/1",
)


def test_whatever_an_address_asks_for_is_answered_and_shown_as_text(acme: Unattended, operator: Browser) -> None:
    fail_invoice(acme, 1001)
    asked = {
        "/": ("q", "state", "sort", "number", "receipt"),
        "/transfers": ("company", "number", "status", "cause", "since", "until", "after"),
        "/failures": ("company", "cause"),
        "/audit": ("company", "before"),
        "/expenses/acme": ("number",),
        "/connect/callback": ("state", "code", "error"),
        "/sign-in": ("to",),
    }
    for path, names in asked.items():
        for name in names:
            for value in ODD:
                answer = operator.get(path, params={name: value})
                assert answer.status_code < 500, (path, name, value[:50])
                assert "<script>" not in answer.text
    for path in (
        "/companies/",
        "/events/acme/",
        "/jobs/",
        "/situations/",
        "/static/",
        "/l/",
        "/expenses/",
        "/nothing/",
    ):
        for value in ODD[1:]:
            answer = operator.get(path + value)
            assert answer.status_code in (303, 404, 422) or answer.url.rstrip("/") == operator.address, (
                path,
                value[:50],
            )


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/events/acme/i1001", {"action": "explode"}),
        ("/events/acme/i1001", {}),
        ("/expenses/acme", {"days": "-1"}),
        ("/expenses/acme", {"days": "many"}),
        ("/failures", {}),
        ("/companies", {}),
    ],
)
def test_a_form_of_the_wrong_shape_is_refused_in_words(operator: Browser, path: str, form: dict[str, str]) -> None:
    answer = operator.post(path, form, page="/audit")

    assert answer.status_code == 422
    assert "That did not work" in answer.text
