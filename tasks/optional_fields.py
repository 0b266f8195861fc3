"""The optional fields of an invoice: what is left out where Fortnox refuses it, and what is told then. Pure.

An optional field never stops the books. Which field a refusal is about, Fortnox's text tells as a rule; many of its
codes are not published. After a refusal of a create, this is left out of the next:

1. what the refusal names: a field that was to be emptied (then all of these), or an optional field;
2. where it names nothing, the link to the credited invoice: it is refused for many reasons (paid, sold, credited);
3. then, once the number is known to be free, all that was to be emptied: the comparison shows what it was good for;
4. then all other optional fields at once, and what was to be emptied is sent again;
5. then both.

One by one would tell which field is meant, at the price of a create for each. Step 3 is before step 4, since a company
is asked only once whether a field can be emptied.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from fortnox.errors import Rejected
from fortnox.payloads import API_BLANK, without_blanks
from messages import Message

LINK = "CreditInvoiceReference"
BLANKS = API_BLANK  # stands for every field that is to be emptied
# Each with the words by which Fortnox names it.
OPTIONAL = {
    LINK: re.compile(r"CreditInvoiceReference|kredit", re.IGNORECASE),
    "OCR": re.compile(r"\bOCR|betalningsreferens|kontrollsiffra|checksiffra", re.IGNORECASE),
    "OurReference": re.compile(r"\bOurReference|vår referens", re.IGNORECASE),
    "YourReference": re.compile(r"\bYourReference|\ber referens", re.IGNORECASE),
    "Remarks": re.compile(r"\bRemarks|fakturatext", re.IGNORECASE),
}
A_BLANK = re.compile(r"API_BLANK|tolkas som null", re.IGNORECASE)
OF_A_FIELD = frozenset({"", "request", "value", "characters"})  # situations that may be about any field
OF_THE_LINK = OF_A_FIELD | {"invoice-unknown", "document-locked"}
OF_THE_OCR = frozenset({"ocr-taken", "ocr-invalid"})

LeftOut = Mapping[str, Message]  # by field, why it was left out


def to_leave_out(
    refused: Rejected, fields: Mapping[str, Any], left_out: LeftOut, *, number_is_free: bool
) -> tuple[str, ...]:
    """All that the next create is to leave out, after this refusal of a create without `left_out`.

    Nothing where the refusal has another cause, or nothing more can be left out. A refusal that names no field may also
    mean that the number is taken. Unless `number_is_free`, only the link is then left out.
    """
    situation, words, sent = refused.situation, refused.message, without(fields, left_out)
    values = [name for name in OPTIONAL if sent.get(name, API_BLANK) != API_BLANK]
    if _is_of_a_blank(situation, words, sent):
        return (*left_out, BLANKS)
    if situation in OF_THE_OCR:
        return (*left_out, "OCR") if "OCR" in values else ()
    if situation not in OF_THE_LINK or _names_another_field(words, sent):
        return ()
    if named := next((name for name in values if OPTIONAL[name].search(words)), None):
        return (*left_out, named)
    if LINK in values:
        return (*left_out, LINK)
    if not number_is_free or situation not in OF_A_FIELD:
        return ()
    if sent != without_blanks(sent):
        return (*left_out, BLANKS)
    return (*(name for name in left_out if name != BLANKS), *values) if values else ()


def without(sent: Mapping[str, Any], left_out: LeftOut) -> dict[str, Any]:
    """The fields without those left out."""
    fields = without_blanks(sent) if BLANKS in left_out else sent
    return {name: value for name, value in fields.items() if name not in left_out}


def _is_of_a_blank(situation: str, words: str, sent: Mapping[str, Any]) -> bool:
    """Whether a field that was to be emptied may be refused, or `API_BLANK` looked for in a register.

    A project that is not there may be one of Moment's: then the next create is refused too, and tells.
    """
    blank = {name for name, value in _fields(sent) if value == API_BLANK}
    if not blank:
        return False
    if situation == "project-unknown":
        return "Project" in blank
    if situation == "cost-centre" or A_BLANK.search(words):
        return True
    return any(re.search(rf"\b{name}\b", words) for name in blank)


def _names_another_field(words: str, sent: Mapping[str, Any]) -> bool:
    fields = {name for name, _ in _fields(sent)} - set(OPTIONAL)
    return any(re.search(rf"\b{name}\b", words) for name in fields)


def _fields(sent: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The fields of the invoice and of its rows."""
    yield from sent.items()
    for row in sent.get("InvoiceRows", ()):
        yield from row.items()


def told(left_out: LeftOut, sent: Mapping[str, Any]) -> Message:
    """What a person is told of the fields left out of an invoice. `sent`: the fields as they should have been.

    Of the fields that could not be emptied nothing is told here: the comparison tells which are not empty.
    """
    return Message.join(*(_told(name, str(sent[name]), why) for name, why in left_out.items() if name in sent))


def _told(name: str, value: str, why: Message) -> Message:
    match name:
        case "CreditInvoiceReference":
            return Message("invoice.without-link", credited=value, why=why)
        case "OCR":
            return Message("invoice.without-payment-id", value=value, why=why)
        case "Remarks":
            return Message("invoice.without-text", value=value, why=why)
        case _:
            return Message("invoice.without-reference", value=value, why=why)


def to_json(left_out: LeftOut) -> str:
    """For recording as a step; "" where nothing was left out."""
    return json.dumps({name: why.to_json() for name, why in left_out.items()}) if left_out else ""


def from_json(recorded: str | None) -> dict[str, Message]:
    return {name: Message.from_json(why) for name, why in json.loads(recorded or "{}").items()}
