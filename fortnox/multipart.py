"""A file as a multipart/form-data body that is read in pieces, so that it is never whole in memory."""

import io
import secrets
from typing import IO


class MultipartFile:
    """The body of an upload, which `requests` reads by `read` and `len`. The stream must be seekable."""

    def __init__(self, field: str, file_name: str, stream: IO[bytes], content_type: str) -> None:
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        # File names are UTF-8, with the three characters that would end them escaped, as in browsers:
        # https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data
        head = (
            f"--{boundary}\r\n"
            f'Content-Disposition: form-data; name="{field}"; filename="{_escaped(file_name)}"\r\n'
            f"Content-Type: {_one_line(content_type)}\r\n\r\n"
        )
        self._start = stream.tell()
        size = stream.seek(0, io.SEEK_END) - self._start
        self._stream = stream
        self._head, self._tail = head.encode(), f"\r\n--{boundary}--\r\n".encode()
        self.len = len(self._head) + size + len(self._tail)
        self.rewind()

    def rewind(self) -> None:
        """Go back to the beginning, to send the body once more."""
        self._stream.seek(self._start)
        self._parts: list[IO[bytes]] = [io.BytesIO(self._head), self._stream, io.BytesIO(self._tail)]

    def read(self, size: int = -1) -> bytes:
        """Return the next piece: at most `size` bytes, none at the end."""
        while self._parts:
            if piece := self._parts[0].read(size):
                return piece
            del self._parts[0]
        return b""


def _escaped(name: str) -> str:
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _one_line(text: str) -> str:
    return "".join(character for character in text if character.isprintable()) or "application/octet-stream"
