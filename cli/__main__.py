"""`python -m cli` is `moment-fortnox`."""

from cli.main import main

main()
