"""The command line, `moment-fortnox`. Exit status 0 fine, 1 something failed, 2 wrong usage."""

from cli.main import main

__all__ = ["main"]
