"""`moment-fortnox health`: whether the system makes progress, and if not, why."""

from typing import Annotated

import typer
from redis.exceptions import RedisError

from cli.console import Json, Yes, agreed, complaint, connected, err, fail, out, print_json, say, settings, shown
from config.redis import check_answers
from delivery.services import build_services
from operations import health as operation
from operations.health import Part, problems, unverified
from ordering import UnknownLayout

Acknowledge = Annotated[
    bool,
    typer.Option("--acknowledge", help="Show what Redis lost, ask, and be healthy again if nothing else is wrong."),
]


def health(
    part: Annotated[Part | None, typer.Argument(help="Check this part alone.")] = None,
    acknowledge: Acknowledge = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Check that Redis keeps its data, due events move on, workers take them, and beat runs.

    Exits 0 where all is well; else 1, and says why. It is 1 too while Redis has lost something that nobody has
    acknowledged. A setting that Redis does not let us read is named, and is no fault.
    """
    if acknowledge:
        _acknowledge(yes)
    configured, overdue = settings(), None
    notes: list[str] = []
    services = build_services(configured)
    try:
        check_answers(configured)
        services.ordering.check_layout()
        reasons = [say(problem) for problem in problems(services, part)]
        notes = [say(note) for note in unverified(services, part)]
        overdue = round(services.ordering.overdue().total_seconds(), 1) if json else None
    except (RedisError, UnknownLayout) as error:
        reasons = [complaint(configured, error)]
    if json:
        print_json({"healthy": not reasons, "reasons": reasons, "unverified": notes, "overdueSeconds": overdue})
    if reasons:
        fail(" ".join(reasons))
    if not json:
        out.print("\n".join(["healthy", *map(shown, notes)]), soft_wrap=True)


def _acknowledge(yes: bool) -> None:
    with connected() as services:
        losses = services.installation.losses()
        for loss in losses:
            err.print(shown(say(loss.message)), soft_wrap=True)
        if not losses:
            err.print("Redis has lost nothing that is not acknowledged.")
        elif agreed("Acknowledge this?", yes=yes, unattended=False):
            operation.acknowledge(services, losses)
        else:
            raise typer.Exit(1)
