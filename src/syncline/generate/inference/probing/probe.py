"""The whole look at a live API: what it lists, how its lists go on, who may ask, how often."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from syncline.auth.auth import Auth
from syncline.engine import resolved
from syncline.errors import UsageError
from syncline.generate.inference.api import Api, Entity
from syncline.generate.inference.combining import combine
from syncline.generate.inference.graphql import INTROSPECTION, is_introspection, read_graphql
from syncline.generate.inference.guess import Guess, unknown
from syncline.generate.inference.infer import entities_of
from syncline.generate.inference.probing.access import auth_of_refusal, limits_of
from syncline.generate.inference.probing.asking import Asker, Look, operation_of, query_of
from syncline.generate.inference.probing.changes import find_incremental
from syncline.generate.inference.probing.credentials import Credentials
from syncline.generate.inference.probing.pages import Pages
from syncline.generate.inference.reading import read
from syncline.generate.inference.rules.markers import markers, of_role
from syncline.generate.inference.rules.naming import host_name, variable_prefix
from syncline.http import Send, status_error
from syncline.http.origins import check_url
from syncline.http.snippets import is_markup
from syncline.model import Clock, SystemClock, compile_path, origin_of
from syncline.pagination.reading import whole_number
from syncline.resilience import Retry
from syncline.sources import Rest

MOST = 40
LISTS = 3
RATE = "5/s"
_ROOT = re.compile(r"(api|rest|public|json|v?\d+(\.\d+)*)", re.I)


async def probe(
    url: str,
    *,
    credentials: Credentials | None = None,
    known: Api | None = None,
    most: int = MOST,
    rate: str = RATE,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    clock: Clock | None = None,
    transport: Send | None = None,
) -> Api:
    """What a live API shows: GET requests only, `most` of them, at `rate`, to the address's own origin (S1).

    `known` is what documents say: its lists are tried where the address itself is none. `folder` is where references to files
    start. Raises OriginError for an address that cannot be meant, AuthError for refused credentials, and the rest of the
    RequestError family where the first answer does not come or is no success.
    """
    check_url(url, "the address to probe")
    clock = clock or SystemClock()
    base, path, query = _parted(url, known)
    given, params = (credentials or Credentials()).with_params(query)
    ready = await resolved(given, os.environ if environment is None else environment, folder or Path.cwd(), clock)
    source = Rest.model_validate(
        {"base_url": base, "rate_limit": rate, "retry": Retry(attempts=2, max_wait=15.0)}
    ).model_copy(update={"auth": ready.auth, "headers": ready.headers, "params": ready.params})
    async with source.connect(clock=clock, transport=transport) as client:
        looking = _Probe(Asker(client, most), base, given, clock)
        if path.rstrip("/").lower().endswith("graphql"):
            return await looking.introspect(path, known)
        found = await looking.look(path, params, known)
    if given.given and found.entities:
        bare = source.model_copy(update={"auth": None, "headers": {}, "params": {}})
        async with bare.connect(clock=clock, transport=transport) as client:
            needed = await Asker(client, 1).get(*looking.reached)
        found = msgspec.structs.replace(found, auth=(_tried(given.as_auth(), needed),))
    return found


def _parted(url: str, known: Api | None) -> tuple[str, str, dict[str, str]]:
    """An address as base, path below it and parameters: what looks like the API's root belongs to the base."""
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    told = known.base_url.value if known is not None else None
    # a document's base counts within the origin that was named only: documents must not lead credentials elsewhere (S1)
    if (
        told
        and origin_of(told) == origin_of(url)
        and f"{parts.path}/".startswith(f"{urlsplit(told).path.rstrip('/')}/")
    ):
        return told, parts.path[len(urlsplit(told).path.rstrip("/")) :], query_of(url)
    steps = parts.path.strip("/").split("/") if parts.path.strip("/") else []
    root = 0
    while root < len(steps) and _ROOT.fullmatch(steps[root]):
        root += 1
    ending = "/" if parts.path.endswith("/") and len(steps) > root else ""
    return "/".join([origin, *steps[:root]]), "/" + "/".join(steps[root:]) + ending, query_of(url)


class _Probe:
    """One look: `reached` is the path and parameters of the first list that was answered."""

    def __init__(self, asker: Asker, base: str, given: Credentials, clock: Clock) -> None:
        self.asker, self.base, self.given, self.clock = asker, base, given, clock
        self.reached: tuple[str, dict[str, str]] = ("", {})
        self.notes: list[str] = []
        self.elsewhere = False

    async def look(self, path: str, params: dict[str, str], known: Api | None) -> Api:
        first = await self.asker.get(path if path != "/" else "", params)
        assert first is not None
        name = known.name if known else host_name(urlsplit(self.base).hostname)
        status = first.response.status
        if status in (401, 403) and not self.given.given:
            return self._api(name, auth_of_refusal(first, variable_prefix(name)), ())
        entities: list[Entity] = []
        described = _described(first)
        if described is not None:
            known = described if known is None else combine(known, described)
            self._move(known.base_url.value)
        entity = None
        if first.ok and described is None:
            entity = await self._entity(path, first, _told(known, path))
        if entity is not None:
            entities.append(entity)
        else:
            for other in _further(first, self.base, known)[:LISTS]:
                entity = await self._further(other, _told(known, other))
                if entity is not None:
                    entities.append(entity)
        if not first.ok and not entities and described is None:
            request = self.asker.request(path, params)
            if status >= 300:
                raise status_error(request, first.response, now=self.clock.now())
            self.notes.append(f"{request.shown} answered something else than JSON")
        elif not entities and described is None:
            self.notes.append(f"the answer of {path or '/'} is JSON, but no list of records")
        found = self._api(name, self._open(entities), tuple(entities))
        return combine(known, found) if known is not None else found

    def _move(self, base: str | None) -> None:
        """Ask from now on where a document says that the API is, if that is the origin that was named (S1)."""
        if base is None or base == self.base:
            return
        if origin_of(base) == origin_of(self.base):
            self.base = base
        else:
            self.notes.append(
                f"the document says that the API is at {base}, which was not asked: probe it by its own address"
            )
            self.elsewhere = True

    async def introspect(self, path: str, known: Api | None) -> Api:
        """A GraphQL endpoint, asked for its schema."""
        look = await self.asker.post(path, {"query": INTROSPECTION})
        assert look is not None
        name = known.name if known else host_name(urlsplit(self.base).hostname)
        if look.response.status in (401, 403) and not self.given.given:
            return msgspec.structs.replace(
                self._api(name, auth_of_refusal(look, variable_prefix(name)), ()), kind="graphql"
            )
        if not look.ok and look.response.status >= 300:
            raise status_error(self.asker.request(path), look.response, now=self.clock.now())
        if not look.ok or not is_introspection(look.document):
            self.notes.append("the endpoint does not answer introspection queries: give its schema as a file")
            return msgspec.structs.replace(self._api(name, self._open([]), ()), kind="graphql")
        found = read_graphql(look.document, look.response.url, address=self.base + path)
        limits = limits_of(self.asker.looks, self.clock.now())
        auth = self._open(list(found.entities))
        found = msgspec.structs.replace(found, name=name, auth=auth, rate_limit=limits)
        return combine(known, found) if known is not None else found

    async def _further(self, path: str, told: Entity | None) -> Entity | None:
        if self.elsewhere:
            return None
        params = {name: str(value) for name, value in told.params.items()} if told else {}
        look = await self.asker.try_get(self.base + path, params)
        return await self._entity(path, look, told) if look is not None else None

    def _api(self, name: str, auth: tuple[Guess[Auth], ...], entities: tuple[Entity, ...]) -> Api:
        self.notes.append(f"{self.asker.sent} requests were sent, all of them GET")
        return Api(
            name=name,
            base_url=unknown("it was not asked")
            if self.elsewhere
            else Guess(self.base, 0.9, (f"it answered, status {self.asker.looks[0].response.status}",)),
            auth=auth,
            rate_limit=limits_of(self.asker.looks, self.clock.now()),
            entities=entities,
            sources=(self.base,),
            notes=tuple(self.notes),
        )

    def _open(self, entities: list[Entity]) -> tuple[Guess[Auth], ...]:
        if self.given.given:
            return (Guess(self.given.as_auth(), 0.9, ("it answered with these credentials",)),)
        if not entities:
            return (unknown("no list was answered, with or without credentials"),)
        return (Guess(None, 0.95, ("it answers without credentials",)),)

    async def _entity(self, path: str, look: Look, told: Entity | None) -> Entity | None:
        """The list in this answer, its pages and changes tried out."""
        operation = operation_of(path, look)
        found = entities_of([operation])
        if not found:
            return None
        if not self.reached[0]:
            self.reached = (self.base + path, look.params)
        entity = found[0]
        records = entity.records.value or "."
        plain = records.removesuffix("[*].node")
        count = len(look.records(records))
        key = entity.primary_key.value[0] if entity.primary_key.value else None
        address = self.base + path
        pages = Pages(self.asker, address, look, operation, records=plain, key=key)
        total = of_role(markers(operation.answer), "total")
        counted = None if total is None or not total.sure else whole_number(compile_path(total.path)(look.document))
        return msgspec.structs.replace(
            entity,
            name=told.name if told else entity.name,
            params=dict(look.params),
            records=entity.records.seen(f"the live answer has {count} records there", at_least=0.95 if count else 0.6),
            pagination=await pages.find(told.pagination if told else None),
            incremental=await find_incremental(self.asker, address, look, records=records, cursor=entity.cursor_field),
            total=counted,
        )


def _described(look: Look) -> Api | None:
    """What the answer says, where it is a document about an API rather than data."""
    if not 200 <= look.response.status < 300 or is_markup(look.response):
        return None
    try:
        return read(f"{look.response.body.decode('utf-8-sig')}\n", address=look.response.url)
    except (UsageError, UnicodeDecodeError):
        return None


def _told(known: Api | None, path: str) -> Entity | None:
    """What documents say of the list at this path."""
    wanted = path.strip("/")
    return next((one for one in known.entities if one.path.strip("/") == wanted), None) if known is not None else None


def _further(first: Look, base: str, known: Api | None) -> list[str]:
    """Paths that may be lists: those that documents tell, or to which an index leads."""
    if known is not None:
        return [
            one.path
            for one in known.entities
            if one.worth.value and not one.asks and "{" not in one.path and one.method == "GET"
        ]
    if not isinstance(first.document, dict):
        return []
    root = base + "/"
    addresses = [value for value in first.document.values() if isinstance(value, str)]
    return [
        address[len(base) :].partition("?")[0]
        for address in addresses
        if address.startswith(root) and "{" not in address
    ]


def _tried(auth: Auth | None, without: Look | None) -> Guess[Auth]:
    """What the credentials are worth, seen beside an answer without them."""
    if without is not None and without.response.status in (401, 403):
        told = f"it answers with these credentials, and {without.response.status} without them"
        return Guess(auth, 0.99 if auth is not None else 0.6, (told,))
    return Guess(auth, 0.6, ("it answers with these credentials, and without them, too",))
