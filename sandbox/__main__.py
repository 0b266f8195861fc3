"""`python -m sandbox`: the stand-ins on three local ports."""

import argparse
import asyncio
from pathlib import Path

from sandbox.application import Ports, run


def main() -> None:
    defaults = Ports()
    parser = argparse.ArgumentParser(
        prog="sandbox", description="Local stand-ins for Fortnox, Moment and an SMTP server."
    )
    parser.add_argument("--host", default=defaults.host)
    parser.add_argument("--fortnox-port", type=int, default=defaults.fortnox, help="0 for a free port")
    parser.add_argument("--moment-port", type=int, default=defaults.moment, help="0 for a free port")
    parser.add_argument("--smtp-port", type=int, default=defaults.smtp, help="0 for a free port")
    parser.add_argument("--state", type=Path, help="a file that keeps everything from one run to the next")
    given = parser.parse_args()
    asyncio.run(run(Ports(given.host, given.fortnox_port, given.moment_port, given.smtp_port), given.state))


if __name__ == "__main__":
    main()
