"""The API that rows are written to, as `into` describes it: it does what it is told, and remembers every effect."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from syncline.destinations.api.forms import parse_form
from syncline.destinations.calls import Operation
from syncline.http import Connection
from syncline.model import MISSING, compile_path, put_path, reveal
from syncline.rehearsal.simulator.wire import Answer, Call, answered, refused
from syncline.spec import Stream

Record = dict[str, Any]
PLACE = re.compile(r"\{([^{}]+)\}")
REMOTE = "id"


class Recipient:
    """Records of every stream, by their id here. It has no unique keys, so that whatever is done twice is there twice."""

    def __init__(self, destination: Connection, streams: list[Stream]) -> None:
        base = urlsplit(reveal(destination.base_url))
        self._origin, self._base = f"{base.scheme}://{base.netloc}", base.path.rstrip("/")
        self.records: dict[str, dict[str, Record]] = {stream.name: {} for stream in streams}
        self.effects = 0
        self._next = 0
        self._known: dict[str, Answer] = {}
        self._routes = [route for stream in streams for route in self._routes_of(stream)]

    def concerns(self, call: Call) -> bool:
        return call.url.startswith(self._origin) and any(route.fits(call) is not None for route in self._routes)

    def handle(self, call: Call) -> Answer:
        """The answer; an effect with an idempotency key that is known is not done again."""
        route, named = next((route, named) for route in self._routes if (named := route.fits(call)) is not None)
        header = route.stream.into.idempotency_header
        key = call.headers.get(header, "") if header else ""
        if key and key in self._known:
            return self._known[key]
        answer = route.act(route.stream, named, call)
        if key:
            self._known[key] = answer
        return answer

    def _routes_of(self, stream: Stream) -> Iterator[_Route]:
        into = stream.into
        acts: dict[Operation, Callable[[Stream, dict[str, str], Call], Answer]] = {
            "create": self._create,
            "update": self._update,
            "delete": self._delete,
        }
        for operation, act in acts.items():
            line: str | None = getattr(into, operation)
            if line is not None and line != "ignore":
                yield _Route(self._base, line, stream, act)
            many: str | None = getattr(into, f"batch_{operation}")
            if many is not None:
                yield _Route(self._base, many, stream, self._several(operation))
        if into.lookup is not None:
            yield _Route(self._base, into.lookup, stream, self._look)
        elif into.match is not None and into.create is not None and "{" not in parse_form(into.create).path:
            yield _Route(self._base, f"GET {parse_form(into.create).path}", stream, self._look)

    def _create(self, stream: Stream, named: dict[str, str], call: Call) -> Answer:
        record = self._made(stream, named, self._sent(stream, call))
        return answered(self._told(stream, record), 201)

    def _made(self, stream: Stream, named: dict[str, str], record: Record) -> Record:
        self._next += 1
        self.effects += 1
        number = "/".join(named.values()) or str(self._next)
        made = put_path(record, stream.into.id, number if named else self._next)
        self.records[stream.name][number] = made
        return dict(made)

    def _update(self, stream: Stream, named: dict[str, str], call: Call) -> Answer:
        sent = self._sent(stream, call)
        record = self._one(stream, named, sent)
        if record is None:
            return refused(404, "not_found", "there is no such record")
        self.effects += 1
        number = compile_path(stream.into.id)(record)
        record |= sent
        record.update(put_path(record, stream.into.id, number))
        return answered(self._told(stream, record))

    def _delete(self, stream: Stream, named: dict[str, str], call: Call) -> Answer:
        record = self._one(stream, named, self._sent(stream, call))
        if record is None:
            return refused(404, "not_found", "there is no such record")
        self.effects += 1
        number = next(number for number, one in self.records[stream.name].items() if one is record)
        return answered(self._told(stream, self.records[stream.name].pop(number)))

    def _one(self, stream: Stream, named: dict[str, str], sent: Record) -> Record | None:
        number = named.get(REMOTE)
        if number is None:
            found = compile_path(stream.into.id_as or REMOTE)(sent)
            number = None if found is MISSING else str(found)
        return self.records[stream.name].get(number or "/".join(named.values()))

    def _several(self, operation: Operation) -> Callable[[Stream, dict[str, str], Call], Answer]:
        """Each record of a batch for itself, with a result in its place."""

        def act(stream: Stream, named: dict[str, str], call: Call) -> Answer:
            into = stream.into
            found = compile_path(into.batch_records or ".")(call.json)
            results = [self._result(stream, operation, item) for item in (found if isinstance(found, list) else [])]
            return answered(put_path({}, into.results, results) if into.results not in (None, ".") else results)

        return act

    def _result(self, stream: Stream, operation: Operation, item: Any) -> Any:
        into = stream.into
        named = compile_path(into.reference)(item) if into.reference else MISSING
        record = self._made(stream, {}, item) if operation == "create" else self._one(stream, {}, item)
        status = 404 if record is None else 201 if operation == "create" else 200
        if record is not None and operation != "create":
            self.effects += 1
            number = str(compile_path(into.id)(record))
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
        form = parse_form(into.lookup) if into.lookup else None
        wanted = dict(named)
        params = dict(form.params) if form else {str(into.match): f"{{{into.match}}}"}
        for name, template in params.items():
            if field := PLACE.fullmatch(template):
                wanted[field[1]] = call.params.get(name, "")
        found = [
            record
            for record in self.records[stream.name].values()
            if all(str(compile_path(field)(record)) == value for field, value in wanted.items())
        ]
        return answered(found if into.found in (None, ".") else put_path({}, into.found, found))

    def _sent(self, stream: Stream, call: Call) -> Record:
        body: Any = call.json if stream.into.encoding == "json" else call.form
        if stream.into.wrap and isinstance(body, dict):
            body = compile_path(stream.into.wrap)(body)
        return dict(body) if isinstance(body, dict) else {}

    def _told(self, stream: Stream, record: Record) -> Any:
        return record if stream.into.answer in (None, ".") else put_path({}, stream.into.answer, record)


class _Route:
    """How one call of a stream looks, and what it does."""

    def __init__(
        self, base: str, line: str, stream: Stream, act: Callable[[Stream, dict[str, str], Call], Answer]
    ) -> None:
        form = parse_form(line)
        self.method, self.stream, self.act = form.method, stream, act
        path = form.path if form.path.startswith("/") else urlsplit(form.path).path
        pieces = PLACE.split((base if form.path.startswith("/") else "") + path)
        self._names = pieces[1::2]
        self._path = re.compile(
            "".join("([^/]+)" if place % 2 else re.escape(text) for place, text in enumerate(pieces))
        )

    def fits(self, call: Call) -> dict[str, str] | None:
        found = self._path.fullmatch(call.path) if call.method == self.method else None
        return None if found is None else dict(zip(self._names, map(unquote, found.groups()), strict=True))
