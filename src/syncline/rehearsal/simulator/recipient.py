"""The API that rows are written to, as `into` describes it: it does what it is told, and remembers every effect."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import unquote, urlsplit

import msgspec

from syncline.destinations import GraphQLApi
from syncline.destinations.api.forms import parse_form
from syncline.destinations.calls import Operation
from syncline.http import Connection
from syncline.model import MISSING, Response, compile_path, put_path, reveal
from syncline.rehearsal.simulator.wire import Answer, Call, answered, refused
from syncline.spec import Stream

Record = dict[str, Any]
PLACE = re.compile(r"\{([^{}]+)\}")
REMOTE = "id"
RECORD = "input"
Act = Callable[[Stream, dict[str, str], Call], Answer]


class Effect(msgspec.Struct, frozen=True):
    """Something that was done to the record of this id, and what was sent for it."""

    operation: Operation
    number: str
    sent: Record


class Recipient:
    """Records of every stream, by their id here. It has no unique keys, so that whatever is done twice is there twice."""

    def __init__(self, destination: Connection, streams: list[Stream]) -> None:
        base = urlsplit(reveal(destination.base_url))
        self._origin, self._base = f"{base.scheme}://{base.netloc}", base.path.rstrip("/")
        self.records: dict[str, dict[str, Record]] = {stream.name: {} for stream in streams}
        self.effects: list[Effect] = []
        self._next = 0
        self._known: dict[str, Answer] = {}
        self._journal: TextIO | None = None
        self._routes = [route for stream in streams for route in self._routes_of(stream)]

    def remember(self, path: Path) -> None:
        """Do again what this file says was done, and write down there what is done from now on: for runs that are killed."""
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                self._done(**json.loads(line))
        self._journal = path.open("a", encoding="utf-8")

    def close(self) -> None:
        """Write nothing down any more."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def concerns(self, call: Call) -> bool:
        return call.url.startswith(self._origin) and any(route.fits(call) is not None for route in self._routes)

    def handle(self, call: Call) -> Answer:
        """The answer; an effect with an idempotency key that is known is not done again."""
        route, _ = self._fitting(call)
        header = route.stream.into.idempotency_header
        key = call.headers.get(header, "") if header else ""
        if self._journal is not None and call.method != "GET":
            done = {"method": call.method, "url": call.url, "body": call.body.decode(), "key": key}
            self._journal.write(json.dumps(done) + "\n")
            self._journal.flush()
        return self._done(call.method, call.url, call.body.decode(), key)

    def _fitting(self, call: Call) -> tuple[Route, dict[str, str]]:
        return next((route, named) for route in self._routes if (named := route.fits(call)) is not None)

    def _done(self, method: str, url: str, body: str, key: str) -> Answer:
        call = Call(method=method, url=url, headers=Response.headers_of([]), body=body.encode())
        route, named = self._fitting(call)
        if key and key in self._known:
            return self._known[key]
        answer = route.act(route.stream, named, call)
        if key:
            self._known[key] = answer
        return answer

    def _routes_of(self, stream: Stream) -> Iterator[Route]:
        into = stream.into
        acts: dict[Operation, Act] = {
            "create": self._create,
            "update": self._update,
            "delete": self._delete,
        }
        for operation, act in acts.items():
            line: str | None = getattr(into, operation)
            if line is not None and line != "ignore":
                yield self._route(line, stream, act)
            many: str | None = getattr(into, f"batch_{operation}")
            if many is not None:
                yield self._route(many, stream, self._several(operation))
        if into.lookup is not None:
            yield self._route(into.lookup, stream, self._look)
        elif self._listed(stream):
            yield self._route(f"GET {parse_form(into.create or '').path}", stream, self._look)

    def _route(self, line: str, stream: Stream, act: Act) -> Route:
        return RestRoute(self._base, line, stream, act)

    def _listed(self, stream: Stream) -> bool:
        """Whether records are looked up in the list that create adds to."""
        into = stream.into
        return into.match is not None and into.create is not None and "{" not in parse_form(into.create).path

    def _create(self, stream: Stream, named: dict[str, str], call: Call) -> Answer:
        record = self._made(stream, named, self._sent(stream, call))
        return answered(self._told(stream, record), 201)

    def _made(self, stream: Stream, named: dict[str, str], record: Record) -> Record:
        self._next += 1
        number = "/".join(named.values()) or str(self._next)
        self._did("create", number, record)
        made = put_path(record, stream.into.id, number if named else self._next)
        self.records[stream.name][number] = made
        return dict(made)

    def _update(self, stream: Stream, named: dict[str, str], call: Call) -> Answer:
        sent = self._sent(stream, call)
        record = self._one(stream, named, sent)
        if record is None:
            return refused(404, "not_found", "there is no such record")
        number = compile_path(stream.into.id)(record)
        self._did("update", str(number), sent)
        record |= sent
        record.update(put_path(record, stream.into.id, number))
        return answered(self._told(stream, record))

    def _delete(self, stream: Stream, named: dict[str, str], call: Call) -> Answer:
        record = self._one(stream, named, self._sent(stream, call))
        if record is None:
            return refused(404, "not_found", "there is no such record")
        number = next(number for number, one in self.records[stream.name].items() if one is record)
        self._did("delete", number, {})
        return answered(self._told(stream, self.records[stream.name].pop(number)))

    def _did(self, operation: Operation, number: str, sent: Record) -> None:
        self.effects.append(Effect(operation, number, dict(sent)))

    def _one(self, stream: Stream, named: dict[str, str], sent: Record) -> Record | None:
        number = named.get(REMOTE)
        if number is None:
            found = compile_path(stream.into.id_as or REMOTE)(sent)
            number = None if found is MISSING else str(found)
        return self.records[stream.name].get(number or "/".join(named.values()))

    def _several(self, operation: Operation) -> Act:
        """Each record of a batch for itself, with a result in its place."""

        def act(stream: Stream, named: dict[str, str], call: Call) -> Answer:
            into = stream.into
            found = self._items(stream, call)
            results = [self._result(stream, operation, item) for item in (found if isinstance(found, list) else [])]
            return answered(put_path({}, into.results, results) if into.results not in (None, ".") else results)

        return act

    def _items(self, stream: Stream, call: Call) -> Any:
        return compile_path(stream.into.batch_records or ".")(call.json)

    def _result(self, stream: Stream, operation: Operation, item: Any) -> Any:
        into = stream.into
        named = compile_path(into.reference)(item) if into.reference else MISSING
        record = self._made(stream, {}, item) if operation == "create" else self._one(stream, {}, item)
        status = 404 if record is None else 201 if operation == "create" else 200
        if record is not None and operation != "create":
            number = str(compile_path(into.id)(record))
            self._did(operation, number, item)
            if operation == "delete":
                self.records[stream.name].pop(number, None)
            else:
                record |= {name: value for name, value in item.items() if name != (into.id_as or REMOTE)}
        result: Any = dict(record) if record is not None else {"error": "not_found"}
        if into.result_status is not None:
            result = put_path(result, into.result_status, status)
        return result if named is MISSING else put_path(result, str(into.reference), named)

    def _look(self, stream: Stream, named: dict[str, str], call: Call) -> Answer:
        """Records that have every value that the lookup names."""
        into = stream.into
        found = list(self.records[stream.name].values())
        for field, value in self._wanted(stream, named, call).items():
            read = compile_path(field)
            found = [record for record in found if str(read(record)) == value]
        return answered(found if into.found in (None, ".") else put_path({}, into.found, found))

    def _wanted(self, stream: Stream, named: dict[str, str], call: Call) -> dict[str, str]:
        """The fields that a record must have to be found, and their values."""
        into = stream.into
        wanted = dict(named)
        params = dict(parse_form(into.lookup).params) if into.lookup else {str(into.match): f"{{{into.match}}}"}
        for name, template in params.items():
            if field := PLACE.fullmatch(template):
                wanted[field[1]] = call.params.get(name, "")
        return wanted

    def _sent(self, stream: Stream, call: Call) -> Record:
        body: Any = call.json if stream.into.encoding == "json" else call.form
        if stream.into.wrap and isinstance(body, dict):
            body = compile_path(stream.into.wrap)(body)
        return dict(body) if isinstance(body, dict) else {}

    def _told(self, stream: Stream, record: Record) -> Any:
        return record if stream.into.answer in (None, ".") else put_path({}, stream.into.answer, record)


class GraphQLRecipient(Recipient):
    """The same behind one address: mutations are told by their text, and carry the record in their variables."""

    def _route(self, line: str, stream: Stream, act: Act) -> Route:
        return GraphQLRoute(self._base, line, stream, act)

    def _listed(self, stream: Stream) -> bool:
        return False

    def _made(self, stream: Stream, named: dict[str, str], record: Record) -> Record:
        return super()._made(stream, {}, record)

    def _items(self, stream: Stream, call: Call) -> Any:
        variables = _variables(call)
        return variables.get(stream.into.batch_records or next(iter(variables), ""))

    def _sent(self, stream: Stream, call: Call) -> Record:
        variables = _variables(call)
        record = variables.get(stream.into.wrap or RECORD, {n: v for n, v in variables.items() if n != REMOTE})
        return dict(record) if isinstance(record, dict) else {}

    def _wanted(self, stream: Stream, named: dict[str, str], call: Call) -> dict[str, str]:
        return {name: str(value) for name, value in _variables(call).items()}


def _variables(call: Call) -> dict[str, Any]:
    found = (call.json or {}).get("variables")
    return found if isinstance(found, dict) else {}


class Route:
    """How one call of a stream looks, and what it does."""

    def __init__(self, stream: Stream, act: Act) -> None:
        self.stream, self.act = stream, act

    def fits(self, call: Call) -> dict[str, str] | None:
        """What the call names in its address, or None where it is another one."""
        raise NotImplementedError


class RestRoute(Route):
    """A method and a path."""

    def __init__(self, base: str, line: str, stream: Stream, act: Act) -> None:
        super().__init__(stream, act)
        form = parse_form(line)
        self._method = form.method
        path = form.path if form.path.startswith("/") else urlsplit(form.path).path
        pieces = PLACE.split((base if form.path.startswith("/") else "") + path)
        self._names = pieces[1::2]
        self._path = re.compile(
            "".join("([^/]+)" if place % 2 else re.escape(text) for place, text in enumerate(pieces))
        )

    def fits(self, call: Call) -> dict[str, str] | None:
        found = self._path.fullmatch(call.path) if call.method == self._method else None
        return None if found is None else dict(zip(self._names, map(unquote, found.groups()), strict=True))


class GraphQLRoute(Route):
    """A text, posted to the one address there is."""

    def __init__(self, base: str, text: str, stream: Stream, act: Act) -> None:
        super().__init__(stream, act)
        self._base, self._text = base, text

    def fits(self, call: Call) -> dict[str, str] | None:
        if call.method != "POST" or call.path.rstrip("/") != self._base or (call.json or {}).get("query") != self._text:
            return None
        number = _variables(call).get(REMOTE)
        return {} if number is None else {REMOTE: str(number)}


def recipient_of(destination: Any, streams: list[Stream]) -> Recipient | None:
    """The API behind a destination that is one."""
    if not isinstance(destination, Connection):
        return None
    return (GraphQLRecipient if isinstance(destination, GraphQLApi) else Recipient)(destination, streams)
