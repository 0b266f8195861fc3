"""Which optional field is left out after a refusal, by what Fortnox says."""

from typing import Any

import pytest

from fortnox.codes import situation_of
from fortnox.errors import Details, Rejected
from messages import Message
from tasks.optional_fields import LINK, OPTIONAL, from_json, to_json, to_leave_out, told

SENT: dict[str, Any] = {
    "CustomerNumber": "10001",
    "OurReference": "Anna Ek",
    "YourReference": "Bo Lind",
    "InvoiceRows": [{"AccountNumber": 3010, "Price": 1}],
}
CREDIT: dict[str, Any] = SENT | {LINK: "1001"}


def refused(words: str, code: str = "2999017") -> Rejected:
    return Rejected(Details(code=code, message=words, situation=situation_of(code, words)))


@pytest.mark.parametrize(
    ("words", "code", "sent", "number_is_free", "left_out"),
    [
        # The link: whatever the words, unless they name another cause
        ("Fakturan är såld.", "", CREDIT, False, LINK),
        ("Faktura 1001 är redan betald.", "", CREDIT, False, LINK),
        ("Kan inte hitta fakturan.", "2000434", CREDIT, False, LINK),
        ("Felaktigt fältnamn (CreditInvoiceReference)", "2001399", CREDIT, False, LINK),
        ("", "", CREDIT, False, LINK),
        ("Konto 3010 är inte aktivt", "2000550", CREDIT, False, None),
        ("X har låst perioden t.o.m. 2026-11-30", "2000401", CREDIT, False, None),
        ("Kan inte hitta projektet.", "2001161", CREDIT, False, None),
        ("Kunde inte hitta kund (kundnummer)", "2000204", CREDIT, False, None),
        ("Ogiltig momssats (12)", "", CREDIT, False, None),
        ("Fakturanummer 1002 används redan.", "", CREDIT, False, None),
        ("Värdet måste vara numeriskt (Price)", "2000108", CREDIT, False, None),
        ("Felaktigt fältnamn (CustomerNumber)", "2001399", CREDIT, False, None),
        # A field that is named
        ("Värdet innehåller ej tillåtna tecken. (YourReference)", "2000359", CREDIT, False, "YourReference"),
        ("Värdet är för långt (OurReference)", "2000107", SENT, False, "OurReference"),
        # Nothing is named: only once the number is known to be free
        ("Något är fel.", "", SENT, False, None),
        ("Något är fel.", "", SENT, True, "OurReference"),
        ("Något är fel.", "", {"CustomerNumber": "1", "InvoiceRows": []}, True, None),
        ("Dokumentet är makulerat: är makulerad", "", SENT, True, None),
    ],
)
def test_what_is_left_out_follows_from_what_fortnox_says(
    words: str, code: str, sent: dict[str, Any], number_is_free: bool, left_out: str | None
) -> None:
    assert to_leave_out(refused(words, code), sent, number_is_free=number_is_free) == left_out


def test_every_field_is_left_out_at_most_once_so_that_a_refusal_ends_at_last() -> None:
    sent, left_out = dict(CREDIT), []
    while name := to_leave_out(refused("Något är fel."), sent, number_is_free=True):
        left_out.append(name)
        del sent[name]
    assert left_out == list(OPTIONAL)


def test_what_was_left_out_is_recorded_and_told_with_its_reason() -> None:
    why = Message("fortnox.refused-and-says", said="Fakturan är såld.")
    left_out = from_json(to_json({LINK: why, "OurReference": why}))
    assert told(left_out, CREDIT).parts == (
        Message("invoice.without-link", credited="1001", why=why),
        Message("invoice.without-reference", value="Anna Ek", why=why),
    )
    assert from_json(to_json({})) == from_json(None) == {}
