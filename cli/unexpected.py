"""What a user sees of an error that the command did not expect: one line, and where the traceback is."""

import os
import tempfile
import traceback

from cli.console import err, shown


def report(error: Exception) -> int:
    """Write the traceback to a file that only this user can read. Return the exit status."""
    handle, path = tempfile.mkstemp(prefix="moment-fortnox-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as log:
        log.writelines(traceback.format_exception(error))
    err.print(f"[red]error:[/] unexpected {type(error).__name__}. The traceback is in {shown(path)}", soft_wrap=True)
    return 1
