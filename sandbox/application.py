"""Assembles and runs the stand-ins: three ports, one process, one event loop."""

import asyncio
import contextlib
import json
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from sandbox.clock import Clock
from sandbox.control import Controls
from sandbox.faults import Faults
from sandbox.fortnox.feed import Feed
from sandbox.fortnox.gateway import Gateway
from sandbox.fortnox.happenings import Happenings
from sandbox.fortnox.oauth import OAuth
from sandbox.fortnox.options import Options
from sandbox.fortnox.tenants import Tenants
from sandbox.http import Router
from sandbox.journal import Journal
from sandbox.moment import Moment
from sandbox.page import Page
from sandbox.serving import HttpServer, open_socket, port_of
from sandbox.smtp import Mailbox, SmtpServer
from sandbox.state import State


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the sandbox listens; 0 asks for a free port."""

    host: str = "127.0.0.1"
    fortnox: int = 8701
    moment: int = 8702
    smtp: int = 8703


def assemble(smtp: SmtpServer, mailbox: Mailbox, file: Path | None = None) -> tuple[Gateway, Moment, State]:
    """Build the two HTTP applications with one clock and one set of controls, and the state that `file` keeps."""
    clock, options, faults, journal = Clock(), Options(), Faults(), Journal()
    happenings = Happenings(clock)
    tenants = Tenants(clock, happenings)
    oauth = OAuth(clock, options, tenants)
    moment = Moment(clock)
    feed = Feed(clock, options, tenants, oauth, happenings)
    controls = Controls(clock, options, tenants, oauth, faults, journal, mailbox, smtp, moment, feed)
    page = Page(clock, tenants, journal, mailbox, moment)
    local = Router([("GET", "/", page.show), *controls.routes])
    gateway = Gateway(clock, options, tenants, oauth, faults, journal, local, feed)
    controls.on_reset = gateway.rate_limit.clear
    return gateway, moment, State(file, clock, tenants, oauth, moment, mailbox)


async def run(ports: Ports, file: Path | None = None) -> None:
    """Serve until SIGTERM or SIGINT. Prints one line of JSON to stdout when every port answers."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stopped.set)
    listeners = [open_socket(ports.host, port) for port in (ports.fortnox, ports.moment, ports.smtp)]
    mailbox = Mailbox()
    smtp = SmtpServer(ports.host, listeners[2], mailbox)
    gateway, moment, state = assemble(smtp, mailbox, file)
    state.load()
    servers = [HttpServer(gateway, listeners[0]), HttpServer(moment, listeners[1])]
    await smtp.start()
    for server in servers:
        await server.start()
    _announce(ports.host, *(port_of(listener) for listener in listeners))
    await stopped.wait()
    smtp.stop()
    await asyncio.gather(*(server.stop() for server in servers))
    state.save()


def _announce(host: str, fortnox: int, moment: int, smtp: int) -> None:
    addresses = {
        "fortnox": f"http://{host}:{fortnox}",
        "moment": f"http://{host}:{moment}",
        "smtp": f"smtp://{host}:{smtp}",
        "page": f"http://{host}:{fortnox}/",
    }
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(addresses) + "\n")
        sys.stdout.flush()
