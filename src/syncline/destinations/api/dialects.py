"""How effects are written as requests: as resources of a REST API, or as mutations of a GraphQL API."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from syncline.destinations.api.forms import Form, Unfillable, body_of, fill_body, form_of, parse_form, put
from syncline.destinations.calls import Calls, Operation
from syncline.http import Client, decode_json_body
from syncline.http.graphql import decode_graphql_body
from syncline.model import MISSING, Request, compile_path, decode_json, encode_json
from syncline.model.exchange import IDEMPOTENT_METHODS
from syncline.state import Effect

RECORD = "input"
"""The variable of a mutation that takes the record, where the file names no other."""
_VARIABLE = re.compile(r"\$([A-Za-z_]\w*)\s*:")
_HEADER = re.compile(r"\A(?:\s|#[^\n]*\n)*(mutation|query|subscription|fragment)\b[^{(]*(\([^)]*\))?")


class Dialect(ABC):
    """The requests of one target. What is written for an effect depends on its stored content alone, so that it can be repeated."""

    told_by_status = True
    """Whether an answer's status alone says that something is done."""

    def __init__(self, target: Calls, client: Client | None = None) -> None:
        """Without a client it still knows what the file says, but makes no requests."""
        self.target, self._client = target, client

    @property
    def client(self) -> Client:
        assert self._client is not None, "requests are made for an open connection"
        return self._client

    def knows(self, operation: Operation) -> bool:
        """Whether the file says how this is done, for one record or for many."""
        return self.call_of(operation) is not None or self.batch_of(operation) is not None

    def call_of(self, operation: Operation) -> str | None:
        call: str | None = getattr(self.target, operation)
        return None if call == "ignore" else call

    def batch_of(self, operation: Operation) -> str | None:
        call: str | None = getattr(self.target, f"batch_{operation}")
        return call

    def is_batch(self, effects: Sequence[Effect]) -> bool:
        """Whether these travel in the request for many records."""
        return len(effects) > 1 or self.call_of(effects[0].operation) is None

    def harmless(self, operation: Operation, *, many: bool) -> bool:
        """Whether the request may be sent again with nothing known of the first one's fate."""
        return self.target.idempotency_header is not None or self.idempotent(operation, many=many)

    def idempotent(self, operation: Operation, *, many: bool) -> bool:
        """Whether it may be sent again without a key, and at any time."""
        return operation in self.target.repeatable

    def content(self, row: Mapping[str, Any]) -> Any:
        """The record as it is sent. Raises Unfillable."""
        return body_of(row, self.target.body, self.target.omit)

    @property
    @abstractmethod
    def needs_id(self) -> bool:
        """Whether updates or deletes name records by their id at the destination."""

    @abstractmethod
    def names_record(self, operation: Operation) -> bool:
        """Whether the request's path says which record is meant, so that 404 speaks of it."""

    @abstractmethod
    def batch_line(self, operation: Operation) -> str:
        """The line of a request for many records, as it is stored and shown."""

    @abstractmethod
    def written(self, operation: Operation, row: Mapping[str, Any], remote_id: Any) -> str:
        """The request's line for one record, as it is stored and shown. Raises Unfillable."""

    @abstractmethod
    def body(self, operation: Operation, row: Mapping[str, Any], remote_id: Any) -> Any:
        """The request's body for one record. Raises Unfillable."""

    @abstractmethod
    def single(self, effect: Effect) -> Request: ...

    @abstractmethod
    def many(self, effects: Sequence[Effect]) -> Request: ...

    @property
    @abstractmethod
    def looks_by_get(self) -> bool:
        """Whether a lookup surely only reads, whatever the file says about it."""

    @abstractmethod
    def lookup(self, row: Mapping[str, Any]) -> Request | None:
        """What finds the row's record at the destination; None where the file says no way. Raises Unfillable."""

    def reference(self, effect: Effect) -> str:
        """What names the record within a batch and its results: a field of its own where it has one, else the effect."""
        return str(self._reference(effect, self._item(effect)))

    def _reference(self, effect: Effect, item: Any) -> Any:
        found = compile_path(self.target.reference or ".")(item)
        return found if isinstance(found, str | int) and found != "" else effect.id

    def _items(self, effects: Sequence[Effect]) -> list[Any]:
        items = [self._item(effect) for effect in effects]
        place = self.target.reference
        if place is None:
            return items
        return [put(item, place, self._reference(effect, item)) for effect, item in zip(effects, items, strict=True)]

    def _item(self, effect: Effect) -> Any:
        place = self.target.id_as or "id"
        if effect.operation == "delete":
            return put({}, place, effect.remote_id)
        body = self.content(decode_json(effect.content))
        return put(body, place, effect.remote_id) if effect.operation == "update" and place != "." else body

    def _options(self, effect: Effect, *, many: bool) -> dict[str, Any]:
        target = self.target
        key = {target.idempotency_header: effect.idempotency_key} if target.idempotency_header else {}
        return {
            "headers": key,
            "repeatable": self.harmless(effect.operation, many=many),
            "retry_on": frozenset(status for status, what in target.on_status.items() if what == "retry"),
        }


class RestDialect(Dialect):
    """`POST /contacts` with the record as its body."""

    def call_of(self, operation: Operation) -> str | None:
        call = super().call_of(operation)
        if operation == "update" and self.target.update is None and self.target.create is not None:
            return self.target.create if parse_form(self.target.create).method == "PUT" else None
        return call

    def idempotent(self, operation: Operation, *, many: bool) -> bool:
        call = self.batch_of(operation) if many else self.call_of(operation)
        by_method = call is not None and parse_form(call).method in IDEMPOTENT_METHODS
        return by_method or super().idempotent(operation, many=many)

    def written(self, operation: Operation, row: Mapping[str, Any], remote_id: Any) -> str:
        call = self.call_of(operation)
        if call is None:
            return self.batch_line(operation)
        known = MISSING if operation == "create" or call == self.target.create else remote_id
        return parse_form(call).fill(row, known)

    @property
    def needs_id(self) -> bool:
        single = [self.call_of("update"), self.call_of("delete")]
        named = any("{id}" in (call or "") for call in single if call != self.target.create)
        return named or bool(self.target.id_as or self.target.batch_update or self.target.batch_delete)

    def names_record(self, operation: Operation) -> bool:
        call = self.call_of(operation)
        return call is not None and "{" in parse_form(call).path

    def batch_line(self, operation: Operation) -> str:
        return self._form(self.batch_of(operation)).fill({})

    def body(self, operation: Operation, row: Mapping[str, Any], remote_id: Any) -> Any:
        target = self.target
        if operation == "delete":
            return put({}, target.id_as, remote_id) if target.id_as and "{id}" not in (target.delete or "") else None
        body = self.content(row)
        if operation == "update" and target.id_as:
            body = put(body, target.id_as, remote_id)
        return put({}, target.wrap, body) if target.wrap else body

    def single(self, effect: Effect) -> Request:
        method, _, path = effect.request.partition(" ")
        body = self.body(effect.operation, decode_json(effect.content), effect.remote_id)
        request = self.client.request(method, path, json=body, **self._options(effect, many=False))
        if self.target.encoding == "json" or body is None:
            return request
        return msgspec.structs.replace(request, json=None, form=tuple(form_of(body)))

    def many(self, effects: Sequence[Effect]) -> Request:
        first = effects[0]
        form = self._form(self.batch_of(first.operation))
        body = put({}, self.target.batch_records or ".", self._items(effects))
        _, _, path = form.fill({}).partition(" ")
        return self.client.request(form.method, path, json=body, **self._options(first, many=True))

    def lookup(self, row: Mapping[str, Any]) -> Request | None:
        form = self.lookup_form()
        if form is None:
            return None
        method, _, path = form.fill(row).partition(" ")
        posted = None if self.target.lookup_body is None else fill_body(self.target.lookup_body, row)
        return self.client.request(method, path, json=posted, repeatable=True, decode=_leniently)

    @property
    def looks_by_get(self) -> bool:
        form = self.lookup_form()
        return form is not None and form.method == "GET"

    def lookup_form(self) -> Form | None:
        """As the file has it, or the resource's own list, asked for the match."""
        target = self.target
        if target.lookup is not None:
            return parse_form(target.lookup)
        if target.match is None or target.create is None:
            return None
        path = parse_form(target.create).path
        return None if "{" in path else Form("GET", path, ((target.match, f"{{{target.match}}}"),))

    @staticmethod
    def _form(call: str | None) -> Form:
        assert call is not None, "nothing is written that the file has no call for"
        return parse_form(call)


def _leniently(response: Any) -> Any:
    return decode_json_body(response) if response.body else None


class GraphQLDialect(Dialect):
    """A mutation's text, with its variables by name: `$id` is the record's id there, `$input` the record, others are the row's."""

    told_by_status = False  # what was refused comes with 200 as well

    def written(self, operation: Operation, row: Mapping[str, Any], remote_id: Any) -> str:
        self.body(operation, row, remote_id)
        return f"mutation {operation}"

    def body(self, operation: Operation, row: Mapping[str, Any], remote_id: Any) -> Any:
        text = self._text(operation)
        known = MISSING if operation == "create" else remote_id
        return {"query": text, "variables": self._variables(text, row, known)}

    @property
    def needs_id(self) -> bool:
        target = self.target
        texts = [text for text in (self.call_of("update"), self.call_of("delete")) if text]
        named = any("id" in variables_of(text) for text in texts)
        return named or bool(target.id_as or target.batch_update or target.batch_delete)

    def names_record(self, operation: Operation) -> bool:
        return False

    def batch_line(self, operation: Operation) -> str:
        return f"mutation batch_{operation}"

    def single(self, effect: Effect) -> Request:
        body = self.body(effect.operation, decode_json(effect.content), effect.remote_id)
        return self._request(body, **self._options(effect, many=False))

    def many(self, effects: Sequence[Effect]) -> Request:
        text = self.batch_of(effects[0].operation) or ""
        names = variables_of(text)
        name = self.target.batch_records or next(iter(names), "inputs")
        items: list[Any] = self._items(effects)
        if effects[0].operation == "delete" and self.target.id_as is None:
            items = [effect.remote_id for effect in effects]
        return self._request({"query": text, "variables": {name: items}}, **self._options(effects[0], many=True))

    def lookup(self, row: Mapping[str, Any]) -> Request | None:
        text = self.target.lookup
        if text is None:
            return None
        variables = {name: self._value(name, row) for name in variables_of(text)}
        return self._request({"query": text, "variables": variables}, repeatable=True)

    @property
    def looks_by_get(self) -> bool:
        return True  # a query has no effects (GraphQL specification, 6.2.1)

    def _text(self, operation: Operation) -> str:
        return self.call_of(operation) or self.batch_of(operation) or ""

    def _request(self, body: Any, **options: Any) -> Request:
        return self.client.request("POST", "", json=body, decode=decode_graphql_body, **options)

    def _variables(self, text: str, row: Mapping[str, Any], remote_id: Any) -> dict[str, Any]:
        variables: dict[str, Any] = {}
        for name in variables_of(text):
            if name == "id" and remote_id is not MISSING:
                if remote_id is None:
                    raise Unfillable(
                        "id", "the record's id at the destination is not known, so that it cannot be named there"
                    )
                variables[name] = remote_id
            elif name == (self.target.wrap or RECORD):
                body = self.content(row)
                place = self.target.id_as
                variables[name] = put(body, place, remote_id) if place and remote_id not in (None, MISSING) else body
            else:
                variables[name] = self._value(name, row)
        return variables

    @staticmethod
    def _value(name: str, row: Mapping[str, Any]) -> Any:
        if name not in row:
            raise Unfillable(name, f"the text declares ${name}, and the row has no field of that name")
        return row[name]


def variables_of(text: str) -> tuple[str, ...]:
    """The variables that a GraphQL operation declares."""
    header = _HEADER.match(text)
    return tuple(dict.fromkeys(_VARIABLE.findall(header[2]))) if header and header[2] else ()


def operation_of(text: str) -> str | None:
    """mutation, query, subscription or fragment, as a GraphQL text begins; `{` begins a query."""
    header = _HEADER.match(text)
    return header[1] if header else "query" if text.lstrip().startswith("{") else None


def shown_body(body: Any) -> str:
    """A body for people."""
    return "" if body is None else encode_json(body).decode()
