"""`moment-fortnox keys producer`: the keys with which producers' programs use the HTTP door."""

from typing import Annotated, Any

import typer

from cli.console import Json, Utc, actor, connected, err, fail, local_time, out, print_json, say, shown
from cli.lists import show_list
from delivery.services import Services
from operations import producer_keys as operation
from operations.errors import UnknownCompany
from operations.naming import check_company
from stores.producer_keys import EVERY, ProducerKey

COLUMNS = ("name", "companies", "made", "used")
Name = Annotated[str, typer.Argument(help="The key's name, by which it is listed and revoked.", metavar="NAME")]

producer = typer.Typer(no_args_is_help=True, help="Keys with which producers' programs use the HTTP door, /api/v1.")


@producer.command("new")
def new_key(
    name: Name,
    company: Annotated[
        list[str] | None, typer.Option("--company", help="A company that the key is for; once for each.")
    ] = None,
    all_companies: Annotated[
        bool, typer.Option("--all-companies", help="The key is for every company, known or not yet.")
    ] = False,
) -> None:
    """Make a key and print it, once: only its digest is kept."""
    if (all_companies and company) or EVERY in (company or ()):
        fail("--company names one company; for all of them give --all-companies alone", 2)
    companies = [EVERY] if all_companies else company or []
    with connected() as services:
        key = operation.make(services, name, companies, by=actor())
        for one in company or ():
            _note_unknown(services, one)
    typer.echo(key)
    err.print("Keep it where the program reads it: nobody can read it here again.")


def _note_unknown(services: Services, company: str) -> None:
    """A key may be for a company that is yet to come; but its code may also be misspelt."""
    try:
        check_company(services, company)
    except UnknownCompany as error:
        err.print(f"[yellow]note:[/] {shown(say(error.message))} The key is for it all the same.", soft_wrap=True)


@producer.command("list")
def list_keys(utc: Utc = False, json: Json = False) -> None:
    """List the keys: their companies, when each was made, and when it was used last. No key is shown."""
    with connected() as services:
        found = operation.all_keys(services)
    if json:
        for one in found:
            print_json(_as_json(one))
    elif found or not out.is_terminal:
        show_list(COLUMNS, map(_row, found))
    else:
        out.print("no keys yet")


@producer.command()
def revoke(name: Name) -> None:
    """Revoke a key: from now on it opens nothing."""
    with connected() as services:
        operation.revoke(services, name, by=actor())
    out.print(f"{shown(name)} is revoked")


def _row(key: ProducerKey) -> dict[str, str]:
    return {
        "name": key.name,
        "companies": "all" if EVERY in key.companies else ", ".join(sorted(key.companies)),
        "made": local_time(key.made),
        "used": local_time(key.used) if key.used else "never",
    }


def _as_json(key: ProducerKey) -> dict[str, Any]:
    return {
        "name": key.name,
        "companies": None if EVERY in key.companies else sorted(key.companies),
        "madeAt": key.made.isoformat(),
        "usedAt": key.used.isoformat() if key.used else None,
    }
