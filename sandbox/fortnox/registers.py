"""The small registers a client reads: company, settings, accounts, currencies, financial years."""

from typing import Final

from sandbox.fortnox import errors
from sandbox.fortnox.endpoints import Endpoint
from sandbox.fortnox.errors import Refused
from sandbox.fortnox.ledger import Account, Currency, FinancialYear, Ledger
from sandbox.fortnox.listing import Listing, refuse_parameters
from sandbox.http import Answer, Call, Json, answer_json


def company_information(ledger: Ledger, call: Call) -> Answer:
    refuse_parameters(call)
    return answer_json(
        {
            "CompanyInformation": {
                "Address": "",
                "City": "",
                "CompanyName": ledger.settings.company_name,
                "CountryCode": "SE",
                "DatabaseNumber": ledger.database_number,
                "OrganizationNumber": ledger.settings.organisation_number,
                "VisitAddress": "",
                "VisitCity": "",
                "VisitCountryCode": "",
                "VisitZipCode": "",
                "ZipCode": "",
            }
        }
    )


def company_settings(ledger: Ledger, call: Call) -> Answer:
    refuse_parameters(call)
    return answer_json(
        {
            "CompanySettings": {
                "CountryCode": "SE",
                "DatabaseNumber": str(ledger.database_number),
                "Email": "",
                "Name": ledger.settings.company_name,
                "OrganizationNumber": ledger.settings.organisation_number,
                "TaxEnabled": True,
                "VATNumber": f"SE{ledger.settings.organisation_number.replace('-', '')}01",
            }
        }
    )


def locked_period(ledger: Ledger, call: Call) -> Answer:
    refuse_parameters(call)
    return answer_json({"LockedPeriod": {"EndDate": ledger.settings.locked_until}})


def _account(_ledger: Ledger, account: Account) -> Json:
    return {
        "@url": f"https://api.fortnox.se/3/accounts/{account.number}",
        "Active": account.active,
        "BalanceBroughtForward": 0,
        "CostCenter": None,
        "CostCenterSettings": account.cost_center_settings,
        "Description": account.description,
        "Number": account.number,
        "Project": None,
        "ProjectSettings": account.project_settings,
        "SRU": 0,
        "VATCode": account.vat_code,
        "Year": 1,
    }


ACCOUNTS: Final = Listing[Account](
    wrapper="Accounts",
    item=_account,
    modified=lambda _account: "0000-00-00 00:00",
    order=lambda account: account.number,
    matches={"sru": lambda _account, _value: True, "financialyear": lambda _account, _value: True},
    sortable={"number": lambda account: account.number},
)


def accounts(ledger: Ledger, call: Call) -> Answer:
    return ACCOUNTS.answer(ledger, call, list(ledger.accounts.values()))


def one_account(ledger: Ledger, call: Call) -> Answer:
    refuse_parameters(call, "financialyear")
    number = call.params["Number"]
    account = ledger.accounts.get(int(number)) if number.isdecimal() else None
    if account is None:
        raise Refused(2000423, "Kan inte hitta kontot.", 404)
    return answer_json({"Account": _account(ledger, account)})


def _currency(_ledger: Ledger, currency: Currency) -> Json:
    return {
        "@url": f"https://api.fortnox.se/3/currencies/{currency.code}",
        "BuyRate": currency.buy_rate,
        "Code": currency.code,
        "Date": _ledger.clock.today(),
        "Description": currency.description,
        "IsAutomatic": True,
        "SellRate": currency.sell_rate,
        "Unit": currency.unit,
    }


CURRENCIES: Final = Listing[Currency](
    wrapper="Currencies", item=_currency, modified=None, order=lambda currency: currency.code
)


def currencies(ledger: Ledger, call: Call) -> Answer:
    return CURRENCIES.answer(ledger, call, list(ledger.currencies.values()))


def one_currency(ledger: Ledger, call: Call) -> Answer:
    refuse_parameters(call)
    currency = ledger.currencies.get(call.params["Code"])
    if currency is None:
        raise Refused(2000427, "Kan inte hitta valutan.", 404)
    return answer_json({"Currency": _currency(ledger, currency)})


def _year(ledger: Ledger, year: FinancialYear) -> Json:
    return {
        "@url": f"https://api.fortnox.se/3/financialyears/{year.id}",
        "AccountChartType": "BAS 2026",
        "AccountingMethod": ledger.settings.accounting_method,
        "FromDate": year.first,
        "Id": year.id,
        "ToDate": year.last,
    }


YEARS: Final = Listing[FinancialYear](
    wrapper="FinancialYears",
    item=_year,
    modified=None,
    order=lambda year: year.id,
    matches={"date": lambda year, value: year.first.isoformat() <= value <= year.last.isoformat()},
)


def financial_years(ledger: Ledger, call: Call) -> Answer:
    return YEARS.answer(ledger, call, ledger.years)


def one_year(ledger: Ledger, call: Call) -> Answer:
    refuse_parameters(call)
    for year in ledger.years:
        if str(year.id) == call.params["Id"]:
            return answer_json({"FinancialYear": _year(ledger, year)})
    raise Refused(errors.BOOKKEEPING_STOPPED, "Kan inte hitta räkenskapsåret.", 404)


ENDPOINTS: Final = (
    Endpoint("GET", "/3/companyinformation", company_information, "companyinformation"),
    Endpoint("GET", "/3/settings/company", company_settings, "settings"),
    Endpoint("GET", "/3/settings/lockedperiod", locked_period, "settings"),
    Endpoint("GET", "/3/accounts", accounts, "bookkeeping"),
    Endpoint("GET", "/3/accounts/{Number}", one_account, "bookkeeping"),
    Endpoint("GET", "/3/currencies", currencies, "currency"),
    Endpoint("GET", "/3/currencies/{Code}", one_currency, "currency"),
    Endpoint("GET", "/3/financialyears", financial_years, "bookkeeping"),
    Endpoint("GET", "/3/financialyears/{Id}", one_year, "bookkeeping"),
)
