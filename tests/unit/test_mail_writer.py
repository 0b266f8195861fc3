"""What mails say and how they look: both forms say the same, and no value can pass for the mail's own words."""

import email
import email.policy
import html
import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import sentry_sdk
from hypothesis import given
from hypothesis import strategies as st

from fortnox.situations import explanation
from mails.audience import only_operator_mends
from mails.causes import cause
from mails.content import MailContent
from mails.entities import Entity, entity_of
from mails.items import Item
from mails.listing import as_csv
from mails.mime import LONGEST_SUBJECT, message
from mails.recipients import reply_address
from mails.render import as_html, as_text
from mails.topics import write_events
from mails.writer import Earlier, Writer
from messages import Message, Money
from messages.catalogue import Language, say
from tests.mail_previews import AT, CONTACT, LANGUAGES, OPERATOR, WITHOUT_CONSOLE, a_record, an_invoice, previews
from tests.sentry import running_sentry
from tests.unit.test_messages import catalogue

# --- Two forms ---


def words_of(text: str) -> list[str]:
    return " ".join(text.split()).split(" ")


def shown(page: str) -> str:
    """What a reader of the HTML sees, on one line."""
    body = page[page.index("</head>") :]
    body = re.sub(r'<div style="display:none.*?</div>', "", body, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


PREVIEWS = [
    pytest.param(content, id=f"{name}-{language}")
    for language in LANGUAGES
    for name, content in previews(language).items()
]


@pytest.mark.parametrize("content", PREVIEWS)
def test_the_text_says_all_that_the_html_says(content: MailContent) -> None:
    text, page = words_of(as_text(content)), words_of(shown(as_html(content)))
    seen = {*text, *(word.strip("[]:") for word in text)}
    assert [word for word in page if word not in seen] == []


@pytest.mark.parametrize("content", PREVIEWS)
def test_the_html_says_all_that_the_text_says(content: MailContent) -> None:
    links = map(html.unescape, re.findall(r'class="button" href="([^"]+)"', as_html(content)))
    page = {*words_of(shown(as_html(content))), *links}
    text = [word for word in words_of(as_text(content)) if not re.fullmatch(r"[-=]+", word)]
    assert [word for word in text if word not in page and word.strip("[]:") not in page] == []


@pytest.mark.parametrize("content", PREVIEWS)
def test_text_keeps_to_lines_that_a_reply_can_quote(content: MailContent) -> None:
    whole = ("://", "    moment-fortnox ")  # a link and a command are copied as they are
    long = [line for line in as_text(content).splitlines() if len(line) > 76]
    assert [line for line in long if not any(one in line for one in whole)] == []


def test_a_mail_loads_nothing_from_elsewhere() -> None:
    """An image or a font that is fetched tells its owner who reads the mail."""
    for content in previews("sv").values():
        page = as_html(content)
        assert not re.search(r"<(img|link|script|iframe)|@import|url\(|src=", page)


# --- Headlines ---


def test_a_headline_says_which_way_the_transfer_went() -> None:
    mails = previews("en")
    assert mails["failed"].title == "Invoice 1001 to Skånska Bygg AB could not be transferred to Fortnox"
    assert mails["expense"].title == "Supplier invoice 17 (Ahlsell Sverige AB) could not be transferred to Moment"
    assert mails["import"].title == "Expenses could not be imported from Fortnox to Moment"
    assert mails["checked"].title == "A remark on the connection to Fortnox"


def test_a_swedish_headline_is_what_an_accountant_writes() -> None:
    mails = previews("sv")
    assert mails["failed"].tag == mails["paused"].tag == "Åtgärd krävs"
    assert mails["recovered"].subject == "Fortnox svarar igen efter ett avbrott på 4 timmar"
    assert ("Väntar", "37 överföringar") in mails["paused"].facts
    assert ("Belopp", "12 500,00 kr") in mails["failed"].facts


def on_the_wire(content: MailContent) -> bytes:
    return message(
        content, sender="a@b.example", to=["c@d.example"], company="acme", thread="t", n=1, now=AT
    ).as_bytes()


@pytest.mark.parametrize("content", PREVIEWS)
def test_a_subject_arrives_as_it_was_written(content: MailContent) -> None:
    raw = on_the_wire(content)
    assert email.message_from_bytes(raw, policy=email.policy.default)["Subject"] == content.subject


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=60), st.integers(1, 9))
def test_any_name_in_a_subject_arrives_within_the_lengths_of_mail(name: str, words: int) -> None:
    subject = " ".join(["Fortnox: faktura 1001 till", *[name] * words])[:LONGEST_SUBJECT].rstrip()
    raw = on_the_wire(replace(previews("sv")["failed"], subject=subject))
    header = re.search(rb"^Subject:.*?\r\n(?=\S)", raw, re.MULTILINE | re.DOTALL)
    assert header is not None
    assert max(map(len, re.findall(rb"=\?\S+\?=", header.group())), default=0) <= 75  # RFC 2047, section 2
    assert email.message_from_bytes(raw, policy=email.policy.default)["Subject"] == subject


@pytest.mark.parametrize(("code", "which"), [("2000423", "--code 2000423"), ("", "--like e1")])
def test_the_command_for_many_retries_those_of_this_cause_alone(code: str, which: str) -> None:
    content = Writer("acme", "en", audience=OPERATOR).events([an_invoice(n, code=code) for n in (1, 2)])
    assert f"moment-fortnox events retry acme --all-failed {which}\n" in as_text(content)


# --- What each reader gets ---

TO_OPERATOR = ("unreadable", "import", "undelivered")
NEEDS_SOMEBODY = ("failed", "digest", "reasons", "mixed", "held", "expense", "paused")


def of_operator(name: str) -> bool:
    return name.endswith("-operator") or name in TO_OPERATOR


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_mail_to_a_company_asks_for_a_command(language: Language) -> None:
    mails = {name: content for name, content in previews(language).items() if not of_operator(name)}
    assert len(mails) > 15
    for name, content in mails.items():
        list_of_all = content.file.content.decode() if content.file else ""
        assert "moment-fortnox " not in as_text(content) + as_html(content) + list_of_all, name


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_mail_that_needs_somebody_has_one_button_where_there_is_a_console(language: Language) -> None:
    mails = previews(language)
    for name in NEEDS_SOMEBODY:
        page = as_html(mails[name])
        assert len(re.findall(r'class="button" href="https://fortnox.drift.example/l/', page)) == 1, name
        assert page.count('class="button"') == 1, name
    for name in ("failed-without-console", "customer-without-console", "held-without-console"):
        assert 'class="button"' not in as_html(mails[name])
    for name in ("failed-operator", "digest-operator", "paused-operator", "companies-operator"):
        page = as_html(mails[name])
        assert (page.count('class="button"'), "/l/" in page, "moment-fortnox " in page) == (1, False, True), name


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_a_console_a_mail_says_whom_to_write_to(language: Language) -> None:
    mails = previews(language)
    for name in ("failed-without-console", "customer-without-console", "paused-without-console", "paused-link"):
        asked = [text for section in mails[name].sections for text in section.paragraphs if CONTACT in text]
        assert asked, name
    bare = " ".join(as_text(mails["failed-with-nothing-set"]).split())
    assert ("hos driften" if language == "sv" else "by the operator") in bare


def test_a_company_is_called_by_its_own_name_and_its_code() -> None:
    assert ("Företag", "Ekbergs Bygg AB (acme)") in previews("sv")["failed"].facts
    assert ("Företag", "acme") in previews("sv")["failed-with-nothing-set"].facts


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_an_event_asks_for_as_a_command_has_a_sentence_for_a_companys_people(language: Language) -> None:
    shown_to_operators = ("mail.", "operation.", "redis.", "console.", "sign-in.", "settings.", "link.", "audit.")
    commanding = [
        key
        for key, forms in catalogue(language).items()
        if any("moment-fortnox " in form for form in forms) and not key.startswith(shown_to_operators)
    ]
    assert len(commanding) >= 6
    for key in commanding:
        told = WITHOUT_CONSOLE.told(Message(key))
        assert "moment-fortnox" not in say(told, language), key
        assert CONTACT in say(told, language), key


@pytest.mark.parametrize(
    ("fields", "only"),
    [
        ({"key": "acme/invalid/1f0c", "code": ""}, True),
        ({"code": "bug"}, True),
        ({"code": "crash"}, True),
        ({"code": "damaged-record"}, True),
        ({"code": "client"}, True),
        ({"code": "request 2000106"}, True),
        ({"code": "MomentRefused", "remedy": Message("expenses.renew-api-key")}, True),
        ({"code": "MomentRefused", "remedy": Message("delivery.tell-operator")}, False),
        ({"code": "period-locked 2000401"}, False),
        ({"code": "NeverConnected"}, False),
        ({"code": ""}, False),
        ({"code": "bug", "status": "done"}, False),
    ],
)
def test_what_only_an_operator_can_mend_is_known_by_its_code_or_its_remedy(fields: dict[str, Any], only: bool) -> None:
    assert only_operator_mends(a_record(**fields)) is only


@pytest.mark.parametrize(
    ("contact", "operator", "expected"),
    [
        ("Drift AB, drift@drift.example, 08-123", "larm@x.example", "drift@drift.example"),
        ("Drift <drift@drift.example>", None, "drift@drift.example"),
        ("ring 08-123 45 67", "Larm <larm@x.example>", "larm@x.example"),
        ("ring 08-123 45 67", None, ""),
        (None, "larm@x.example", "larm@x.example"),
        (None, None, ""),
    ],
)
def test_answers_go_to_the_first_address_of_the_contact_or_to_the_operator(
    contact: str | None, operator: str | None, expected: str
) -> None:
    assert reply_address(contact, operator) == expected


# --- The attached list ---


def test_the_list_opens_in_excel_and_runs_nothing_there() -> None:
    item = an_invoice(1001, "-12500.50")
    item = item._replace(entity=item.entity._replace(customer_name='=HYPERLINK("http://x";"y") AB; "och" Söner'))
    content, _ = as_csv([item], "sv")
    assert content.startswith(b"\xef\xbb\xbfTyp;Nummer;")
    row = content.decode("utf-8-sig").splitlines()[1]
    assert ";-12500,50;SEK;" in row
    assert "'=HYPERLINK(" in row


@pytest.mark.parametrize(
    ("language", "left_out"), [("en", "the other 70 do not fit in a mail"), ("sv", "övriga 70 får inte plats")]
)
def test_a_list_is_as_long_as_a_mail_may_be_and_says_what_is_left_out(language: Language, left_out: str) -> None:
    items = [an_invoice(number) for number in range(1000, 1100)]
    whole, _ = as_csv(items, language)
    content = Writer("acme", language, max_bytes=len(whole) * 3 // 10, audience=OPERATOR).events(items)
    assert content.file is not None
    assert len(content.file.content.splitlines()) == 1 + 30
    assert left_out in " ".join(as_text(content).split())
    assert "moment-fortnox events export --company acme --status failed" in " ".join(as_text(content).split())


def test_without_capacity_there_is_no_list() -> None:
    content = Writer("acme", "en", max_bytes=0).events([an_invoice(1), an_invoice(2)])
    assert content.file is None
    assert "too large for the mail server" in as_text(content)


# --- Causes ---


def test_a_cause_is_the_code_or_else_the_keys_of_the_reason() -> None:
    def reason(number: str, why: str = "too-long") -> Message:
        return Message("number.refused", number=number, why=Message(why, length=len(number)))

    assert cause(a_record()) == cause(a_record("other", reason=reason("1"))) == "failed:period-locked 2000401"
    one, other = (a_record(code="", reason=reason(number)) for number in ("1", "20"))
    assert cause(one) == cause(other) != cause(a_record(code="", reason=reason("1", why="too-short")))
    assert cause(a_record(status="held")) == "held:period-locked 2000401"
    assert cause(a_record(status="done")) == "done:remark"
    assert cause(a_record(status="done", reason=Message(""))) is cause(a_record(status="running")) is None


# --- Values ---

INJECTED = "faktura.pdf\r\n\r\nAllt är betalt.\n\x1b[2J\u202e" + "x" * 5000


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_value_that_a_reason_quotes_is_one_short_line_in_quotation_marks(language: Language) -> None:
    """A file name with line breaks must not become paragraphs of the mail."""
    record = a_record(
        reason=Message("unreadable", text=INJECTED), said=f"Nej, {INJECTED}", key=f"acme/invoice/{INJECTED}"
    )
    entity = Entity("customer", INJECTED, INJECTED)
    for content in (
        Writer("acme", language).events([Item(record, entity)]),
        Writer("acme", language).events([Item(record, entity), Item(record, entity)]),
    ):
        why = content.sections[0].paragraphs
        assert len(why) == 2
        assert all(re.search("[“”](Nej, )?faktura.pdf Allt är betalt. .2J x+…[“”]", line) for line in why)
        assert max(map(len, why)) < 600
        assert "\nAllt är" not in as_text(content)
        assert not re.search(r"[\x1b\u202e]", as_text(content) + as_html(content))


def test_a_value_cannot_close_its_quotation_marks() -> None:
    assert say(Message("unreadable", text='a” "b"'), "sv") == '(det som sparades går inte att läsa: ”a" "b"”)'


def test_amounts_are_written_as_in_the_language() -> None:
    def said(amount: str, currency: str, language: Language) -> str:
        return say(Message("mail.entity.with-amount", what="x", amount=Money(Decimal(amount), currency)), language)

    assert said("12500", "SEK", "sv") == "x, 12 500,00 kr"
    assert said("1200", "EUR", "sv") == "x, 1 200,00 EUR"
    assert said("-1234567.5", "SEK", "en") == "x, -1,234,567.50 SEK"


# --- What an event is about ---


def test_an_entity_is_known_by_its_event_or_else_by_its_key() -> None:
    assert entity_of("acme/customer/7", "e", None)[:2] == ("customer", "7")
    assert entity_of("acme/invalid/1f", "e", "{}")[:2] == ("event", "e")
    assert entity_of("acme/invoice/1001", "e", "not json")[:2] == ("invoice", "1001")


def test_a_reason_shared_by_all_is_said_once_and_what_differs_stands_with_each() -> None:
    items = [an_invoice(n, said=f"Kan inte hitta konto {n}.") for n in (1, 2)]
    text = " ".join(as_text(Writer("acme", "sv").events(items)).split())
    assert text.count(say(explanation("period-locked").reason, "sv")) == 1
    assert "Kan inte hitta konto 1." in text
    assert "Kan inte hitta konto 2." in text


def test_each_part_of_a_reason_is_a_line() -> None:
    reason = Message.join(Message("duration.hours", n=1), Message("duration.days", n=2))
    content = Writer("acme", "sv").events([an_invoice(reason=reason, said="", code="")])
    assert content.sections[0].paragraphs == ("1 timme", "2 dygn")


def test_what_a_reason_quotes_of_fortnox_is_not_said_again() -> None:
    quoting = Message.join(
        Message("duration.hours", n=1), Message("x", why=Message("unreadable", text="Nej. (2000401)"))
    )
    content = Writer("acme", "sv").events([an_invoice(reason=quoting, said="Nej.", code="x 2000401")])
    assert len(content.sections[0].paragraphs) == 2


def test_of_a_code_with_the_situation_before_it_the_reader_sees_fortnox_part() -> None:
    text = as_text(Writer("acme", "sv").events([an_invoice(code="period-locked 2000401")]))
    assert "(kod 2000401)" in " ".join(text.split())


def test_what_waits_for_a_closed_part_of_fortnox_says_so() -> None:
    held = an_invoice(status="held", blocker="acme/access/projects")
    assert "var tionde minut" in " ".join(as_text(Writer("acme", "sv").events([held])).split())


def test_what_was_mailed_before_is_counted() -> None:
    items = [an_invoice(n) for n in range(2)]
    facts = dict(Writer("acme", "sv").events(items, Earlier(1200, AT)).facts)
    assert facts["Tidigare"] == "1 200 av samma orsak sedan 2026-11-23 kl. 09:14, totalt 1 202"


def test_an_id_cannot_smuggle_a_command_into_the_one_to_copy() -> None:
    item = Item(a_record("e1;reboot"), an_invoice().entity)
    text = as_text(Writer("acme", "sv", audience=OPERATOR).events([item]))
    assert "moment-fortnox events retry acme 'e1;reboot'" in text


def test_events_whose_mail_cannot_be_written_are_reported_by_their_ids() -> None:
    broken = [Item(a_record(event_id, status="of tomorrow"), an_invoice().entity) for event_id in ("e1", "e2")]
    with running_sentry() as sentry:
        sentry_sdk.init(dsn=sentry.dsn, default_integrations=False)
        content = write_events(Writer("acme", "sv"), broken, Earlier(0, AT), AT)
        sentry_sdk.flush()
        sentry_sdk.init(default_integrations=False)  # its own for FastAPI read a body before any limit
    assert content.subject == "Fortnox: uppgifterna om 2 överföringar går inte att läsa"
    assert [item.text for item in content.sections[1].items] == ["post e1", "post e2"]
    assert content.file is not None
    assert [event["tags"]["company"] for event in sentry.events] == ["acme"]
