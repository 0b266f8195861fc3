"""`moment-fortnox events damaged`: records in Redis that could not be read."""

from typing import Annotated

import typer

from cli.console import Json, Utc, actor, connected, err, local_time, print_json
from cli.lists import show_list
from operations.audit import acting

COLUMNS = ("found", "company", "event")

Clear = Annotated[bool, typer.Option("--clear", help="Empty the list, once each event has been published again.")]


def damaged(clear: Clear = False, json: Json = False, utc: Utc = False) -> None:
    """List events whose record in Redis could not be read and was set aside: what waited for them went on.

    They were accepted, and may not be in Fortnox. Have Moment send each again, with a new id; then empty the list.
    """
    with connected() as services:
        found = services.ordering.damaged()
        if clear and found:
            with acting(services, actor(), "damaged.cleared", count=len(found)):
                services.ordering.forget_damaged(found)
    if json:
        print_json([{"company": one.company, "id": one.id, "found": one.at.isoformat()} for one in found])
    elif found:
        show_list(
            COLUMNS,
            [{"found": local_time(one.at), "company": one.company, "event": one.id} for one in found],
        )
    else:
        err.print("No record was damaged.")
    if clear and found:
        err.print(f"{len(found)} taken from the list.")
