"""Moment's customer as Fortnox's."""

from importlib.resources import files
from typing import Any

import pytest

from fortnox.payloads import API_BLANK, CustomerPayload
from mappers import BadNumber, Mapped, to_customer
from mappers.countries import COUNTRY_CODES
from mappers.email import mail_address
from mappers.organisation import swedish_form
from messages import NOTHING
from messages.catalogue import say
from tests.unit.factories import a_customer


def mapped(**overrides: Any) -> Mapped[CustomerPayload]:
    return to_customer(a_customer(**overrides).customer)


def only_notice(result: Mapped[Any]) -> str:
    (notice,) = result.notices
    assert notice.value in say(notice.message)
    assert result.notice == notice.message
    return notice.field


def test_every_field_of_a_customer_is_carried() -> None:
    result = mapped(address={"address2": "3 tr"})
    assert result.payload.for_create() == {
        "CustomerNumber": "10001",
        "Name": "Skånska Bygg AB",
        "OrganisationNumber": "556677-8899",
        "Address1": "Storgatan 1",
        "Address2": "3 tr",
        "ZipCode": "211 42",
        "City": "Malmö",
        "CountryCode": "SE",
        "Email": "faktura@skanskabygg.example",
    }
    assert result.notices == ()
    assert result.notice == NOTHING


EMPTIED = {"address1": None, "address2": None, "zip_code": None, "city": None, "country_code": None}


@pytest.mark.parametrize("empty", [None, "", "  "])
def test_an_emptied_field_is_emptied_in_fortnox_and_left_out_of_a_new_customer(empty: str | None) -> None:
    result = mapped(email=empty, organization_number=empty, address=dict.fromkeys(EMPTIED, empty))
    assert result.notices == ()
    assert result.payload.for_create() == {"CustomerNumber": "10001", "Name": "Skånska Bygg AB"}
    assert result.payload.for_update() == {
        "CustomerNumber": "10001",
        "Name": "Skånska Bygg AB",
        **dict.fromkeys(
            ("OrganisationNumber", "Address1", "Address2", "ZipCode", "City", "CountryCode", "Email"), API_BLANK
        ),
    }


def test_no_address_at_all_empties_every_field_of_it() -> None:
    assert mapped(address=None).payload == mapped(address=EMPTIED).payload


def test_a_field_that_the_event_does_not_mention_is_never_sent() -> None:
    event = a_customer().model_dump(by_alias=True)
    bare = {name: event["customer"][name] for name in ("id", "customerNumber", "name")}
    customer = type(a_customer()).model_validate(event | {"customer": bare}).customer
    assert to_customer(customer).payload.for_update() == {"CustomerNumber": "10001", "Name": "Skånska Bygg AB"}


def test_the_payload_never_holds_more_than_the_fields_that_moment_masters() -> None:
    assert set(mapped().payload.for_update()) == {
        field.alias for field in CustomerPayload.model_fields.values() if field.alias
    }


@pytest.mark.parametrize("number", ["10001", "A-1", "a_b", "1+2", "Å1", "1–2", "0001"])
def test_a_customer_number_is_carried_as_it_is(number: str) -> None:
    assert mapped(customer_number=number).payload.customer_number == number


@pytest.mark.parametrize("number", ["10.1", "1,2", "a'b", "..", "#1", "A\u030a", "😀", "1²"])
def test_a_customer_number_that_fortnox_cannot_hold_is_an_error_that_names_it(number: str) -> None:
    with pytest.raises(BadNumber) as caught:
        mapped(customer_number=number)
    assert (caught.value.path, caught.value.value) == ("customer.customerNumber", number)
    assert "Moment" in say(caught.value.remedy)
    assert number in say(caught.value.message)


def test_text_is_cleaned_and_shortened() -> None:
    payload = mapped(name='"Kvarnen"\t😀' + "x" * 2000, address={"city": "<Malmö>"}).payload
    assert payload.name.startswith("’’Kvarnen’’ x")
    assert len(payload.name) == 1024
    assert payload.city == "(Malmö)"


def test_a_name_of_which_nothing_is_left_gives_way_to_the_number() -> None:
    result = mapped(name="😀")
    assert result.payload.name == "10001"
    assert only_notice(result) == "customer.name"


def test_a_zip_code_that_is_too_long_is_shortened_and_told() -> None:
    result = mapped(address={"zip_code": "SE-211 42 Malmö"})
    assert result.payload.zip_code == "SE-211 42"
    assert only_notice(result) == "customer.address.zipCode"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("a@b.se", "a@b.se"),
        (" Faktura@Bygg.example ", "Faktura@Bygg.example"),
        ("first.last+tag_x@sub-1.example.co", "first.last+tag_x@sub-1.example.co"),
        ("info@återvinning.se", "info@xn--tervinning-05a.se"),
    ],
)
def test_an_email_address_is_taken(text: str, address: str) -> None:
    assert mail_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "ingen",
        "a@b",
        "@b.se",
        "a@",
        "a b@c.se",
        "a@b.se, c@d.se",
        "a@b.se;c@d.se",
        "Anna <a@b.se>",
        "a@@b.se",
        "a@b..se",
        "a@.b.se",
        ".a@b.se",
        "a.@b.se",
        "a..b@c.se",
        "a@-b.se",
        "a@b-.se",
        "a@1.2.3.4",
        "a@b.s",
        "o'brien@b.se",
        "å@b.se",
        "a@b.se\n",
        "a" * 65 + "@b.se",
        "a@" + "b." * 150 + "se",
        "a@" + "ö" * 100 + ".se",
    ],
)
def test_what_is_no_email_address_is_left_out_and_told(text: str) -> None:
    if text.strip() != text:
        assert mail_address("x" + text.replace("\n", "\nx")) is None
        return
    assert mail_address(text) is None
    result = mapped(email=text)
    assert "Email" not in result.payload.for_update()  # a good address in Fortnox is not blanked by a typing error
    assert only_notice(result) == "customer.email"


@pytest.mark.parametrize(
    "text",
    [
        "556677-8899",
        "5566778899",
        " 556677 8899 ",
        "16556677-8899",
        "SE556677889901",
        "SE 556677-8899 01",
        "se5566778899",
        "SE5566778899",
        "556677–8899",
    ],
)
@pytest.mark.parametrize("country", ["SE", "se", None])
def test_a_swedish_number_is_written_in_the_swedish_form(text: str, country: str | None) -> None:
    result = mapped(organization_number=text, address={"country_code": country})
    assert result.payload.organisation_number == "556677-8899"
    assert result.notices == ()


@pytest.mark.parametrize("text", ["880320-0016", "19880320-0016", "198803200016"])
def test_a_sole_trader_has_a_personal_number(text: str) -> None:
    assert swedish_form(text) == "880320-0016"


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("556677-8890", "SE"),
        ("123", "SE"),
        ("NO 923 456 789", "SE"),
        ("SE556677889902", "SE"),
        ("556677-8890", None),
        ("SE556677889001", None),
        ("198803200017", None),
        ("1" * 31, "NO"),
        ("x" * 31, None),
    ],
)
def test_an_organisation_number_that_cannot_be_right_is_left_out_and_told(text: str, country: str | None) -> None:
    result = mapped(organization_number=text, address={"country_code": country})
    assert "OrganisationNumber" not in result.payload.for_update()
    assert only_notice(result) == "customer.organizationNumber"


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("NO 923 456 789 MVA", "NO"),
        ("DE123456789", None),
        ("923456789", None),
        ("556677-8890", "FI"),
        ("5566778899", "FI"),
        ("1" * 30, "NO"),
    ],
)
def test_a_foreign_organisation_number_goes_as_it_is(text: str, country: str | None) -> None:
    result = mapped(organization_number=text, address={"country_code": country})
    assert result.payload.organisation_number == text
    assert result.notices == ()


def test_a_country_code_is_written_in_capitals() -> None:
    assert mapped(address={"country_code": "no"}).payload.country_code == "NO"


@pytest.mark.parametrize(("code", "hint"), [("UK", "GB"), ("EL", "GR"), ("XX", "ISO 3166"), ("ZZ", "ISO 3166")])
def test_a_code_that_is_no_countrys_is_left_out_and_told(code: str, hint: str) -> None:
    result = mapped(address={"country_code": code}, organization_number=None)
    assert "CountryCode" not in result.payload.for_update()
    assert only_notice(result) == "customer.address.countryCode"
    assert hint in say(result.notice)


def test_the_countries_are_those_of_iso_3166() -> None:
    table = (files("tzdata.zoneinfo") / "iso3166.tab").read_text(encoding="utf-8")
    assert {line.split("\t")[0] for line in table.splitlines() if line and line[0] != "#"} == COUNTRY_CODES
