"""The fields Fortnox accepts in each payload, as data. A name that is not here is refused, read-only or not.

Names, lengths and choices follow Fortnox's API documentation (https://api.fortnox.se/apidocs).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `number_or_text` is what recorded requests show Fortnox to take either way."""

    kind: Literal["text", "number", "number_or_text", "whole", "flag", "date", "choice", "object", "objects"] = "text"
    longest: int | None = None
    exact: int | None = None
    choices: tuple[str, ...] = ()
    table: Mapping[str, "Field"] | None = None
    any_characters: bool = False


Table: TypeAlias = Mapping[str, Field]

TEXT = Field()
NUMBER = Field("number")
NUMBER_OR_TEXT = Field("number_or_text")
WHOLE = Field("whole")
FLAG = Field("flag")
DATE = Field("date")
COUNTRY_CODE = Field(exact=2)
LONG = Field(longest=1024)


def up_to(length: int) -> Field:
    return Field(longest=length)


def exactly(length: int) -> Field:
    return Field(exact=length)


def one_of(*choices: str) -> Field:
    return Field("choice", choices=choices)


DELIVERY_TYPE = one_of("PRINT", "EMAIL", "PRINTSERVICE", "ELECTRONICINVOICE")

CUSTOMER: Table = {
    "Active": FLAG,
    "Address1": LONG,
    "Address2": LONG,
    "City": LONG,
    "Comments": LONG,
    "CostCenter": TEXT,
    "CountryCode": COUNTRY_CODE,
    "Currency": exactly(3),
    "CustomerNumber": LONG,
    "DefaultDeliveryTypes": Field(
        "object", table={"Invoice": DELIVERY_TYPE, "Offer": DELIVERY_TYPE, "Order": DELIVERY_TYPE}
    ),
    "DefaultTemplates": Field("object", table={"CashInvoice": TEXT, "Invoice": TEXT, "Offer": TEXT, "Order": TEXT}),
    "DeliveryAddress1": LONG,
    "DeliveryAddress2": LONG,
    "DeliveryCity": LONG,
    "DeliveryCountryCode": COUNTRY_CODE,
    "DeliveryFax": LONG,
    "DeliveryName": LONG,
    "DeliveryPhone1": LONG,
    "DeliveryPhone2": LONG,
    "DeliveryZipCode": up_to(10),
    "Email": LONG,
    "EmailInvoice": LONG,
    "EmailInvoiceBCC": LONG,
    "EmailInvoiceCC": LONG,
    "EmailOffer": LONG,
    "EmailOfferBCC": LONG,
    "EmailOfferCC": LONG,
    "EmailOrder": LONG,
    "EmailOrderBCC": LONG,
    "EmailOrderCC": LONG,
    "ExternalReference": LONG,
    "Fax": LONG,
    "GLN": exactly(13),
    "GLNDelivery": exactly(13),
    "InvoiceAdministrationFee": NUMBER_OR_TEXT,
    "InvoiceDiscount": NUMBER,
    "InvoiceFreight": NUMBER_OR_TEXT,
    "InvoiceRemark": LONG,
    "Name": LONG,
    "OrganisationNumber": up_to(30),
    "OurReference": up_to(50),
    "Phone1": LONG,
    "Phone2": LONG,
    "PriceList": TEXT,
    "Project": TEXT,
    "SalesAccount": NUMBER_OR_TEXT,
    "ShowPriceVATIncluded": FLAG,
    "TermsOfDelivery": TEXT,
    "TermsOfPayment": TEXT,
    "Type": one_of("PRIVATE", "COMPANY"),
    "VATNumber": TEXT,
    "VATType": one_of("SEVAT", "SEREVERSEDVAT", "EUREVERSEDVAT", "EUVAT", "EXPORT"),
    "VisitingAddress": up_to(128),
    "VisitingCity": up_to(128),
    "VisitingCountryCode": COUNTRY_CODE,
    "VisitingZipCode": up_to(10),
    "WWW": up_to(128),
    "WayOfDelivery": TEXT,
    "YourReference": up_to(50),
    "ZipCode": up_to(10),
}

PROJECT: Table = {
    "Comments": up_to(512),
    "ContactPerson": up_to(50),
    "Description": up_to(50),
    "EndDate": DATE,
    "ProjectLeader": up_to(50),
    "ProjectNumber": up_to(20),
    "StartDate": DATE,
    "Status": one_of("NOTSTARTED", "ONGOING", "COMPLETED"),
}

INVOICE_ROW: Table = {
    "AccountNumber": WHOLE,
    "ArticleNumber": TEXT,
    "CostCenter": TEXT,
    "DeliveredQuantity": NUMBER_OR_TEXT,
    "Description": TEXT,  # its longest length is a setting of the ledger
    "Discount": NUMBER,
    "DiscountType": one_of("AMOUNT", "PERCENT"),
    "HouseWork": FLAG,
    "HouseWorkHoursToReport": WHOLE,
    "HouseWorkType": TEXT,
    "Price": NUMBER,
    "Project": TEXT,
    "RowId": WHOLE,
    "StockPointCode": TEXT,
    "Unit": TEXT,
    "VAT": NUMBER,
    "VATCode": TEXT,
}

INVOICE: Table = {
    "Address1": LONG,
    "Address2": LONG,
    "AdministrationFee": NUMBER,
    "City": LONG,
    "Comments": LONG,
    "CostCenter": TEXT,
    "Country": TEXT,
    "CreditInvoiceReference": TEXT,
    "Currency": TEXT,
    "CurrencyRate": NUMBER,
    "CurrencyUnit": NUMBER,
    "CustomerName": LONG,
    "CustomerNumber": TEXT,
    "DeliveryAddress1": LONG,
    "DeliveryAddress2": LONG,
    "DeliveryCity": LONG,
    "DeliveryCountry": TEXT,
    "DeliveryDate": DATE,
    "DeliveryName": LONG,
    "DeliveryZipCode": LONG,
    "DocumentNumber": TEXT,
    "DueDate": DATE,
    "EDIInformation": Field(
        "object",
        table={
            "EDIGlobalLocationNumber": up_to(13),
            "EDIGlobalLocationNumberDelivery": up_to(13),
            "EDIInvoiceExtra1": TEXT,
            "EDIInvoiceExtra2": TEXT,
            "EDIOurElectronicReference": TEXT,
            "EDIYourElectronicReference": TEXT,
        },
    ),
    "EUQuarterlyReport": FLAG,
    "EmailInformation": Field(
        "object",
        table={
            "EmailAddressBCC": TEXT,
            "EmailAddressCC": TEXT,
            "EmailAddressFrom": TEXT,
            "EmailAddressTo": TEXT,
            # Recorded requests carry `{no}` here: braces pass, unlike everywhere else.
            "EmailBody": Field(longest=20_000, any_characters=True),
            "EmailSubject": Field(longest=100, any_characters=True),
        },
    ),
    "ExternalInvoiceReference1": up_to(80),
    "ExternalInvoiceReference2": up_to(80),
    "Freight": NUMBER,
    "InvoiceDate": DATE,
    "InvoiceRows": Field("objects", table=INVOICE_ROW),
    "InvoiceType": one_of("INVOICE", "AGREEMENTINVOICE", "INTRESTINVOICE", "SUMMARYINVOICE", "CASHINVOICE"),
    "Labels": Field("objects", table={"Id": WHOLE}),
    "Language": one_of("SV", "EN"),
    "NotCompleted": FLAG,
    "OCR": TEXT,
    "OurReference": up_to(50),
    "OutboundDate": DATE,
    "PaymentWay": TEXT,
    "Phone1": LONG,
    "Phone2": LONG,
    "PriceList": TEXT,
    "PrintTemplate": TEXT,
    "Project": TEXT,
    "Remarks": LONG,
    "TaxReductionType": one_of("none", "rot", "rut", "green"),
    "TermsOfDelivery": TEXT,
    "TermsOfPayment": TEXT,
    "VATIncluded": FLAG,
    "WayOfDelivery": TEXT,
    "YourOrderNumber": up_to(75),
    "YourReference": up_to(50),
    "ZipCode": LONG,
}
