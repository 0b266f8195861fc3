"""`python -m cli` is `moment-fortnox`."""

from cli import main

main()
