"""What every command shares: where it writes, how it ends, and the system that it talks to."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer
from pydantic import ValidationError
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError, ResponseError
from rich.console import Console
from rich.markup import escape

from config import Settings, load_settings
from config.redis import redis_address
from config.settings import settings_problems
from ordering.engine import UnknownLayout
from worker.bootstrap import App, create_app

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of tables for people.")]

STYLES = {
    "done": "green",
    "failed": "red",
    "held": "yellow",
    "retrying": "yellow",
    "running": "cyan",
    "superseded": "dim",
    "skipped": "dim",
}


NO_WRITES = re.compile(r"\b(OOM|READONLY|MISCONF)\b")  # Redis' words, also where a script met them


def fail(message: str, status: int = 1) -> NoReturn:
    err.print(f"[red]error:[/] {escape(message)}")
    raise typer.Exit(status)


def print_json(value: Any) -> None:
    """One line of JSON on standard output, unwrapped and uncoloured."""
    typer.echo(json.dumps(value, ensure_ascii=False, default=str))


def settings() -> Settings:
    try:
        return load_settings()
    except ValidationError as error:
        fail("; ".join(settings_problems(error)), 2)


@contextmanager
def connected() -> Iterator[App]:
    """The system, with a Redis that answers. A Redis that does not ends the command with a plain sentence.

    One that takes no writes can be read all the same.
    """
    app = create_app(settings())
    try:
        app.services.ordering.check_layout()
        yield app
    except (RedisError, UnknownLayout) as error:
        fail(complaint(app, error))


def complaint(app: App, error: RedisError | UnknownLayout) -> str:
    """What is wrong with Redis, and what to do."""
    if isinstance(error, UnknownLayout):
        return str(error)
    if isinstance(error, (OutOfMemoryError, ReadOnlyError)) or NO_WRITES.search(str(error)):
        return f"Redis at {redis_address(app.settings)} takes no writes ({error})."
    if isinstance(error, ResponseError):
        return f"Redis at {redis_address(app.settings)} refuses a command ({error})."
    return f"Redis at {redis_address(app.settings)} does not answer ({error}). Start it, or set REDIS_URL."


def styled(status: str, text: object = None) -> str:
    shown = status if text is None else text
    return f"[{STYLES[status]}]{shown}[/]" if status in STYLES else str(shown)
