"""`python -m worker.cli` is `moment-fortnox`."""

from worker.cli.main import main

main()
