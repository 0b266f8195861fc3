"""Failures are told by mail, through a real SMTP server: the first of a cause at once, more of it once an hour; none is
lost while that server is down. Time is the test's own.
"""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sentry_sdk
from pydantic import SecretStr

from delivery.admission import take
from fortnox.situations import explanation
from local.sandbox import Sandbox
from messages import Message
from messages.catalogue import say
from moment.events import event_json, parse_event
from ordering import Done, Failed, Held, Ordering, Pause, Submission, TargetUnavailable
from tests.browsing import Browser, running_console
from tests.mail_dispatch import OPERATOR, START, Inbox, MailDispatch, attached, parsed, running_dispatch, running_smtp
from tests.sentences import sentence
from tests.sentry import running_sentry
from tests.unit.factories import credit_note_json, customer_json, invoice_json, project_json
from worker.bootstrap import App, create_app
from worker.publish import publish

PERIOD = explanation("period-locked")
LOCKED = Failed(
    PERIOD.reason,
    PERIOD.remedy,
    "period-locked 2000401",
    "Perioden är låst till och med 2026-11-30.",
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[App, Sandbox]]:
    with running_dispatch(Path(tmp_path_factory.mktemp("mail"))) as running:
        yield running


@pytest.fixture
def dispatch(running: tuple[App, Sandbox]) -> MailDispatch:
    return MailDispatch(*running)


def created(app: App, **settings: Any) -> App:
    """The same with other settings."""
    return create_app(app.settings.model_copy(update=settings))


def invoices(start: int, n: int, **fields: Any) -> list[dict[str, Any]]:
    return [invoice_json(event_id=f"i{number}", invoice_number=number, **fields) for number in range(start, start + n)]


# What a mail says


def test_a_failure_is_told_once_with_what_why_what_to_do_and_what_waits_for_it(dispatch: MailDispatch) -> None:
    dispatch.connect()
    dispatch.ends(customer_json())
    dispatch.services.stores.names.remember("acme", "10001", "Skånska Bygg AB")
    dispatch.ends(invoice_json(), LOCKED)
    publish(credit_note_json(), services=dispatch.app.services)
    assert dispatch.round() == 1
    assert dispatch.round() == 0
    mail = dispatch.mail()
    assert mail["to"] == ["ekonomi@acme.example"]
    assert mail["subject"] == "Fortnox: faktura 1001 till Skånska Bygg AB kunde inte överföras"
    for form in (mail["text"], mail["html"]):
        for part in (
            "12 500,00 kr",
            say(PERIOD.reason, "sv"),
            "Perioden är låst till och med 2026-11-30.",
            "2000401",
            "Lås upp perioden i Fortnox",
            "kreditfaktura 1002 till Skånska Bygg AB",
            f"be om ett nytt försök hos {OPERATOR}",
        ):
            assert part in " ".join(form.split()), part


def test_a_company_that_chose_english_is_written_to_in_english(dispatch: MailDispatch) -> None:
    dispatch.connect(language="en")
    dispatch.ends(invoice_json(), LOCKED)
    dispatch.round()
    mail = dispatch.mail()
    assert mail["subject"] == "Fortnox: invoice 1001 to customer 10001 could not be transferred"
    assert "12,500.00 SEK" in mail["text"]
    assert say(PERIOD.reason) in " ".join(mail["text"].split())
    assert mail["headers"]["Content-Language"] == "en"


def test_a_held_event_is_told_with_what_it_waits_for(dispatch: MailDispatch) -> None:
    dispatch.connect()
    dispatch.ends(invoice_json(), Held("acme/customer/10001", sentence("It does not exist."), code="2000433"))
    dispatch.round()
    assert "faktura 1001 till kund 10001 väntar" in dispatch.mail()["subject"]
    assert "så snart kund 10001 har överförts" in " ".join(dispatch.mail()["text"].split())


def test_an_update_that_only_its_sequence_supersedes_is_told_once_a_day(dispatch: MailDispatch) -> None:
    dispatch.connect()
    dispatch.ends(customer_json(event_id="new", sequence=2**53 - 1), Done())
    for event_id in ("late", "later"):
        publish(customer_json(event_id=event_id, sequence=8), services=dispatch.app.services)
    assert dispatch.rounds(minutes=5) == 1
    text = " ".join(dispatch.mail()["text"].split())
    assert dispatch.mail()["subject"] == "Fortnox: en äldre ändring av kund 10001 överfördes inte"
    assert "Inaktuell: sekvensnummer 8 kom efter 9007199254740991." in text
    assert "rätta sekvensnumret" in text


def test_an_invoice_that_comes_after_its_customer_failed_is_told_and_those_that_waited_are_named(
    dispatch: MailDispatch,
) -> None:
    dispatch.connect()
    publish_first = [customer_json(), invoice_json(project=None)]
    for event in publish_first:
        publish(event, services=dispatch.services)
    claim = dispatch.ordering.claim("acme", "e1")
    assert claim is not None
    dispatch.ordering.settle(claim, Failed(*PERIOD))
    assert dispatch.round() == 1
    assert "faktura 1001" in dispatch.mail()["text"]

    publish(invoice_json(event_id="late", invoice_number=1002, project=None), services=dispatch.services)
    assert dispatch.round() == 1
    mail = dispatch.mails()[-1]
    assert "faktura 1002 till kund 10001 väntar" in mail["subject"]
    assert "Ett annat mejl säger varför" in " ".join(mail["text"].split())
    assert "så snart kund 10001 har överförts" in " ".join(mail["text"].split())


def test_a_remark_is_told_though_the_event_went_through(dispatch: MailDispatch) -> None:
    dispatch.connect()
    notice = Message("file.named", file="avtal.pdf", why=Message("file.host-answered", status="404"))
    dispatch.ends(customer_json(), Done(notice=notice))
    dispatch.round()
    assert "överfördes, med anmärkning" in dispatch.mail()["subject"]
    assert "”avtal.pdf”: servern svarade 404" in " ".join(dispatch.mail()["text"].split())


def test_an_event_that_cannot_be_read_and_names_no_company_goes_to_the_operator(dispatch: MailDispatch) -> None:
    take(dispatch.app.services, ["no", "event"])
    assert dispatch.round() == 1
    assert dispatch.mail()["to"] == [OPERATOR]
    assert dispatch.mail()["subject"] == "Fortnox: a message from Moment could not be read"
    assert "must be a JSON object" in dispatch.mail()["text"]


def test_an_event_that_cannot_be_read_goes_to_the_operator_only_though_its_company_has_an_address(
    dispatch: MailDispatch,
) -> None:
    dispatch.connect()
    take(dispatch.app.services, customer_json() | {"customer": {}})
    dispatch.ends(invoice_json(), Failed(Message("delivery.bug", error="KeyError"), code="bug"))
    dispatch.ends(invoice_json(event_id="e4", invoice_number=1002), LOCKED)
    assert dispatch.round() == 3
    assert sorted(mail["to"] for mail in dispatch.mails()) == [[OPERATOR], [OPERATOR], ["ekonomi@acme.example"]]
    (of_company,) = dispatch.mails("ekonomi@acme.example")
    assert "1002" in of_company["subject"]
    assert "moment-fortnox events show acme e1" in "".join(mail["text"] for mail in dispatch.mails(OPERATOR))


def test_without_an_operators_address_the_company_gets_what_only_an_operator_mends(
    running: tuple[App, Sandbox], dispatch: MailDispatch
) -> None:
    alone = MailDispatch(created(running[0], alerts_to=None), running[1])
    alone.connect()
    take(alone.app.services, customer_json() | {"customer": {}})
    assert alone.round() == 1
    assert alone.mail()["to"] == ["ekonomi@acme.example"]
    assert "moment-fortnox" not in alone.mail()["text"]


def test_a_mail_names_the_company_and_whom_to_write_to_and_answers_go_there(
    running: tuple[App, Sandbox], dispatch: MailDispatch
) -> None:
    contact = "Driftbolaget, support@drift.example, 08-123 45 67"
    named = MailDispatch(created(running[0], operator_contact=contact), running[1])
    named.connect()
    connection = named.services.stores.connections.get("acme")
    named.services.stores.connections.save(connection.model_copy(update={"ledger": "Ekbergs Bygg AB (556677-8899)"}))
    named.ends(invoice_json(), LOCKED)
    take(named.services, ["no", "event"])
    assert named.round() == 2
    (of_company,), (of_operator,) = named.mails("ekonomi@acme.example"), named.mails(OPERATOR)
    assert of_company["headers"]["Reply-To"] == "support@drift.example"
    assert "Reply-To" not in of_operator["headers"]
    for form in (of_company["text"], of_company["html"]):
        assert "Ekbergs Bygg AB (acme)" in form
        assert "556677" not in form
        assert contact in " ".join(form.split())


def test_from_a_mail_the_failure_is_two_clicks_away(running: tuple[App, Sandbox], dispatch: MailDispatch) -> None:
    linked = MailDispatch(created(running[0], console_url="https://console.example"), running[1])
    linked.connect()
    linked.ends(invoice_json(), LOCKED)
    assert linked.round() == 1
    (address,) = re.findall(r'href="(https://console.example/l/[^"]+)"', linked.mail()["html"])
    assert address in linked.mail()["text"]
    token = address.rpartition("/")[2]
    with running_console(running[0].services) as console:
        browser = Browser(console, running[0].services)
        assert browser.get(f"/l/{token}").url == f"{console}/events/acme/e3"
        browser.post("/events/acme/e3", {"action": "retry"}, page="/events/acme/e3")
    record = linked.ordering.event("acme", "e3")
    assert record is not None
    assert record.status != "failed"


def test_a_new_link_goes_to_the_companys_address_alone_and_is_dropped_where_there_is_none(
    running: tuple[App, Sandbox], dispatch: MailDispatch
) -> None:
    linked = MailDispatch(created(running[0], console_url="https://console.example"), running[1])
    linked.connect()
    linked.connect("silent", address="no address")
    links = linked.services.stores.mail_links
    assert links.ask("acme")
    assert links.ask("silent")
    assert not links.ask("acme")
    assert linked.round() == 1
    mail = linked.mail()
    assert (mail["to"], mail["subject"]) == (["ekonomi@acme.example"], "Fortnox: ny länk till överföringarna")
    (address,) = re.findall(r'href="https://console.example/l/([^"]+)"', mail["html"])
    found = links.open(address)
    assert found is not None
    assert found.company == "acme"
    assert links.asked(10) == []
    assert linked.rounds(minutes=5) == 0


def test_an_event_mended_before_it_was_told_is_not_told(dispatch: MailDispatch) -> None:
    dispatch.ends(invoice_json(), LOCKED)
    dispatch.ordering.retry("acme", "e3")
    assert dispatch.round() == 0


def test_an_event_mended_while_it_waited_for_the_hour_is_not_in_the_digest(dispatch: MailDispatch) -> None:
    dispatch.connect()
    first, second, third = invoices(1001, 3)
    dispatch.ends(first, LOCKED)
    dispatch.round()
    dispatch.ends(second, LOCKED)
    dispatch.ends(third, LOCKED)
    dispatch.round()
    dispatch.ordering.skip("acme", "i1002", sentence("given up"))
    assert dispatch.round(hours=1) == 1
    assert "faktura 1003" in dispatch.mails()[-1]["subject"]


# When a mail is sent


def test_failures_of_different_causes_are_told_apart_and_at_once(dispatch: MailDispatch) -> None:
    dispatch.ends(customer_json(event_id="c1", customer_number="1"), Failed(sentence("One cause.")))
    dispatch.ends(customer_json(event_id="c2", customer_number="2"), Failed(sentence("Another cause.")))
    assert dispatch.round() == 2


def test_more_of_the_same_cause_comes_an_hour_after_the_first_as_one_mail_with_the_list(dispatch: MailDispatch) -> None:
    dispatch.connect()
    dispatch.services.stores.names.remember("acme", "10001", "Skånska Bygg AB")
    first, *more = invoices(1001, 26)
    dispatch.ends(first, LOCKED)
    assert dispatch.round() == 1
    for event in more:
        dispatch.ends(event, LOCKED)
    assert dispatch.rounds(seconds=60, minutes=59) == 0
    assert dispatch.round(minutes=1) == 1
    mail = dispatch.mails()[-1]
    assert mail["subject"] == "Fortnox: 25 fakturor kunde inte överföras"
    assert "totalt 26" in mail["text"]
    assert "… och 5 till" in mail["text"]
    rows = attached(mail)
    assert [row[1] for row in rows] == [str(number) for number in range(1002, 1027)]
    assert rows[0][:8] == [
        "faktura",
        "1002",
        "Skånska Bygg AB",
        "12500,00",
        "SEK",
        "stoppad",
        say(PERIOD.reason, "sv"),
        say(PERIOD.remedy, "sv"),
    ]
    assert dispatch.rounds(seconds=600, hours=3) == 0


def test_the_mails_of_a_cause_are_one_thread_and_those_of_another_are_not(dispatch: MailDispatch) -> None:
    dispatch.connect()
    first, second, other = invoices(1001, 3)
    dispatch.ends(first, LOCKED)
    dispatch.round()
    dispatch.ends(second, LOCKED)
    dispatch.ends(other, Failed(sentence("Something else.")))
    dispatch.round(hours=1)
    assert len(dispatch.mails()) == 3
    threads = Counter(mail["headers"]["References"] for mail in dispatch.mails())
    assert sorted(threads.values()) == [1, 2]
    assert len({mail["headers"]["Message-ID"] for mail in dispatch.mails()}) == 3


def test_ten_thousand_failures_of_one_cause_are_three_mails_at_most_in_an_hour_and_disturb_nobody(
    dispatch: MailDispatch,
) -> None:
    dispatch.connect()
    dispatch.connect("other")
    dispatch.services.stores.names.remember("acme", "10001", "Skånska Bygg AB")
    body = event_json(parse_event(invoice_json(invoice_number=10**9, attachments=[])))
    for n in range(10_000):
        _fails(dispatch.ordering, n, body.replace(str(10**9), str(n + 1)))
        if n % 2000 == 500:  # over the hour, and now and then something else happens elsewhere
            cause = f"Cause {chr(65 + n // 2000)}."
            dispatch.ends(invoice_json(company="other", event_id=f"o{n}", invoice_number=n), Failed(sentence(cause)))
            assert dispatch.round(minutes=10) >= 1
            assert cause in dispatch.mails("ekonomi@other.example")[-1]["text"]
    dispatch.rounds(seconds=60, minutes=10)
    assert dispatch.now == START + timedelta(hours=1)
    assert len(dispatch.mails("ekonomi@acme.example")) <= 3
    dispatch.rounds(seconds=60, minutes=10)
    mails = dispatch.mails("ekonomi@acme.example")
    assert len(mails) <= 3
    lists = [attached(mail) for mail in mails]
    counts = [f"{len(rows):,}".replace(",", " ") for rows in lists]
    assert [mail["subject"] for mail in mails] == [f"Fortnox: {n} fakturor kunde inte överföras" for n in counts]
    rows = [row for rows in lists for row in rows]
    assert sorted(int(row[1]) for row in rows) == list(range(1, 10_001))
    assert {(row[2], row[3]) for row in rows} == {("Skånska Bygg AB", "12500,00")}
    assert len(dispatch.mails("ekonomi@other.example")) == 5
    assert dispatch.rounds(seconds=600, hours=3) == 0


def _fails(ordering: Ordering, n: int, body: str) -> None:
    fields = {"company": "acme", "id": f"x{n}", "key": f"acme/invoice/{n + 1}", "type": "invoice.finalized"}
    ordering.publish(
        Submission(**fields, body=body, occurred_at=START, refused=LOCKED.reason, refused_remedy=LOCKED.remedy)
    )


# The server


@pytest.mark.parametrize("refusal", ["450", "421", "550", "connection"])
def test_six_hours_without_smtp_lose_nothing_double_nothing_and_keep_the_order(
    dispatch: MailDispatch, refusal: str
) -> None:
    companies = ("acme", "beta")
    for company in companies:
        dispatch.connect(company)
    dispatch.sandbox.refuse_mail(refusal)
    for hour in range(6):
        for company in companies:
            for cause in range(3):
                event = customer_json(company=company, event_id=f"{hour}-{cause}", customer_number=f"{hour}-{cause}")
                dispatch.ends(event, Failed(sentence(f"Cause {'ABC'[cause]}."), code=f"{cause}"))
                assert dispatch.round(minutes=1) == 0
        assert dispatch.rounds(seconds=540, minutes=54) == 0
    dispatch.sandbox.refuse_mail(None)
    dispatch.rounds(minutes=5)
    for company in companies:
        mails = dispatch.mails(f"ekonomi@{company}.example")
        assert [mail["text"].count("Cause A.") > 0 for mail in mails] == [True, False, False]
        assert ["ABC".index(next(c for c in "ABC" if f"Cause {c}." in mail["text"])) for mail in mails] == [0, 1, 2]
        told = [row[-1] for mail in mails for row in attached(mail)]
        assert sorted(told) == sorted(f"{hour}-{cause}" for hour in range(6) for cause in range(3))
    assert len({mail["headers"]["Message-ID"] for mail in dispatch.mails()}) == len(dispatch.mails()) == 6
    assert dispatch.rounds(seconds=600, hours=2) == 0


def test_a_server_that_is_down_is_tried_less_and_less_often(dispatch: MailDispatch) -> None:
    dispatch.connect()
    dispatch.ends(invoice_json(), LOCKED)
    dispatch.sandbox.refuse_mail("450")
    dispatch.rounds(hours=1)
    refused = dispatch.sandbox.get("mails")["refused"]
    assert 20 <= refused <= 40


def test_a_mail_that_the_server_may_have_is_sent_again_as_it_was(dispatch: MailDispatch) -> None:
    dispatch.connect()
    first, second = invoices(1001, 2)
    dispatch.ends(first, LOCKED)
    dispatch.sandbox.post("smtp", {"refuse": "drop_after_data", "count": 1})
    assert dispatch.round() == 0
    dispatch.ends(second, LOCKED)
    assert dispatch.round(minutes=1) == 1
    once, again = dispatch.mails()
    assert once["headers"]["Message-ID"] == again["headers"]["Message-ID"]
    assert "faktura 1001" in again["subject"]
    assert dispatch.round(hours=1) == 1
    assert "faktura 1002" in dispatch.mails()[-1]["subject"]


def test_a_mail_in_doubt_that_is_then_surely_refused_is_in_doubt_still(dispatch: MailDispatch) -> None:
    dispatch.connect()
    first, second = invoices(1001, 2)
    dispatch.ends(first, LOCKED)
    dispatch.sandbox.post("smtp", {"refuse": "drop_after_data", "count": 1})
    assert dispatch.round() == 0
    dispatch.sandbox.post("smtp", {"refuse": "450", "count": 1})
    assert dispatch.round(minutes=3) == 0
    dispatch.ends(second, LOCKED)
    assert dispatch.round(minutes=3) == 1
    once, again = dispatch.mails()
    assert once["headers"]["Message-ID"] == again["headers"]["Message-ID"]
    assert "faktura 1001" in again["subject"]
    assert dispatch.round(hours=1) == 1
    assert dispatch.mails()[-1]["headers"]["Message-ID"] != again["headers"]["Message-ID"]
    assert "faktura 1002" in dispatch.mails()[-1]["subject"]


def test_the_mail_after_one_in_doubt_whose_event_was_given_up_does_not_look_like_it(dispatch: MailDispatch) -> None:
    dispatch.connect()
    first, second = invoices(1001, 2)
    dispatch.ends(first, LOCKED)
    dispatch.sandbox.post("smtp", {"refuse": "drop_after_data", "count": 1})
    assert dispatch.round() == 0
    dispatch.ordering.skip("acme", "i1001", sentence("given up"))
    assert dispatch.round(minutes=3) == 0
    dispatch.ends(second, LOCKED)
    assert dispatch.round() == 1
    once, other = dispatch.mails()
    assert once["headers"]["Message-ID"] != other["headers"]["Message-ID"]
    assert once["headers"]["References"] == other["headers"]["References"]


def test_a_list_too_large_for_the_server_is_left_out_and_holds_up_nobody(
    running: tuple[App, Sandbox], dispatch: MailDispatch
) -> None:
    small = Inbox()
    with running_smtp(small, data_size_limit=40_000) as address:
        limited = MailDispatch(created(running[0], smtp_url=SecretStr(address)), running[1])
        for company in ("acme", "beta"):
            limited.connect(company)
        for event in invoices(1001, 200):
            limited.ends(event, LOCKED)
        limited.passes(minutes=1)
        limited.ends(invoice_json(company="beta"), LOCKED)
        assert limited.round() == 2
        assert limited.rounds(minutes=5) == 0
    to_acme, to_beta = small.got
    assert (to_acme["To"], to_beta["To"]) == ("ekonomi@acme.example", "ekonomi@beta.example")
    assert list(to_acme.iter_attachments()) == []
    text = " ".join(to_acme.get_body(("plain",)).get_content().split())  # type: ignore[union-attr]
    assert "200 fakturor" in text
    assert "för stor för mejlservern" in text


def test_a_mail_that_cannot_be_written_holds_up_its_own_company_alone_and_is_a_bug(dispatch: MailDispatch) -> None:
    for company in ("acme", "beta"):
        dispatch.connect(company)
    dispatch.services.redis.delete("mf:settings:acme")
    dispatch.services.redis.set("mf:settings:acme", "no hash")
    dispatch.ends(invoice_json(), LOCKED)
    dispatch.passes(minutes=1)
    dispatch.ends(invoice_json(company="beta"), LOCKED)
    with running_sentry() as sentry:
        sentry_sdk.init(dsn=sentry.dsn, default_integrations=False)
        assert dispatch.round() == 1
        sentry_sdk.flush()
        sentry_sdk.init(default_integrations=False)  # its own for FastAPI read a body before any limit
    assert dispatch.mail()["to"] == ["ekonomi@beta.example"]
    assert [event["tags"]["company"] for event in sentry.events] == ["acme"]
    dispatch.services.redis.delete("mf:settings:acme")
    assert dispatch.round(minutes=3) == 1
    assert dispatch.mails()[-1]["to"] == ["ekonomi@acme.example"]


def test_a_mail_at_which_the_server_breaks_off_each_time_goes_behind_those_of_others(
    running: tuple[App, Sandbox], dispatch: MailDispatch
) -> None:
    inbox = Inbox(breaks_at="ekonomi@acme.example")
    with running_smtp(inbox) as address:
        broken = MailDispatch(created(running[0], smtp_url=SecretStr(address)), running[1])
        for company in ("acme", "beta", "gamma"):
            broken.connect(company)
            broken.ends(invoice_json(company=company), LOCKED)
            broken.passes(minutes=1)
        assert broken.round() == 0
        assert broken.rounds(minutes=1) == 2
        assert [mail["To"] for mail in inbox.got] == ["ekonomi@beta.example", "ekonomi@gamma.example"]
        broken.ends(customer_json(company="beta"), Failed(sentence("Something else.")))
        assert broken.rounds(minutes=5) == 1


def test_one_company_whose_mailbox_is_full_holds_up_no_other(dispatch: MailDispatch) -> None:
    dispatch.connect()
    dispatch.connect("beta")
    dispatch.sandbox.post("smtp", {"refuse": "450", "recipient": "ekonomi@acme.example"})
    dispatch.ends(invoice_json(), LOCKED)
    dispatch.ends(invoice_json(company="beta"), LOCKED)
    assert dispatch.round() == 1
    assert dispatch.mail()["to"] == ["ekonomi@beta.example"]
    dispatch.sandbox.refuse_mail(None)
    assert dispatch.round(minutes=3) == 1
    assert dispatch.mails()[-1]["to"] == ["ekonomi@acme.example"]


# To whom


def test_an_address_that_is_refused_for_good_falls_back_to_the_operator_with_a_word_about_it(
    dispatch: MailDispatch,
) -> None:
    dispatch.connect()
    dispatch.sandbox.post("smtp", {"refuse": "550", "recipient": "ekonomi@acme.example"})
    dispatch.ends(invoice_json(), LOCKED)
    assert dispatch.round() == 1
    mail = dispatch.mail()
    assert mail["to"] == [OPERATOR]
    assert "“ekonomi@acme.example”, an address of the company, was refused: “550" in " ".join(mail["text"].split())
    assert "The bookkeeping period" in mail["text"]


@pytest.mark.parametrize("address", ["", "not an address", "a@b"])
def test_a_company_without_a_usable_address_is_told_of_to_the_operator(dispatch: MailDispatch, address: str) -> None:
    dispatch.connect(address=address)
    dispatch.ends(invoice_json(), LOCKED)
    dispatch.round()
    assert dispatch.mail()["to"] == [OPERATOR]


def test_a_thousand_companies_that_never_connected_are_one_mail_to_the_operator(dispatch: MailDispatch) -> None:
    for n in range(1000):
        dispatch.ends(customer_json(company=f"company{n}", event_id="e1"), never_connected(f"company{n}"))
    dispatch.ends(customer_json(company="company7", event_id="e2", customer_number="2"), never_connected("company7"))
    assert dispatch.round() == 1
    mail = dispatch.mail()
    assert mail["to"] == [OPERATOR]
    assert mail["subject"].endswith("1,000 companies that are not connected: 1,001 transfers need action")
    assert "company7: 2 transfers" in mail["text"]
    assert "and 980 more" in mail["text"]
    assert "moment-fortnox failures" in mail["text"]
    assert dispatch.services.ordering.unreported_count() == 0
    dispatch.ends(customer_json(company="late"), never_connected("late"))
    assert dispatch.round(seconds=30) == 0
    assert dispatch.round(hours=1) == 1
    assert "late is not connected" in dispatch.mails()[-1]["text"]


def never_connected(company: str) -> Failed:
    remedy = Message("delivery.connect-first", company=company)
    return Failed(Message("delivery.never-connected", company=company), remedy, "NeverConnected")


def test_several_addresses_get_the_mail_up_to_five(dispatch: MailDispatch) -> None:
    dispatch.connect(address="; ".join(f"p{n}@acme.example" for n in range(9)))
    dispatch.ends(invoice_json(), LOCKED)
    dispatch.round()
    assert dispatch.mail()["to"] == [f"p{n}@acme.example" for n in range(5)]


def test_an_address_that_is_put_off_alone_gets_the_same_mail_later(dispatch: MailDispatch) -> None:
    dispatch.connect(address="a@acme.example, b@acme.example, c@acme.example")
    dispatch.sandbox.post("smtp", {"refuse": "450", "recipient": "b@acme.example", "count": 2})
    dispatch.ends(invoice_json(), LOCKED)
    assert dispatch.round() == 1
    assert dispatch.mail()["to"] == ["a@acme.example", "c@acme.example"]
    assert dispatch.rounds(minutes=4) == 0
    assert dispatch.rounds(minutes=20) == 1
    first, later = dispatch.mails()
    assert later["to"] == ["b@acme.example"]
    assert all(later[part] == first[part] for part in ("subject", "text", "html"))
    assert later["headers"]["Message-ID"] == first["headers"]["Message-ID"]
    assert dispatch.rounds(seconds=600, hours=30) == 0


def test_the_operator_hears_of_an_address_that_is_put_off_for_a_day_and_nobody_waits_for_it(
    dispatch: MailDispatch,
) -> None:
    dispatch.connect(address="a@acme.example, b@acme.example")
    dispatch.sandbox.post("smtp", {"refuse": "450", "recipient": "b@acme.example"})
    dispatch.ends(invoice_json(), LOCKED)
    assert dispatch.round() == 1
    dispatch.ends(customer_json(), Failed(sentence("Something else.")))
    assert dispatch.round() == 1
    dispatch.rounds(seconds=600, hours=48)
    assert [mail["to"] for mail in dispatch.mails()] == [["a@acme.example"]] * 2 + [[OPERATOR]] * 2
    text = " ".join(dispatch.mails()[-1]["text"].split())
    assert "“b@acme.example”, an address of the company, was refused: “450" in text
    refused = dispatch.sandbox.get("mails")["refused"]
    assert refused <= 2 * 12


def test_without_any_address_it_stays_to_be_told_until_there_is_one(
    running: tuple[App, Sandbox], dispatch: MailDispatch
) -> None:
    nobody = MailDispatch(created(running[0], alerts_to=None), running[1])
    nobody.ends(invoice_json(), LOCKED)
    assert nobody.rounds(minutes=2) == 0
    nobody.connect()
    assert nobody.round(hours=1) == 1
    assert nobody.mail()["to"] == ["ekonomi@acme.example"]


# Headers


def test_a_name_with_line_breaks_writes_neither_headers_nor_lines_of_its_own(dispatch: MailDispatch) -> None:
    dispatch.connect()
    name = "Ond\r\nBcc: victim@example.org\r\n\r\n<script>alert(1)</script> \u202eräksmörgås\x00 AB " + "x" * 5000
    dispatch.ends(customer_json(name=name), Failed(sentence("No.")))
    assert dispatch.round() == 1
    mail = parsed(dispatch.mail())
    assert "Bcc" not in mail
    assert dispatch.mail()["to"] == ["ekonomi@acme.example"]
    assert len(mail["Subject"]) <= 150
    assert "\nBcc" not in dispatch.mail()["text"]
    for form in (dispatch.mail()["text"], dispatch.mail()["html"], dispatch.mail()["subject"]):
        assert not {"\u202e", "\x00"} & set(form)
    assert "<script>" not in dispatch.mail()["html"]
    assert "räksmörgås" in dispatch.mail()["text"]


def test_the_headers_tell_machines_what_this_is(dispatch: MailDispatch) -> None:
    dispatch.connect()
    dispatch.ends(invoice_json(), LOCKED)
    dispatch.round()
    headers = dispatch.mail()["headers"]
    assert headers["Auto-Submitted"] == "auto-generated"
    assert headers["List-Id"] == "<acme.moment-fortnox.integration.example>"
    assert headers["Date"] == "Mon, 23 Nov 2026 08:00:00 +0000"
    assert headers["Message-ID"].endswith("@integration.example>")
    assert headers["In-Reply-To"] == headers["References"] != headers["Message-ID"]
    assert parsed(dispatch.mail())["From"].addresses[0].addr_spec == "moment-fortnox@integration.example"
    assert dispatch.mail()["raw"].isascii()


# Outages


def test_a_dead_grant_is_told_once_however_many_events_meet_it_then_at_set_steps_and_when_it_is_over(
    dispatch: MailDispatch,
) -> None:
    dispatch.connect()
    for number in range(3):
        publish(customer_json(event_id=f"c{number}", customer_number=str(number)), services=dispatch.app.services)
    for claim in [dispatch.ordering.claim("acme", f"c{number}") for number in range(3)]:
        assert claim is not None
        reason = explanation("grant-dead").reason
        dispatch.ordering.settle(claim, Pause(reason))
    assert dispatch.round() == 1
    assert "Kopplingen till Fortnox har upphört" in dispatch.mail()["text"]
    assert "Väntar: 3 överföringar" in dispatch.mail()["text"]
    assert f"hör av dig till {OPERATOR}" in " ".join(dispatch.mail()["text"].split())
    assert dispatch.rounds(seconds=3600, days=30) == 4  # after 4 hours, 1, 3 and 7 days
    dispatch.ordering.resume("acme")
    assert dispatch.round() == 1
    assert "är igång igen" in dispatch.mails()[-1]["subject"]
    assert "30 dygn" in dispatch.mails()[-1]["text"]
    assert dispatch.rounds(seconds=3600, hours=5) == 0
    assert len({mail["headers"]["Message-ID"] for mail in dispatch.mails()}) == 6
    assert len({mail["headers"]["References"] for mail in dispatch.mails()}) == 1


def test_a_paused_company_gets_the_address_at_which_it_consents_again(
    running: tuple[App, Sandbox], dispatch: MailDispatch
) -> None:
    linked = MailDispatch(created(running[0], fortnox_redirect_uri="https://moment.example/back"), running[1])
    linked.connect()
    linked.ends(customer_json())
    linked.ordering.pause("acme", sentence("The connection to Fortnox has ended."))
    assert linked.round() == 1
    address = f"{linked.services.settings.fortnox_auth_url}/oauth-v1/auth?"
    assert address in linked.mail()["text"]
    assert f'href="{address}' in linked.mail()["html"]


def test_a_company_that_left_is_not_told_that_it_goes_on(dispatch: MailDispatch) -> None:
    dispatch.connect()
    dispatch.ends(customer_json())
    dispatch.ordering.pause("acme", sentence("The connection to Fortnox has ended."))
    assert dispatch.round() == 1
    connection = dispatch.services.stores.connections.get("acme")
    dispatch.services.stores.connections.save(connection.model_copy(update={"state": "disabled"}))
    dispatch.ordering.resume("acme")
    assert dispatch.rounds(minutes=2) == 0


def test_two_days_without_smtp_still_send_a_mail_in_doubt_again_as_it_was(dispatch: MailDispatch) -> None:
    dispatch.connect()
    first, second = invoices(1001, 2)
    dispatch.ends(first, LOCKED)
    dispatch.sandbox.post("smtp", {"refuse": "drop_after_data", "count": 1})
    assert dispatch.round() == 0
    dispatch.passes(days=2)
    dispatch.ends(second, LOCKED)
    assert dispatch.round() == 1
    assert len({mail["headers"]["Message-ID"] for mail in dispatch.mails()}) == 1


def test_an_outage_that_ended_before_anyone_was_told_is_not_told(dispatch: MailDispatch) -> None:
    dispatch.connect()
    dispatch.ordering.publish(Submission("acme", "a", "acme/customer/1", "customer.updated", "{}", dispatch.now))
    dispatch.ordering.pause("acme", sentence("For a moment."))
    dispatch.sandbox.refuse_mail("450")
    dispatch.round()
    dispatch.ordering.resume("acme")
    dispatch.sandbox.refuse_mail(None)
    assert dispatch.rounds(hours=1) == 0


def test_an_outage_ends_untold_when_the_last_event_that_waited_was_given_up(dispatch: MailDispatch) -> None:
    dispatch.connect()
    dispatch.ends(customer_json(), Failed(sentence("Something else.")))
    publish(invoice_json(), services=dispatch.app.services)
    assert dispatch.ordering.counts("acme")["held"] == 1  # it tries nothing
    for number in range(3):
        event = project_json(event_id=f"p{number}", project_number=str(number))
        dispatch.ends(event, TargetUnavailable(timedelta(hours=5), sentence("Fortnox cannot be reached.")))
    assert dispatch.rounds(minutes=20) == 2
    for number in range(3):
        dispatch.ordering.skip("acme", f"p{number}", sentence("given up"))
    assert dispatch.ordering.stopped() == {}
    assert not dispatch.ordering.states(["acme"])["acme"].probing
    assert dispatch.rounds(seconds=600, hours=30) == 0


def test_an_outage_is_told_at_set_steps_not_per_event_and_its_end_once(dispatch: MailDispatch) -> None:
    dispatch.connect()
    for number in range(5):
        event = project_json(event_id=f"p{number}", project_number=str(number))
        dispatch.ends(event, TargetUnavailable(timedelta(hours=5), sentence("Fortnox cannot be reached.")))
        if number >= 2:
            dispatch.services.redis.hdel("mf:company:acme", "rests")  # its rest is over, and the next probe goes out
            dispatch.ordering.pump()
    assert dispatch.rounds(seconds=60, minutes=14) == 0
    assert dispatch.rounds(minutes=2) == 1
    assert "inte svarat på 15 minuter" in dispatch.mail()["subject"]
    assert "Väntar: 5 överföringar" in dispatch.mail()["text"]
    assert dispatch.rounds(seconds=600, hours=25) == 3  # after 1 hour, 4 hours and a day
    dispatch.ends(project_json(event_id="ok", project_number="9"))
    assert dispatch.rounds(minutes=4) == 0  # one answer is not the end of an outage yet
    assert dispatch.rounds(minutes=2) == 1
    assert "svarar igen" in dispatch.mails()[-1]["subject"]
    assert dispatch.rounds(seconds=600, hours=2) == 0


# Damage


def damaged(dispatch: MailDispatch, event_id: str, field: str, value: str) -> None:
    assert dispatch.services.redis.hset(f"mf:event:acme:{event_id}", field, value) == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("occurred", "9" * 20),
        ("accepted", "1e400"),
        ("settled", "soon"),
        ("attempts", "many"),
        ("occurred", b"\xff"),
        ("settled", "253402300799000"),  # the last second of the calendar: in Swedish time there is none
    ],
)
def test_a_record_that_cannot_be_read_is_reported_as_such_and_stops_no_other_mail(
    dispatch: MailDispatch, field: str, value: str
) -> None:
    for company in ("acme", "beta"):
        dispatch.connect(company)
        dispatch.ends(invoice_json(company=company), LOCKED)
    dispatch.ends(customer_json(), Failed(Message("duration.days", n=1)))
    damaged(dispatch, "e3", field, value)
    assert dispatch.round() == 3
    assert (
        dispatch.mails("ekonomi@beta.example")[0]["subject"]
        == "Fortnox: faktura 1001 till kund 10001 kunde inte överföras"
    )
    (other,), (about_damage,) = dispatch.mails("ekonomi@acme.example"), dispatch.mails(OPERATOR)
    assert "kund 10001" in other["subject"]
    assert about_damage["subject"] == "Fortnox: the record of an event cannot be read"
    assert "moment-fortnox events show acme e3" in about_damage["text"]
    assert dispatch.rounds(minutes=5) == 0


def test_a_record_damaged_while_it_waited_for_its_mail_stops_no_other(dispatch: MailDispatch) -> None:
    dispatch.connect()
    first, second, third = invoices(1001, 3)
    dispatch.ends(first, LOCKED)
    assert dispatch.round() == 1
    dispatch.ends(second, LOCKED)
    dispatch.ends(third, LOCKED)
    assert dispatch.round() == 0
    damaged(dispatch, "i1002", "occurred", "9" * 20)
    assert dispatch.round(hours=1) == 1
    assert "faktura 1003" in dispatch.mails()[-1]["subject"]
    assert dispatch.round(minutes=1) == 1
    assert "moment-fortnox events show acme i1002" in dispatch.mails()[-1]["text"]
    assert dispatch.rounds(seconds=600, hours=3) == 0


@pytest.mark.parametrize("body", ["{", "[]", '{"givenNumber": {}}', "[" * 5000, "null", '"\\ud800"'])
def test_a_body_that_cannot_be_read_leaves_the_event_its_number(dispatch: MailDispatch, body: str) -> None:
    dispatch.connect()
    dispatch.ends(invoice_json(), LOCKED)
    dispatch.services.redis.set("mf:body:acme:e3", body)
    expenses = Submission(
        "acme", "s1", "acme/expenses", "expenses.row", body, dispatch.now, refused=Message("duration.days", n=1)
    )
    dispatch.ordering.publish(expenses)
    assert dispatch.round() == 2
    assert any("faktura 1001 kunde inte" in mail["subject"] for mail in dispatch.mails())


def test_damaged_state_of_the_mails_themselves_ends_no_round(dispatch: MailDispatch) -> None:
    redis = dispatch.services.redis
    dispatch.connect()
    dispatch.connect("beta", address="a@beta.example, b@beta.example")
    dispatch.sandbox.post("smtp", {"refuse": "450", "recipient": "b@beta.example", "count": 1})
    dispatch.ends(invoice_json(company="beta"), LOCKED)
    assert dispatch.round() == 1
    (ref,) = redis.zrange("mf:mail:deferred", 0, -1)  # type: ignore[misc]
    redis.delete(f"mf:mail:deferred:{ref}")
    for field in ("acme", "gone"):
        redis.hset("mf:mail:outages", field, '{"kind": "paused", "since": "x"}')
        redis.hset("mf:mail:backoff", field, "soon")
    redis.zadd("mf:mail:due", {"nocause": 1})
    dispatch.ends(invoice_json(), LOCKED)
    assert dispatch.round(minutes=6) == 1
    assert dispatch.mails()[-1]["to"] == ["ekonomi@acme.example"]
    assert redis.zcard("mf:mail:deferred") == 0


def test_a_connection_that_cannot_be_read_sends_the_mail_to_the_operator_who_is_told_why(
    dispatch: MailDispatch,
) -> None:
    dispatch.connect()
    dispatch.ends(invoice_json(), LOCKED)
    dispatch.services.redis.hset("mf:connection:acme", "connection", "{")
    assert dispatch.round() == 1
    assert dispatch.mail()["to"] == [OPERATOR]
    assert "the company's connection cannot be read" in " ".join(dispatch.mail()["text"].split())
    dispatch.ordering.pause("acme", Message("duration.days", n=1))
    assert dispatch.round() == 1


def test_a_file_name_with_line_breaks_is_no_paragraph_of_a_mail(dispatch: MailDispatch) -> None:
    dispatch.connect()
    name = "avtal.pdf\r\n\r\nGör så här\r\n----------\r\nBetala till konto 123. \u202e\x1b[2J" + "x" * 5000
    publish(customer_json(), services=dispatch.app.services)
    claim = dispatch.ordering.claim("acme", "e1")
    assert claim is not None
    dispatch.ordering.settle(claim, Done(Message("unreadable", text=name)))
    dispatch.ends(project_json(), Failed(Message("unreadable", text=name), code="x", said=name + "!"))
    assert dispatch.round() == 2
    for mail in dispatch.mails():
        text = mail["text"].replace("\r\n", "\n")
        assert "\nGör så här\n----------\nBetala" not in text
        assert "\nBetala" not in text.replace(" \n", " ")
        flat = " ".join(text.split())
        assert "”avtal.pdf Gör så här ---------- Betala till konto 123." in flat
        assert not {"\u202e", "\x1b"} & set(text + mail["html"])
        assert len(text) < 4000
