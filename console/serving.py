"""Serves the console with uvicorn, in this process."""

import socket
import sys
from collections.abc import Callable
from typing import Any, Final

import uvicorn

from config import Settings
from config.logging import configure_logging
from config.sentry import set_up_sentry
from console.app import serving
from delivery.services import Services, build_services

SWITCH: Final = 0.0005  # seconds that the board's thread holds up a page each time that the page comes back from Redis
PATIENCE: Final = 2  # seconds for requests under way when it ends; live pages are cut


def run(settings: Settings, host: str, port: int, *, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT. Raises `OSError` where it cannot listen."""
    configure_logging(settings)
    set_up_sentry(settings)
    sys.setswitchinterval(SWITCH)
    listener = _listening(host, port)
    shown = f"[{host}]" if ":" in host else host
    announce(f"http://{shown}:{listener.getsockname()[1]}/")
    server(build_services(settings)).run([listener])


def _listening(host: str, port: int) -> socket.socket:
    # Named as TCP, or asyncio sends small answers in two pieces, the second 40 ms later (Nagle's algorithm).
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(256)
    return listener


def server(services: Services, **options: Any) -> uvicorn.Server:
    """The server of the console. `options`: uvicorn's, beside ours."""
    proxies = ",".join(services.settings.console_proxies)
    config = uvicorn.Config(
        serving(services),
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        server_header=False,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=PATIENCE,
        **options,
    )
    return uvicorn.Server(config)
