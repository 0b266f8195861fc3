"""`moment-fortnox console`: serves the web console; `console account` makes an entry for `CONSOLE_ACCOUNTS`."""

import sys
from typing import Annotated

import typer

from cli.console import Port, err, fail, out, settings

console = typer.Typer(invoke_without_command=True, help="Serve the web console, until Ctrl-C.")


@console.callback()
def serve(
    ctx: typer.Context,
    port: Port = 8080,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
) -> None:
    """Serve the web console, until Ctrl-C."""
    if ctx.invoked_subcommand is None:
        from console.serving import run  # FastAPI is slow to import

        try:
            run(settings(), host, port, announce=lambda address: out.print(address, soft_wrap=True))
        except OSError as error:
            fail(f"cannot listen on {host}:{port}: {error.strerror}", 2)


@console.command()
def account(
    name: Annotated[str, typer.Argument(help="What the person signs in with.", metavar="NAME")],
    role: Annotated[str, typer.Argument(help="operator (all) or viewer (looks).", metavar="ROLE")],
) -> None:
    """Ask for a password, or read it from the standard input, and print an entry for CONSOLE_ACCOUNTS."""
    from operations.accounts import new_account  # brings argon2
    from operations.errors import WrongArgument

    typed = sys.stdin.isatty()
    given = typer.prompt("Password", hide_input=True, confirmation_prompt=True) if typed else sys.stdin.readline()
    try:
        entry = new_account(name, role, given.rstrip("\n"))
    except WrongArgument as error:
        from messages.catalogue import say

        fail(say(error.message), 2)
    typer.echo(entry)
    err.print("Put it into CONSOLE_ACCOUNTS, in .env within single quotes, and start the console anew.")
