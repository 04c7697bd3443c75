"""TLS against servers whose certificates are right, and wrong in every usual way."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncline.engine import arun
from syncline.errors import CertificateError, PlanError, RequestError, TransportError
from syncline.events import Event, Noticed, RequestSent, Scope, listening
from syncline.http import Connection
from syncline.model import Secret
from tests.http.authority import DAY, Authority, tls_server
from tests.http.raw import http

ONCE = {"attempts": 1}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def get(address: str, **configuration: Any) -> list[str]:
    """What was noticed while the server was asked twice."""
    heard: list[str] = []

    def listen(scope: Scope, event: Event) -> None:
        if isinstance(event, Noticed):
            heard.append(event.what)

    with listening(listen):
        async with Connection(base_url=address, retry=ONCE, **configuration).connect() as client:
            for _ in range(2):
                assert (await client.send(client.request("GET", "/x"))).status == 200
    return heard


async def fails(address: str, kind: type[RequestError], **configuration: Any) -> RequestError:
    with pytest.raises(kind) as caught:
        await get(address, **configuration)
    assert type(caught.value) is kind
    return caught.value


async def test_s5_an_own_authority_is_trusted_as_a_file_and_as_text(authority: Authority) -> None:
    text = authority.certificate.read_text()
    with tls_server(authority.issue("127.0.0.1")) as server:
        for ca in (str(authority.certificate), text, Secret(text)):
            assert await get(server.address, tls={"ca": ca}) == []
        assert server.connections == 3


async def test_s5_an_own_authority_takes_the_place_of_the_others(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other", "Other Authority")
    with tls_server(authority.issue("127.0.0.1")) as server:
        error = await fails(server.address, CertificateError, tls={"ca": str(other.certificate)})
    assert "an authority that is not known here" in error.what


FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "expired": ({"starts": -9 * DAY, "ends": -DAY}, "has expired", "renew"),
    "not yet valid": ({"starts": DAY}, "is not valid yet", "clock"),
    "signed by itself": ({"by_itself": True}, "is signed by itself", "tls: {ca:"),
    "other host": ({"hosts": ("other.test",)}, "belongs to another", "host name"),
    "other address": ({"hosts": ("127.0.0.2",)}, "belongs to another address", "host name"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_s5_a_wrong_certificate_is_named_and_nothing_is_sent(authority: Authority, fault: str) -> None:
    how, what, hint = FAULTS[fault]
    hosts = how.get("hosts", ("127.0.0.1",))
    certificate = authority.issue(*hosts, **{name: value for name, value in how.items() if name != "hosts"})
    with tls_server(certificate) as server:
        sent: list[Event] = []
        with listening(lambda scope, event: sent.append(event)):
            configuration = {"retry": {"attempts": 5}, "tls": {"ca": str(authority.certificate)}}
            async with Connection(base_url=server.address, **configuration).connect() as client:
                with pytest.raises(CertificateError) as caught:
                    await client.send(client.request("GET", "/x"))
        error = caught.value
        assert error.what == f"the certificate of '127.0.0.1' {what}" or error.what.startswith(
            f"the certificate of '127.0.0.1' {what}"
        )
        assert hint in str(error.hint)
        assert error.code == "certificate"
        assert error.sent is False
        assert error.where["phase"] == "certificate"
        assert server.requests == []
        assert sum(isinstance(event, RequestSent) for event in sent) == 1, "asking again would not help"


async def test_s5_the_systems_authorities_are_asked_and_do_not_know_ours(authority: Authority) -> None:
    with tls_server(authority.issue("127.0.0.1")) as server:
        error = await fails(server.address, CertificateError)
    assert "tls: {ca:" in str(error.hint)


async def test_s5_a_name_is_checked_against_the_certificate(authority: Authority) -> None:
    with tls_server(authority.issue("localhost")) as server:
        port = server.address.rpartition(":")[2]
        assert await get(f"https://localhost:{port}", tls={"ca": str(authority.certificate)}) == []
        error = await fails(server.address, CertificateError, tls={"ca": str(authority.certificate)})
        assert "another address" in error.what


async def test_s5_old_versions_of_tls_are_refused(authority: Authority) -> None:
    certificate = authority.issue("127.0.0.1")
    trusting = {"ca": str(authority.certificate)}
    with pytest.warns(DeprecationWarning), tls_server(
        certificate, minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1,
        ciphers="ALL:@SECLEVEL=0",
    ) as server:  # fmt: skip
        error = await fails(server.address, TransportError, tls=trusting)
        assert error.where["phase"] == "tls"
        assert "old versions of TLS" in str(error.hint)
        assert server.requests == []
    with tls_server(certificate, maximum_version=ssl.TLSVersion.TLSv1_2) as server:
        assert await get(server.address, tls=trusting) == []
        error = await fails(server.address, TransportError, tls={**trusting, "min_version": 1.3})
        assert "old versions of TLS" in str(error.hint)


async def test_s5_plain_http_behind_https_is_named() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(http(b"", status="400 Bad Request"))
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    error = await fails(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", TransportError)
    server.close()
    assert "does not speak TLS" in str(error.hint)


async def test_s5_a_server_that_hangs_up_during_the_handshake_is_named() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(9_000)
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    error = await fails(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", TransportError)
    server.close()
    assert error.what == "no TLS connection to '127.0.0.1': the server hung up while it was made"


async def test_s5_verification_ends_only_by_the_environment_for_named_hosts_and_is_noticed(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tls_server(authority.issue("wrong.test", by_itself=True)) as server:
        port = server.address.rpartition(":")[2]
        for value in ("", "1", "true", "*", "localhost", f"127.0.0.1:{int(port) + 1}", "127.0.0"):
            monkeypatch.setenv("SYNCLINE_INSECURE_TLS", value)
            await fails(server.address, CertificateError)
        assert server.requests == []
        for value in ("127.0.0.1", f"localhost, 127.0.0.1:{port}"):
            monkeypatch.setenv("SYNCLINE_INSECURE_TLS", value)
            assert await get(server.address) == [
                f"the TLS certificate of 127.0.0.1:{port} is not verified, because SYNCLINE_INSECURE_TLS names it"
            ]
    for name in ("verify", "insecure", "verify_ssl"):
        with pytest.raises(ValueError, match=name):
            Connection.model_validate({"base_url": "https://api.test", "tls": {name: False}})


INTEGRATION = """
name: insecure
source: {{kind: rest, base_url: "{address}"}}
streams:
  - {{name: things, path: /things, single: true, into: {{write: append}}}}
destination: {{kind: sql, url: "sqlite:///{database}"}}
"""


async def test_s5_every_report_of_a_run_without_verification_says_so(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SYNCLINE_INSECURE_TLS", "127.0.0.1")
    with tls_server(authority.issue("127.0.0.1")) as server:
        file = tmp_path / "integration.yaml"
        file.write_text(INTEGRATION.format(address=server.address, database=tmp_path / "x.db"))
        for _ in range(2):
            report = await arun(file)
            notices = [notice for stream in report.to_data()["streams"] for notice in stream["notices"]]
            assert any("is not verified, because SYNCLINE_INSECURE_TLS" in notice for notice in notices)


@pytest.mark.parametrize(
    ("starts", "ends", "told"),
    [(-80 * DAY, 10 * DAY, True), (-80 * DAY, 20 * DAY, False), (-DAY, 5 * DAY, False), (-5 * DAY, DAY, True)],
    ids=["soon", "not soon", "short-lived and young", "short-lived and old"],
)
async def test_a_certificate_that_runs_out_soon_is_noticed_once(
    authority: Authority, starts: timedelta, ends: timedelta, told: bool
) -> None:
    with tls_server(authority.issue("127.0.0.1", starts=starts, ends=ends)) as server:
        heard = await get(server.address, tls={"ca": str(authority.certificate)})
    assert len(heard) == told
    if told:
        assert heard[0].startswith("the certificate of 127.0.0.1 runs out at 20")


async def test_a_server_that_wants_a_certificate_of_ours_says_how(authority: Authority) -> None:
    trusting = {"ca": str(authority.certificate)}
    certificate = authority.issue("127.0.0.1")
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with tls_server(certificate, clients=authority.certificate, maximum_version=version) as server:
            error = await fails(server.address, TransportError, tls=trusting)
            assert "auth: {kind: mtls" in str(error.hint)
            assert server.requests == []
            chain, key = authority.issue("client.test")
            mtls = {"kind": "mtls", "certificate": str(chain), "key": str(key)}
            assert await get(server.address, tls=trusting, auth=mtls) == []


async def test_s1_a_client_certificate_is_shown_to_the_api_alone(authority: Authority) -> None:
    chain, key = authority.issue("client.test")
    mtls = {"kind": "mtls", "certificate": str(chain), "key": str(key)}
    trusting = {"ca": str(authority.certificate)}
    certificate = authority.issue("127.0.0.1")
    with tls_server(certificate) as home, tls_server(certificate, clients=authority.certificate) as curious:
        connection = Connection(
            base_url=home.address, auth=mtls, tls=trusting, retry=ONCE, allow_hosts=[curious.address]
        )
        async with connection.connect() as client:
            assert (await client.send(client.request("GET", "/x"))).status == 200
            with pytest.raises(TransportError) as caught:
                await client.send(client.request("GET", f"{curious.address}/x"))
            assert "certificate" in str(caught.value.evidence)
        assert curious.requests == []


@pytest.mark.parametrize(("text", "reason"), [("/nowhere/ca.pem", "no such file"), ("-----BEGIN nothing", "not PEM")])
async def test_an_authority_that_cannot_be_read_is_told_before_anything_is_sent(text: str, reason: str) -> None:
    with pytest.raises(PlanError, match=reason):
        await get("https://127.0.0.1:9", tls={"ca": text})


SCRIPT = """
import asyncio, ssl, sys
{first}
from syncline.http.trust import LateContext, import_aiohttp
import_aiohttp()
import aiohttp
from aiohttp import connector
plain = ssl.create_default_context()
verified, unverified = connector._SSL_CONTEXT_VERIFIED, connector._SSL_CONTEXT_UNVERIFIED
assert (type(verified) is LateContext) is {late}, type(verified)
assert type(plain) is ssl.SSLContext, "what others make is not touched"
assert "set_default_verify_paths" not in vars(ssl.SSLContext)
assert verified.verify_mode == ssl.CERT_REQUIRED and verified.check_hostname
assert (verified.options, verified.minimum_version) == (plain.options, plain.minimum_version)
async def others():
    async with aiohttp.ClientSession() as session:
        for ssl_, expected in ((True, "ClientConnectorCertificateError"), (False, "200")):
            try:
                async with session.get(sys.argv[1], ssl=ssl_) as answer:
                    print(answer.status)
            except aiohttp.ClientError as error:
                print(type(error).__name__)
asyncio.run(others())
assert verified.cert_store_stats() == plain.cert_store_stats()
"""


@pytest.mark.slow
@pytest.mark.parametrize("first", ["", "import aiohttp"])
async def test_s5_others_who_use_aiohttp_in_this_process_keep_their_tls(authority: Authority, first: str) -> None:
    with tls_server(authority.issue("127.0.0.1")) as server:
        script = SCRIPT.format(first=first, late=not first)
        found = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", script, server.address], capture_output=True, text=True, check=False
        )
    assert found.stderr == ""
    assert found.stdout.split() == ["ClientConnectorCertificateError", "200"]


def test_s5_others_who_use_aiohttp_trust_whom_they_trusted(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The authorities that come late are those of the system, or those that SSL_CERT_FILE names."""
    script = (
        "from syncline.http.trust import import_aiohttp; import_aiohttp(); from aiohttp import connector;"
        "print([dict(pair[0] for pair in c['subject'])['commonName'] for c in connector._SSL_CONTEXT_VERIFIED.get_ca_certs()])"
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    monkeypatch.setenv("SSL_CERT_DIR", str(authority.folder / "none"))
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "['Test Authority']"


def test_a_connection_with_tls_reads_back(check: Callable[[dict[str, Any]], None]) -> None:
    check({"base_url": "https://api.test", "tls": {"ca": "${file:/run/secrets/ca.pem}", "min_version": "1.3"}})
    check({"base_url": "https://api.test", "proxy": "${PROXY}", "caps": {"pages": 10, "bytes": 1_000, "time": "1h"}})
    check({"base_url": "https://api.test", "proxy": "environment", "conditional_requests": True})


@pytest.fixture
def check() -> Callable[[dict[str, Any]], None]:
    def reads_back(data: dict[str, Any]) -> None:
        connection = Connection.model_validate(data)
        assert connection.to_data() == data
        assert Connection.model_validate(connection.to_data()) == connection

    return reads_back
