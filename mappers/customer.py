"""Moment's customer as Fortnox's. Pure. No I/O."""

from fortnox.payloads import CustomerPayload
from mappers.countries import COUNTRY_CODES, MEANT
from mappers.email import mail_address
from mappers.mapped import LEFT_OUT, Mapped, Maybe, Notice, given, sent
from mappers.numbers import customer_number
from mappers.organisation import LONGEST, looks_swedish, swedish_form
from mappers.text import clean, fitted
from moment.events import Customer

STAYS = "It was left out; what Fortnox holds there stays as it was. Correct it in Moment."


def to_customer(customer: Customer) -> Mapped[CustomerPayload]:
    """The customer as it now is in Moment. Raises `BadNumber`.

    A null (or blank) field becomes None, which empties it in Fortnox. A value that Fortnox could refuse, and with
    it the customer and every invoice behind it, is left out with a notice.
    """
    notices: list[Notice] = []
    address = customer.address
    fields = {
        "customer_number": customer_number("customer.customerNumber", customer.customer_number),
        "name": _name(customer, notices),
        "organisation_number": _organisation_number(customer, notices),
        "address1": _text(given(address, "address1"), 1024),
        "address2": _text(given(address, "address2"), 1024),
        "zip_code": _zip_code(given(address, "zip_code"), notices),
        "city": _text(given(address, "city"), 1024),
        "country_code": _country_code(given(address, "country_code"), notices),
        "email": _email(given(customer, "email"), notices),
    }
    return Mapped(CustomerPayload(**sent(fields)), tuple(notices))


def _text(value: Maybe, limit: int) -> Maybe:
    return (fitted(value, limit) or None) if isinstance(value, str) else value


def _name(customer: Customer, notices: list[Notice]) -> str:
    name = fitted(customer.name, 1024)
    if name:
        return name
    what = f"The name {customer.name!r} holds no character that Fortnox takes; the customer number stands in for it."
    notices.append(Notice("customer.name", customer.name, f"{what} Give the customer a name in Moment."))
    return customer.customer_number


def _organisation_number(customer: Customer, notices: list[Notice]) -> Maybe:
    value: Maybe = given(customer, "organization_number")
    if not isinstance(value, str) or not (text := clean(value)):
        return LEFT_OUT if value is LEFT_OUT else None
    country = (customer.address.country_code or "").upper()
    if country in {"", "SE"} and (swedish := swedish_form(text)):
        return swedish
    if country == "SE":
        fault = "is not a valid Swedish organisation number (ten digits, the last a check digit)"
    elif not country and looks_swedish(text):
        fault = "looks like a Swedish organisation number, but its check digit is wrong (a foreign one needs a country)"
    elif len(text) > LONGEST:
        fault = f"is longer than the {LONGEST} characters that Fortnox takes as organisation number"
    else:
        return text
    notices.append(Notice("customer.organizationNumber", value, f"{value!r} {fault}. {STAYS}"))
    return LEFT_OUT


def _zip_code(value: Maybe, notices: list[Notice]) -> Maybe:
    if not isinstance(value, str):
        return value
    short = fitted(value, 10)
    if short != clean(value):
        what = f"{value!r} is longer than the 10 characters that Fortnox takes as zip code"
        notices.append(Notice("customer.address.zipCode", value, f"{what}; {short!r} was sent. Correct it in Moment."))
    return short or None


def _country_code(value: Maybe, notices: list[Notice]) -> Maybe:
    if not isinstance(value, str):
        return value
    code = value.upper()
    if code in COUNTRY_CODES:
        return code
    meant = f" {MEANT[code]} may be meant." if code in MEANT else ""
    what = f"{value!r} is not a country code of ISO 3166.{meant} {STAYS}"
    notices.append(Notice("customer.address.countryCode", value, what))
    return LEFT_OUT


def _email(value: Maybe, notices: list[Notice]) -> Maybe:
    if not isinstance(value, str) or not value.strip():
        return LEFT_OUT if value is LEFT_OUT else None
    address = mail_address(value)
    if address is not None:
        return address
    what = f"{value!r} is not one e-mail address that Fortnox can hold. {STAYS}"
    notices.append(Notice("customer.email", value, what))
    return LEFT_OUT
