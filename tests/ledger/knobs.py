"""What half of the companies have in Fortnox before they are connected: settings of the sandbox, and a customer's card.

None may change what is booked. Add a setting here when the sandbox learns it. Pure.
"""

import random
from dataclasses import dataclass, field
from typing import Any, Final

VAGUE: Final = "Ett fel har inträffat."
SETTINGS: Final[dict[str, tuple[Any, ...]]] = {
    "text_row": ("", "Tack för er beställning"),
    "blank_on_create": ("honoured", "honoured", "ignored", "refused", "literal"),
    "ocr_refused": ("", "", VAGUE, "Betalningsreferensen godtas inte."),
    "ocr_must_be_unique": (False, True),
    "ocr_must_be_valid": (False, True),
    "credit_reference_on_create": ("honoured", "refused", "once"),
    "credit_refused": ("", "", VAGUE, "Fakturan är såld till factoringbolaget."),
}
CARD: Final[dict[str, tuple[Any, ...]]] = {
    "InvoiceDiscount": (0, 10, 100),
    "CostCenter": ("", "MA"),
    "OurReference": ("", "Tidigare handläggare"),
    "YourReference": ("", "Tidigare kontakt"),
    "InvoiceRemark": ("", "Gammal text"),
    "Currency": ("SEK", "EUR"),
    "ShowPriceVATIncluded": (False, True),
    "InvoiceAdministrationFee": ("0", "29"),
    "InvoiceFreight": ("0", "95"),
    "TermsOfPayment": ("30", "10"),
}
PROJECTS: Final = ("", "1")  # only where it can be emptied: else the invoice rightly waits for a person


@dataclass(frozen=True)
class Knobs:
    settings: dict[str, Any] = field(default_factory=dict)
    card: dict[str, Any] = field(default_factory=dict)


def drawn(dice: random.Random) -> Knobs:
    """Nothing for half of the companies, else a choice of each."""
    if dice.random() < 0.5:
        return Knobs()
    settings = {name: dice.choice(choices) for name, choices in SETTINGS.items()}
    card = {name: dice.choice(choices) for name, choices in CARD.items()}
    if settings["blank_on_create"] == "honoured":
        card["Project"] = dice.choice(PROJECTS)
    return Knobs(settings, card)
