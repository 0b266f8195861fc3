"""`moment-fortnox failures`: what failed, by cause across companies, each with the command that retries it."""

import shlex
from typing import Annotated

import typer

from cli.console import Json, Utc, connected, local_time, out, print_json, say
from cli.events import looking
from cli.lists import show_list
from messages.catalogue import one_line
from operations.failures import Failure
from operations.failures import failures as by_cause
from operations.naming import check_company

NAMED = 5  # companies that a cause names
COLUMNS = ("events", "companies", "oldest", "code", "reason", "said", "which", "retry")
BELOW = {"reason": "", "said": "Fortnox: ", "which": "of ", "retry": ""}


def failures(
    company: Annotated[str | None, typer.Option("--company", help="Only this company's.")] = None,
    utc: Utc = False,
    json: Json = False,
) -> None:
    """List what failed by its cause: how many events, of which companies, since when, and what retries them."""
    with connected() as services, looking() as looked:
        if company:
            check_company(services, company)
        found = by_cause(services, company or "", looked)
    if json:
        for one in found:
            print_json(_as_json(one, company))
    elif found or not out.is_terminal:
        show_list(COLUMNS, [_row(one, company) for one in found], below=BELOW, right=("events", "companies"))
    else:
        out.print("nothing has failed")


def _row(one: Failure, company: str | None) -> dict[str, str]:
    names = sorted(one.companies, key=lambda name: -one.companies[name])
    more = f" … and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return {
        "events": str(one.events),
        "companies": str(len(names)),
        "oldest": local_time(one.oldest) if one.oldest else "",
        "code": one.code,
        "reason": say(one.reason),
        "said": one.said,
        "which": ", ".join(f"{name} ({one.companies[name]})" for name in names[:NAMED]) + more,
        "retry": command(one, company),
    }


def _as_json(one: Failure, company: str | None) -> dict[str, object]:
    return {
        "cause": one.cause,
        "code": one.code,
        "reason": say(one.reason),
        "said": one.said,
        "events": one.events,
        "companies": one.companies,
        "oldest": one.oldest.isoformat() if one.oldest else None,
        "retry": command(one, company),
    }


def command(one: Failure, company: str | None = None) -> str:
    """What retries the events of this cause, and no others."""
    words = ["moment-fortnox", "events", "retry", *([company] if company else []), "--all-failed"]
    if one.only_code:
        words += ["--code", one.code]
    else:
        words += ["--like", one.event_id if company else f"{one.company}/{one.event_id}"]
    return shlex.join(map(one_line, words))
