"""The console over HTTP, as a browser without a script uses it."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from typing import Any

import requests

from console.serving import server
from delivery.services import Services
from stores import Session
from tests.waiting import wait_until


class Browser:
    """One browser: it keeps its cookies, and sends forms as the page has them."""

    def __init__(self, address: str, services: Services) -> None:
        self.address = address
        self.services = services
        self.http = requests.Session()
        self.http.headers["accept-language"] = "en"

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.http.get(self.address + path, timeout=30, **options)

    def post(self, path: str, form: dict[str, Any] | None = None, *, page: str = "/sign-in", **options: Any) -> Any:
        """Send a form with the token that a page of this browser has."""
        csrf = self.csrf(page)
        return self.http.post(self.address + path, data={"csrf": csrf, **(form or {})}, timeout=30, **options)

    def csrf(self, page: str = "/sign-in") -> str:
        found = re.search(r'name="csrf" value="(\w+)"', self.get(page).text)
        assert found, "the page has no form"
        return found.group(1)

    def sign_in(self, role: str, name: str = "Anna", company: str = "") -> "Browser":
        """Sign in without a password: with a session as the console stores it."""
        session_id = self.services.stores.sessions.begin(Session(role, name, company))
        self.http.cookies.set("console", session_id, domain="127.0.0.1")
        return self

    def text(self, path: str) -> str:
        """The page's words, without tags."""
        response = self.get(path)
        assert response.status_code == 200, (path, response.status_code, response.text)
        return words(response.text)


def words(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


@contextmanager
def running_console(services: Services, port: int = 0) -> Iterator[str]:
    """The console's address, served by a thread of this process."""
    running = server(services, port=port)
    thread = threading.Thread(target=running.run, name="console")
    thread.start()
    try:
        wait_until(lambda: running.started or not thread.is_alive(), what="the console to listen")
        yield f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}"
    finally:
        running.should_exit = True
        thread.join()
