"""Wrong usage is told in one line, as every other mistake is."""

import sys
from contextlib import suppress
from typing import Any

import typer
from typer._click.exceptions import ClickException, NoArgsIsHelpError, UsageError  # Typer exports none of them
from typer.core import TyperGroup


class OneLineGroup(TyperGroup):
    """The group of all commands. It ends the process: with status 2 and one line where the usage is wrong."""

    def main(self, *args: Any, **options: Any) -> Any:
        try:
            status = super().main(*args, **options | {"standalone_mode": False})
            sys.stdout.flush()  # so that a full disk is told, and not only at exit
        except NoArgsIsHelpError as error:
            error.show()
            status = error.exit_code
        except ClickException as error:
            status = _told(error)
        except typer.Abort:
            typer.echo("aborted", err=True)
            status = 1
        except BrokenPipeError:  # whoever read the output has seen enough
            with suppress(BrokenPipeError):
                sys.stdout.close()
            status = 1
        sys.exit(status if isinstance(status, int) else 0)


def _told(error: ClickException) -> int:
    from cli.console import err, shown

    context = error.ctx if isinstance(error, UsageError) else None
    more = f" ({context.command_path} --help)" if context else ""
    message = error.format_message().rstrip(".").replace("Value error, ", "")
    err.print(f"[red]error:[/] {shown(message + more)}", soft_wrap=True)
    return error.exit_code
