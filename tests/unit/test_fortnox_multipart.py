"""A file's multipart body is right to the byte and never whole in memory."""

import email.parser
import email.policy
import io
import tracemalloc

import pytest
from requests.utils import super_len

from fortnox.multipart import MultipartFile


def read_all(body: MultipartFile, size: int = 7) -> bytes:
    return b"".join(iter(lambda: body.read(size), b""))


def parsed(body: MultipartFile) -> tuple[dict[str, str], bytes]:
    """The single part's headers and content, as an independent parser sees them."""
    head = f"Content-Type: {body.content_type}\r\n\r\n".encode()
    (part,) = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + read_all(body)).iter_parts()
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return dict(part.items()), content


@pytest.mark.parametrize("content", [b"", b"%PDF-1.4\r\n--x\r\n", bytes(range(256)) * 300])
def test_the_file_arrives_unchanged(content: bytes) -> None:
    headers, found = parsed(MultipartFile("file", "faktura.pdf", io.BytesIO(content), "application/pdf"))

    assert found == content
    assert headers["Content-Type"] == "application/pdf"
    assert headers["Content-Disposition"] == 'form-data; name="file"; filename="faktura.pdf"'


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("räkning åäö 1.pdf", "räkning åäö 1.pdf"),
        ("x" * 200 + ".pdf", "x" * 200 + ".pdf"),
        ('a"; filename="b', "a%22; filename=%22b"),
        ("a\r\nX-Evil: 1", "a%0D%0AX-Evil: 1"),
    ],
)
def test_a_file_name_travels_whole_and_cannot_break_out(name: str, sent: str) -> None:
    content = read_all(MultipartFile("file", name, io.BytesIO(b"x"), "application/pdf")).decode()

    assert f'filename="{sent}"\r\nContent-Type: application/pdf\r\n\r\nx\r\n' in content


def test_a_content_type_cannot_add_a_header() -> None:
    content = read_all(MultipartFile("file", "a", io.BytesIO(b"x"), "text/plain\r\nX-Evil: 1"))

    assert b"\r\nX-Evil" not in content


def test_its_length_is_known_before_it_is_read() -> None:
    body = MultipartFile("file", "å.pdf", io.BytesIO(b"x" * 1000), "application/pdf")

    assert super_len(body) == body.len == len(read_all(body))


def test_it_can_be_sent_again_from_the_streams_own_position() -> None:
    stream = io.BytesIO(b"skipped|kept")
    stream.seek(8)
    body = MultipartFile("file", "a", stream, "text/plain")
    first = read_all(body)

    body.rewind()

    assert read_all(body) == first
    assert b"skipped" not in first
    assert b"kept" in first


def test_reading_it_holds_a_piece_at_a_time() -> None:
    class Zeros(io.RawIOBase):
        """5 MB that exist nowhere."""

        def __init__(self) -> None:
            self.at = 0

        def readable(self) -> bool:
            return True

        def seekable(self) -> bool:
            return True

        def tell(self) -> int:
            return self.at

        def seek(self, offset: int, whence: int = 0) -> int:
            self.at = offset + (5_000_000 if whence == io.SEEK_END else 0)
            return self.at

        def read(self, size: int = -1) -> bytes:
            piece = bytes(max(0, min(size, 5_000_000 - self.at)))
            self.at += len(piece)
            return piece

    body = MultipartFile("file", "a", Zeros(), "text/plain")  # type: ignore[arg-type]
    tracemalloc.start()
    try:
        while body.read(16_384):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 200_000
