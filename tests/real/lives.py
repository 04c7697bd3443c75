"""What probing has to find out about live servers: labels made by hand, as those of documents are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import msgspec

from syncline.auth import Basic, Bearer, OAuth2
from syncline.generate.inference import Credentials, probe
from syncline.model import Reference
from syncline.rehearsal.shop import Shop
from tests.generate.inference.corpus import Label, ListLabel
from tests.generate.inference.scoring import Verdict, verdicts
from tests.generate.inference.small_apis import PAGERS, Shop as SmallShop
from tests.real import seeds
from tests.real.process import serving
from tests.real.registry import PASSWORD, USER, serve_registry
from tests.real.servers import need_module, serve_datasette, serve_json_server, serve_localstripe, serve_wiremock
from tests.real.wiremock import WireMock, document
from tests.support.serving import serving as serving_handler


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """One question to a server and what is right about its answer; empty where the server does not show it."""

    path: str
    auth: tuple[str, ...] = ()
    records: tuple[str, ...] = ()
    primary_key: tuple[str, ...] = ()
    pagination: tuple[str, ...] = ()
    credentials: Credentials | None = None
    params: str = ""

    def label(self, server: str, entity_path: str) -> Label:
        one = ListLabel(entity_path, frozenset(self.records), frozenset(self.primary_key), frozenset(self.pagination))
        lists = (one,) if self.records else ()
        return Label(
            document=f"{server}{self.path}", held_out=False, auth=frozenset(self.auth), lists=lists, no_lists=()
        )


ENVIRONMENT = {"STRIPE_KEY": seeds.STRIPE_KEY, "USER": USER, "PASSWORD": PASSWORD}
STRIPE = Credentials(auth=Bearer(token=Reference("${STRIPE_KEY}")))
REGISTRY = Credentials(auth=Basic(username=Reference("${USER}"), password=Reference("${PASSWORD}")))


def _open(path: str, records: str, *pagination: str, key: str = "id", params: str = "") -> Live:
    """A list that needs no credentials."""
    return Live(path=path, auth=("none",), records=(records,), primary_key=(key,), pagination=pagination, params=params)


def _paid(path: str) -> Live:
    label = Live(path=path, auth=("bearer",), records=("data",), primary_key=("id",), pagination=("cursor",))
    return msgspec.structs.replace(label, credentials=STRIPE)


@contextmanager
def serve_stripe() -> Iterator[str]:
    with serve_localstripe() as url:
        seeds.fill_localstripe(url)
        yield url


def serve_httpbin() -> AbstractContextManager[str]:
    need_module("httpbin")
    command = [sys.executable, "-W", "ignore", "-m", "httpbin.core", "--port"]
    return serving(lambda port, folder: [*command, str(port)], health="/status/200")


@contextmanager
def serve_admin() -> Iterator[str]:
    """WireMock's own API, which lists what it was told."""
    with serve_wiremock() as url:
        server = WireMock(url)
        for number in range(30):
            server.answer(f"/thing/{number}", document([number]))
        yield url


SERVERS: dict[str, tuple[Callable[[], AbstractContextManager[str]], tuple[Live, ...]]] = {
    "datasette": (
        serve_datasette,
        (
            _open("/weather/parcels.json", "rows", "link", "cursor", "next_url", params="?_shape=objects"),
            _open("/weather/parcels.json", ".", "link", params="?_shape=array"),
            _open("/-/databases.json", ".", "none", key="name"),
        ),
    ),
    "localstripe": (serve_stripe, (_paid("/v1/customers"), _paid("/v1/charges"))),
    "json-server": (
        serve_json_server,
        (_open("/posts", ".", "offset", "page", "link"), _open("/comments", ".", "offset", "page", "link")),
    ),
    "docker-registry": (
        serve_registry,
        (
            Live(path="/v2/_catalog", auth=("basic",)),
            Live(
                path="/v2/_catalog",
                auth=("basic",),
                records=("repositories",),
                pagination=("link",),
                credentials=REGISTRY,
            ),
        ),
    ),
    "wiremock": (serve_admin, (_open("/__admin/mappings", "mappings", "offset"),)),
    "httpbin": (
        serve_httpbin,
        (
            Live(path="/basic-auth/ada/secret", auth=("basic",)),
            Live(path="/digest-auth/auth/ada/secret", auth=("digest",)),
            Live(path="/bearer", auth=("bearer",)),
        ),
    ),
}

SHOP = (
    Live(path="/v2/orders", auth=("oauth2",), records=("data",), primary_key=("id",), pagination=("cursor",)),
    Live(path="/v2/customers", auth=("oauth2",), records=("customers",), primary_key=("id",), pagination=("page",)),
)
VARIANTS = {
    "offset": ("offset", "items"), "skip": ("offset", "."), "page": ("page", "."), "page_from_zero": ("page", "content"),
    "cursor": ("cursor", "data"), "page_token": ("cursor", "orders"), "last_id": ("cursor", "data"),
    "next_url": ("next_url", "results"), "link": ("link", "."), "all_at_once": ("none", "orders"),
    "fixed_page": ("page", "."), "fixed_offset": ("offset", "."),
}  # fmt: skip


async def measure_server(name: str) -> list[Verdict]:
    """One real server started, asked and ended."""
    serve, lives = SERVERS[name]
    with serve() as url:
        return [verdict for live in lives for verdict in await _asked(name, url, live, ENVIRONMENT)]


async def measure_shop() -> list[Verdict]:
    """The calm practice shop, with its client credentials."""
    shop = Shop(orders=200)
    secrets = {"CLIENT_ID": shop.tokens.client_id, "CLIENT_SECRET": shop.tokens.client_secret}
    async with shop.serve() as url:
        client = {name.lower(): Reference(f"${{{name}}}") for name in secrets}
        auth = OAuth2.model_validate({"token_url": f"{url}/oauth/token", **client})
        lives = [msgspec.structs.replace(live, credentials=Credentials(auth=auth)) for live in SHOP]
        return [verdict for live in lives for verdict in await _asked("practice shop", url, live, secrets)]


async def measure_variant(name: str) -> list[Verdict]:
    """A small server with one way to page."""
    kind, records = VARIANTS[name]
    live = Live(path="/api/v2/orders", auth=("none",), records=(records,), primary_key=("id",), pagination=(kind,))
    async with serving_handler(SmallShop(PAGERS[name])) as url:
        return await _asked(f"small server, {name}", url, live, {})


async def _asked(server: str, url: str, live: Live, environment: dict[str, str]) -> list[Verdict]:
    asked = url + live.path + live.params
    api = await probe(asked, credentials=live.credentials, environment=environment, rate="1000/s")
    path = api.entities[0].path if api.entities else live.path
    return list(verdicts(api, live.label(server, path)))
