"""`moment-fortnox audit`: who did what, and when."""

from typing import Annotated, Any

import typer

from cli.console import Json, Limit, Utc, connected, err, local_time, out, print_json, say
from cli.lists import show_list
from operations.audit import actor_in_words, in_words, outcome_in_words, page
from stores.audit import AuditEntry

COLUMNS = ("time", "company", "who", "what", "outcome")


def audit(
    company: Annotated[str | None, typer.Option("--company", help="Only what was done to this company.")] = None,
    limit: Limit = 100,
    before: Annotated[str, typer.Option(help="Only what is older than the entry of this id.", metavar="ID")] = "",
    utc: Utc = False,
    json: Json = False,
) -> None:
    """List who did what and when, newest first: from the command line, the console, a mail's link or a program."""
    with connected() as services:
        found = page(services, company or "", before=before, limit=limit)
    if json:
        for entry in found.entries:
            print_json(_as_json(entry))
    elif found.entries or not out.is_terminal:
        show_list(COLUMNS, map(_row, found.entries))
    else:
        out.print("nothing was done yet")
    if found.next:
        err.print(
            f"[dim]The newest {limit}. Older ones: --before {found.next}, or a higher --limit.[/]",
            soft_wrap=not err.is_terminal,
        )


def _row(entry: AuditEntry) -> dict[str, str]:
    on_behalf = f" ({entry.details['by']})" if "by" in entry.details else ""
    return {
        "time": local_time(entry.at),
        "company": entry.company,
        "who": say(actor_in_words(entry)) + on_behalf,
        "what": say(in_words(entry)),
        "outcome": say(outcome_in_words(entry)),
    }


def _as_json(entry: AuditEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "at": entry.at.isoformat(timespec="milliseconds"),
        "kind": entry.kind,
        "name": entry.name,
        "company": entry.company,
        "action": entry.action,
        "outcome": entry.outcome,
        "details": dict(entry.details),
    }
