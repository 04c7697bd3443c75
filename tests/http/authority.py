"""A certificate authority for tests, and servers that show what it signs."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.http.raw import http

DAY = timedelta(days=1)


class Authority:
    """Signs certificates into a folder; `certificate` is its own, in PEM."""

    def __init__(self, folder: Path, name: str = "Test Authority") -> None:
        self.folder, self._name = folder, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._count = 0
        self.certificate = folder / f"{name.replace(' ', '-')}.pem"
        self._own = self._made((name, self._key), (name, self._key), (-DAY, 30 * DAY), None)
        self.certificate.write_bytes(_pem(self._own))

    def issue(
        self, *hosts: str, starts: timedelta = -DAY, ends: timedelta = 30 * DAY, by_itself: bool = False
    ) -> tuple[Path, Path]:
        """The files of a certificate for these hosts and of its key; times count from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        self._count += 1
        issuer = (hosts[0], key) if by_itself else (self._name, self._key)
        certificate = self._made((hosts[0], key), issuer, (starts, ends), hosts)
        paths = self.folder / f"{self._count}-cert.pem", self.folder / f"{self._count}-key.pem"
        paths[0].write_bytes(_pem(certificate))
        paths[1].write_bytes(_key_pem(key))
        return paths

    def _made(
        self, of: tuple[str, Any], by: tuple[str, Any], life: tuple[timedelta, timedelta], hosts: tuple[str, ...] | None
    ) -> x509.Certificate:
        (name, key), (issuer, signer), now = of, by, datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_named(name))
            .issuer_name(_named(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + life[0])
            .not_valid_after(now + life[1])
            .add_extension(x509.BasicConstraints(ca=hosts is None, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        )
        if hosts is None:
            usage = dict.fromkeys(
                ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
                 "encipher_only", "decipher_only"), False,
            )  # fmt: skip
            builder = builder.add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usage), critical=True)
        else:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general(host) for host in hosts]), critical=False
            )
        return builder.sign(signer, hashes.SHA256())


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: Any) -> bytes:
    private, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return bytes(key.private_bytes(serialization.Encoding.PEM, private, plain))


class TlsServer(threading.Thread):
    """Answers `{}` to everybody over TLS, from a thread: unlike asyncio's, these sockets say why a handshake failed."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(daemon=True)
        self.requests: list[bytes] = []
        self.connections = 0
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"https://127.0.0.1:{self._listener.getsockname()[1]}"

    def run(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(10)
        wrapped = self._context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        with suppress(OSError), wrapped as connection:
            try:
                connection.do_handshake()
            except ssl.SSLError:
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65_536):  # closing with something unread would lose the alert on its way
                    pass
                return
            request = b""
            while piece := connection.recv(65_536):
                request += piece
                if request.endswith(b"\r\n\r\n"):
                    self.requests.append(request)
                    request = b""
                    connection.sendall(http(b"{}", "Connection: keep-alive"))


@contextmanager
def tls_server(certificate: tuple[Path, Path], **settings: Any) -> Iterator[TlsServer]:
    """A server that shows this certificate; `settings` are attributes of its context, `clients` an authority for its clients."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    clients = settings.pop("clients", None)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients)
    if ciphers := settings.pop("ciphers", None):
        context.set_ciphers(ciphers)
    for name, value in settings.items():
        setattr(context, name, value)
    server = TlsServer(context)
    server.start()
    try:
        yield server
    finally:
        server.close()
        server.join()
