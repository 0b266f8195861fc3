"""`/3/customers`. Numbers of deleted customers stay reserved; PUT changes only what is sent."""

import re
from typing import Final

from sandbox.fortnox import errors, fields
from sandbox.fortnox.countries import display_name
from sandbox.fortnox.endpoints import Endpoint
from sandbox.fortnox.errors import Refused
from sandbox.fortnox.ledger import Ledger, Record
from sandbox.fortnox.listing import Listing, contains, refuse_parameters
from sandbox.fortnox.validation import check, envelope
from sandbox.http import Answer, Call, Json, answer_json

NUMBER: Final = re.compile(r"[\w\-\u2013+/]+")  # the characters Fortnox allows in customer numbers
VAT_NUMBER: Final = re.compile(r"SE\d{10}01|(?!SE)[A-Z]{2}[0-9A-Z+*]{2,12}")

DEFAULTS: Final = {
    "Active": True,
    "CountryCode": "SE",
    "Currency": "SEK",
    "InvoiceDiscount": None,
    "PriceList": "A",
    "SalesAccount": None,
    "ShowPriceVATIncluded": False,
    "TermsOfPayment": "30",
    "Type": "COMPANY",
    "VATType": "SEVAT",
    "DefaultDeliveryTypes": {"Invoice": "PRINT", "Order": "PRINT", "Offer": "PRINT"},
    "DefaultTemplates": {
        "Order": "DEFAULTTEMPLATE",
        "Offer": "DEFAULTTEMPLATE",
        "Invoice": "DEFAULTTEMPLATE",
        "CashInvoice": "DEFAULTTEMPLATE",
    },
}


def create(ledger: Ledger, call: Call) -> Answer:
    given = check(envelope(call.body, "Customer"), fields.CUSTOMER)
    if not given.get("Name"):
        raise errors.missing("Name")
    _check_references(ledger, given)
    number = given.get("CustomerNumber") or _next_number(ledger)
    if not NUMBER.fullmatch(number):
        raise errors.not_alphanumeric("CustomerNumber")
    if number in ledger.customers or number in ledger.deleted_customers:
        ledger.counters["customers.duplicates_refused"] += 1
        raise Refused(
            2000637,
            f"Kundnummer {number} används redan. Kundnumret har redan använts men blivit raderat."
            if number in ledger.deleted_customers
            else f"Kundnummer {number} används redan.",
        )
    blank = {name: "" for name in fields.CUSTOMER}
    record = Record({**blank, **DEFAULTS, **given, "CustomerNumber": number}, ledger.clock.minute())
    record.writes["POST"] += 1
    ledger.customers[number] = record
    ledger.counters["customers.created"] += 1
    ledger.tell("customer-created", number)
    return answer_json({"Customer": shown(record)}, 201)


def update(ledger: Ledger, call: Call) -> Answer:
    record = _find(ledger, call)
    given = check(envelope(call.body, "Customer"), fields.CUSTOMER)
    if given.get("CustomerNumber", record.fields["CustomerNumber"]) != record.fields["CustomerNumber"]:
        raise Refused(errors.NUMBER_FIXED, "Kundnummer kan inte ändras.")
    errors.refuse_locked(given, ledger.settings.refused_on_update)
    if given.get("Name", "x") == "":
        raise errors.missing("Name")
    _check_references(ledger, given)
    record.fields.update(given)
    record.modified = ledger.clock.minute()
    record.writes["PUT"] += 1
    ledger.counters["customers.updated"] += 1
    ledger.tell("customer-updated", record.fields["CustomerNumber"])
    return answer_json({"Customer": shown(record)})


def enter(ledger: Ledger, number: str, given: dict[str, Json]) -> Record:
    """Create or change a customer's card as a person in Fortnox would. Raises ValueError and Refused."""
    known = ledger.customers.get(number)
    values = check(given, fields.CUSTOMER)
    _check_references(ledger, values)
    blank: dict[str, Json] = {
        **dict.fromkeys(fields.CUSTOMER, ""),
        **DEFAULTS,
        "CustomerNumber": number,
        "Name": number,
    }
    record = ledger.customers[number] = Record({**(known.fields if known else blank), **values}, ledger.clock.minute())
    if known:
        record.writes = known.writes
    ledger.tell("customer-updated" if known else "customer-created", number)
    return record


def read(ledger: Ledger, call: Call) -> Answer:
    refuse_parameters(call)
    return answer_json({"Customer": shown(_find(ledger, call))})


def delete(ledger: Ledger, call: Call) -> Answer:
    remove(ledger, _find(ledger, call).fields["CustomerNumber"])
    return Answer(204, content_type="")


def remove(ledger: Ledger, number: str) -> None:
    del ledger.customers[number]
    ledger.deleted_customers.add(number)
    ledger.counters["customers.deleted"] += 1
    ledger.tell("customer-deleted", number)


def shown(record: Record) -> Json:
    """The customer as GET shows it: unset text is empty, country names follow from the codes."""
    values = record.fields
    return {
        "@url": f"https://api.fortnox.se/3/customers/{values['CustomerNumber']}",
        **values,
        "Country": display_name(values["CountryCode"]),
        "DeliveryCountry": display_name(values["DeliveryCountryCode"]),
        "VisitingCountry": display_name(values["VisitingCountryCode"]),
    }


def _find(ledger: Ledger, call: Call) -> Record:
    record = ledger.customers.get(call.params["CustomerNumber"])
    if record is None:
        raise errors.customer_not_found()
    return record


def _next_number(ledger: Ledger) -> str:
    taken = [int(n) for n in (*ledger.customers, *ledger.deleted_customers) if n.isdecimal()]
    return str(max(taken, default=0) + 1)


def _check_references(ledger: Ledger, given: dict[str, Json]) -> None:
    if given.get("Currency") and given["Currency"] not in ledger.currencies:
        raise Refused(2000427, "Kan inte hitta valutan.")
    refused = ledger.settings.vat_numbers_refused
    if given.get("VATNumber") and (refused or not VAT_NUMBER.fullmatch(given["VATNumber"])):
        raise Refused(2004194, "Ogiltigt VAT-nummer")
    if given.get("TermsOfPayment") and given["TermsOfPayment"] not in ledger.terms_of_payment:
        raise Refused(2000429, "Kan inte hitta betalningsvillkoret.")
    if given.get("SalesAccount") and int(given["SalesAccount"]) not in ledger.accounts:
        raise Refused(2001304, "Kunde inte hitta konto")
    if given.get("Project") and given["Project"] not in ledger.projects:
        raise errors.project_not_found(400)
    if given.get("CostCenter") and given["CostCenter"] not in ledger.cost_centers:
        raise Refused(errors.COST_CENTER_UNKNOWN, "Kunde inte hitta kostnadsställe")


def _list_item(_ledger: Ledger, record: Record) -> Json:
    values = record.fields
    names = ("Address1", "Address2", "City", "CustomerNumber", "Email", "Name", "OrganisationNumber")
    return {
        "@url": f"https://api.fortnox.se/3/customers/{values['CustomerNumber']}",
        **{name: values[name] for name in names},
        "Phone": values["Phone1"],
        "ZipCode": values["ZipCode"],
    }


LIST: Final = Listing[Record](
    wrapper="Customers",
    item=_list_item,
    modified=lambda record: record.modified,
    order=lambda record: record.fields["CustomerNumber"],
    matches={
        "customernumber": lambda record, value: contains(record.fields["CustomerNumber"], value),
        "name": lambda record, value: contains(record.fields["Name"], value),
        "zipcode": lambda record, value: contains(record.fields["ZipCode"], value),
        "city": lambda record, value: contains(record.fields["City"], value),
        "email": lambda record, value: contains(record.fields["Email"], value),
        "phone": lambda record, value: contains(record.fields["Phone1"], value),
        "organisationnumber": lambda record, value: contains(record.fields["OrganisationNumber"], value),
        "gln": lambda record, value: contains(record.fields["GLN"], value),
        "glndelivery": lambda record, value: contains(record.fields["GLNDelivery"], value),
    },
    filters={
        "active": lambda _ledger, record: record.fields["Active"],
        "inactive": lambda _ledger, record: not record.fields["Active"],
    },
    sortable={
        "customernumber": lambda record: record.fields["CustomerNumber"],
        "name": lambda record: record.fields["Name"],
    },
)


def listed(ledger: Ledger, call: Call) -> Answer:
    return LIST.answer(ledger, call, list(ledger.customers.values()))


ENDPOINTS: Final = (
    Endpoint("GET", "/3/customers", listed, "customer"),
    Endpoint("POST", "/3/customers", create, "customer"),
    Endpoint("GET", "/3/customers/{CustomerNumber}", read, "customer"),
    Endpoint("PUT", "/3/customers/{CustomerNumber}", update, "customer"),
    Endpoint("DELETE", "/3/customers/{CustomerNumber}", delete, "customer"),
)
