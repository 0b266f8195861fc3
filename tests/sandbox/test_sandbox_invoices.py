"""Invoices: the arithmetic, the rules of posting, credit notes, OCR numbers, rows on PUT."""

from decimal import Decimal
from typing import Any

import pytest

from sandbox.fortnox import money
from tests.sandbox.sandbox_client import Ledger, a_row, code_of


def shown(ledger: Ledger, number: str = "1001") -> dict[str, Any]:
    invoice: dict[str, Any] = ledger.get(f"/3/invoices/{number}").json()["Invoice"]
    return invoice


class TestArithmetic:
    @pytest.mark.parametrize(
        ("rows", "settings", "more", "expected"),
        [
            # A recorded response of the real API: fees, VAT on them, rounding to whole kronor.
            (
                [a_row(Price=159, DeliveredQuantity="10")],
                {"round_to_whole_kronor": True},
                {"Freight": 95},
                {
                    "Net": 1590, "Gross": 1590, "FreightVAT": 23.75, "TotalVAT": 421.25,
                    "RoundOff": -0.25, "Total": 2106, "TotalToPay": 2106, "Balance": 2106,
                },
            ),
            # Another: 218.75 becomes 219.
            (
                [a_row()],
                {"round_to_whole_kronor": True},
                {"Freight": 25, "AdministrationFee": 50},
                {"AdministrationFeeVAT": 12.5, "TotalVAT": 43.75, "RoundOff": 0.25, "Total": 219},
            ),
            ([a_row(Price=100)], {}, {}, {"Total": 125, "RoundOff": 0, "Credit": "false"}),
            ([a_row(Price=1.125)], {}, {}, {"Net": 1.13, "TotalVAT": 0.28}),
            ([a_row(Price=10, DeliveredQuantity="1.005")], {}, {}, {"Net": 10.1}),
            ([a_row(Price=100, Discount=10)], {}, {}, {"Gross": 100, "Net": 90, "TotalVAT": 22.5}),
            ([a_row(Price=100, Discount=10, DiscountType="AMOUNT")], {}, {}, {"Net": 90}),
            # VAT per rate: 3 x 0.0250 is 0.075, rounded once to 0.08; row by row it would be 0.09.
            ([a_row(Price=0.1)] * 3, {}, {}, {"TotalVAT": 0.08, "Total": 0.38}),
            ([a_row(Price=0.1)] * 3, {"vat_rounding": "per_row"}, {}, {"TotalVAT": 0.09}),
            (
                [a_row(Price=100), a_row(Price=100, VAT=12), a_row(Price=100, VAT=0)],
                {},
                {},
                {"Net": 300, "TotalVAT": 37, "Total": 337},
            ),
            (
                [a_row(Price=125)],
                {},
                {"VATIncluded": True},
                {"Net": 100, "TotalVAT": 25, "Total": 125, "VATIncluded": True},
            ),
            (
                [a_row(DeliveredQuantity="-1")],
                {"round_to_whole_kronor": True},
                {},
                {"Net": -100, "TotalVAT": -25, "Total": -125, "Credit": "true"},
            ),
            ([a_row()], {"administration_fee": "29"}, {}, {"Total": 161.25, "AdministrationFee": 29}),
            ([a_row()], {"administration_fee": "29"}, {"AdministrationFee": 0}, {"Total": 125}),
        ],
    )  # fmt: skip
    def test_sums_are_as_fortnox_makes_them(
        self,
        shop: Ledger,
        rows: list[dict[str, Any]],
        settings: dict[str, Any],
        more: dict[str, Any],
        expected: dict[str, Any],
    ) -> None:
        shop.settings(**settings)
        assert shop.invoice("1001", *rows, **more).status_code == 201
        invoice = shown(shop)
        assert {name: invoice[name] for name in expected} == expected

    def test_a_row_shows_its_own_sums(self, shop: Ledger) -> None:
        shop.invoice("1001", a_row(Price=125, DeliveredQuantity="1.10"), VATIncluded=True)
        row = shown(shop)["InvoiceRows"][0]
        names = ("DeliveredQuantity", "Price", "PriceExcludingVAT", "Total", "TotalExcludingVAT")
        assert [row[name] for name in names] == ["1.1", 125, 100, 137.5, 110]

    def test_a_quantity_left_out_is_nought(self, shop: Ledger) -> None:
        shop.invoice("1001", a_row(DeliveredQuantity=None))
        assert (shown(shop)["InvoiceRows"][0]["DeliveredQuantity"], shown(shop)["Total"]) == ("0", 0)

    def test_numbers_are_numbers(self, shop: Ledger) -> None:
        shop.invoice()
        assert all(isinstance(shown(shop)[name], (int, float)) for name in ("Total", "Net", "CurrencyRate"))

    def test_the_laws_hold_for_many_rows(self) -> None:
        rows = [money.Row(Decimal(n) / 7, Decimal(n), Decimal(25 if n % 2 else 12)) for n in range(1, 60)]
        sums = money.compute(rows, money.Terms(whole_kronor=True))
        assert sums.net + sums.total_vat + sums.round_off == sums.total
        assert abs(sums.round_off) <= Decimal("0.5")
        assert sums.total == sums.total.to_integral_value()


CARD = {
    "InvoiceDiscount": 10,
    "Project": "1",
    "CostCenter": "MA",
    "OurReference": "Old Name",
    "YourReference": "Older Name",
    "InvoiceRemark": "Old text",
    "TermsOfPayment": "10",
    "TermsOfDelivery": "FVL",
    "WayOfDelivery": "B",
    "PriceList": "B",
    "ShowPriceVATIncluded": True,
}


class TestCard:
    """A customer's card applies to what a new invoice does not name."""

    @pytest.fixture
    def shop(self, shop: Ledger) -> Ledger:
        shop.sandbox.control("registers", tenant=shop.tenant, cost_centers=["MA"])
        shop.sandbox.control("projects", tenant=shop.tenant, number="1")
        shop.sandbox.control("customers", tenant=shop.tenant, number="10001", **CARD)
        return shop

    def test_what_is_left_out_is_filled_in(self, shop: Ledger) -> None:
        assert shop.invoice("1001", a_row(Price=100), InvoiceDate="2026-11-20").status_code == 201
        invoice = shown(shop)
        filled = ("Project", "CostCenter", "OurReference", "YourReference", "TermsOfPayment", "TermsOfDelivery",
                  "WayOfDelivery", "PriceList")  # fmt: skip
        assert {name: invoice[name] for name in filled} == {name: CARD[name] for name in filled}
        assert (invoice["Remarks"], invoice["DueDate"], invoice["VATIncluded"]) == ("Old text", "2026-11-30", True)
        assert (invoice["InvoiceRows"][0]["Discount"], invoice["Total"]) == (10, 90)

    def test_what_is_named_stays_as_it_is_named(self, shop: Ledger) -> None:
        named = {"OurReference": "Anna", "VATIncluded": False, "DueDate": "2026-12-20", "Remarks": "November"}
        shop.invoice("1001", a_row(Price=100, Discount=0), **named)
        assert {name: shown(shop)[name] for name in named} == named
        assert shown(shop)["Total"] == 125

    @pytest.mark.parametrize(
        ("how", "status", "project", "remarks"),
        [
            ("honoured", 201, "", ""),
            ("ignored", 201, "1", "Old text"),
            ("refused", 400, None, None),
            ("literal", 400, None, None),  # there is no project of that name
        ],
    )
    def test_what_a_blank_does_is_a_setting(
        self, shop: Ledger, how: str, status: int, project: str | None, remarks: str | None
    ) -> None:
        shop.settings(blank_on_create=how)
        row = a_row(Price=100, Project="API_BLANK")
        answer = shop.invoice("1001", row, Project="API_BLANK", Remarks="API_BLANK")
        assert answer.status_code == status
        if status == 201:
            assert (shown(shop)["Project"], shown(shop)["Remarks"]) == (project, remarks)
        elif how == "literal":
            assert shop.invoice("1001", a_row(), Remarks="API_BLANK").status_code == 201
            assert shown(shop)["Remarks"] == "API_BLANK"

    def test_a_customer_is_entered_by_hand_too(self, shop: Ledger) -> None:
        shop.sandbox.control("customers", tenant=shop.tenant, number="10009", Name="Ny AB")
        assert shop.get("/3/customers/10009").json()["Customer"]["Name"] == "Ny AB"
        assert shop.get("/3/customers/10001").json()["Customer"]["InvoiceDiscount"] == 10


def test_a_row_of_text_stands_before_the_others_and_books_nothing(shop: Ledger) -> None:
    shop.settings(text_row="Tack för er beställning")
    shop.invoice("1001", a_row(Price=100))
    text, row = shown(shop)["InvoiceRows"]
    assert (text["Description"], text["AccountNumber"], text["DeliveredQuantity"], text["Total"]) == (
        "Tack för er beställning", 0, "0", 0,
    )  # fmt: skip
    assert (row["AccountNumber"], shown(shop)["Total"]) == (3010, 125)


@pytest.mark.parametrize(
    ("number", "ocr"), [("1", "133"), ("3", "331"), ("18", "1842"), ("37", "3749"), ("203", "20354")]
)
def test_ocr_numbers_are_made_as_recorded(shop: Ledger, number: str, ocr: str) -> None:
    shop.invoice(number)
    assert shown(shop, number)["OCR"] == ocr


class TestOcr:
    def test_an_ocr_number_is_kept_as_given(self, shop: Ledger) -> None:
        shop.invoice(OCR="426523791")
        assert shown(shop)["OCR"] == "426523791"

    def test_every_ocr_number_can_be_refused_in_words_that_nobody_has_published(self, shop: Ledger) -> None:
        shop.settings(ocr_refused="Betalningsreferensen godtas inte.")
        assert shop.invoice(OCR="10017").json()["ErrorInformation"]["Message"] == "Betalningsreferensen godtas inte."
        assert shop.invoice().status_code == 201

    def test_generation_can_be_off(self, shop: Ledger) -> None:
        shop.settings(ocr_generated=False)
        shop.invoice()
        assert shown(shop)["OCR"] == ""

    def test_validity_and_uniqueness_are_settings(self, shop: Ledger) -> None:
        assert shop.invoice("1", OCR="123").status_code == 201
        assert shop.invoice("2", OCR="123").status_code == 201
        shop.settings(ocr_must_be_valid=True, ocr_must_be_unique=True)
        assert code_of(shop.invoice("3", OCR="124")) == 2999008
        assert shop.invoice("3", OCR="133").status_code == 201
        assert code_of(shop.invoice("4", OCR="133")) == 2999009


class TestDefaults:
    def test_what_is_left_out_comes_from_the_customer_and_the_company(self, acme: Ledger) -> None:
        acme.customer(City="Malmö", TermsOfPayment="10", YourReference="Bo", SalesAccount="3041")
        acme.invoice("1001", a_row(AccountNumber=None, VAT=None))
        invoice = shown(acme)
        names = ("CustomerName", "City", "YourReference", "DueDate", "Currency")
        assert [invoice[name] for name in names] == ["Bygg AB", "Malmö", "Bo", "2026-11-30", "SEK"]
        row = invoice["InvoiceRows"][0]
        assert (row["AccountNumber"], row["VAT"], row["VATCode"]) == (3041, 25, "MP1")

    @pytest.mark.parametrize(
        ("more", "rate"),
        [
            ({"Currency": "EUR"}, 1),
            ({"Currency": "EUR", "CurrencyRate": 11.5}, 11.5),
            ({"Currency": "SEK", "CurrencyRate": 11.5}, 1),
        ],
    )
    def test_a_currency_rate_left_out_is_silently_one(self, shop: Ledger, more: dict[str, Any], rate: float) -> None:
        shop.invoice(**more)
        assert shown(shop)["CurrencyRate"] == rate

    def test_document_numbers_follow_a_series_that_explicit_numbers_do_not_advance(self, shop: Ledger) -> None:
        assert shop.invoice(None).json()["Invoice"]["DocumentNumber"] == "1"
        shop.invoice("2")
        assert code_of(shop.invoice(None)) == 2999001

    def test_a_document_number_is_taken_once_even_when_cancelled(self, shop: Ledger) -> None:
        shop.invoice()
        assert shop.act("1001", "cancel").status_code == 200
        shop.settings(duplicate_document_code=2001234)
        answer = shop.invoice()
        assert (answer.status_code, code_of(answer)) == (400, 2001234)
        assert shop.state()["counters"]["invoices.created"] == 1


class TestPosting:
    def test_it_makes_a_voucher(self, shop: Ledger) -> None:
        shop.invoice()
        invoice = shop.act("1001", "bookkeep").json()["Invoice"]
        voucher = (invoice["VoucherSeries"], invoice["VoucherNumber"], invoice["VoucherYear"])
        assert (invoice["Booked"], voucher) == (True, ("B", 1, 7))

    def test_a_second_time_is_refused(self, shop: Ledger) -> None:
        shop.invoice()
        shop.act("1001", "bookkeep")
        answer = shop.act("1001", "bookkeep")
        assert (answer.status_code, code_of(answer)) == (400, 2999002)
        assert shop.state()["invoices"][0]["writes"] == {"POST": 1, "bookkeep": 1}

    @pytest.mark.parametrize(
        ("settings", "more", "code", "words"),
        [
            ({"accounting_method": "CASH"}, {}, 2999013, "kontantmetoden"),
            ({"warehouse_module": True}, {}, 2003498, "klarmarkerad"),
            ({}, {"NotCompleted": True}, 2003498, "klarmarkerad"),
            ({"locked_until": "2026-11-30"}, {}, 2000401, "har låst perioden t.o.m. 2026-11-30"),
            ({"locked_until": "2026-11-20", "locked_period_code": 2002141}, {}, 2002141, "låst"),
            ({}, {"InvoiceDate": "2031-01-01"}, 2999013, "Räkenskapsår saknas"),
            ({}, {"InvoiceRows": [a_row(Description=None)]}, 2003977, "text eller artikel"),
            (
                {"administration_fee": "10", "administration_fee_account": None},
                {},
                2999013,
                "Förvalt konto för fakturaavgift saknas.",
            ),
        ],
    )
    def test_it_is_stopped(
        self, shop: Ledger, settings: dict[str, Any], more: dict[str, Any], code: int, words: str
    ) -> None:
        shop.settings(**settings)
        assert shop.invoice(**more).status_code == 201
        answer = shop.act("1001", "bookkeep")
        message = answer.json()["ErrorInformation"]["Message"]
        assert (answer.status_code, code_of(answer)) == (400, code)
        assert message.startswith("Kunde inte bokföra fakturanummer 1001. ")
        assert words in message
        assert not shown(shop)["Booked"]

    def test_a_day_after_the_lock_passes(self, shop: Ledger) -> None:
        shop.sandbox.control("lock", tenant="acme", until="2026-11-19")
        shop.invoice()
        assert shop.act("1001", "bookkeep").status_code == 200

    @pytest.mark.parametrize("where", ["header", "row"])
    @pytest.mark.parametrize(
        ("period", "passes"),
        [
            ({"StartDate": "2026-11-21"}, False),
            ({"StartDate": "2026-11-20"}, True),
            ({"EndDate": "2026-11-19"}, False),
            ({"EndDate": "2026-11-20"}, True),
        ],
    )
    def test_the_projects_period_must_hold_the_invoice_date(
        self, shop: Ledger, where: str, period: dict[str, str], passes: bool
    ) -> None:
        shop.project("2", **period)
        if where == "header":
            shop.invoice(Project="2")
        else:
            shop.invoice("1001", a_row(Project="2"), Project="1")
        answer = shop.act("1001", "bookkeep")
        assert (answer.status_code == 200) == passes
        if not passes:
            message = answer.json()["ErrorInformation"]["Message"]
            assert message.endswith("Projektredovisningsperioden är inte aktiv för projekt 2.")

    @pytest.mark.parametrize(
        ("setting", "project", "passes"),
        [
            ("MANDATORY", None, False),
            ("MANDATORY", "1", True),
            ("NOTALLOWED", "1", False),
            ("NOTALLOWED", None, True),
        ],
    )
    def test_an_account_may_want_or_refuse_a_project(
        self, shop: Ledger, setting: str, project: str | None, passes: bool
    ) -> None:
        shop.sandbox.control("accounts", tenant="acme", number=3010, project_settings=setting)
        shop.invoice(Project=project)
        assert (shop.act("1001", "bookkeep").status_code == 200) == passes

    def test_an_account_that_became_inactive_stops_it(self, shop: Ledger) -> None:
        shop.invoice()
        shop.sandbox.control("accounts", tenant="acme", number=3010, active=False)
        assert code_of(shop.act("1001", "bookkeep")) == 2000550

    def test_the_warehouse_lets_go_when_it_is_ready(self, shop: Ledger) -> None:
        shop.settings(warehouse_module=True)
        shop.invoice()
        assert shop.act("1001", "warehouseready").status_code == 200
        assert shop.act("1001", "bookkeep").status_code == 200

    def test_a_missing_financial_year_can_be_added(self, shop: Ledger) -> None:
        shop.sandbox.control("financialyears", tenant="acme", years=[2025])
        shop.invoice()
        assert shop.act("1001", "bookkeep").status_code == 400
        shop.sandbox.control("financialyears", tenant="acme", years=[2025, 2026])
        assert shop.act("1001", "bookkeep").status_code == 200

    def test_completed_projects_are_refused_only_when_told_so(self, shop: Ledger) -> None:
        shop.put("/3/projects/1", {"Project": {"Status": "COMPLETED"}})
        shop.invoice("1", Project="1")
        shop.invoice("2", Project="1")
        assert shop.act("1", "bookkeep").status_code == 200
        shop.settings(completed_project_refused=True)
        assert shop.act("2", "bookkeep").status_code == 400


class TestOtherActions:
    def test_a_booked_invoice_is_neither_changed_nor_cancelled(self, shop: Ledger) -> None:
        shop.invoice()
        shop.act("1001", "bookkeep")
        assert code_of(shop.put("/3/invoices/1001", {"Invoice": {"Remarks": "x"}})) == 2999010
        assert code_of(shop.act("1001", "cancel")) == 2999010

    def test_a_cancelled_invoice_is_not_posted(self, shop: Ledger) -> None:
        shop.invoice()
        shop.act("1001", "cancel")
        assert shop.act("1001", "bookkeep").status_code == 400

    def test_external_print_marks_it_sent(self, shop: Ledger) -> None:
        shop.invoice()
        assert shop.act("1001", "externalprint").json()["Invoice"]["Sent"] is True

    def test_credit_makes_a_note_and_answers_with_the_original(self, shop: Ledger) -> None:
        shop.invoice()
        assert code_of(shop.act("1001", "credit")) == 2999014
        shop.act("1001", "bookkeep")
        original = shop.act("1001", "credit").json()["Invoice"]
        note = shown(shop, original["CreditInvoiceReference"])
        assert original["DocumentNumber"] == "1001"
        names = ("Credit", "InvoiceReference", "Total", "Booked")
        assert [note[name] for name in names] == ["true", "1001", -125, False]

    @pytest.mark.parametrize(("how", "note", "original"), [("honoured", "1001", "1002"), ("ignored", "0", "0")])
    def test_a_credit_reference_on_create_is_honoured_or_ignored(
        self, shop: Ledger, how: str, note: str, original: str
    ) -> None:
        shop.settings(credit_reference_on_create=how)
        shop.invoice()
        shop.invoice("1002", a_row(DeliveredQuantity="-1"), CreditInvoiceReference="1001")
        assert shown(shop, "1002")["InvoiceReference"] == note
        assert shown(shop)["CreditInvoiceReference"] == original
        assert shown(shop, "1002")["Credit"] == "true"

    def test_a_credit_reference_on_create_can_be_refused(self, shop: Ledger) -> None:
        shop.settings(credit_reference_on_create="refused")
        assert code_of(shop.invoice(CreditInvoiceReference="1")) == 2001399

    def test_a_credit_reference_can_be_refused_in_words_of_any_kind(self, shop: Ledger) -> None:
        shop.settings(credit_refused="Fakturan är såld.")
        shop.invoice()
        refused = shop.invoice("1002", a_row(DeliveredQuantity="-1"), CreditInvoiceReference="1001")
        assert (code_of(refused), refused.json()["ErrorInformation"]["Message"]) == (2999017, "Fakturan är såld.")
        assert shop.invoice("1002", a_row(DeliveredQuantity="-1")).status_code == 201

    def test_a_second_credit_reference_to_one_invoice_can_be_refused(self, shop: Ledger) -> None:
        shop.settings(credit_reference_on_create="once")
        shop.invoice()
        note = a_row(DeliveredQuantity="-1")
        assert shop.invoice("1002", note, CreditInvoiceReference="1001").status_code == 201
        assert code_of(shop.invoice("1003", note, CreditInvoiceReference="1001")) == 2999010


class TestWhatIsIgnored:
    def test_the_number_and_the_unit_asked_for_can_be_ignored(self, shop: Ledger) -> None:
        shop.settings(document_number_on_create="ignored", currency_unit_on_create="ignored", next_document_number=7)
        sent = {"Currency": "JPY", "CurrencyRate": 0.0691, "CurrencyUnit": 1}
        made = [shop.invoice("1001", **sent).json()["Invoice"] for _ in range(2)]
        assert [(one["DocumentNumber"], one["CurrencyUnit"]) for one in made] == [("7", 100), ("8", 100)]

    def test_a_posting_can_be_ignored(self, shop: Ledger) -> None:
        shop.settings(posting_ignored=True)
        shop.invoice()
        answer = shop.act("1001", "bookkeep")
        assert (answer.status_code, answer.json()["Invoice"]["Booked"], shown(shop)["Booked"]) == (200, False, False)

    @pytest.mark.parametrize(("answer", "status", "booked"), [("posted", 200, True), ("refused", 400, False)])
    def test_an_invoice_of_0_is_posted_or_refused(self, shop: Ledger, answer: str, status: int, booked: bool) -> None:
        shop.settings(zero_posting=answer)
        shop.invoice(InvoiceRows=[a_row(Price=0)])
        assert (shop.act("1001", "bookkeep").status_code, shown(shop)["Booked"]) == (status, booked)

    def test_the_posting_of_an_invoice_of_0_can_be_ignored(self, shop: Ledger) -> None:
        shop.settings(zero_posting="ignored")
        shop.invoice(InvoiceRows=[a_row(Price=0)])
        assert (shop.act("1001", "bookkeep").status_code, shown(shop)["Booked"]) == (200, False)

    def test_a_negative_price_can_be_refused(self, shop: Ledger) -> None:
        given = {"CustomerNumber": "10001", "DocumentNumber": "1001", "InvoiceRows": [a_row(Price=-1)]}
        shop.settings(negative_price_refused=True)
        assert shop.post("/3/invoices", {"Invoice": given}).status_code == 400
        shop.settings(negative_price_refused=False)
        assert shop.post("/3/invoices", {"Invoice": given}).status_code == 201


class TestRowsOnPut:
    def rows(self, shop: Ledger) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = shown(shop)["InvoiceRows"]
        return rows

    def put(self, shop: Ledger, *rows: dict[str, Any]) -> None:
        answer = shop.put("/3/invoices/1001", {"Invoice": {"InvoiceRows": list(rows)}})
        assert answer.status_code == 200, answer.text

    def test_without_row_ids_rows_map_by_order_and_the_rest_is_removed(self, shop: Ledger) -> None:
        shop.invoice("1001", a_row(Description="one"), a_row(Description="two"), a_row(Description="three"))
        old = [row["RowId"] for row in self.rows(shop)]
        self.put(shop, {"Price": 7}, {"Description": "second"})
        rows = self.rows(shop)
        assert [(row["Description"], row["Price"]) for row in rows] == [("one", 7), ("second", 100)]
        assert not {row["RowId"] for row in rows} & set(old)

    def test_with_row_ids_only_the_named_ones_stay(self, shop: Ledger) -> None:
        shop.invoice("1001", a_row(Description="one"), a_row(Description="two"))
        second = self.rows(shop)[1]["RowId"]
        self.put(shop, {"RowId": second}, a_row(Description="new"))
        assert [row["Description"] for row in self.rows(shop)] == ["two", "new"]
        assert shown(shop)["Total"] == 250

    def test_an_unknown_row_id_is_refused(self, shop: Ledger) -> None:
        shop.invoice()
        answer = shop.put("/3/invoices/1001", {"Invoice": {"InvoiceRows": [{"RowId": 10**6}]}})
        assert code_of(answer) == 2000729

    def test_a_header_change_keeps_the_rows(self, shop: Ledger) -> None:
        shop.invoice()
        shop.put("/3/invoices/1001", {"Invoice": {"Remarks": "Tack", "Freight": 10}})
        assert (len(self.rows(shop)), shown(shop)["Total"], shown(shop)["Remarks"]) == (1, 137.5, "Tack")
