"""VAT that adds up but is reported wrongly: what a person is told, and the VAT number of a customer in the EU. Pure.

Fortnox's VAT report goes by the VAT code of the account, and its EC sales list by VAT type and VAT number of the
customer's card. Neither is looked at when an invoice is posted.
Codes: https://www.fortnox.se, the VAT codes of the BAS chart; docs/assumptions.md says how to check them.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from stdnum.eu import vat as eu_vat

from mappers.text import clean
from messages import Message
from moment.events import Customer, InvoiceLine

# Fortnox's VAT codes for taxable sales within Sweden, and for sales to other countries without Swedish VAT.
RATES = {"MP1": Decimal(25), "MP2": Decimal(12), "MP3": Decimal(6)}
EU_CODES = frozenset({"VTEU", "ÖVEU", "3VEU", "3FEU", "FTEU"})
EXPORT_CODES = frozenset({"E", "ÖTEU", "ÖTTU", "OTTU"})
FOREIGN_CODES = EU_CODES | EXPORT_CODES
EXEMPT = "MF"  # sales without VAT, wherever the customer is

EU = frozenset("GR" if code == "gr" else code.upper() for code in eu_vat.MEMBER_STATES) - {"SE", "XI"}
SAME_AS_VAT_NUMBER = frozenset({"BE", "DK", "FI"})  # a company's organisation number is its VAT number there
SWEDEN = frozenset({"SE", "", None})

REVERSE_CHARGE, EXPORT, DEFAULT = "EUREVERSEDVAT", "EXPORT", "SEVAT"


class VatCard(NamedTuple):
    """What a customer's card in Fortnox says of VAT."""

    country: str | None
    vat_type: str | None
    has_vat_number: bool
    private: bool = False

    @property
    def untouched(self) -> bool:
        """Whether nobody has set VAT type or number: they are empty or Fortnox's default."""
        return not self.has_vat_number and self.vat_type in {None, "", DEFAULT}


class VatRemark(NamedTuple):
    """What a person is told, once for each subject: an account or a customer."""

    subject: str
    message: Message
    account: int | None = None


def vat_fields(customer: Customer) -> dict[str, str]:
    """Return `VATNumber` and `VATType` of a business in another EU country; nothing if Moment has no valid number."""
    number = vat_number(customer.organization_number or "", (customer.address.country_code or "").upper())
    return {"VATNumber": number, "VATType": REVERSE_CHARGE} if number else {}


def vat_number(text: str, country: str) -> str | None:
    """Return the organisation number as a VAT number of that EU country, if it is a valid one.

    It must have its prefix (`DE123456788`), except where organisation numbers are VAT numbers.
    """
    if country not in EU:
        return None
    bare = "".join(char for char in clean(text).upper() if char.isalnum() or char in "+*")
    prefixes = ("EL", "GR") if country == "GR" else (country,)
    if not bare.startswith(prefixes):
        if country not in SAME_AS_VAT_NUMBER:
            return None
        bare = country + bare
    if not eu_vat.is_valid(bare):
        return None
    return str(eu_vat.compact(bare))


def account_remarks(lines: Iterable[InvoiceLine], codes: Mapping[int, str], card: VatCard | None) -> list[VatRemark]:
    """Return the remarks on accounts whose VAT code does not go with the rate. `card` None: the customer is unknown."""
    return list(dict.fromkeys(_account_remarks(lines, codes, card)))


def _account_remarks(
    lines: Iterable[InvoiceLine], codes: Mapping[int, str], card: VatCard | None
) -> Iterator[VatRemark]:
    for line in lines:
        code = codes.get(number := int(line.account_number), "")
        if not line.amount_excluding_vat:
            continue
        if untaxed(code, line.vat_percentage) and card is not None and card.country in SWEDEN:
            message = Message("vat.untaxed", account=str(number), code=code, rate=RATES[code])
            yield VatRemark(f"account/{number}/untaxed", message, number)
        if taxed_abroad(code, line.vat_percentage):
            message = Message("vat.taxed-abroad", account=str(number), code=code, rate=line.vat_percentage)
            yield VatRemark(f"account/{number}/taxed", message, number)


def untaxed(code: str, rate: Decimal) -> bool:
    """Whether 0 % is billed on an account for taxable sales."""
    return rate == 0 and code in RATES


def taxed_abroad(code: str, rate: Decimal) -> bool:
    """Whether VAT is billed on an account for sales to other countries."""
    return rate > 0 and code in FOREIGN_CODES


def sold_without_vat(lines: Iterable[InvoiceLine], codes: Mapping[int, str], rounding_account: int) -> bool:
    """Whether the invoice has sales at 0 % that the customer's country is the reason for, or may be."""
    return any(
        line.amount_excluding_vat
        and line.vat_percentage == 0
        and int(line.account_number) // 1000 == 3
        and int(line.account_number) != rounding_account
        and codes.get(int(line.account_number), "") != EXEMPT
        for line in lines
    )


def card_remark(number: str, card: VatCard) -> VatRemark | None:
    """Return the remark on a customer abroad who is billed without VAT, if the card does not say why."""
    if card.private or card.country in SWEDEN:
        return None
    subject = f"customer/{number}"
    if card.country in EU:
        if card.vat_type == REVERSE_CHARGE and card.has_vat_number:
            return None
        return VatRemark(subject, Message("vat.eu-customer", customer=number, country=card.country))
    if card.vat_type == EXPORT:
        return None
    return VatRemark(subject, Message("vat.export-customer", customer=number, country=str(card.country)))
