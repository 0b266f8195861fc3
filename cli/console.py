"""What every command shares: where it writes, how it ends, the services, and the arguments that several have."""

import getpass
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Annotated, Any, NoReturn
from zoneinfo import ZoneInfo

import typer
from pydantic import ValidationError
from redis.exceptions import RedisError
from rich.markup import escape

from cli.logs import silence
from cli.printable import SafeConsole, json_text, printable
from config import Settings, load_settings
from config.redis import check_answers
from config.settings import settings_problems
from delivery.services import Services, build_services
from messages import Message
from operations.audit import Actor, ActorKind
from operations.errors import OperationError, WrongArgument, redis_problem
from ordering import UnknownLayout

if TYPE_CHECKING:
    from rich.progress import Progress  # slow to import, and used by few commands

out = SafeConsole(highlight=False, emoji=False)
err = SafeConsole(stderr=True, highlight=False, emoji=False)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of tables for people.")]
CompanyArgument = Annotated[str, typer.Argument(help="The company's code in Moment.", metavar="COMPANY")]

STOCKHOLM = ZoneInfo("Europe/Stockholm")


class _Clock:
    """The zone in which a command shows times, and in which a time without a zone is meant."""

    zone: tzinfo = STOCKHOLM


def _choose_zone(utc: bool) -> bool:
    _Clock.zone = UTC if utc else STOCKHOLM
    return utc


Utc = Annotated[
    bool,
    typer.Option("--utc", help="Times in UTC; else by the clock in Sweden.", callback=_choose_zone, is_eager=True),
]
PORT_HELP = "The port to listen on; 0 takes a free one."
Port = Annotated[int, typer.Option(min=0, max=65535, help=PORT_HELP)]
Limit = Annotated[int, typer.Option(min=1, max=1_000_000, help="How many at most.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")]

STYLES: Mapping[str, str] = {
    "done": "green",
    "failed": "red",
    "held": "yellow",
    "retrying": "yellow",
    "running": "cyan",
    "superseded": "dim",
    "skipped": "dim",
}


def fail(message: str, status: int = 1) -> NoReturn:
    """End the command with an error. Status 1: something failed, 2: wrong usage."""
    err.print("[red]error:[/] " + "\n".join(map(shown, message.split("\n"))), soft_wrap=True)
    raise typer.Exit(status)


def shown(value: object) -> str:
    """A value for a line of output: unprintable characters escaped, and nothing of it taken for markup."""
    return escape(printable(str(value)))


def local_time(at: datetime, precision: str = "seconds") -> str:
    """A time as people are shown it, with its zone: `2026-11-20 14:05:00+01:00`. `--since` takes it as it is."""
    return at.astimezone(_Clock.zone).isoformat(" ", precision)


def clock_time(at: datetime) -> str:
    """A time soon: `14:05`; with the day where that is another one, and with `UTC` where UTC is shown."""
    local = at.astimezone(_Clock.zone)
    same_day = local.date() == datetime.now(_Clock.zone).date()
    return f"{local:%H:%M}" if same_day and _Clock.zone is STOCKHOLM else f"{local:%Y-%m-%d %H:%M %Z}"


def with_zone(at: datetime) -> datetime:
    """A time as a person gives it: without a zone, by the clock that the command shows."""
    return at if at.tzinfo else at.replace(tzinfo=_Clock.zone)


def agreed(question: str, *, yes: bool, unattended: bool) -> bool:
    """Ask on a terminal, unless `yes`. Where no terminal is, the answer is `unattended`, or the command ends."""
    if yes:
        return True
    if sys.stdin.isatty():
        return typer.confirm(question, err=True)
    return unattended or fail("give --yes: nobody can be asked here", 2)


def actor(given: str | None = None) -> Actor:
    """The user of this machine, who runs the command; `given`: who the user says that it is."""
    return Actor(ActorKind.COMMAND_LINE, _user(), given or "")


def _user() -> str:
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name  # the environment may say anything
    except ImportError:  # Windows
        return getpass.getuser()
    except KeyError:  # a container's user without a name
        return f"uid {os.getuid()}"


def events_in_words(n: int) -> str:
    """`1 event`, `2 events`."""
    return f"{n} event" if n == 1 else f"{n} events"


def say(message: Message) -> str:
    """The message in English."""
    if not message:
        return ""
    from messages.catalogue import say  # the catalogues take a moment to load

    return say(message)


def print_json(value: Any) -> None:
    """Print one line of JSON on standard output, unwrapped and uncoloured."""
    typer.echo(json_text(value))


def settings(load: Callable[[], Settings] = load_settings) -> Settings:
    """The settings of the environment. Ends the command where one is wrong."""
    try:
        return load()
    except ValidationError as error:
        fail("; ".join(settings_problems(error)), 2)


@contextmanager
def connected(load: Callable[[], Settings] = load_settings) -> Iterator[Services]:
    """The services. Ends the command with one line where Redis does not serve or an operation cannot be done.

    A Redis that refuses writes can still be read. A command for producers loads `load_producer_settings`.
    """
    configured = settings(load)
    services = build_services(configured)
    silence()
    try:
        check_answers(configured)
        services.ordering.check_layout()
        yield services
    except OperationError as error:
        fail(say(error.message), 2 if isinstance(error, WrongArgument) else 1)
    except (RedisError, UnknownLayout) as error:
        fail(complaint(configured, error))


def complaint(configured: Settings, error: RedisError | UnknownLayout) -> str:
    """What is wrong with Redis, and what to do."""
    return str(error) if isinstance(error, UnknownLayout) else say(redis_problem(configured, error))


def styled(status: str, text: object = None) -> str:
    """The status, or `text`, in the colour of the status."""
    shown = status if text is None else text
    return f"[{STYLES[status]}]{shown}[/]" if status in STYLES else str(shown)


def progress() -> "Progress":
    """A bar on standard error, gone when it is through."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=err, transient=True, disable=not err.is_terminal)
