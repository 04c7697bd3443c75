"""Requests that only read, few of them, and their answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from syncline.errors import BodyError, RequestError
from syncline.generate.inference.operation import Operation, Parameter
from syncline.generate.inference.schema import Schema, of_samples
from syncline.http import Client, decode_json_body
from syncline.model import MISSING, Headers, Request, Response, compile_path
from syncline.pagination import Answer


class Look(msgspec.Struct, frozen=True):
    """What came back. `document` is MISSING where it is no JSON; `params` are those that were asked with."""

    response: Response
    document: Any
    params: dict[str, str]

    @property
    def ok(self) -> bool:
        return 200 <= self.response.status < 300 and self.document is not MISSING

    @property
    def headers(self) -> Headers:
        return self.response.headers

    def records(self, path: str) -> list[Any]:
        """The list at this path; empty where there is none."""
        found = compile_path(path)(self.document) if self.ok else None
        return found if isinstance(found, list) else []

    def answer(self, path: str) -> Answer:
        """The answer as pagination reads it."""
        return Answer(self.document, self.headers, self.response.url, self.records(path))


class Asker:
    """Sends GET requests below one address until none is left, and remembers how many were sent."""

    def __init__(self, client: Client, most: int) -> None:
        self._client, self._most = client, most
        self.sent = 0
        self.looks: list[Look] = []

    @property
    def left(self) -> int:
        return self._most - self.sent

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Look | None:
        """The answer, or None where no request is left. Raises the RequestError family where no answer came."""
        if self.left <= 0:
            return None
        self.sent += 1
        request = self.request(path, params)
        response = await self._client.look(request)
        self.looks.append(Look(response, _document(response), dict(params or {})))
        return self.looks[-1]

    def request(self, path: str, params: Mapping[str, str] | None = None) -> Request:
        return self._client.request("GET", path, params=params, headers={"Accept": "application/json"})

    async def try_get(self, path: str, params: Mapping[str, str] | None = None) -> Look | None:
        """As `get`, for an experiment: None where no usable answer came, too."""
        try:
            look = await self.get(path, params)
        except RequestError:
            return None
        return look if look is not None and look.ok else None

    async def post(self, path: str, json: Any) -> Look | None:
        """For GraphQL alone, whose queries are posted."""
        if self.left <= 0:
            return None
        self.sent += 1
        request = self._client.request("POST", path, json=json, headers={"Accept": "application/json"}, repeatable=True)
        response = await self._client.look(request)
        self.looks.append(Look(response, _document(response), {}))
        return self.looks[-1]


def _document(response: Response) -> Any:
    try:
        return decode_json_body(response)
    except (BodyError, ValueError):
        return MISSING


def operation_of(path: str, look: Look, told: Operation | None = None) -> Operation:
    """An answer as an operation; `told` is what a document says of the same one, whose parameters are kept."""
    seen = {name: _parameter(name, value) for name, value in look.params.items()}
    parameters = {parameter.name: parameter for parameter in (told.parameters if told else ())}
    return Operation(
        path=path,
        parameters=tuple({**seen, **parameters}.values()),
        answer=of_samples([look.document]) if look.ok else None,
        headers={name.lower(): value[:500] for name, value in look.headers.items()},
        summary=told.summary if told else "",
        description=told.description if told else "",
        statuses=frozenset({str(look.response.status)}),
    )


def _parameter(name: str, value: str) -> Parameter:
    kind = "integer" if value.lstrip("-").isdigit() and len(value) < 10 else "string"
    return Parameter(name=name, schema=Schema(type=kind), example=value)  # type: ignore[arg-type]


def query_of(url: str) -> dict[str, str]:
    """An address's parameters, the last of each name."""
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
