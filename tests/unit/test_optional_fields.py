"""Which optional field is left out after a refusal, by what Fortnox says."""

from typing import Any

import pytest

from fortnox.codes import situation_of
from fortnox.errors import Details, Rejected
from messages import Message
from tasks.optional_fields import BLANKS, LINK, from_json, to_json, to_leave_out, told, without

SENT: dict[str, Any] = {
    "CustomerNumber": "10001",
    "OCR": "10017",
    "OurReference": "Anna Ek",
    "YourReference": "Bo Lind",
    "Project": "1",
    "InvoiceRows": ({"AccountNumber": 3010, "Price": 1, "Project": "1"},),
}
CREDIT: dict[str, Any] = SENT | {LINK: "1001"}
BLANK: dict[str, Any] = CREDIT | {
    "OurReference": "API_BLANK",
    "Project": "API_BLANK",
    "CostCenter": "API_BLANK",
    "InvoiceRows": ({"AccountNumber": 3010, "Price": 1, "Project": "API_BLANK"},),
}
ON_A_PROJECT = BLANK | {"InvoiceRows": ({"Project": "2"},)}
OTHERS = ("OCR", "OurReference", "YourReference")


def refused(words: str, code: str = "2999017") -> Rejected:
    return Rejected(Details(code=code, message=words, situation=situation_of(code, words)))


@pytest.mark.parametrize(
    ("words", "code", "sent", "number_is_free", "left_out"),
    [
        # The link: whatever the words, unless they name another cause
        ("Fakturan är såld.", "", CREDIT, False, (LINK,)),
        ("Faktura 1001 är redan betald.", "", CREDIT, False, (LINK,)),
        ("Kan inte hitta fakturan.", "2000434", CREDIT, False, (LINK,)),
        ("Felaktigt fältnamn (CreditInvoiceReference)", "2001399", CREDIT, False, (LINK,)),
        ("", "", CREDIT, False, (LINK,)),
        ("Konto 3010 är inte aktivt", "2000550", CREDIT, False, ()),
        ("X har låst perioden t.o.m. 2026-11-30", "2000401", CREDIT, False, ()),
        ("Kan inte hitta projektet.", "2001161", CREDIT, False, ()),
        ("Kunde inte hitta kund (kundnummer)", "2000204", CREDIT, False, ()),
        ("Ogiltig momssats (12)", "", CREDIT, False, ()),
        ("Fakturanummer 1002 används redan.", "", CREDIT, False, ()),
        ("Värdet måste vara numeriskt (Price)", "2000108", CREDIT, False, ()),
        ("Felaktigt fältnamn (CustomerNumber)", "2001399", CREDIT, False, ()),
        # A field that is named
        ("Värdet innehåller ej tillåtna tecken. (YourReference)", "2000359", CREDIT, False, ("YourReference",)),
        ("Värdet är för långt (OurReference)", "2000107", SENT, False, ("OurReference",)),
        # Nothing is named: only once the number is known to be free
        ("Något är fel.", "", SENT, False, ()),
        ("Något är fel.", "", SENT, True, OTHERS),
        ("Något är fel.", "", {"CustomerNumber": "1", "InvoiceRows": ()}, True, ()),
        # The payment id
        ("OCR-numret används redan", "", SENT, False, ("OCR",)),
        ("OCR-numret är ogiltigt.", "", CREDIT, False, ("OCR",)),
        ("Värdet måste vara numeriskt (OCR)", "2000108", CREDIT, False, ("OCR",)),
        ("Felaktig kontrollsiffra.", "", SENT, False, ("OCR",)),
        ("OCR-numret används redan", "", {"CustomerNumber": "1"}, False, ()),
        # What was to be emptied
        ("Värdet tolkas som null", "", BLANK, False, (BLANKS,)),
        ("Ogiltigt värde (API_BLANK)", "2000106", BLANK, False, (BLANKS,)),
        ("Värdet är för långt (CostCenter)", "2000107", BLANK, False, (BLANKS,)),
        ("Kunde inte hitta kostnadsställe", "", BLANK, False, (BLANKS,)),
        ("Kan inte hitta projektet.", "2001161", BLANK, False, (BLANKS,)),
        ("Kan inte hitta projektet.", "2001161", ON_A_PROJECT, False, (BLANKS,)),
        ("Kan inte hitta projektet.", "2001161", SENT | {"CostCenter": "API_BLANK"}, False, ()),
        ("Värdet tolkas som null", "", SENT, False, ()),
        ("Värdet innehåller ej tillåtna tecken. (YourReference)", "2000359", BLANK, False, ("YourReference",)),
        ("Något är fel.", "", BLANK, True, (LINK,)),
        ("Något är fel.", "", BLANK | {LINK: "API_BLANK"}, True, (BLANKS,)),
        ("Dokumentet är makulerat: är makulerad", "", SENT, True, ()),
    ],
)
def test_what_is_left_out_follows_from_what_fortnox_says(
    words: str, code: str, sent: dict[str, Any], number_is_free: bool, left_out: tuple[str, ...]
) -> None:
    assert to_leave_out(refused(words, code), sent, {}, number_is_free=number_is_free) == left_out


WHY = Message("fortnox.refused-and-says", said="Något är fel.")
REST = ("OCR", "YourReference")


def left_out_step_by_step(fields: dict[str, Any]) -> list[tuple[str, ...]]:
    """What is left out of each create, where each is refused without a word."""
    steps: list[tuple[str, ...]] = []
    while names := to_leave_out(
        refused("Något är fel."), fields, dict.fromkeys(steps[-1] if steps else (), WHY), number_is_free=True
    ):
        steps.append(names)
    return steps


def test_a_refusal_that_never_names_anything_ends_after_four_more_creates() -> None:
    assert left_out_step_by_step(BLANK) == [(LINK,), (LINK, BLANKS), (LINK, *REST), (LINK, *REST, BLANKS)]
    last = without(BLANK, dict.fromkeys((LINK, *REST, BLANKS), WHY))
    assert last == {"CustomerNumber": "10001", "InvoiceRows": ({"AccountNumber": 3010, "Price": 1},)}


def test_without_a_link_and_without_blanks_one_more_create_is_all() -> None:
    assert left_out_step_by_step(SENT) == [OTHERS]


def test_what_was_left_out_is_recorded_and_told_with_its_reason() -> None:
    why = WHY
    sent = CREDIT | {"Remarks": "November"}
    left_out = from_json(to_json(dict.fromkeys((LINK, BLANKS, "OCR", "OurReference", "Remarks"), why)))
    assert told(left_out, sent).parts == (
        Message("invoice.without-link", credited="1001", why=why),
        Message("invoice.without-payment-id", value="10017", why=why),
        Message("invoice.without-reference", value="Anna Ek", why=why),
        Message("invoice.without-text", value="November", why=why),
    )
    assert from_json(to_json({})) == from_json(None) == {}
