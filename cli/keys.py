"""`moment-fortnox keys`: make a key for `ENCRYPTION_KEYS`, and seal everything anew with the first of them."""

from collections import Counter

import typer
from cryptography.fernet import Fernet

from cli.console import Json, connected, fail, out, print_json
from cli.status import progress
from stores.rotation import Rotation

keys = typer.Typer(no_args_is_help=True, help="Make and rotate the keys that seal secrets at rest.")


@keys.command("new")
def new_key() -> None:
    """Print a new random key for ENCRYPTION_KEYS."""
    typer.echo(Fernet.generate_key().decode())


@keys.command()
def rotate(json: Json = False) -> None:
    """Seal all tokens and codes anew with the first of ENCRYPTION_KEYS; the others can be dropped afterwards.

    Put the new key first and keep the old one after it, restart every process, then run this. Broken off, it is just
    run again.
    """
    counts: Counter[tuple[str, object]] = Counter()
    unopenable: list[str] = []
    with connected() as app:
        rotation = Rotation(app.services.redis, app.services.vault)
        with progress() as bar:
            task = bar.add_task("Sealing anew", total=rotation.size())
            for step in rotation.walk():
                if step.kind == "keys":
                    bar.advance(task, int(step.found))
                    continue
                counts[step.kind, step.found] += 1
                if step.found == "unopenable":
                    unopenable.append(step.name)
    if json:
        print_json({f"{kind}_{found}": count for (kind, found), count in sorted(counts.items(), key=str)})
    else:
        anew = f"{counts['tokens', 'resealed']} tokens and {counts['code', 'resealed']} codes"
        already = counts["tokens", "already"] + counts["code", "already"]
        out.print(f"Sealed anew with the first key: {anew}. Already sealed with it: {already}.")
    if unopenable:
        named = ", ".join(sorted(unopenable)[:10])
        fail(
            f"{len(unopenable)} cannot be opened with any of ENCRYPTION_KEYS: {named}. Add the key that sealed "
            "them, or connect those companies again."
        )
    if not json:
        out.print("Once this reports none sealed anew, the keys after the first can be dropped.")
