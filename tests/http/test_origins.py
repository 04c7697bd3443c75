"""Credentials belong to the configured origin: no link, redirect or path carries them elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, strategies as st

from syncline.errors import ClientError, OriginError, SynclineError
from syncline.http import Connection, Origins
from syncline.model import Request, Response, Secret, origin_of
from tests.http.servers import answer

BASE = "https://api.test/v1"
CANARY = "canary-4711"


class Web:
    """A network of any host; `pages` maps an address without its query to an answer."""

    def __init__(self, pages: dict[str, Response | Callable[[Request], Response]] | None = None) -> None:
        self.pages = pages or {}
        self.sent: list[Request] = []

    async def __call__(self, request: Request) -> Response:
        self.sent.append(request)
        page = self.pages.get(request.url.partition("?")[0], answer())
        return page(request) if callable(page) else page

    def saw_canary(self, host: str) -> bool:
        return any(
            CANARY
            in f"{request.target} {[str(v.reveal() if isinstance(v, Secret) else v) for v in request.headers.values()]}"
            for request in self.sent
            if origin_of(request.url) == host
        )


async def send(web: Web, address: str, method: str = "GET", **configuration: Any) -> Response:
    connection = Connection.model_validate(
        {
            "base_url": BASE,
            "auth": {"kind": "bearer", "token": Secret(CANARY)},
            "headers": {"X-Custom-Key": Secret(CANARY)},
            "params": {"key": Secret(CANARY)},
            **configuration,
        }
    )
    async with connection.connect(transport=web) as client:
        request = client.request(method, "/start", json={"a": 1} if method == "POST" else None)
        if address:
            request = Request(method=method, url=address)
        return await client.send(request)


ELSEWHERE = [
    "https://evil.test/x",
    "http://api.test/v1/x",
    "https://api.test:8443/x",
    "https://api.test.evil.test/x",
    "https://api.test@evil.test/x",
    "https://user:pass@api.test/x",
    "https://evil.test\\@api.test/x",
    "https://api.test\\.evil.test/x",
    "https://api.test /x",
    "https://api.test\t.evil.test/x",
    "ftp://api.test/x",
    "file:///etc/passwd",
    "https:///x",
    "https://api.test:0/x",
    "https://api.test:99999/x",
    "https://apı.test/x",
    "https://[::1/x",
]


@pytest.mark.parametrize("address", ELSEWHERE)
async def test_s1_a_next_link_elsewhere_is_refused(address):
    web = Web()
    with pytest.raises(OriginError) as caught:
        await send(web, address)
    assert web.sent == []
    assert caught.value.hint


LINKS = [*ELSEWHERE, "//evil.test/x", "//api.test/x", "\\\\evil.test/x", "/\\evil.test/x", "https:evil.test/x"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", LINKS)
async def test_s1_a_redirect_elsewhere_is_refused(status, location):
    web = Web({f"{BASE}/start": answer(status, {"Location": location})})
    with pytest.raises(SynclineError) as caught:
        await send(web, "")
    assert all(origin_of(request.url) == "https://api.test:443" for request in web.sent)
    if (
        location != "https:evil.test/x"
    ):  # means evil.test to browsers, a path to RFC 3986: our parser never leaves the origin
        assert isinstance(caught.value, OriginError)


@pytest.mark.parametrize("location", LINKS)
def test_s1_a_link_elsewhere_is_never_followed(location):
    origins = Origins(BASE)
    try:
        target = origins.follow(f"{BASE}/start", location)
    except OriginError:
        return
    assert origin_of(target) == origins.home


@given(st.text(alphabet="htps:/\\@.?#%[]evilapi test\t:0", max_size=30))
def test_s1_no_text_leads_elsewhere(link):
    origins = Origins(BASE)
    try:
        target = origins.follow(f"{BASE}/start", link)
    except OriginError:
        return
    assert target.startswith("https://api.test/") or origin_of(target) == origins.home


async def test_s1_a_listed_host_gets_no_credentials():
    web = Web()
    await send(web, "https://cdn.test/file?x=1", allow_hosts=["cdn.test"])
    assert len(web.sent) == 1
    assert not web.saw_canary("https://cdn.test:443")


async def test_s1_a_redirect_to_a_listed_host_leaves_the_credentials_behind():
    web = Web({f"{BASE}/start": answer(302, {"Location": "https://cdn.test/file"})})
    await send(web, "", allow_hosts=["cdn.test"])
    assert web.saw_canary("https://api.test:443")
    assert not web.saw_canary("https://cdn.test:443")


async def test_s1_the_requests_own_secrets_stay_behind_too():
    web = Web({f"{BASE}/start": answer(307, {"Location": "https://cdn.test/file"})})
    async with Connection(base_url=BASE, allow_hosts=["cdn.test"]).connect(transport=web) as client:
        headers = {"X-Stream-Key": Secret(CANARY), "Authorization": f"Bearer {CANARY}", "Cookie": CANARY}
        await client.send(client.request("GET", "/start", headers=headers, params={"k": Secret(CANARY)}))
    assert len(web.sent) == 2
    assert not web.saw_canary("https://cdn.test:443")


async def test_s1_credentials_go_where_the_file_says_so():
    web = Web()
    await send(web, "https://files.test/x", send_credentials_to=["files.test"])
    assert web.saw_canary("https://files.test:443")


async def test_s1_a_listed_host_is_not_reached_without_tls():
    web = Web()
    with pytest.raises(OriginError):
        await send(web, "http://cdn.test/x", allow_hosts=["cdn.test"], send_credentials_to=["cdn.test"])
    assert web.sent == []


async def test_redirects_within_the_origin_are_followed():
    web = Web({f"{BASE}/start": answer(301, {"Location": "/v2/start?page=1"})})
    response = await send(web, "")
    assert response.status == 200
    assert [request.url for request in web.sent] == [f"{BASE}/start", "https://api.test/v2/start?page=1"]


@pytest.mark.parametrize(
    ("status", "method", "body"),
    [(301, "GET", False), (302, "GET", False), (303, "GET", False), (307, "POST", True), (308, "POST", True)],
)
async def test_a_redirect_keeps_or_changes_the_method_as_the_rfc_says(status, method, body):
    web = Web({f"{BASE}/start": answer(status, {"Location": "end"})})
    await send(web, "", method="POST")
    assert web.sent[1].url == f"{BASE}/end"
    assert web.sent[1].method == method
    assert (web.sent[1].content is not None) is body


async def test_redirects_in_a_ring_end():
    web = Web({f"{BASE}/start": answer(302, {"Location": "/v1/start"})})
    with pytest.raises(OriginError):
        await send(web, "")
    assert len(web.sent) == 6


async def test_a_redirect_that_says_not_where_is_an_error():
    with pytest.raises(ClientError):
        await send(Web({f"{BASE}/start": answer(302)}), "")


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("/orders", f"{BASE}/orders"),
        ("orders", f"{BASE}/orders"),
        ("", BASE),
        ("/", f"{BASE}/"),
        ("/orders/", f"{BASE}/orders/"),
        ("/orders?state=any", f"{BASE}/orders?state=any"),
        ("/a%2Fb/%2E%2E", f"{BASE}/a%2Fb/%2E%2E"),
        ("/ä b", f"{BASE}/%C3%A4%20b"),
        ("/items/a:b", f"{BASE}/items/a:b"),
        ("https://api.test/other", "https://api.test/other"),
    ],
)
def test_a_path_is_below_the_base(path, url):
    assert Origins(BASE).of_path(path) == url
    assert Origins(BASE + "/").of_path(path) == url


@pytest.mark.parametrize(
    "path", ["//evil.test/x", "/../admin", "/a/../../b", "..", "/./x", "https://evil.test/x", "/a\\b", "/a\nb"]
)
def test_s1_a_path_that_leads_out_is_refused(path):
    with pytest.raises(OriginError):
        Origins(BASE).of_path(path)


@pytest.mark.parametrize(
    "base", ["api.test", "ftp://api.test", "https://u:p@api.test", "https://api.test?x=1", "https://a b"]
)
def test_a_base_that_cannot_be_used_says_so(base):
    with pytest.raises(OriginError) as caught:
        Origins(base)
    assert caught.value.hint


def test_the_connection_reads_back_as_it_was_written():
    data = {
        "base_url": "${API}",
        "headers": {"Accept": "application/json", "X-Key": "${KEY}"},
        "auth": {"kind": "bearer", "token": "${TOKEN}"},
        "rate_limit": {"limits": ["10/s", "1000/h"], "concurrency": 8},
        "retry": {"max_wait": "1h"},
        "circuit_breaker": {"open_for": "1m"},
        "timeout": {"total": "10m"},
        "max_body": 64_000_000,
        "allow_hosts": ["cdn.test"],
    }
    connection = Connection.model_validate(data)
    assert connection.to_data() == data
    assert Connection.model_validate(connection.to_data()) == connection
    assert Connection.model_validate({"base_url": "https://a.test"}).to_data() == {"base_url": "https://a.test"}
    described = Connection.model_json_schema()["properties"]
    assert all("description" in field or "$ref" in field for field in described.values())
