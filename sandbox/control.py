"""The controls under `/_sandbox/` on the Fortnox port: settings, faults, and what a person would do in Fortnox.

Every answer is JSON. Invalid input is answered with 400 and changes nothing.
`sandbox/README.md` lists them.
"""

import base64
import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from sandbox.clock import Clock
from sandbox.faults import Faults
from sandbox.fortnox import customers, files, invoice_payments, invoices, projects, supplier_invoices
from sandbox.fortnox.errors import Refused
from sandbox.fortnox.feed import Feed
from sandbox.fortnox.ledger import Account, Currency, FinancialYear, Invoice, Ledger, Record, StoredFile
from sandbox.fortnox.oauth import SCOPES, OAuth
from sandbox.fortnox.options import Options
from sandbox.fortnox.tenants import Tenants
from sandbox.http import Answer, Call, Handler, Json, answer_error, answer_json, load
from sandbox.journal import Journal
from sandbox.moment import Moment
from sandbox.smtp import Mailbox, SmtpServer

PERSONS: Final = (  # controls that change a ledger as a person does
    "accounts", "currencies", "registers", "financialyears", "customers", "projects", "invoices", "supplierinvoices",
    "invoicepayments",
)  # fmt: skip
ACCOUNT_SETTINGS: Final = ("ALLOWED", "MANDATORY", "NOTALLOWED")


class Controls:
    def __init__(
        self,
        clock: Clock,
        options: Options,
        tenants: Tenants,
        oauth: OAuth,
        faults: Faults,
        journal: Journal,
        mailbox: Mailbox,
        smtp: SmtpServer,
        moment: Moment,
        feed: Feed,
    ) -> None:
        self._clock = clock
        self._options = options
        self._tenants = tenants
        self._oauth = oauth
        self._faults = faults
        self._journal = journal
        self._mailbox = mailbox
        self._smtp = smtp
        self._moment = moment
        self._feed = feed
        self.on_reset: Callable[[], None] = lambda: None

    @property
    def routes(self) -> list[tuple[str, str, Handler]]:
        routes: list[tuple[str, str, Handler]] = [
            ("GET", "tenants", self._list_tenants),
            ("POST", "tenants", self._change_tenant),
            ("POST", "grants", self._grant),
            ("POST", "grants/revoke", self._revoke_grants),
            ("POST", "tokens/expire", self._expire_tokens),
            ("GET", "tokens/refresh", self._refresh_tokens),
            ("GET", "faults", lambda _: answer_json(self._faults.as_json())),
            ("POST", "faults", self._add_faults),
            ("DELETE", "faults", self._clear_faults),
            ("GET", "requests", self._requests),
            ("DELETE", "requests", self._clear_requests),
            ("GET", "requests/count", self._count_requests),
            ("GET", "state", self._state),
            ("POST", "accounts", self._change_account),
            ("DELETE", "accounts/{number}", self._remove_account),
            ("POST", "currencies", self._change_currency),
            ("DELETE", "currencies/{code}", self._remove_currency),
            ("POST", "registers", self._change_registers),
            ("POST", "financialyears", self._change_years),
            ("POST", "lock", self._lock),
            ("POST", "customers", self._enter_customer),
            ("DELETE", "customers/{number}", self._delete_customer),
            ("DELETE", "projects/{number}", self._delete_project),
            ("POST", "projects/{number}", self._change_project),
            ("POST", "invoices/{number}/{action}", self._act_on_invoice),
            ("POST", "projects", self._enter_project),
            ("POST", "invoicepayments", self._enter_payment),
            ("POST", "invoicepayments/{number}/{action}", self._act_on_payment),
            ("DELETE", "invoicepayments/{number}", self._delete_payment),
            ("POST", "supplierinvoices", self._enter_supplier_invoice),
            ("POST", "supplierinvoices/{number}/{action}", self._act_on_supplier_invoice),
            ("GET", "clock", lambda _: self._time()),
            ("POST", "clock", self._set_clock),
            ("GET", "options", lambda _: answer_json(self._options.as_json())),
            ("POST", "options", self._change_options),
            ("GET", "feed", lambda _: answer_json(self._feed.as_json())),
            ("POST", "feed/close", self._close_feed),
            ("POST", "feed/silence", lambda _: answer_json({"silenced": self._feed.silence()})),
            ("POST", "feed/say", self._say_to_feed),
            ("POST", "feed/events", self._tell_feed),
            ("GET", "mails", self._mails),
            ("DELETE", "mails", self._clear_mails),
            ("POST", "smtp", self._refuse_mail),
            ("DELETE", "smtp", self._accept_mail),
            ("POST", "reset", self._reset),
            ("GET", "health", lambda _: answer_json({"ok": True})),
        ]
        return [(method, f"/_sandbox/{path}", _guarded(self._ahead(handler))) for method, path, handler in routes]

    def _ahead(self, handler: Handler) -> Handler:
        """The handler; where the feed is ahead of the API, the API shows the ledger as it was for a while."""

        def changing(call: Call) -> Answer:
            seconds = self._options.feed_ahead_seconds
            if seconds and call.method != "GET" and call.segments[1] in PERSONS:
                name = call.argument("tenant") or _given(call).get("tenant", "")
                self._tenants.keep_showing(name, seconds)
            return handler(call)

        return changing

    # -- tenants and their settings ---------------------------------------------------------------

    def _list_tenants(self, _call: Call) -> Answer:
        return answer_json({"tenants": [_tenant(one) for one in self._tenants.ledgers.values()]})

    def _change_tenant(self, call: Call) -> Answer:
        given = _given(call)
        name = given.pop("tenant")
        number = given.pop("database_number", None)
        known = self._tenants.get(name) is not None
        ledger = self._tenants.ensure(name)
        try:
            ledger.settings.change(given)
        except ValueError:
            if not known:
                del self._tenants.ledgers[name]
            raise
        if number is not None:
            ledger.database_number = int(number)
        return answer_json(_tenant(ledger), 201)

    def _ledger(self, name: str) -> Ledger:
        ledger = self._tenants.get(name)
        if ledger is None:
            raise ValueError(f"no tenant {name!r}")
        return ledger

    # -- grants and tokens ------------------------------------------------------------------------

    def _grant(self, call: Call) -> Answer:
        given = _given(call)
        self._tenants.ensure(given["tenant"])
        scopes = frozenset(given.get("scopes", "").split()) or SCOPES
        if not scopes <= SCOPES:
            raise ValueError(f"no such scope: {', '.join(sorted(scopes - SCOPES))}")
        code = self._oauth.consent(
            given["tenant"],
            given.get("client", next(iter(self._options.clients))),
            scopes,
            service=bool(given.get("service", False)),
            redirect_uri=given.get("redirect_uri"),
        )
        return answer_json({"code": code, "tenantId": self._ledger(given["tenant"]).database_number}, 201)

    def _revoke_grants(self, call: Call) -> Answer:
        tenant = _given(call)["tenant"]
        revoked = self._oauth.withdraw(tenant)
        self._feed.revoked(tenant)
        return answer_json({"revoked": revoked})

    def _expire_tokens(self, call: Call) -> Answer:
        given = _given(call)
        expired = self._oauth.expire(
            given.get("tenant"), access=given.get("access", True), refresh=given.get("refresh", False)
        )
        return answer_json({"expired": expired})

    def _refresh_tokens(self, call: Call) -> Answer:
        return answer_json({"tokens": self._oauth.refreshes(call.argument("tenant") or "")})

    # -- faults and the request log ---------------------------------------------------------------

    def _add_faults(self, call: Call) -> Answer:
        self._faults.configure(load(call.body))
        return answer_json(self._faults.as_json(), 201)

    def _clear_faults(self, _call: Call) -> Answer:
        self._faults.clear()
        return answer_json(self._faults.as_json())

    def _requests(self, call: Call) -> Answer:
        tenant, limit = call.argument("tenant"), int(call.argument("limit") or 1000)
        body = call.argument("bodies") is not None
        chosen = [entry for entry in self._journal.entries if tenant in (None, entry.tenant)]
        return answer_json({"requests": [entry.as_json(body=body) for entry in chosen[-limit:]]})

    def _clear_requests(self, _call: Call) -> Answer:
        self._journal.clear()
        return answer_json({"requests": []})

    def _count_requests(self, call: Call) -> Answer:
        by = call.argument("by") or "kind"
        return answer_json(self._journal.count(call.argument("tenant"), "kind" if by == "path-kind" else by))

    # -- the ledger -------------------------------------------------------------------------------

    def _state(self, call: Call) -> Answer:
        name = call.argument("tenant")
        if name is None:
            return answer_json({one: ledger_state(ledger) for one, ledger in self._tenants.ledgers.items()})
        return answer_json(ledger_state(self._ledger(name)))

    def _change_account(self, call: Call) -> Answer:
        given = _given(call)
        ledger, number = self._ledger(given.pop("tenant")), int(given.pop("number"))
        for name in ("project_settings", "cost_center_settings"):
            if given.get(name, "ALLOWED") not in ACCOUNT_SETTINGS:
                raise ValueError(f"{name} is one of {', '.join(ACCOUNT_SETTINGS)}")
        account = ledger.accounts.get(number) or Account(number, str(number))
        changed = Account(
            number,
            given.pop("description", account.description),
            given.pop("active", account.active),
            given.pop("vat_code", account.vat_code),
            given.pop("project_settings", account.project_settings),
            given.pop("cost_center_settings", account.cost_center_settings),
            given.pop("project", account.project),
            given.pop("cost_center", account.cost_center),
        )
        _refuse_rest(given)
        ledger.tell("account-updated" if number in ledger.accounts else "account-created", number)
        ledger.accounts[number] = changed
        return answer_json(
            {"number": number, "active": changed.active, "project_settings": changed.project_settings}, 201
        )

    def _remove_account(self, call: Call) -> Answer:
        ledger = self._ledger(call.argument("tenant") or "")
        removed = ledger.accounts.pop(int(call.params["number"]), None) is not None
        if removed:
            ledger.tell("account-deleted", call.params["number"])
        return answer_json({"removed": removed})

    def _change_currency(self, call: Call) -> Answer:
        given = _given(call)
        ledger, code = self._ledger(given.pop("tenant")), given.pop("code")
        rate, unit = Decimal(given.pop("rate")), int(given.pop("unit", 1))
        _refuse_rest(given)
        ledger.currencies[code] = Currency(code, code, rate, rate, unit)
        return answer_json({"code": code, "rate": rate, "unit": unit}, 201)

    def _remove_currency(self, call: Call) -> Answer:
        ledger = self._ledger(call.argument("tenant") or "")
        return answer_json({"removed": ledger.currencies.pop(call.params["code"], None) is not None})

    def _change_registers(self, call: Call) -> Answer:
        given = _given(call)
        ledger = self._ledger(given.pop("tenant"))
        registers = ("units", "cost_centers", "articles", "terms_of_payment")
        if set(given) - set(registers):
            raise ValueError(f"registers are {', '.join(registers)}")
        for code in set(given.get("cost_centers", ())) - ledger.cost_centers:
            ledger.tell("cost-center-created", code)
        for name, values in given.items():
            getattr(ledger, name).update(values)
        return answer_json({name: getattr(ledger, name) for name in registers}, 201)

    def _change_years(self, call: Call) -> Answer:
        given = _given(call)
        ledger = self._ledger(given["tenant"])
        by_year = {year.first.year: year for year in ledger.years}
        ledger.years = [
            by_year.get(year) or FinancialYear(len(by_year) + index, *_calendar_year(year))
            for index, year in enumerate(given["years"], 1)
        ]
        for year in ledger.years:
            if year.first.year not in by_year:
                ledger.tell("financial-year-created", year.id)
        return answer_json({"years": [year.first.year for year in ledger.years]}, 201)

    def _lock(self, call: Call) -> Answer:
        given = _given(call)
        ledger = self._ledger(given["tenant"])
        ledger.settings.change({"locked_until": given["until"]})
        return answer_json({"locked_until": ledger.settings.locked_until})

    def _enter_customer(self, call: Call) -> Answer:
        given = _given(call)
        ledger = self._ledger(given.pop("tenant"))
        record = customers.enter(ledger, str(given.pop("number")), given)
        return answer_json({"Customer": customers.shown(record)}, 201)

    def _delete_customer(self, call: Call) -> Answer:
        customers.remove(self._ledger(call.argument("tenant") or ""), call.params["number"])
        return answer_json({"deleted": call.params["number"]})

    def _delete_project(self, call: Call) -> Answer:
        projects.remove(self._ledger(call.argument("tenant") or ""), call.params["number"])
        return answer_json({"deleted": call.params["number"]})

    def _change_project(self, call: Call) -> Answer:
        given = _given(call)
        ledger = self._ledger(given.pop("tenant"))
        projects.change(ledger, ledger.projects[call.params["number"]], given)
        return answer_json(projects.shown(ledger.projects[call.params["number"]]))

    def _enter_project(self, call: Call) -> Answer:
        """Create or change a project as a person in Fortnox would; the start date is optional."""
        given = _given(call)
        ledger = self._ledger(given.pop("tenant"))
        record = projects.enter(ledger, str(given.pop("number")), given)
        return answer_json({"Project": projects.shown(record)}, 201)

    def _enter_payment(self, call: Call) -> Answer:
        given = _given(call)
        ledger = self._ledger(given.pop("tenant"))
        return answer_json(invoice_payments.shown(ledger, invoice_payments.enter(ledger, given)), 201)

    def _act_on_payment(self, call: Call) -> Answer:
        ledger = self._ledger(_given(call)["tenant"])
        payment = ledger.payments[call.params["number"]]
        {"book": invoice_payments.book, "unbook": invoice_payments.unbook}[call.params["action"]](ledger, payment)
        return answer_json(invoice_payments.shown(ledger, payment))

    def _delete_payment(self, call: Call) -> Answer:
        ledger = self._ledger(call.argument("tenant") or "")
        invoice_payments.remove(ledger, ledger.payments[call.params["number"]])
        return answer_json({"deleted": call.params["number"]})

    def _act_on_invoice(self, call: Call) -> Answer:
        ledger = self._ledger(_given(call)["tenant"])
        invoice = ledger.invoices[call.params["number"]]
        {"complete": invoices.complete, "book": invoices.book, "cancel": invoices.make_void}[call.params["action"]](
            ledger, invoice
        )
        invoice.modified = ledger.clock.minute()
        return answer_json({"DocumentNumber": invoice.number, "booked": invoice.booked, "cancelled": invoice.cancelled})

    def _enter_supplier_invoice(self, call: Call) -> Answer:
        given = _given(call)
        ledger = self._ledger(given.pop("tenant"))
        marks = {name: given.pop(name) for name in ("approved", "booked", "cancelled") if name in given}
        uploads = given.pop("files", [])
        copies, like = int(given.pop("copies", 0)), given.pop("invoice")
        how = {"vat": Decimal(given.pop("vat", 0)), "raw_rows": given.pop("raw_rows", False)}
        _refuse_rest(given)
        for _ in range(copies):
            copy = supplier_invoices.enter(ledger, like, **how)
            copy.approved = marks.get("approved", True)
            if marks.get("booked"):
                supplier_invoices.book(ledger, copy)
        invoice = supplier_invoices.enter(ledger, like, **how)
        invoice.approved = marks.get("approved", invoice.approved)
        invoice.cancelled = marks.get("cancelled", invoice.cancelled)
        if marks.get("booked"):
            supplier_invoices.book(ledger, invoice)
        for one in uploads:
            content = base64.b64decode(one["content_base64"])
            kind = one.get("content_type", "application/pdf")
            file = files.store(ledger, one["name"], content, kind, "inbox_l")
            file.in_archive = True
            invoice.files.append(file)
        return answer_json({"GivenNumber": invoice.number, "LastModified": invoice.modified}, 201)

    def _act_on_supplier_invoice(self, call: Call) -> Answer:
        ledger = self._ledger(call.argument("tenant") or _given(call)["tenant"])
        invoice = ledger.supplier_invoices[call.params["number"]]
        actions = {
            "approve": supplier_invoices.approve,
            "book": supplier_invoices.book,
            "cancel": supplier_invoices.cancel,
        }
        actions[call.params["action"]](ledger, invoice)
        return answer_json(
            {
                "GivenNumber": invoice.number,
                "approved": invoice.approved,
                "booked": invoice.booked,
                "cancelled": invoice.cancelled,
            }
        )

    # -- the world around -------------------------------------------------------------------------

    def _time(self) -> Answer:
        now = self._clock.now()
        return answer_json({"now": now, "local": self._clock.local(), "offset_seconds": self._offset()})

    def _offset(self) -> float:
        return self._clock.offset.total_seconds()

    def _set_clock(self, call: Call) -> Answer:
        given = _given(call)
        if "now" in given:
            moment = datetime.fromisoformat(given["now"])
            if moment.tzinfo is None:
                raise ValueError("now needs an offset, as in 2026-11-22T09:00:00+01:00")
            self._clock.set_to(moment)
        elif "advance_seconds" in given:
            self._clock.offset += timedelta(seconds=float(given["advance_seconds"]))
        else:
            self._clock.offset = timedelta(seconds=float(given["offset_seconds"]))
        return self._time()

    def _change_options(self, call: Call) -> Answer:
        self._options.change(_given(call))
        return answer_json(self._options.as_json())

    def _mails(self, _call: Call) -> Answer:
        mails = [mail.as_json() for mail in self._mailbox.mails]
        return answer_json({"mails": mails, "refused": self._mailbox.refused})

    def _clear_mails(self, _call: Call) -> Answer:
        self._mailbox.mails.clear()
        self._mailbox.refused = 0
        return answer_json({"mails": []})

    def _refuse_mail(self, call: Call) -> Answer:
        given = _given(call)
        self._smtp.refuse(given["refuse"], given.get("count"), given.get("recipient"))
        return answer_json({"refuse": given["refuse"], "count": given.get("count")})

    def _accept_mail(self, _call: Call) -> Answer:
        self._smtp.refuse(None, None)
        return answer_json({"refuse": None})

    def _reset(self, _call: Call) -> Answer:
        self._feed.clear()
        self._tenants.clear()
        self._oauth.clear()
        self._faults.clear()
        self._journal.clear()
        self._options.restore()
        self._clock.offset = timedelta()
        self._mailbox.mails.clear()
        self._mailbox.refused = 0
        self._smtp.refuse(None, None)
        self._moment.clear()
        self.on_reset()
        return answer_json({"reset": True})

    # -- the feed ---------------------------------------------------------------------------------

    def _close_feed(self, call: Call) -> Answer:
        code = _given(call).get("code")
        return answer_json({"closed": self._feed.close_all(None if code is None else int(code))})

    def _say_to_feed(self, call: Call) -> Answer:
        """What nobody would say: a `text`, `bytes_base64` in a binary frame, `letters` of text, or a `frame_base64`."""
        given = _given(call)
        if "frame_base64" in given:
            return answer_json({"told": self._feed.send_frame(base64.b64decode(given["frame_base64"]))})
        if "bytes_base64" in given:
            return answer_json({"told": self._feed.say(bytes=base64.b64decode(given["bytes_base64"]))})
        text = "x" * int(given["letters"]) if "letters" in given else str(given["text"])
        return answer_json({"told": self._feed.say(text=text)})

    def _tell_feed(self, call: Call) -> Answer:
        """Add an event that no change in the ledger made, or several."""
        given = _given(call)
        several = given.get("events", [given])
        return answer_json({"events": [self._told(one) for one in several]}, 201)

    def _told(self, given: dict[str, Json]) -> Json:
        ledger = self._ledger(given["tenant"])
        number = int(given.get("tenantId", ledger.database_number))
        happened = self._tenants.happenings.note(
            ledger.name, number, given["type"], str(given["entityId"]), given["topic"]
        )
        return happened.as_json()


def _guarded(handler: Handler) -> Handler:
    def guarded(call: Call) -> Answer:
        try:
            return handler(call)
        except KeyError as error:
            return answer_error(400, f"missing or unknown: {error}")
        except (ValueError, TypeError, ArithmeticError, Refused) as error:
            return answer_error(400, f"{type(error).__name__}: {error}")

    return guarded


def _given(call: Call) -> dict[str, Json]:
    given = load(call.body or b"{}")
    if not isinstance(given, dict):
        raise ValueError("a JSON object is expected")
    return given


def _refuse_rest(given: dict[str, Json]) -> None:
    if given:
        raise ValueError(f"not understood: {', '.join(sorted(given))}")


def _calendar_year(year: int) -> tuple[Json, Json]:
    return datetime.fromisoformat(f"{year}-01-01").date(), datetime.fromisoformat(f"{year}-12-31").date()


def _tenant(ledger: Ledger) -> Json:
    return {
        "tenant": ledger.name,
        "tenantId": ledger.database_number,
        "settings": ledger.settings.as_json(),
    }


def ledger_state(ledger: Ledger) -> Json:
    """Everything a ledger holds. Keys of Fortnox's spelling are the API's own view; the rest is ours."""
    return {
        **_tenant(ledger),
        "customers": [_record(customers.shown(one), one) for one in ledger.customers.values()],
        "deletedCustomers": ledger.deleted_customers,
        "projects": [_record(projects.shown(one), one) for one in ledger.projects.values()],
        "invoices": [_invoice(ledger, one) for one in ledger.invoices.values()],
        "supplierInvoices": [
            {
                **supplier_invoices.shown(ledger, one),
                "approved": one.approved,
                "modified": one.modified,
            }
            for one in ledger.supplier_invoices.values()
        ],
        "invoicePayments": [invoice_payments.shown(ledger, one) for one in ledger.payments.values()],
        "files": [_file(one) for one in ledger.files.values()],
        "orphans": [_file(one) for one in ledger.orphans()],
        "counters": dict(ledger.counters),
    }


def _record(shown: Json, record: Record) -> Json:
    return {**shown, "modified": record.modified, "writes": dict(record.writes)}


def _invoice(ledger: Ledger, invoice: Invoice) -> Json:
    attached = ledger.attachments_of.get(int(invoice.number), [])
    return {
        **invoices.shown(ledger, invoice),
        "attachments": [
            {**_file(one.file), "attachmentId": one.id, "includeOnSend": one.include_on_send} for one in attached
        ],
        "modified": invoice.modified,
        "writes": dict(invoice.writes),
    }


def _file(file: StoredFile) -> Json:
    return {
        **files.shown(file),
        "contentType": file.content_type,
        "sha256": hashlib.sha256(file.content).hexdigest(),
    }
