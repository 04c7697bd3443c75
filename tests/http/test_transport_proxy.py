"""Proxies: used where the file says so, and never because the environment happens to name one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from syncline.errors import AuthError, CertificateError, OriginError, PlanError, RequestError, TransportError
from syncline.http import Connection
from syncline.http.proxies import Proxies, read_proxy
from syncline.model import Secret
from tests.http.authority import Authority, tls_server
from tests.http.proxying import small_proxy
from tests.http.raw import http, raw_server

ONCE = {"attempts": 1}
CANARY = "canary-4711"


async def get(address: str, **configuration: Any) -> int:
    async with Connection(base_url=address, retry=ONCE, **configuration).connect() as client:
        return (await client.send(client.request("GET", "/x", headers={"X-Key": Secret("k")}))).status


async def fails(address: str, kind: type[RequestError], **configuration: Any) -> RequestError:
    with pytest.raises(kind) as caught:
        await get(address, **configuration)
    assert type(caught.value) is kind
    assert CANARY not in f"{caught.value.to_data()}{caught.value.block()}"
    return caught.value


async def test_a_proxy_is_asked_for_plain_http() -> None:
    """The API's name is the proxy's to resolve; the proxy itself may be on a private network."""
    async with raw_server(http(b"{}")) as server, small_proxy(server.address) as proxy:
        assert await get("http://api.test/v1", proxy=f"http://{proxy.address}") == 200
        assert proxy.asked == ["GET http://api.test/v1/x"]
        assert b"Host: api.test\r\n" in server.requests[0]


async def test_a_proxy_makes_tunnels_for_https_and_sees_nothing(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with tls_server(authority.issue("api.test")) as server:
        async with small_proxy(server.address) as proxy:
            tls = {"ca": str(authority.certificate)}
            assert await get("https://api.test/v1", proxy=f"http://{proxy.address}", tls=tls) == 200
            assert proxy.asked == ["CONNECT api.test:443"]
            assert b"X-Key" not in proxy.heads[0]
            assert b"X-Key: k\r\n" in server.requests[0]


async def test_s5_a_proxy_cannot_pass_for_the_api(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with tls_server(authority.issue("evil.test")) as server:
        async with small_proxy(server.address) as proxy:
            tls = {"ca": str(authority.certificate)}
            error = await fails("https://api.test/v1", CertificateError, proxy=f"http://{proxy.address}", tls=tls)
            assert error.what == "the certificate of 'api.test' belongs to another host"
            assert server.requests == []


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_s6_a_proxys_credentials_go_to_the_proxy_alone(tmp_path: Path, scheme: str) -> None:
    authority = Authority(tmp_path)
    with tls_server(authority.issue("api.test")) as secure:
        async with raw_server(http(b"{}")) as plain:
            server = secure if scheme == "https" else plain
            async with small_proxy(server.address, "me", f"{CANARY}:@/ä") as proxy:
                setting = Secret(f"http://me:{CANARY}%3A%40%2F%C3%A4@{proxy.address}")
                tls = {"ca": str(authority.certificate)}
                assert await get(f"{scheme}://api.test/v1", proxy=setting, tls=tls) == 200
                assert CANARY.encode() not in b"".join(proxy.heads)
                if scheme == "https":
                    assert b"Proxy-Authorization" not in server.requests[0]
                else:
                    assert b"Proxy-Authorization" in server.requests[0], (
                        "the small proxy passes it on, others take it off"
                    )
                error = await fails(f"{scheme}://api.test/v1", AuthError, proxy=f"http://{proxy.address}", tls=tls)
                assert "wants credentials" in error.what
                assert error.exit_code == 4


async def test_what_a_proxy_says_is_not_what_the_api_says() -> None:
    async with small_proxy("http://127.0.0.1:9") as proxy:
        proxy.refusal = 403
        error = await fails("https://api.test", TransportError, proxy=Secret(f"http://me:{CANARY}@{proxy.address}"))
        assert error.what == "the proxy '127.0.0.1' did not connect: it answered 403"
        assert isinstance(error, TransportError)
        assert error.sent is False
    error = await fails("https://api.test", TransportError, proxy=Secret(f"http://me:{CANARY}@{proxy.address}"))
    assert error.what == "no connection to the proxy '127.0.0.1'"
    error = await fails("http://api.test", TransportError, proxy="http://proxy.invalid:3128")
    assert error.what == "no connection to the proxy 'proxy.invalid'"


@pytest.mark.parametrize(
    "address", ["http://169.254.169.254", "http://metadata.google.internal", "http://[fd00:ec2::254]"]
)
async def test_s3_a_proxy_does_not_lead_to_metadata(address: str) -> None:
    async with raw_server(http(b"{}")) as server, small_proxy(server.address) as proxy:
        await fails(address, OriginError, proxy=f"http://{proxy.address}")
        assert proxy.asked == []


async def test_s3_a_proxy_does_not_lead_a_public_api_to_private_addresses() -> None:
    async with raw_server(http(b"{}")) as server, small_proxy(server.address) as proxy:
        connection = Connection(
            base_url="http://8.8.8.8", proxy=f"http://{proxy.address}", allow_hosts=["http://10.0.0.1"]
        )
        async with connection.connect() as client:
            with pytest.raises(OriginError, match="private"):
                await client.send(client.request("GET", "http://10.0.0.1/x"))
        assert proxy.asked == []


async def test_s6_the_environment_is_followed_only_when_the_file_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async with raw_server(http(b"{}")) as server, small_proxy(server.address) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://{proxy.address}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert await get(server.address) == 200
        error = await fails("http://api.invalid", TransportError)
        assert error.what == "the name 'api.invalid' cannot be resolved"
        assert proxy.asked == []
        assert await get("http://api.test", proxy="environment") == 200
        assert proxy.asked == ["GET http://api.test/x"]
        assert await get(server.address, proxy="environment") == 200
        assert len(proxy.asked) == 1, "this machine itself is never asked through a proxy"


@pytest.mark.parametrize(
    ("rules", "address", "direct"),
    [
        ("", "https://api.test", False),
        ("*", "https://api.test", True),
        ("api.test", "https://api.test", True),
        ("api.test", "https://eu.api.test", True),
        (".api.test", "https://eu.api.test", True),
        ("*.api.test", "https://eu.api.test", True),
        ("api.test", "https://myapi.test", False),
        ("other.test, API.test ,", "https://api.test:8443", True),
        ("api.test:8443", "https://api.test:8443", True),
        ("api.test:8443", "https://api.test", False),
        ("api.test:443", "https://api.test", True),
        ("10.0.0.0/8", "http://10.2.3.4", True),
        ("10.0.0.0/8", "http://11.2.3.4", False),
        ("10.2.3.4", "http://10.2.3.4:81", True),
        ("10.2.3.4:80", "http://10.2.3.4", True),
        ("2001:db8::/32", "http://[2001:db8::5]", True),
        ("[2001:db8::5]:80", "http://[2001:db8::5]", True),
        ("", "http://localhost:81", True),
        ("", "http://127.0.0.1", True),
        ("", "http://[::1]", True),
    ],
)
def test_no_proxy_is_read_as_people_write_it(rules: str, address: str, direct: bool) -> None:
    proxies = Proxies("environment", {"https_proxy": "proxy.test:1", "HTTP_PROXY": "proxy.test:2", "NO_PROXY": rules})
    assert (proxies.of(urlsplit(address)) is None) is direct
    always = Proxies("http://proxy.test:1", {"NO_PROXY": "*"})
    assert always.of(urlsplit(address)), "what the file says is not overruled"


def test_s6_a_header_of_a_web_server_is_no_proxy() -> None:
    """httpoxy, CVE-2016-5385: under CGI a client's `Proxy:` header arrives as HTTP_PROXY."""
    assert Proxies("environment", {"HTTP_PROXY": "http://evil.test", "REQUEST_METHOD": "GET"}).hosts == frozenset()
    assert Proxies("environment", {"http_proxy": "http://p.test", "REQUEST_METHOD": "GET"}).hosts == {"p.test"}


@pytest.mark.parametrize(
    "text", ["socks5://p.test:1080", "http://p.test/path", "http://p.test:0", "http://p t", "http://2130706433"]
)
def test_a_proxy_that_cannot_be_meant_is_told(text: str) -> None:
    with pytest.raises((PlanError, OriginError)) as caught:
        read_proxy(f"{text.replace('://', f'://me:{CANARY}@')}")
    assert CANARY not in caught.value.block()


def test_s6_a_password_of_a_proxy_does_not_stand_in_the_file() -> None:
    with pytest.raises(ValueError, match="move the whole address to the environment") as caught:
        Connection.model_validate({"base_url": "https://api.test", "proxy": f"http://me:{CANARY}@proxy.test"})
    assert CANARY not in str(caught.value)
    Connection.model_validate({"base_url": "https://api.test", "proxy": "http://proxy.test:3128"})


async def test_connections_through_a_proxy_are_used_again() -> None:
    async with raw_server(http(b"{}", "Connection: keep-alive")) as server, small_proxy(server.address) as proxy:
        async with Connection(base_url="http://api.test", proxy=f"http://{proxy.address}").connect() as client:
            await asyncio.gather(*(client.send(client.request("GET", "/x")) for _ in range(3)))
            for _ in range(10):
                await client.send(client.request("GET", "/x"))
        assert len(server.requests) == 13
        assert len(proxy.heads) <= 3
