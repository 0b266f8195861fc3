"""What a user sees of an error that the command did not expect: one line, and where the traceback is."""

import errno
import os
import re
import tempfile
import traceback
from contextlib import suppress
from typing import Final

from cli.console import err, shown

UNWRITABLE: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
NOT_UTF8: Final = re.compile("[\ud800-\udfff]")  # in what Python makes of an argument's bytes


def report(error: Exception) -> int:
    """Say what was wrong in one line; if nobody foresaw it, write the traceback to a file. Return the exit status."""
    if isinstance(error, OSError) and error.errno in UNWRITABLE:
        err.print(f"[red]error:[/] the output cannot be written: {shown(error.strerror)}", soft_wrap=True)
        return 1
    if isinstance(error, UnicodeEncodeError) and NOT_UTF8.search(error.object):
        err.print("[red]error:[/] an argument is not UTF-8", soft_wrap=True)
        return 2
    where = ""
    with suppress(OSError):  # no directory for it, or no room
        where = f". The traceback is in {_written(error)}"
    err.print(f"[red]error:[/] unexpected {type(error).__name__}{shown(where)}", soft_wrap=True)
    return 1


def _written(error: Exception) -> str:
    """The file, which only this user can read."""
    handle, path = tempfile.mkstemp(prefix="moment-fortnox-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as log:
        log.writelines(traceback.format_exception(error))
    return path
