"""`moment-fortnox keys`: make a key for `ENCRYPTION_KEYS`, seal everything anew with the first, and producers' keys."""

import typer

from cli.console import Json, actor, connected, fail, out, print_json, progress
from cli.producer_keys import producer
from operations import keys as operation

keys = typer.Typer(no_args_is_help=True, help="Keys that seal secrets at rest, and keys of producers' programs.")
keys.add_typer(producer, name="producer")


@keys.command("new")
def new_key() -> None:
    """Print a new random key for ENCRYPTION_KEYS."""
    typer.echo(operation.new_key())


@keys.command()
def rotate(json: Json = False) -> None:
    """Seal all tokens and codes anew with the first of ENCRYPTION_KEYS; the others can be dropped afterwards.

    Put the new key first and keep the old one after it, restart every process, then run this. If it is interrupted,
    run it again.
    """
    with connected() as services, progress() as bar:
        task = bar.add_task("Sealing anew", total=None)
        found = operation.rotate(
            services, lambda total: bar.update(task, total=total), lambda page: bar.advance(task, page), by=actor()
        )
    if json:
        print_json({f"{kind}_{end}": count for (kind, end), count in sorted(found.counts.items(), key=str)})
    else:
        anew = f"{found.counts['tokens', 'resealed']} tokens and {found.counts['code', 'resealed']} codes"
        already = found.counts["tokens", "already"] + found.counts["code", "already"]
        out.print(f"Sealed anew with the first key: {anew}. Already sealed with it: {already}.")
    if found.unopenable:
        named = ", ".join(sorted(found.unopenable)[:10])
        fail(
            f"{len(found.unopenable)} cannot be opened with any of ENCRYPTION_KEYS: {named}. Add the key that sealed "
            "them, or connect those companies again."
        )
    if not json:
        out.print("Once this reports none sealed anew, the keys after the first can be dropped.")
