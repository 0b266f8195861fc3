"""The mails' words and forms: both languages are whole, both forms say the same, every sentence has its Swedish."""

import ast
import email
import email.policy
import html
import re
import time
from dataclasses import fields, replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fortnox.codes import SITUATIONS
from mails.causes import cause
from mails.content import MailContent
from mails.items import Item
from mails.listing import as_csv
from mails.mime import LONGEST_SUBJECT, message
from mails.render import as_html, as_text
from mails.swedish import SENTENCES
from mails.things import thing
from mails.translate import in_swedish
from mails.words import ENGLISH, Words
from mails.words_sv import SWEDISH
from mails.writer import History, Writer
from mappers import to_customer, to_invoice
from mappers.errors import Unmappable
from moment.events import InvalidEvent, parse_event
from tests.mail_previews import AT, a_record, an_invoice, letters
from tests.unit.factories import a_credit_note, a_customer, a_line, customer_json, invoice_json
from tests.unit.factories import an_invoice as invoice_event

ROOT = Path(__file__).parents[2]

# --- Two languages ---

SAME_IN_BOTH = {"list_name"}


def test_swedish_has_every_word_of_its_own() -> None:
    same = {one.name for one in fields(Words) if getattr(ENGLISH, one.name) == getattr(SWEDISH, one.name)}
    assert same == SAME_IN_BOTH


def placeholders(value: object) -> object:
    if isinstance(value, str):
        return sorted(set(re.findall(r"\{(\w+)\}", value)))
    if isinstance(value, dict):
        return {key: placeholders(one) for key, one in value.items()}
    return sorted({name for part in value for name in placeholders(part)}) if isinstance(value, tuple) else None  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", [one.name for one in fields(Words)])
def test_both_languages_fill_in_the_same(name: str) -> None:
    assert placeholders(getattr(ENGLISH, name)) == placeholders(getattr(SWEDISH, name))


def test_every_sentence_and_its_swedish_fill_in_the_same() -> None:
    assert [english for english, swedish in SENTENCES.items() if placeholders(english) != placeholders(swedish)] == []


# --- Two forms ---


def words_of(text: str) -> list[str]:
    return " ".join(text.split()).split(" ")


def shown(page: str) -> str:
    """What a reader of the HTML sees, on one line."""
    body = page[page.index("</head>") :]
    body = re.sub(r'<div style="display:none.*?</div>', "", body, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


LETTERS = [
    pytest.param(content, id=f"{name}-{lang}") for lang in ("sv", "en") for name, content in letters(lang).items()
]


@pytest.mark.parametrize("content", LETTERS)
def test_the_text_says_all_that_the_html_says(content: MailContent) -> None:
    text, page = words_of(as_text(content)), words_of(shown(as_html(content)))
    seen = {*text, *(word.strip("[]:") for word in text)}
    assert [word for word in page if word not in seen] == []


@pytest.mark.parametrize("content", LETTERS)
def test_the_html_says_all_that_the_text_says(content: MailContent) -> None:
    page = set(words_of(shown(as_html(content))))
    text = [word for word in words_of(as_text(content)) if not re.fullmatch(r"[-=]+", word)]
    assert [word for word in text if word not in page and word.strip("[]:") not in page] == []


@pytest.mark.parametrize("content", LETTERS)
def test_text_keeps_to_lines_that_a_reply_can_quote(content: MailContent) -> None:
    whole = ("://", "    moment-fortnox ")  # a link and a command are copied as they are
    long = [line for line in as_text(content).splitlines() if len(line) > 76]
    assert [line for line in long if not any(one in line for one in whole)] == []


def test_a_letter_loads_nothing_from_elsewhere() -> None:
    """An image or a font that is fetched tells its owner who reads the mail."""
    for content in letters("sv").values():
        page = as_html(content)
        assert not re.search(r"<(img|link|script|iframe)|@import|url\(|src=", page)


def test_a_swedish_letter_holds_no_english(capsys: pytest.CaptureFixture[str]) -> None:
    english = re.compile(r"\b(the|and|is|not|was|with|from|must|this|which)\b")
    for name, content in letters("sv").items():
        assert not english.search(as_text(content)), name


# --- Headlines ---


def test_a_headline_says_which_way_it_went() -> None:
    told = letters("en")
    assert told["failed"].title == "Invoice 1001 to Skånska Bygg AB could not be transferred to Fortnox"
    assert told["back"].title == "Supplier invoice 17 (Ahlsell Sverige AB) could not be transferred to Moment"
    assert told["checked"].title == "A remark on the connection"


def on_the_wire(content: MailContent) -> bytes:
    return message(
        content, sender="a@b.example", to=["c@d.example"], company="acme", thread="t", n=1, now=AT
    ).as_bytes()


@pytest.mark.parametrize("content", LETTERS)
def test_a_subject_arrives_as_it_was_written(content: MailContent) -> None:
    raw = on_the_wire(content)
    assert email.message_from_bytes(raw, policy=email.policy.default)["Subject"] == content.subject


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=60), st.integers(1, 9))
def test_any_name_in_a_subject_arrives_within_the_lengths_of_mail(name: str, words: int) -> None:
    subject = " ".join(["Fortnox: faktura 1001 till", *[name] * words])[:LONGEST_SUBJECT]
    raw = on_the_wire(replace(letters("sv")["failed"], subject=subject))
    header = re.search(rb"^Subject:.*?\r\n(?=\S)", raw, re.MULTILINE | re.DOTALL)
    assert header is not None
    assert max(map(len, re.findall(rb"=\?\S+\?=", header.group())), default=0) <= 75  # RFC 2047, section 2
    assert email.message_from_bytes(raw, policy=email.policy.default)["Subject"] == subject


@pytest.mark.parametrize(("code", "which"), [("2000423", "--code 2000423"), ("", "--like e1")])
def test_the_command_for_many_retries_those_of_this_cause_alone(code: str, which: str) -> None:
    content = Writer("acme", ENGLISH).events([an_invoice(n, code=code) for n in (1, 2)], History(2, 0, AT))
    assert f"moment-fortnox events retry acme --all-failed {which}\n" in as_text(content)


# --- The attached list ---


def test_the_list_opens_in_excel_and_runs_nothing_there() -> None:
    item = an_invoice(1001, "-12500.50")
    item = item._replace(thing=item.thing._replace(customer_name='=HYPERLINK("http://x";"y") AB; "och" Söner'))
    content, _ = as_csv([item], SWEDISH)
    assert content.startswith(b"\xef\xbb\xbfTyp;Nummer;")
    row = content.decode("utf-8-sig").splitlines()[1]
    assert ";-12500,50;SEK;" in row
    assert "'=HYPERLINK(" in row


@pytest.mark.parametrize(
    ("words", "told"), [(ENGLISH, "the other 70 are too many"), (SWEDISH, "de andra 70 är för många")]
)
def test_a_list_is_as_long_as_a_mail_may_be_and_says_what_is_left_out(words: Words, told: str) -> None:
    items = [an_invoice(number) for number in range(1000, 1100)]
    whole, _ = as_csv(items, words)
    content = Writer("acme", words, room=len(whole) * 3 // 10).events(items, History(100, 0, AT))
    assert content.attachment is not None
    assert len(content.attachment.content.splitlines()) == 1 + 30
    assert told in " ".join(as_text(content).split())
    assert "moment-fortnox events export --company acme --status failed" in " ".join(as_text(content).split())


def test_without_room_there_is_no_list() -> None:
    content = Writer("acme", ENGLISH, room=0).events([an_invoice(1), an_invoice(2)], History(2, 0, AT))
    assert content.attachment is None
    assert "too large for the mail server" in as_text(content)


# --- Causes ---


def test_a_cause_is_the_code_or_else_the_reason_without_its_values() -> None:
    assert cause(a_record()) == cause(a_record("other", reason="Said otherwise.")) == "failed:period-locked 2000401"
    one, other = (a_record(code="", reason=f"Number '{n}' of {n * 100}.00 is bad.") for n in (1, 2))
    assert cause(one) == cause(other) != cause(a_record(code="", reason="Something else."))
    assert cause(a_record(status="held")) == "held:period-locked 2000401"
    assert cause(a_record(status="done")) == "done:remark"
    assert cause(a_record(status="done", reason="")) is cause(a_record(status="running")) is None


# --- Swedish for what the system says in English ---


def test_what_fortnox_situations_say_has_its_swedish() -> None:
    for situation in SITUATIONS.values():
        assert in_swedish(situation.en.reason) == situation.sv.reason
        assert in_swedish(situation.en.remedy) == situation.sv.remedy


def real_sentences() -> list[str]:
    """Reasons and remarks as mappers and events really make them."""
    said = []
    for bad in (
        invoice_event(total_including_vat="12600.00", lines=[a_line(), a_line(account_number="3011")]),
        a_credit_note(total_including_vat="5.00"),
        invoice_event(currency_code="EUR"),
        invoice_event(customer={"customer_number": "Å<1"}),
    ):
        with pytest.raises(Unmappable) as error:
            to_invoice(bad.invoice)
        said += [str(error.value), error.value.remedy]
    customer = a_customer(
        name="<>",
        email="anna@",
        organization_number="556677-8890",
        address={"country_code": "UK", "zip_code": "1" * 11},
    )
    said.append(to_customer(customer.customer).notice)
    said.append(to_invoice(invoice_event(payment_id="10", due_date="2026-01-01").invoice).notice)
    for unreadable in (["no"], "{", customer_json(customer_number="1/2", id="x"), {"type": "customer.deleted"}):
        with pytest.raises(InvalidEvent) as refused:
            parse_event(unreadable)  # type: ignore[arg-type]
        said.append(f"Not a valid event: {refused.value}")
    return [one for one in said if one]


@pytest.mark.parametrize("english", real_sentences())
def test_what_really_is_said_comes_out_in_swedish(english: str) -> None:
    swedish = in_swedish(english)
    assert swedish != english
    assert not re.search(r"\b(the|is|was|not|must|which|for this|given)\b", swedish), swedish
    for value in re.findall(r"'[^']*'|\d[\d.-]+\d", english):
        assert value in swedish


def test_what_nobody_translated_stays_as_it_is() -> None:
    assert in_swedish("A reason of tomorrow. It was left out.") == "A reason of tomorrow. It was left out."


def test_a_long_list_of_problems_is_said_in_swedish_one_by_one_and_at_once() -> None:
    bad = [a_line(account_number=f"x{n}", quantity=f"åtta {n}") for n in range(200)]
    with pytest.raises(InvalidEvent) as refused:
        parse_event(invoice_json(lines=bad))
    began = time.process_time()
    swedish = in_swedish(f"Not a valid event: {refused.value}")
    assert time.process_time() - began < 2  # a round of mails has a minute for all companies
    assert swedish.startswith("Ingen giltig händelse: ")
    assert swedish.count("måste vara ett kontonummer med fyra siffror") == 200
    assert not re.search(r"\b(must|given|digits)\b", swedish)


TELLING = ("mappers", "tasks", "moment/files.py", "delivery/admission.py")
NOT_TOLD = (
    "worker/consumer.py",
    "delivery/runner.py",
    "delivery/leases.py",
    "delivery/wakeups.py",
    "mappers/countries.py",
)
WITHIN = {
    "log",
    "info",
    "warning",
    "error",
    "exception",
    "RuntimeError",
    "ValueError",
    "compile",
    "Release",
    "Skipped",
    "Field",
}


def prose(module: Path) -> set[str]:
    """The sentences of a module: strings with several words that are no docstrings; `{}` for what is filled in."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    skipped = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        name = getattr(node.func, "attr", getattr(node.func, "id", "")) if isinstance(node, ast.Call) else ""
        if name in WITHIN:
            skipped |= {id(inner) for inner in ast.walk(node)}
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(inner) for inner in node.values}
    found = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
        elif isinstance(node, ast.JoinedStr):
            parts = (one.value if isinstance(one, ast.Constant) else "{}" for one in node.values)
            found.add("".join(map(str, parts)))
    return {text for text in found if len(re.findall(r"[a-z]{2,} ", text)) >= 3 and "redis.call" not in text}


def test_every_sentence_that_a_mail_may_quote_has_its_swedish() -> None:
    known = "\n".join(re.sub(r"\{\w+\}", "{}", english) for english in SENTENCES)
    modules = [
        path for name in TELLING for path in ([ROOT / name] if name.endswith(".py") else (ROOT / name).glob("*.py"))
    ]
    missing = {
        f"{path.relative_to(ROOT)}: {text}"
        for path in modules
        if str(path.relative_to(ROOT)) not in NOT_TOLD
        for text in prose(path)
        for part in text.split("{}")
        if len(part.split()) > 1 and part.strip(" .;:") not in known
    }
    assert not missing, "\n".join(["no Swedish in mails/swedish.py for:", *sorted(missing)])


# --- What an event is about ---


def test_a_thing_is_known_by_its_event_or_else_by_its_key() -> None:
    assert thing("acme/customer/7", "e", None)[:2] == ("customer", "7")
    assert thing("acme/invalid/1f", "e", "{}")[:2] == ("event", "e")
    assert thing("acme/invoice/1001", "e", "not json")[:2] == ("invoice", "1001")


def test_amounts_are_written_as_in_the_language() -> None:
    assert SWEDISH.money(Decimal("-1234567.5"), "SEK") == "-1 234 567,50 SEK"
    assert ENGLISH.money(Decimal("1234567.5"), "EUR") == "1,234,567.50 EUR"


def test_a_reason_said_by_all_is_said_once_and_what_differs_stands_with_each() -> None:
    items = [an_invoice(n, said=f"Kan inte hitta konto {n}.") for n in (1, 2)]
    text = as_text(Writer("acme", SWEDISH).events(items, History(2, 0, AT)))
    assert " ".join(text.split()).count(SITUATIONS["period-locked"].sv.reason) == 1
    assert "Kan inte hitta konto 1." in text
    assert "Kan inte hitta konto 2." in text


def test_what_differs_between_two_invoices_is_listed_line_by_line() -> None:
    reason = (
        "Invoice 1001 is in Fortnox, not posted, and is not what Moment billed:\n"
        "Total: 12 600.00 SEK in Fortnox, 12 500.00 SEK in Moment\n"
        "Row 1: 10 080.00 on account 3010 with 25 % VAT in Fortnox, 10 000.00 on account 3010 with 25 % VAT in Moment"
    )
    content = Writer("acme", SWEDISH).events([an_invoice(reason=reason, said="")], History(1, 0, AT))
    assert content.sections[0].paragraphs[1:3] == (
        "Summa: 12 600.00 SEK i Fortnox, 12 500.00 SEK i Moment",
        "Rad 1: 10 080.00 på konto 3010 med 25 % moms i Fortnox, 10 000.00 på konto 3010 med 25 % moms i Moment",
    )


def test_of_a_code_with_the_situation_before_it_the_reader_sees_fortnox_part() -> None:
    text = as_text(Writer("acme", SWEDISH).events([an_invoice(code="period-locked 2000401")], History(1, 0, AT)))
    assert "(kod 2000401)" in " ".join(text.split())


def test_what_waits_for_a_closed_part_of_fortnox_says_so() -> None:
    held = an_invoice(status="held", blocker="acme/access/projects")
    assert "var tionde minut" in " ".join(as_text(Writer("acme", SWEDISH).events([held], History(1, 0, AT))).split())


def test_an_id_cannot_smuggle_a_command_into_the_one_to_copy() -> None:
    item = Item(a_record("e1;reboot"), an_invoice().thing)
    text = as_text(Writer("acme", SWEDISH).events([item], History(1, 0, AT)))
    assert "moment-fortnox events retry acme 'e1;reboot'" in text
