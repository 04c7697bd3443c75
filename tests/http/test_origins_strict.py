"""Addresses that readers disagree about, and addresses behind which no API stands."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, strategies as st

from syncline.errors import OriginError, RequestError
from syncline.http import Connection, Origins
from syncline.http.origins import check_url
from syncline.http.resolver import METADATA, METADATA_NAMES, AddressPolicy
from syncline.model import Request, Secret
from tests.http.raw import http, raw_server
from tests.http.servers import answer
from tests.http.test_origins import Web

ODD = {
    "user information": "https://api.test@evil.test/",
    "empty user information": "https://@api.test/",
    "password": "https://a:b@api.test/",
    "escaped at": "https://api.test%40evil.test/",
    "backslash": "https://api.test\\@evil.test/",
    "backslashes": "https:\\\\evil.test/",
    "tab in the scheme": "ht\ttps://evil.test/",
    "line feed": "https://api.test\n.evil.test/",
    "carriage return": "https://api.test\r/",
    "null": "https://api.test\0.evil.test/",
    "delete": "https://api.test\x7f/",
    "c1 control": "https://api.test/\x85x",
    "lone surrogate": "https://api.test/\ud800",
    "no-break space": "https://api.test\u00a0/",
    "zero width": "https://api\u200b.test/",
    "full width": "https://\uff41pi.test/",
    "full width dot": "https://api\uff0etest/",
    "ideographic full stop": "https://api\u3002test/",
    "dotless i": "https://ap\u0131.test/",
    "kelvin": "https://\u212aube.test/",
    "escaped dot": "https://api%2etest/",
    "long s": "http\u017f://api.test/",
    "arabic port": "https://api.test:\u0664\u0664\u0663/",
    "port with sign": "https://api.test:+443/",
    "port zero": "https://api.test:0/",
    "port beyond": "https://api.test:65536/",
    "empty label": "https://api..test/",
    "leading dot": "https://.api.test/",
    "leading hyphen": "https://-api.test/",
    "label of 64": f"https://{'a' * 64}.test/",
    "name of 300": f"https://{'.'.join(['a' * 50] * 6)}/",
    "decimal address": "https://2130706433/",
    "octal address": "https://0177.0.0.1/",
    "octal address, whole": "https://017700000001/",
    "hex address": "https://0x7f.0.0.1/",
    "hex address, whole": "https://0x7f000001/",
    "hex address, empty": "https://0x/",
    "short address": "https://127.1/",
    "address of five": "https://1.2.3.4.5/",
    "address beyond": "https://1.2.3.256/",
    "address with a dot": "https://127.0.0.1./",
    "zone": "https://[fe80::1%25eth0]/",
    "bare zone": "https://[fe80::1%eth0]/",
    "ipv4 in brackets": "https://[127.0.0.1]/",
    "future address": "https://[v1.fe80::a]/",
    "name in brackets": "https://[api.test]/",
    "brackets and more": "https://[::1].evil.test/",
    "ipv6 without brackets": "https://::1/",
    "no host": "https:///api.test",
    "no slashes": "https:api.test",
    "another scheme": "javascript://api.test/%0aalert(1)",
}


@pytest.mark.parametrize("address", ODD.values(), ids=ODD)
def test_s2_what_readers_disagree_about_is_no_address(address: str) -> None:
    with pytest.raises(OriginError) as caught:
        check_url(address)
    assert caught.value.hint


@pytest.mark.parametrize("address", ODD.values(), ids=ODD)
@pytest.mark.parametrize("base", ["https://api.test/v1", "https://127.0.0.1/v1"])
def test_s2_a_link_of_that_sort_is_never_followed(address: str, base: str) -> None:
    origins = Origins(base)
    try:
        target = origins.follow(f"{base}/start", address)
    except OriginError:
        return
    # what has no scheme that anybody reads is a path, which stays below the base
    assert address == ODD["long s"]
    assert target.startswith(f"{base}/http%C5%BF:")


@pytest.mark.parametrize(
    "address",
    [
        "https://api.test",
        "https://API.test./v1",
        "https://xn--bcher-kva.test:8443/",
        "https://3com.test/",
        "https://1.2.3.4.nip.test/",
        "https://a_b.test/",
        "http://127.0.0.1:80/",
        "http://[2001:db8::1]:8080/x",
        "http://[::ffff:93.184.216.34]/",
    ],
)
def test_s2_plain_addresses_are_read(address: str) -> None:
    assert check_url(address).hostname


@given(st.text(max_size=40), st.sampled_from(["https://", "https:", "//", "/", "\\\\", "http://", ""]))
def test_s2_no_text_at_all_leads_elsewhere(text: str, start: str) -> None:
    origins = Origins("https://api.test/v1")
    for follow in (lambda link: origins.follow("https://api.test/v1/x", link), origins.of_path):
        try:
            target = follow(start + text)
        except OriginError:
            continue
        assert target.startswith("https://api.test")
        assert check_url(target).hostname == "api.test"
        assert target.isascii()


async def test_s2_a_downgrade_is_refused_wherever_it_comes_from() -> None:
    web = Web({"https://api.test/v1/start": answer(301, {"Location": "http://api.test/v1/start"})})
    connection = Connection(base_url="https://api.test/v1", allow_hosts=["http://cdn.test", "cdn.test"])
    async with connection.connect(transport=web) as client:
        with pytest.raises(OriginError, match="plain http"):
            await client.send(client.request("GET", "/start"))
        with pytest.raises(OriginError, match="plain http"):
            client.request("GET", "http://cdn.test/x")
        with pytest.raises(OriginError, match="plain http"):
            await client.send(Request(url="http://cdn.test/x"))
    assert len(web.sent) == 1


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize(
    "what", [{"json": {"auth": [{"key": Secret("canary-4711")}]}}, {"form": (("key", Secret("canary-4711")),)}]
)
async def test_s1_a_body_with_a_secret_stays_where_it_belongs(status: int, what: dict[str, Any]) -> None:
    web = Web({"https://api.test/login": answer(status, {"Location": "https://cdn.test/login"})})
    async with Connection(base_url="https://api.test", allow_hosts=["cdn.test"]).connect(transport=web) as client:
        with pytest.raises(OriginError, match="body holds a secret"):
            await client.send(Request(method="POST", url="https://api.test/login", **what))
        await client.send(Request(method="POST", url="https://cdn.test/login", json={"no": "secret"}))
    assert [request.url for request in web.sent] == ["https://api.test/login", "https://cdn.test/login"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["https://evil.test/token", "https://api.test/token", "/elsewhere"])
async def test_s19_a_token_endpoint_that_redirects_gets_no_second_request(status: int, location: str) -> None:
    """Nobody but the configured token endpoint is shown the client's secret, not even where the API itself is trusted."""
    web = Web({"https://login.test/token": answer(status, {"Location": location})})
    auth = {
        "kind": "oauth2", "grant": "client_credentials", "token_url": "https://login.test/token",
        "client_id": "me", "client_secret": Secret("canary-4711"),
    }  # fmt: skip
    async with Connection(base_url="https://api.test", auth=auth, retry={"attempts": 1}).connect(
        transport=web
    ) as client:
        with pytest.raises(RequestError):
            await client.send(client.request("GET", "/x"))
    assert {request.url for request in web.sent} == {"https://login.test/token"}


@pytest.mark.parametrize("host", ["evil.test", "127.0.0.1.evil.test", "localhost.evil.test", "[::ffff:8.8.8.8]"])
async def test_s19_a_token_endpoint_without_tls_is_asked_on_this_machine_only(host: str) -> None:
    auth = {
        "kind": "oauth2", "grant": "client_credentials", "token_url": f"http://{host}/token",
        "client_id": "me", "client_secret": Secret("canary-4711"),
    }  # fmt: skip
    web = Web()
    with pytest.raises((RequestError, ValueError)):
        async with Connection(base_url="https://api.test", auth=auth).connect(transport=web) as client:
            await client.send(client.request("GET", "/x"))
    assert web.sent == []


NEVER = [
    "169.254.169.254", "169.254.170.2", "169.254.0.1", "fe80::1", "fe80::1%eth0", "febf::1",
    "::ffff:169.254.169.254", "::169.254.169.254", "64:ff9b::169.254.169.254", "64:ff9b:1::a9fe:a9fe",
    "2002:a9fe:a9fe::1", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "100.100.100.200",
    "::ffff:100.100.100.200", "168.63.129.16", "192.0.0.192", "224.0.0.1", "ff02::1",
]  # fmt: skip


@pytest.mark.parametrize("address", NEVER)
@pytest.mark.parametrize("home", ["api.test", "127.0.0.1", "169.254.169.254", "10.0.0.1"])
def test_s3_link_local_and_metadata_addresses_are_refused_whatever_the_base_is(address: str, home: str) -> None:
    for host in (home, "cdn.test"):
        with pytest.raises(OriginError, match="metadata"):
            AddressPolicy(home).check(host, address)
    with pytest.raises(OriginError, match="metadata"):
        AddressPolicy(address).check(address, address)
    with pytest.raises(OriginError, match="metadata"):
        AddressPolicy("api.test", ["proxy.test"]).check("proxy.test", "93.184.216.34", address)


@pytest.mark.parametrize("name", sorted(METADATA_NAMES))
def test_s3_metadata_names_are_refused_even_where_a_proxy_would_resolve_them(name: str) -> None:
    for spelled in (name, name.upper(), f"{name}."):
        with pytest.raises(OriginError, match="metadata"):
            AddressPolicy(spelled).check(spelled, spelled)


PRIVATE = [
    "127.0.0.1", "127.8.9.1", "10.0.0.7", "172.16.3.4", "192.168.1.1", "100.64.0.1", "0.0.0.0", "240.0.0.1",
    "255.255.255.255", "198.18.0.1", "::", "::1", "fc00::1", "fd12:3456::1", "fec0::1", "::ffff:10.0.0.7",
    "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::10.0.0.7", "2002:7f00:1::", "2001:0:7f00:1::",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_s3_private_addresses_are_refused_unless_the_base_is_private(address: str) -> None:
    public = AddressPolicy("93.184.216.34")
    with pytest.raises(OriginError, match="private"):
        public.check("cdn.test", address)
    with pytest.raises(OriginError, match="private"):
        public.check("cdn.test", "93.184.216.34", address)
    inside = AddressPolicy("10.1.1.1")
    inside.check("10.1.1.1", "10.1.1.1")
    inside.check("cdn.test", address)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "::ffff:8.8.8.8", "2002:808:808::1"]
)
def test_s3_public_addresses_may_be_asked(address: str) -> None:
    for policy in (AddressPolicy("api.test"), AddressPolicy("10.0.0.1"), AddressPolicy("8.8.8.8")):
        policy.check("cdn.test", address)
        policy.check(policy.home_host, address)


def test_s3_a_public_name_that_turns_private_is_refused() -> None:
    policy = AddressPolicy("api.test")
    policy.check("api.test", "93.184.216.34")
    with pytest.raises(OriginError, match="private"):
        policy.check("api.test", "127.0.0.1")
    both = AddressPolicy("api.test")
    with pytest.raises(OriginError, match="private"):
        both.check("api.test", "93.184.216.34", "127.0.0.1")
    with pytest.raises(OriginError, match="private"):
        both.check("api.test", "127.0.0.1")


def test_s3_metadata_addresses_are_real_ones() -> None:
    assert all(not address.is_link_local for address in METADATA), "link-local ones are refused by their network"


class Names:
    """The system's resolver, replaced: each name has a list of answers, given in turn, the last for ever."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **answers: list[list[str]]) -> None:
        self.answers: dict[str, Iterator[list[str]]] = {}
        self.asked: list[str] = []
        self._last: dict[str, list[str]] = {}
        for name, lists in answers.items():
            self.answers[name.replace("_", ".")] = iter(lists)
        self._real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self)

    def __call__(self, host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in self.answers:
            return self._real(host, port, *args, **kwargs)
        self.asked.append(host)
        self._last[host] = next(self.answers[host], self._last.get(host, []))
        if not self._last[host]:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [
            (socket.AF_INET6 if ":" in a else socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port))
            for a in self._last[host]
        ]


async def get(client: Any, address: str) -> int:
    return (await client.send(client.request("GET", address))).status


async def fails(client: Any, address: str) -> RequestError:
    with pytest.raises(RequestError) as caught:
        await get(client, address)
    return caught.value


ONCE = {"retry": {"attempts": 1}, "timeout": {"connect": "300ms"}}


async def test_s3_dns_rebinding_never_reaches_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    async with raw_server(http(b"{}")) as server:
        port = server.address.rpartition(":")[2]
        turning = [["93.184.216.34"], ["127.0.0.1"]]
        Names(monkeypatch, api_test=turning, next_test=turning)
        monkeypatch.setattr("syncline.http.transport.DNS_CACHE", 0)
        connection = Connection(
            base_url=f"http://api.test:{port}", allow_hosts=[f"http://next.test:{port}"], timeout={"connect": "50ms"},
            retry={"attempts": 1},
        )  # fmt: skip
        async with connection.connect() as client:
            await fails(client, "/x")
            await fails(client, f"http://next.test:{port}/x")
            for address in ("/x", f"http://next.test:{port}/x"):
                error = await fails(client, address)
                assert isinstance(error, OriginError), error
                assert "private address" in error.what
        assert server.requests == []


async def test_s3_the_address_that_was_checked_is_the_one_that_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second answer would lead elsewhere: nobody asks for one."""
    async with raw_server(http(b"{}")) as server:
        port = server.address.rpartition(":")[2]
        names = Names(monkeypatch, api_test=[["127.0.0.1"], ["127.0.0.99"]])
        async with Connection(base_url=f"http://api.test:{port}", **ONCE).connect() as client:
            assert await get(client, "/x") == 200
        assert names.asked == ["api.test"]
        assert len(server.requests) == 1
        assert f"Host: api.test:{port}".encode() in server.requests[0]


async def test_s3_a_private_neighbour_is_reached_before_the_private_api_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token endpoint is asked first; whether it may be private depends on the API, which is looked up for that."""
    async with raw_server(http(b"{}")) as server:
        port = server.address.rpartition(":")[2]
        names = Names(monkeypatch, api_test=[["10.0.0.1"]], login_test=[["127.0.0.1"]])
        connection = Connection(base_url=f"http://api.test:{port}", allow_hosts=[f"login.test:{port}"], **ONCE)
        async with connection.connect() as client:
            assert await get(client, f"http://login.test:{port}/x") == 200
        assert names.asked == ["login.test", "api.test"]


@pytest.mark.parametrize("home", [["93.184.216.34"], []])
async def test_s3_a_private_neighbour_of_a_public_api_is_refused(
    monkeypatch: pytest.MonkeyPatch, home: list[str]
) -> None:
    async with raw_server(http(b"{}")) as server:
        port = server.address.rpartition(":")[2]
        Names(monkeypatch, api_test=[home], login_test=[["127.0.0.1"]])
        connection = Connection(base_url=f"http://api.test:{port}", allow_hosts=[f"login.test:{port}"], **ONCE)
        async with connection.connect() as client:
            assert isinstance(await fails(client, f"http://login.test:{port}/x"), OriginError)
        assert server.requests == []


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[fd00:ec2::254]", "metadata.google.internal", "[::ffff:a9fe:a9fe]"]
)
async def test_s3_the_metadata_service_is_not_asked_even_if_it_is_the_base(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    Names(monkeypatch, metadata_google_internal=[["93.184.216.34"]])
    async with Connection(base_url=f"http://{host}/v1", **ONCE).connect() as client:
        error = await asyncio.wait_for(fails(client, "/x"), 2)
        assert isinstance(error, OriginError)
        assert "metadata" in error.what
