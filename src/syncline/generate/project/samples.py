"""Answers made up from what a document says of them, so that a new project can be tested before anybody was asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import unquote, urlsplit

from syncline.errors import SynclineError
from syncline.generate.inference import Entity, RecordField
from syncline.model import PathError, Request, Response, encode_json, parse_path, put_path
from syncline.pagination import GraphQLConnection
from syncline.recordings import Recording, pretended, replay
from syncline.spec import Integration, Stream

ABOUT = "Made up from what is known of the API, not answered by it. syncline test FILE --record takes real answers."
RECORDS = 2
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")


async def samples(integration: Integration, entities: Mapping[str, Entity]) -> list[Recording]:
    """A recording for each stream for which answers can be made up, with what comes of it as the expectation."""

    async def answer(request: Request) -> Response:
        stream = _asked(integration, request)
        body = encode_json(_document(stream, entities[stream.name]))
        headers = Response.headers_of({"Content-Type": "application/json"})
        return Response(status=200, headers=headers, body=body, url=request.url)

    made = []
    for stream in integration.streams:
        try:
            recording = await pretended(integration, stream, answer, ABOUT)
            done = await replay(integration, recording)
        except (SynclineError, PathError, ValueError):
            continue  # what is known is not enough for an answer that a run would take
        if done.error is None and done.outcome.rows:
            recording.expect = done.outcome
            made.append(recording)
    return made


def _asked(integration: Integration, request: Request) -> Stream:
    path = unquote(urlsplit(request.url).path)
    query = request.json.get("query") if isinstance(request.json, dict) else None
    for stream in integration.streams:
        if stream.query is not None:
            if stream.query == query:
                return stream
        elif re.search("[^/]+".join(map(re.escape, _PLACEHOLDER.split(stream.path.partition("?")[0]))) + "/?$", path):
            return stream
    raise ValueError("no stream asks for this")


def _document(stream: Stream, entity: Entity) -> Any:
    records = [_record(entity, number) for number in range(1, RECORDS + 1)]
    document = put_path({}, stream.records, records) if stream.records else records
    paging = stream.pagination
    if isinstance(paging, GraphQLConnection):
        info = {"hasNextPage": False, "endCursor": None}
        return put_path(document, f"{paging.connection}.pageInfo", info)
    if isinstance(document, dict):
        for field, value in (("next", None), ("has_more", False), ("total", RECORDS), ("total_pages", 1)):
            path = getattr(paging, field, None)
            if isinstance(path, str):
                document = put_path(document, path, value)
    return document


def _record(entity: Entity, number: int) -> Any:
    record: Any = {}
    keys = entity.primary_key.value or ()
    fields = list(entity.fields)
    for key in keys:
        if all(field.path != key for field in fields):
            fields.append(RecordField(path=key, type="integer"))
    for field in fields:
        if "[" in field.path or any(other.path.startswith(f"{field.path}.") for other in fields):
            continue
        parse_path(field.path)
        record = put_path(record, field.path, _value(field, number))
    return record


def _value(field: RecordField, number: int) -> Any:
    match field.type:
        case "integer":
            return number
        case "number":
            return Decimal(f"{number}.5")
        case "boolean":
            return number % 2 == 0
        case "datetime":
            return f"2026-01-0{number}T12:00:00Z"
        case "date":
            return f"2026-01-0{number}"
        case "object":
            return {}
        case "list":
            return []
        case "null":
            return None
    if field.format == "email":
        return f"person{number}@example.com"
    if field.format in ("uri", "url"):
        return f"https://example.com/{number}"
    if field.format == "uuid":
        return f"00000000-0000-4000-8000-00000000000{number}"
    return f"{field.path.rpartition('.')[2]} {number}"
