"""The rows of an invoice: checked against the ledger's registers, completed, rounded as Fortnox rounds."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, NamedTuple

from sandbox.fortnox import errors
from sandbox.fortnox.errors import Refused
from sandbox.fortnox.ledger import Ledger
from sandbox.fortnox.money import ORE, ZERO, Row
from sandbox.http import Json

RATE_OF_CODE: Final = {"MP1": Decimal(25), "MP2": Decimal(12), "MP3": Decimal(6)}
CODE_OF_RATE: Final = {rate: code for code, rate in RATE_OF_CODE.items()}

StoredRow = dict[str, Json]


class RowDefaults(NamedTuple):
    """What a row has where it names nothing. `discount`: percent."""

    account: int
    discount: Decimal


def stored(ledger: Ledger, given: Sequence[StoredRow], defaults: RowDefaults) -> list[StoredRow]:
    """The rows of a new invoice, from payload rows that passed the field table. Raises Refused."""
    if len(given) > ledger.settings.max_rows:
        raise Refused(errors.TOO_MANY_ROWS, f"Högst {ledger.settings.max_rows} rader är tillåtna.")
    return [_completed(ledger, row, defaults) for row in given]


def text_row(ledger: Ledger, text: str) -> StoredRow:
    """A row of text alone: no account, no quantity, no price."""
    row = _completed(ledger, {"Description": text}, RowDefaults(ledger.settings.default_sales_account, ZERO))
    return {**row, "AccountNumber": 0, "VAT": ZERO, "VATCode": ""}


def merged(
    ledger: Ledger, old: Sequence[StoredRow], given: Sequence[StoredRow], defaults: RowDefaults
) -> list[StoredRow]:
    """The rows after a PUT. Without any RowId rows map by order; with one, the others are new.

    Rows that are not mentioned are removed, and every row gets a new RowId
    (https://api.fortnox.se/apidocs, "Update an invoice").
    """
    by_id = {row["RowId"]: row for row in old}
    if any("RowId" in row for row in given):
        if any(row["RowId"] not in by_id for row in given if "RowId" in row):
            raise Refused(2000729, "A valid identifier was not provided.")
        bases = [by_id.get(row.get("RowId")) for row in given]
    else:
        bases = [old[place] if place < len(old) else None for place in range(len(given))]
    return stored(ledger, [{**(base or {}), **row} for base, row in zip(bases, given, strict=True)], defaults)


def _completed(ledger: Ledger, given: StoredRow, defaults: RowDefaults) -> StoredRow:
    limit = ledger.settings.row_description_max
    if len(given.get("Description", "")) > limit:
        raise errors.too_long("Description", limit)
    _check_references(ledger, given)
    if ledger.settings.negative_price_refused and given.get("Price", ZERO) < 0:
        raise Refused(errors.NEGATIVE_PRICE, "Priset får inte vara negativt.")
    number = given.get("AccountNumber") or defaults.account
    _check_account(ledger, number)
    rate = given.get("VAT")
    if rate is None:
        code = ledger.accounts[number].vat_code
        rate = RATE_OF_CODE.get(code, ZERO) if "AccountNumber" in given else ledger.settings.default_vat
    _check_vat(ledger, given, number, rate)
    return {
        "AccountNumber": number,
        "ArticleNumber": given.get("ArticleNumber", ""),
        "CostCenter": given.get("CostCenter", ledger.accounts[number].cost_center),
        "DeliveredQuantity": _two_decimals(given.get("DeliveredQuantity", ZERO)),
        "Description": given.get("Description", ""),
        "Discount": given.get("Discount", defaults.discount),
        "DiscountType": given.get("DiscountType", "PERCENT"),
        "HouseWork": given.get("HouseWork", False),
        "HouseWorkHoursToReport": given.get("HouseWorkHoursToReport"),
        "HouseWorkType": given.get("HouseWorkType"),
        "Price": _two_decimals(given.get("Price", ZERO)),
        "Project": given.get("Project", ledger.accounts[number].project),
        "RowId": ledger.next_serial(),
        "StockPointCode": given.get("StockPointCode"),
        "Unit": given.get("Unit", ""),
        "VAT": rate,
        "VATCode": given.get("VATCode") or CODE_OF_RATE.get(rate, ""),
    }


def _two_decimals(number: Decimal) -> Decimal:
    # Recorded: a price of 1.125 came back as 1.13, a quantity of 1.123 as 1.12.
    return number.quantize(ORE, ROUND_HALF_UP)


def _check_account(ledger: Ledger, number: int) -> None:
    if not 1000 <= number <= 9999:
        raise Refused(2002462, "Kontot har ett ogiltigt format.")
    account = ledger.accounts.get(number)
    if account is None:
        raise Refused(2001304, f"Kunde inte hitta konto ({number})")
    if not account.active:
        raise Refused(2000550, f"Konto {number} är inte aktivt")


def _check_vat(ledger: Ledger, given: StoredRow, number: int, rate: Decimal) -> None:
    settings = ledger.settings
    if rate not in settings.vat_rates:
        if settings.easy_vat and "AccountNumber" not in given:
            raise Refused(2004167, "Ett konto måste anges för en egen momssats.")
        raise Refused(errors.INVALID_VAT_RATE, f"Ogiltig momssats ({rate})")
    if settings.easy_vat and RATE_OF_CODE.get(ledger.accounts[number].vat_code, ZERO) != rate:
        raise Refused(2004052, f"Kontot {number} har en momskod som inte passar raden.")


def _check_references(ledger: Ledger, given: StoredRow) -> None:
    if given.get("ArticleNumber") and given["ArticleNumber"] not in ledger.articles:
        raise Refused(2001302, "Kunde inte hitta artikel")
    if given.get("Unit") and given["Unit"] not in ledger.units:
        raise Refused(2000432, "Kan inte hitta enheten.")
    if given.get("Project") and given["Project"] not in ledger.projects:
        raise errors.project_not_found(400)
    if given.get("CostCenter") and given["CostCenter"] not in ledger.cost_centers:
        raise Refused(errors.COST_CENTER_UNKNOWN, "Kunde inte hitta kostnadsställe")


def priced(row: StoredRow) -> Row:
    return Row(row["Price"], row["DeliveredQuantity"], row["VAT"], Decimal(row["Discount"]), row["DiscountType"])


def shown(row: StoredRow, total: Decimal, net: Decimal, vat_included: bool) -> Json:
    """The row as GET shows it: the quantity is text, without trailing zeros."""
    rate = row["VAT"]
    price = row["Price"]
    if vat_included:
        price = (price * 100 / (100 + rate)).quantize(ORE, ROUND_HALF_UP)
    return {
        **row,
        "ContributionPercent": "0",
        "ContributionValue": "0",
        "DeliveredQuantity": plain(row["DeliveredQuantity"]),
        "PriceExcludingVAT": price,
        "Total": total,
        "TotalExcludingVAT": net,
    }


def plain(number: Decimal) -> str:
    """`1.10` as `1.1`, `100` as `100`."""
    return f"{number.normalize():f}" if number else "0"
