"""`moment-fortnox metrics`: serves the metrics to Prometheus. One process is enough, however many workers there are."""

import threading
from typing import Annotated

import typer
from prometheus_client import start_http_server

from cli.console import Port, fail, out, settings
from config.logging import configure_logging
from delivery.services import build_services
from worker.metrics import registry


def metrics(
    port: Port = 9464,
    host: Annotated[str, typer.Option(help="The address to listen on; the page has no login.")] = "127.0.0.1",
) -> None:
    """Serve the metrics for Prometheus at /metrics, read from Redis at each request, until Ctrl-C."""
    configured = settings()
    configure_logging(configured)
    try:
        server, thread = start_http_server(port, host, registry(build_services(configured)))
    except OSError as error:
        fail(f"cannot listen on {host}:{port}: {error.strerror}", 2)
    out.print(f"http://{host}:{server.server_port}/metrics", soft_wrap=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        server.shutdown()
        thread.join()
