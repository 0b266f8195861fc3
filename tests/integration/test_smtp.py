"""The SMTP sender against a real SMTP server with TLS and a login: `smtps://`, `?starttls=1`, certificates verified."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from local.redis import free_port
from mails.smtp import MailTooLarge, ServerUnavailable, SmtpSender
from tests.mail_dispatch import Inbox as Mailbox
from tests.mail_dispatch import running_smtp

# aiosmtpd warns of a login outside STARTTLS, and does not see that the connection is wrapped in TLS.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH")


class Inbox:
    """Keeps what it gets."""

    def __init__(self) -> None:
        self.got: list[str] = []

    async def handle_DATA(self, _server: SMTP, session: Session, _envelope: Envelope) -> str:
        self.got.append("tls" if session.ssl is not None else "wrapped")
        return "250 OK"


def knows(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: object) -> AuthResult:
    known = isinstance(given, LoginPassword) and given == LoginPassword(b"us@er", b"p:ss/word")
    return AuthResult(success=known, handled=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For 127.0.0.1, signed by itself; key and certificate in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture(params=["smtp", "smtps"])
def server(request: pytest.FixtureRequest, certificate: Path) -> Iterator[tuple[str, Inbox]]:
    """An address to be filled in with a login, of a server that wants TLS and a login."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    inbox, wrapped = Inbox(), request.param == "smtps"
    options = {} if wrapped else {"tls_context": context, "require_starttls": True}

    protocols: list[SMTP] = []

    def protocol() -> SMTP:
        # aiosmtpd takes only STARTTLS for TLS: a wrapped connection may log in because it is told so.
        made = SMTP(inbox, authenticator=knows, auth_required=True, auth_require_tls=not wrapped, **options)
        protocols.append(made)
        return made

    async def start() -> asyncio.Server:
        return await loop.create_server(protocol, "127.0.0.1", 0, ssl=context if wrapped else None)

    async def stop() -> None:
        running.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for transport in {one for made in protocols for one in (made.transport, made._original_transport) if one}:
            transport.abort()
        for _ in range(5):
            await asyncio.sleep(0)  # the loop closes their sockets

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    running = asyncio.run_coroutine_threadsafe(start(), loop).result(timeout=10)
    port = running.sockets[0].getsockname()[1]
    yield f"{request.param}://{{login}}127.0.0.1:{port}{'' if wrapped else '?starttls=1'}", inbox
    asyncio.run_coroutine_threadsafe(stop(), loop).result(timeout=10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def a_mail() -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "us@integration.example", "them@acme.example", "Hej"
    mail.set_content("Räksmörgås")
    return mail


def send(address: str) -> None:
    with SmtpSender(SecretStr(address)) as smtp:
        smtp.send(a_mail())


LOGIN = "us%40er:p%3Ass%2Fword@"


def test_a_mail_goes_over_tls_after_the_login(
    server: tuple[str, Inbox], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    address, inbox = server
    send(address.format(login=LOGIN))
    assert inbox.got in (["tls"], ["wrapped"])


def test_a_server_whose_certificate_nobody_vouches_for_gets_neither_password_nor_mail(
    server: tuple[str, Inbox],
) -> None:
    address, inbox = server
    with pytest.raises(ServerUnavailable, match="SSLCertVerificationError") as trouble:
        send(address.format(login=LOGIN))
    assert not trouble.value.maybe_sent
    assert inbox.got == []


def test_a_wrong_password_is_the_operators_trouble_and_is_not_named(
    server: tuple[str, Inbox], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    address, inbox = server
    with pytest.raises(ServerUnavailable, match="SMTPAuthenticationError 535") as trouble:
        send(address.format(login="us%40er:wrong-one@"))
    assert "wrong-one" not in str(trouble.value)
    assert inbox.got == []


def test_a_server_that_looks_through_a_mail_gets_its_time_and_any_other_answer_is_awaited_less(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mails.smtp.TIMEOUT", 0.5)
    monkeypatch.setattr("mails.smtp.DATA_TIMEOUT", 5.0)
    slow = Mailbox(pause=1.0)
    with running_smtp(slow) as address, SmtpSender(SecretStr(address)) as smtp:
        for _ in range(2):
            assert smtp.send(a_mail()) == {}
    assert len(slow.got) == 2


def test_a_mail_that_is_too_large_is_this_mails_fault_and_not_the_servers() -> None:
    mail = a_mail()
    mail.add_attachment(b"x" * 20_000, maintype="text", subtype="csv")
    small = Mailbox()
    with running_smtp(small, data_size_limit=10_000) as address, SmtpSender(SecretStr(address)) as smtp:
        with pytest.raises(MailTooLarge, match="552"):
            smtp.send(mail)
        assert smtp.send(a_mail()) == {}
    assert len(small.got) == 1


def test_a_server_that_is_not_there_surely_has_not_got_the_mail() -> None:
    with pytest.raises(ServerUnavailable) as trouble:
        send(f"smtp://127.0.0.1:{free_port()}")
    assert not trouble.value.maybe_sent
