"""From Moment's customer to Fortnox's. Pure. No I/O."""

from fortnox.payloads import CustomerPayload
from mappers.countries import COUNTRY_CODES, MEANT
from mappers.email import mail_address
from mappers.mapped import LEFT_OUT, Mapped, Maybe, Notice, given, sent
from mappers.numbers import customer_number
from mappers.organisation import LONGEST, looks_swedish, swedish_form
from mappers.text import clean, fitted
from messages import Message
from moment.events import Customer


def to_customer(customer: Customer) -> Mapped[CustomerPayload]:
    """Return the customer's payload. Raises `BadNumber`.

    A null or blank field becomes None, which empties it in Fortnox. A value that Fortnox may refuse is left out with a
    notice: the refusal would stop the customer and every invoice behind it.
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
    notices.append(Notice("customer.name", customer.name, Message("customer.name-unusable", name=customer.name)))
    return customer.customer_number


def _organisation_number(customer: Customer, notices: list[Notice]) -> Maybe:
    value: Maybe = given(customer, "organization_number")
    if not isinstance(value, str) or not (text := clean(value)):
        return LEFT_OUT if value is LEFT_OUT else None
    country = (customer.address.country_code or "").upper()
    if country in {"", "SE"} and (swedish := swedish_form(text)):
        return swedish
    if country == "SE":
        message = Message("customer.organisation-number-invalid", value=value)
    elif not country and looks_swedish(text):
        message = Message("customer.organisation-number-mistyped", value=value)
    elif len(text) > LONGEST:
        message = Message("customer.organisation-number-too-long", value=value, most=str(LONGEST))
    else:
        return text
    notices.append(Notice("customer.organizationNumber", value, message))
    return LEFT_OUT


def _zip_code(value: Maybe, notices: list[Notice]) -> Maybe:
    if not isinstance(value, str):
        return value
    short = fitted(value, 10)
    if short != clean(value):
        message = Message("customer.zip-code-too-long", value=value, sent=short)
        notices.append(Notice("customer.address.zipCode", value, message))
    return short or None


def _country_code(value: Maybe, notices: list[Notice]) -> Maybe:
    if not isinstance(value, str):
        return value
    code = value.upper()
    if code in COUNTRY_CODES:
        return code
    if code in MEANT:
        message = Message("customer.country-code-mistaken", value=value, meant=MEANT[code])
    else:
        message = Message("customer.country-code-unknown", value=value)
    notices.append(Notice("customer.address.countryCode", value, message))
    return LEFT_OUT


def _email(value: Maybe, notices: list[Notice]) -> Maybe:
    if not isinstance(value, str) or not value.strip():
        return LEFT_OUT if value is LEFT_OUT else None
    address = mail_address(value)
    if address is not None:
        return address
    notices.append(Notice("customer.email", value, Message("customer.email-unusable", value=value)))
    return LEFT_OUT
