"""`moment-fortnox companies`: connect a company to its Fortnox ledger, look at its connection, disconnect it."""

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.console import (
    CompanyArgument,
    DryRun,
    Json,
    Utc,
    Yes,
    actor,
    agreed,
    connected,
    err,
    events_in_words,
    fail,
    local_time,
    out,
    print_json,
    say,
    shown,
    styled,
)
from cli.lists import show_fields, show_list
from cli.printable import json_text, printable
from cli.states import in_words
from delivery.consent import problems_of
from delivery.services import Services
from moment.events import Integration, InvalidEvent, PaymentChoices, Transfers
from operations import companies as operation
from operations.companies import CompanyDetails
from operations.mail_links import revoke
from operations.states import CONNECTED, as_fields
from ordering import UNSETTLED
from stores import CompanySettings, Connection

companies = typer.Typer(no_args_is_help=True, help="Connect companies to their Fortnox ledgers.")


@companies.command("list")
def list_companies(json: Json = False) -> None:
    """List the companies and the state of their connections."""
    with connected() as services:
        states = operation.states(services)
    if json:
        for name, state in states.items():
            connection = "connected" if state.name in CONNECTED else state.name
            print_json({"company": name, "connection": connection, **as_fields(state)})
        return
    if states or not out.is_terminal:
        show_list(("company", "state"), ({"company": name, "state": in_words(state)} for name, state in states.items()))
    else:
        out.print("no companies yet")


@companies.command()
def show(company: CompanyArgument, utc: Utc = False, json: Json = False) -> None:
    """Show a company's connection and choices. No secret is shown."""
    with connected() as services:
        found = operation.show(services, company)
    if json:
        print_json(_as_json(found))
        return
    connection, chosen = found.connection, found.connection.integration
    expenses = chosen.expenses
    accounts = ", ".join(expenses.account_numbers) or "every cost account"
    billable = "billable" if expenses.billable_by_default else "not billable"
    since = f", from {expenses.from_date}" if expenses.from_date else ""
    show_fields(
        {
            "company": company,
            "state": in_words(found.state),
            "why": say(found.state.why),
            "ledger": connection.ledger,
            "tenant id": connection.tenant_id,
            "connected": local_time(connection.connected_at),
            "with": "a service account" if chosen.service_account else "a person's consent",
            "refresh token used": local_time(found.refreshed) if found.refreshed else "",
            "scopes": ", ".join(connection.scopes),
            "errors to": chosen.error_email,
            "transfers": ", ".join(name for name, wanted in chosen.transfers if wanted) or "nothing",
            "expenses": f"on {accounts}, {billable}{since}" if expenses.enabled else "none",
            "payments": _payments(chosen.payments),
            "events": ", ".join(f"{n} {status}" for status, n in found.events.items() if n),
        }
    )
    _show_problems(connection)


def _payments(chosen: PaymentChoices) -> str:
    if not chosen.enabled:
        return "none"
    return f"to Moment, from {chosen.from_date}" if chosen.from_date else "to Moment"


def _as_json(found: CompanyDetails) -> dict[str, Any]:
    """What `companies show --json` prints. `state` is the connection's; `now` has the company's."""
    hidden = {"integration": {"authorization_code"}, "code_digest": True, "problems": True}
    fields = found.connection.model_dump(mode="json", by_alias=True, exclude=hidden)  # type: ignore[arg-type]
    problems = [
        {"what": say(one.what), "remedy": say(one.remedy), "stops": one.stops} for one in problems_of(found.connection)
    ]
    return fields | {
        "paused": say(found.state.why) or None,
        "now": as_fields(found.state),
        "refreshTokenUsedAt": found.refreshed.isoformat(timespec="seconds") if found.refreshed else None,
        "problems": problems,
    }


def _show_problems(connection: Connection) -> None:
    for problem in problems_of(connection):
        stops = f" [dim](stops {', '.join(problem.stops)})[/]" if problem.stops else ""
        out.print(f"\n[yellow]![/] {shown(say(problem.what))}{stops}\n  {shown(say(problem.remedy))}", soft_wrap=True)


@companies.command()
def connect(
    company: CompanyArgument,
    code: Annotated[
        str | None,
        typer.Option(
            help="The whole address to which Fortnox redirected, whose state is compared; or the one-time code in it "
            "alone. It lives 10 minutes. -: it is asked for, or read from the standard input, so that no list of "
            "processes shows it."
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
    payments: Annotated[
        bool | None,
        typer.Option("--payments/--no-payments", help="Whether payments of the transferred invoices go to Moment."),
    ] = None,
    payments_from: Annotated[
        str | None, typer.Option(help="Only what is paid then or later: 2026-11-20.", metavar="DATE")
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
        "payments.enabled": payments,
        "payments.fromDate": payments_from,
    }
    with connected() as services:
        operation.check_code(company)
        before = services.stores.connections.find(company)
        stored = before.integration if before else Integration()
        integration = operation.changed(stored, choices | {"serviceAccount": service_account})
        asks = code is None and service_account is None and any(value is not None for value in choices.values())
        if asks and before is not None and before.state == "connected":
            _change(services, company, integration)
        elif code is None:
            _show_where_to_consent(services, company, integration, before)
        else:
            _connect(services, company, integration, _read(code))


def _change(services: Services, company: str, integration: dict[str, Any]) -> None:
    try:
        with err.status("Waiting for a worker …"):
            connection = operation.change(services, company, integration, by=actor())
    except InvalidEvent as error:
        fail(str(error), 2)
    out.print(styled("done", shown(f"{company} is connected as you chose")))
    _show_problems(connection)


def _connect(services: Services, company: str, integration: dict[str, Any], code: str) -> None:
    if integration["errorEmail"] is None:
        fail("--error-email: is missing", 2)
    if "?" in code:  # no code has one
        code = operation.code_of(services, company, code)
    try:
        with err.status("Waiting for a worker …"):
            connection = operation.connect(services, company, integration, code, by=actor())
    except InvalidEvent as error:
        fail(str(error), 2)
    ledger = f" to {connection.ledger}" if connection.ledger else ""
    out.print(styled("done", shown(f"{company} is connected{ledger}")))
    _show_problems(connection)


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


def _show_where_to_consent(
    services: Services, company: str, integration: dict[str, Any], before: Connection | None
) -> None:
    chosen = Integration.model_validate(integration)
    service = chosen.service_account
    address = operation.consent_address(services, company, chosen, by=actor())
    out.print("A system administrator of the company opens this address and approves:\n")
    out.print(f"  {address}\n", soft_wrap=True)
    out.print(
        "Fortnox then goes on to an address with ?code=…&state=…; within ten minutes, run this and paste all of it:\n"
    )
    options = "" if chosen.error_email else " --error-email ADDRESS"
    if service != (before is not None and before.integration.service_account):
        options += " --service-account" if service else " --no-service-account"
    out.print(f"  moment-fortnox companies connect {company} --code -{options}", soft_wrap=True)


@companies.command()
def disconnect(company: CompanyArgument, yes: Yes = False, dry_run: DryRun = False) -> None:
    """End a company's connection: its tokens are revoked and forgotten; enabling again needs a new code.

    It says what waits, and asks where it can.
    """
    with connected() as services:
        found = operation.show(services, company)
        waiting = sum(found.events[status] for status in UNSETTLED)
        ledger = f" to {found.connection.ledger}" if found.connection.ledger else ""
        waits = f"{events_in_words(waiting)} under way will be skipped" if waiting else "nothing waits"
        if dry_run or not yes:
            err.print(shown(f"{company} is {in_words(found.state)}{ledger}; {waits}."))
        if dry_run:
            err.print("Nothing was done (--dry-run).")
            return
        if not agreed("Disconnect it?", yes=yes, unattended=True):
            raise typer.Exit(1)
        with err.status("Waiting for a worker …"):
            left = operation.disconnect(services, company, by=actor())
    out.print(styled("done", shown(f"{company} is disconnected")))
    if left:
        out.print(shown(say(left)))


@companies.command()
def forget(
    company: CompanyArgument,
    output: Annotated[
        Path | None, typer.Option("--output", help="Where its log is written first; a new file here if left out.")
    ] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Remove a company that never was or is gone, with all its events. Its transfer log is written to a file first.

    One that is connected must be disconnected before. Nothing changes in Fortnox or Moment.
    """
    with connected() as services:
        n = operation.check_forgettable(services, company)
        if dry_run:
            err.print(shown(f"{company} would be forgotten with {events_in_words(n)}. Nothing was done (--dry-run)."))
            return
        if not agreed(f"Forget {printable(company)} with {events_in_words(n)}?", yes=yes, unattended=False):
            raise typer.Exit(1)
        path = output or Path(f"{company}-{datetime.now().astimezone():%Y%m%d-%H%M%S}.jsonl")
        _write_log(services, company, path)
        operation.forget(services, company, by=actor())
    out.print(shown(f"{company} is forgotten; its log is in {path}"), soft_wrap=True)


@companies.command("revoke-links")
def revoke_links(company: CompanyArgument) -> None:
    """Revoke all links that the company was mailed, and end what they opened. The next mail has a new one."""
    with connected() as services:
        revoke(services, company, by=actor())
    out.print(shown(f"the links in the mails of {company} are revoked"))


def _write_log(services: Services, company: str, path: Path) -> None:
    """Write the company's log to a new file that only this user can read, each event with what was received of it."""
    from cli.export import row

    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as log:
            for line, body in operation.log_of(services, company):
                log.write(json_text(row(line) | {"body": body}) + "\n")
            log.flush()
            os.fsync(log.fileno())
    except OSError as error:
        fail(f"--output {path}: {error.strerror}", 2)


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
    with connected() as services:
        if values:
            found = operation.change_settings(services, company, values, by=actor())
        else:
            found = operation.settings(services, company)
    fields = found.model_dump(mode="json", by_alias=True)
    if json:
        print_json(fields)
        return
    rows = [
        {"setting": str(field.alias), "value": _typed(getattr(found, name)), "what": field.description or ""}
        for name, field in CompanySettings.model_fields.items()
    ]
    show_list(("setting", "value", "what"), rows, below={"what": ""})


def _typed(value: object) -> str:
    """A setting's value as it is given."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _split(change: str) -> tuple[str, str]:
    name, equals, value = change.partition("=")
    if not equals:
        fail(f"{change}: write NAME=VALUE", 2)
    return name.strip(), value.strip()
