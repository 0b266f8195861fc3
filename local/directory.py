"""The directory of `up`: marked, locked while it is used, and emptied only on request, of nothing but its own."""

import fcntl
import json
import os
import shutil
import socket
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

from cryptography.fernet import Fernet

from local.redis import LOOPBACK

MARKER: Final = ".moment-fortnox"
OURS: Final = ("redis", "logs", "environment", "sandbox.state")  # what `up` makes in it, beside the marker


class DirectoryUnusable(Exception):
    """The directory holds other files, is in use, or cannot be created."""


class PortTaken(Exception):
    """Another process, or another part of the system, has a port that is needed."""

    def __init__(self, option: str, port: int) -> None:
        super().__init__(option, port)
        self.option = option
        self.port = port

    def __str__(self) -> str:
        return f"port {self.port} is in use; choose another one with {self.option}"


class StateDirectory:
    """Locked while used as a context manager. `key` encrypts the tokens in its Redis, and stays the same."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.key = ""
        self._marker: IO[str]

    def __enter__(self) -> Self:
        """Raises `DirectoryUnusable`, and then changes nothing."""
        marker = self.directory / MARKER
        try:
            if not marker.is_file() and self.directory.exists() and any(self.directory.iterdir()):
                raise DirectoryUnusable(f"{self.directory} holds other files: give an empty or a new directory")
            self.directory.mkdir(parents=True, exist_ok=True)
            self._marker = marker.open("a+")
        except OSError as error:
            raise DirectoryUnusable(f"{self.directory}: {error.strerror}") from None
        try:
            fcntl.flock(self._marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            told = self._read()
            self._marker.close()
            raise DirectoryUnusable(f"already running (pid {told.get('pid')}, {told.get('address')})") from None
        self.key = self._read().get("key") or Fernet.generate_key().decode()
        self._write()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._marker.close()  # which unlocks it

    def empty(self) -> None:
        """Delete what earlier runs made. Anything else in the directory stays."""
        for name in OURS:
            path = self.directory / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def running_at(self, address: str) -> None:
        """Let a second `up` say where this one is."""
        self._write(address)

    def _read(self) -> dict[str, Any]:
        self._marker.seek(0)
        try:
            return dict(json.loads(self._marker.read()))
        except ValueError:
            return {}

    def _write(self, address: str = "starting") -> None:
        self._marker.seek(0)
        self._marker.truncate()
        os.fchmod(self._marker.fileno(), 0o600)
        json.dump({"pid": os.getpid(), "address": address, "key": self.key}, self._marker)
        self._marker.flush()


def check_ports(ports: dict[str, int]) -> None:
    """Raises `PortTaken` for the first of these ports, by option, that is in use or given twice.

    0 stands for any free port.
    """
    for at, (option, port) in enumerate(ports.items()):
        if port and port in list(ports.values())[:at]:
            raise PortTaken(option, port)
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((LOOPBACK, port))
            except OSError:
                raise PortTaken(option, port) from None
