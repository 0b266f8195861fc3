"""`moment-fortnox companies`: connect a company to its Fortnox ledger, look at its connection, disconnect it.

Connecting and disconnecting are events like those from Moment, so they stand in line with everything else.
"""

import secrets
import sys
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from rich.markup import escape
from rich.table import Table

from cli.console import Json, connected, err, fail, out, print_json, styled
from cli.status import connection_state
from local import DeadlineExceeded, wait_until
from messages import Message
from messages.catalogue import say
from moment.events import Integration, InvalidEvent, Transfers
from ordering import EventRecord
from ordering.engine import UNSETTLED
from stores import CompanySettings, Connection
from worker.bootstrap import App
from worker.publish import publish

companies = typer.Typer(no_args_is_help=True, help="Connect companies to their Fortnox ledgers.")

CompanyArgument = Annotated[str, typer.Argument(help="The company's code in Moment.", metavar="COMPANY")]
SETTLES_WITHIN = 30.0  # seconds; the code lives ten minutes


@companies.command("list")
def list_companies(json: Json = False) -> None:
    """List the companies and the state of their connections."""
    with connected() as app:
        states = {name: connection_state(app.services, name) for name in app.services.ordering.companies()}
    if json:
        for name, state in states.items():
            print_json({"company": name, "connection": state})
        return
    table = Table("company", "connection", box=None)
    for name, state in states.items():
        table.add_row(name, state)
    out.print(table if states else "no companies yet")


@companies.command()
def show(company: CompanyArgument, json: Json = False) -> None:
    """Show a company's connection and choices. No secret is shown."""
    with connected() as app:
        connection = app.services.stores.connections.find(company)
        paused = app.services.ordering.paused(company)
        refreshed = app.services.stores.connections.last_refreshed(company)
    if connection is None:
        fail(f"{company} is not connected")
    hidden = {"integration": {"authorization_code"}, "code_digest": True}
    fields = connection.model_dump(mode="json", by_alias=True, exclude=hidden)  # type: ignore[arg-type]
    fields |= {
        "paused": paused and say(paused),
        "refreshTokenUsedAt": refreshed and refreshed.isoformat(timespec="seconds"),
    }
    if json:
        print_json(fields)
        return
    del fields["problems"]
    table = Table(show_header=False, box=None)
    for name, value in fields.items():
        table.add_row(f"[dim]{name}[/]", escape(str(value)))
    out.print(table)
    _tell_problems(connection)


def _tell_problems(connection: Connection | None) -> None:
    for problem in connection.problems if connection else ():
        stops = f" [dim](stops {', '.join(problem.stops)})[/]" if problem.stops else ""
        out.print(f"\n[yellow]![/] {escape(say(problem.what))}{stops}\n  {escape(say(problem.remedy))}", soft_wrap=True)


@companies.command()
def connect(
    company: CompanyArgument,
    code: Annotated[
        str | None,
        typer.Option(
            help="The one-time authorization code from Fortnox; it lives 10 minutes. -: it is asked for, or read from "
            "the standard input, so that no list of processes shows it."
        ),
    ] = None,
    error_email: Annotated[str | None, typer.Option(help="Where failures are mailed to; needed at first.")] = None,
    service_account: Annotated[
        bool | None,
        typer.Option("--service-account/--no-service-account", help="Whether the consent is a service account's."),
    ] = None,
    transfers: Annotated[
        str | None, typer.Option(help="What goes to Fortnox: customers,projects,invoices, which is all.")
    ] = None,
    expense_accounts: Annotated[
        str | None,
        typer.Option(help="Bring expenses on these accounts back: 4010,5000-5999. Empty: on every cost account."),
    ] = None,
    no_expenses: Annotated[bool, typer.Option("--no-expenses", help="Bring no expenses back.")] = False,
    billable: Annotated[
        bool | None, typer.Option("--billable/--not-billable", help="Whether expenses are billable.")
    ] = None,
    from_date: Annotated[
        str | None, typer.Option(help="Bring back what is dated then or later: 2026-11-20.", metavar="DATE")
    ] = None,
) -> None:
    """Connect a company with the one-time code that Fortnox gave when somebody consented, or change its choices.

    What is not given stays as the company chose it before. Without --code, what is given is changed for a connected
    company, which needs no new consent; else the address is printed at which a person of the company consents.
    """
    if no_expenses and expense_accounts is not None:
        fail("--no-expenses: --expense-accounts brings some back", 2)
    choices = {
        "errorEmail": error_email,
        "transfers": None if transfers is None else _transfers(transfers),
        "expenses.enabled": None if expense_accounts is None and not no_expenses else not no_expenses,
        "expenses.accountNumbers": None if expense_accounts is None else _listed(expense_accounts),
        "expenses.billableByDefault": billable,
        "expenses.fromDate": from_date,
    }
    with connected() as app:
        before = app.services.stores.connections.find(company)
        stored = before.integration if before else Integration()
        integration = changed(stored, choices | {"serviceAccount": service_account})
        asks = code is None and service_account is None and any(value is not None for value in choices.values())
        if asks and before is not None and before.state == "connected":
            _change(app, company, integration)
        elif code is None:
            _tell_where_to_consent(app, company, integration, before)
        else:
            _connect(app, company, integration, _read(code))


def changed(stored: Integration, given: Mapping[str, Any]) -> dict[str, Any]:
    """The choices as an event carries them: those that are given (not None), by their path, and else the stored."""
    fields = stored.model_dump(mode="json", by_alias=True, exclude={"authorization_code"})
    for path, value in given.items():
        within, _, name = path.rpartition(".")
        if value is not None:
            (fields[within] if within else fields)[name] = value
    return fields


def _change(app: App, company: str, integration: dict[str, Any]) -> None:
    _tell(_deliver(app, company, "integration.updated", integration), f"{company} is connected as you chose")
    _tell_problems(app.services.stores.connections.find(company))


def _connect(app: App, company: str, integration: dict[str, Any], code: str) -> None:
    if integration["errorEmail"] is None:
        fail("--error-email: is missing", 2)
    record = _deliver(app, company, "integration.enabled", integration | {"authorizationCode": code})
    connection = app.services.stores.connections.find(company)
    if record is not None and connection is not None and connection.enabled_by != record.id:
        fail(in_words(record))  # what the company had before goes on
    ledger = f" to {connection.ledger}" if connection and connection.ledger else ""
    _tell(record, f"{company} is connected{ledger}")
    _tell_problems(connection)


def _read(code: str) -> str:
    if code == "-":
        code = typer.prompt("Code", hide_input=True) if sys.stdin.isatty() else sys.stdin.readline()
    return code.strip() or fail("--code: is missing", 2)


def _transfers(text: str) -> dict[str, bool]:
    kinds = tuple(Transfers.model_fields)
    if wrong := [one for one in _listed(text) if one not in kinds]:
        fail(f"--transfers: {', '.join(wrong)}: there are {', '.join(kinds)}", 2)
    return {kind: kind in _listed(text) for kind in kinds}


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _tell_where_to_consent(app: App, company: str, integration: dict[str, Any], before: Connection | None) -> None:
    if app.settings.fortnox_redirect_uri is None:
        fail("FORTNOX_REDIRECT_URI: set the redirect address that is registered with Fortnox", 2)
    service = integration["serviceAccount"]
    address = app.services.fortnox.oauth.authorize_url(secrets.token_urlsafe(16), service_account=service)
    out.print("A system administrator of the company opens this address and approves:\n")
    out.print(f"  {address}\n", soft_wrap=True)
    out.print(
        "Fortnox then goes on to the redirect address with ?code=…; within ten minutes, run this again with it:\n"
    )
    options = "" if integration["errorEmail"] else " --error-email ADDRESS"
    if service != (before is not None and before.integration.service_account):
        options += " --service-account" if service else " --no-service-account"
    out.print(f"  moment-fortnox companies connect {company} --code CODE{options}", soft_wrap=True)


@companies.command()
def disconnect(company: CompanyArgument) -> None:
    """End a company's connection: its tokens are revoked and forgotten; enabling again needs a new code."""
    with connected() as app:
        if app.services.stores.connections.find(company) is None:
            fail(f"{company} is not connected")
        record = _deliver(app, company, "integration.disabled", {})
    _tell(record, f"{company} is disconnected")
    if record is not None and record.reason:
        out.print(escape(in_words(record)))


@companies.command()
def settings(
    company: CompanyArgument,
    changes: Annotated[
        list[str] | None,
        typer.Argument(
            help="What to change: language=en. An empty value goes back to the default.", metavar="NAME=VALUE"
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Show a company's settings, or change them."""
    values = dict(_split(change) for change in changes or ())
    with connected() as app:
        store = app.services.stores.company_settings
        try:
            found = store.change(company, values) if values else store.get(company)
        except ValidationError as error:
            fail("; ".join(map(_problem, error.errors(include_url=False))), 2)
    fields = found.model_dump(mode="json", by_alias=True)
    if json:
        print_json(fields)
        return
    table = Table("setting", "value", "", box=None)
    for name, field in CompanySettings.model_fields.items():
        table.add_row(str(field.alias), escape(str(getattr(found, name))), f"[dim]{field.description}[/]")
    out.print(table)


def _problem(fault: ErrorDetails) -> str:
    name = ".".join(map(str, fault["loc"]))
    if fault["type"] == "extra_forbidden":
        known = ", ".join(str(field.alias) for field in CompanySettings.model_fields.values())
        return f"{name}: is no setting; there are {known}"
    return f"{name}: {fault['input']!r}: {fault['msg']}"


def _split(change: str) -> tuple[str, str]:
    name, equals, value = change.partition("=")
    if not equals:
        fail(f"{change}: write NAME=VALUE", 2)
    return name.strip(), value.strip()


def _deliver(app: App, company: str, event_type: str, integration: dict[str, Any]) -> EventRecord | None:
    """Publishes the event and waits until it is settled; None when no worker settled it in time."""
    event_id = f"cli-{uuid.uuid4().hex[:12]}"
    given = {
        "id": event_id,
        "company": company,
        "type": event_type,
        "occurredAt": datetime.now(UTC).isoformat(),
        "integration": integration,
    }
    try:
        publish(given, services=app.services)
    except InvalidEvent as error:
        fail(str(error), 2)

    def settled() -> EventRecord | None:
        record = app.services.ordering.event(company, event_id)
        return record if record is not None and record.status not in UNSETTLED else None

    try:
        with err.status("Waiting for a worker …"):
            return wait_until(settled, what="a worker", timeout=SETTLES_WITHIN, interval=0.1)
    except DeadlineExceeded:
        return None


def _tell(record: EventRecord | None, success: str) -> None:
    if record is None:
        fail(f"no worker has done it within {SETTLES_WITHIN:.0f} s; it is kept and goes on when one runs")
    if record.status != "done":
        fail(in_words(record))
    out.print(styled("done", escape(success)))


def in_words(record: EventRecord) -> str:
    """Why the event ended as it did, and what to do."""
    return say(Message.join(record.reason, record.remedy))
