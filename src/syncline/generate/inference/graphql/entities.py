"""Lists among the fields of a query type, each with a query that reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from syncline.generate.inference.api import Entity
from syncline.generate.inference.guess import Guess, unknown
from syncline.generate.inference.rules.cursors import CHANGED, find_cursor_field
from syncline.generate.inference.rules.keys import Names, find_key
from syncline.generate.inference.rules.words import flat, words
from syncline.generate.inference.schema import Schema, Type, fields_of
from syncline.pagination import GraphQLConnection, Offset, Pagination, Unpaged
from syncline.sources import Incremental

Types = dict[str, dict[str, Any]]
MAX_FIELDS = 60
_NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]*")
_SCALARS: dict[str, tuple[Type, str | None]] = {
    "ID": ("string", None), "String": ("string", None), "Int": ("integer", None), "Float": ("number", None),
    "Boolean": ("boolean", None), "DateTime": ("string", "date-time"), "Date": ("string", "date"),
    "Timestamp": ("string", "date-time"),
    "ISO8601DateTime": ("string", "date-time"), "BigInt": ("integer", None), "Long": ("integer", None), "Decimal": ("number", None),
    "URL": ("string", "uri"), "URI": ("string", "uri"), "UUID": ("string", "uuid"),
}  # fmt: skip


class Kind(msgspec.Struct, frozen=True):
    """A type reference without its wrappers: its name, whether it is a list, and whether it must be there."""

    name: str
    listed: bool
    required: bool
    literal: str
    """As a query writes it: [ID!]!"""


def kind_of(reference: Any) -> Kind:
    """What a type reference of an introspection answer means."""
    node: dict[str, Any] = reference if isinstance(reference, dict) else {}
    outer = node.get("kind")
    if outer in ("NON_NULL", "LIST") and isinstance(node.get("ofType"), dict):
        inner = kind_of(node["ofType"])
        if outer == "NON_NULL":
            return Kind(inner.name, inner.listed, True, f"{inner.literal}!")
        return Kind(inner.name, True, False, f"[{inner.literal}]")
    name = str(node.get("name") or "String")
    return Kind(name if _NAME.fullmatch(name) else "String", False, False, name if _NAME.fullmatch(name) else "String")


def entities_of(types: Types, query: str) -> tuple[Entity, ...]:
    """Every connection and every list of objects that the query type gives."""
    found = (_entity(types, field) for field in _fields(types.get(query)))
    return tuple(entity for entity in found if entity is not None)


def _fields(node: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    for field in (node or {}).get("fields") or ():
        if isinstance(field, dict) and _NAME.fullmatch(str(field.get("name") or "")):
            yield field


def _entity(types: Types, field: dict[str, Any]) -> Entity | None:
    name, kind = str(field["name"]), kind_of(field.get("type"))
    nodes = _nodes(types, kind)
    record = nodes if nodes is not None else (kind.name if kind.listed else None)
    if record is None or not list(_fields(types.get(record))):
        return None
    arguments = {
        str(one["name"]): one
        for one in field.get("args") or ()
        if isinstance(one, dict) and _NAME.fullmatch(str(one.get("name") or ""))
    }
    schema = _schema(types, record, 0)
    cursor = find_cursor_field(schema)
    since = _since(arguments, cursor)
    pagination = _pagination(types, name, kind, nodes, arguments)
    used = [
        one for one in ("first", "after", "limit", "offset", "skip", "take") if one in arguments and _pages(pagination)
    ]
    asks = tuple(
        one for one, node in arguments.items()
        if kind_of(node.get("type")).required and node.get("defaultValue") is None and one not in used
    )  # fmt: skip
    declared = [*used, *asks, *([since] if since else [])]
    way = _way(types, kind, nodes)
    records = f"data.{name}{'.' + way if way else ''}"
    told = f"{name} gives {'a connection' if nodes is not None else 'a list'} of {record}"
    return Entity(
        name="_".join(words(name)) or name,
        path="",
        method="POST",
        description=" ".join(str(field.get("description") or "").split())[:200],
        query=_query(types, name, record, way, {one: kind_of(arguments[one].get("type")) for one in declared}),
        asks=asks,
        records=Guess(records, 0.95, (told,)),
        primary_key=find_key(schema, Names.of(f"/{name}", records)),
        pagination=pagination,
        cursor_field=cursor,
        incremental=_incremental(cursor, since),
        parent=Guess(None, 0.95, ("it stands alone in the query type",)),
        worth=Guess(not asks, 0.8 if not asks else 0.7, (told,) if not asks else (f"it needs {', '.join(asks)}",)),
        fields=fields_of(schema),
    )


def _nodes(types: Types, kind: Kind) -> str | None:
    """The type of a connection's nodes (GraphQL Cursor Connections Specification), or None where it is none."""
    fields = {str(one["name"]): kind_of(one.get("type")) for one in _fields(types.get(kind.name))}
    if kind.listed or "pageInfo" not in fields:
        return None
    if "nodes" in fields:
        return fields["nodes"].name
    edges = fields.get("edges")
    inner = {str(one["name"]): kind_of(one.get("type")) for one in _fields(types.get(edges.name))} if edges else {}
    return inner["node"].name if "node" in inner else None


def _way(types: Types, kind: Kind, nodes: str | None) -> str:
    if nodes is None:
        return ""
    names = {str(one["name"]) for one in _fields(types.get(kind.name))}
    return "nodes" if "nodes" in names else "edges[*].node"


def _pages(pagination: Guess[Pagination]) -> bool:
    return pagination.value is not None and not isinstance(pagination.value, Unpaged)


def _pagination(types: Types, name: str, kind: Kind, nodes: str | None, arguments: dict[str, Any]) -> Guess[Pagination]:
    if nodes is not None and "after" in arguments:
        settings: dict[str, Any] = {"connection": f"data.{name}"}
        if "first" in arguments:
            settings["size_variable"] = "first"
        told = f"{name} has pageInfo and takes 'after' (GraphQL Cursor Connections)"
        return Guess(GraphQLConnection.model_validate(settings), 0.97, (told,))
    for offset, limit in (
        ("offset", "limit"),
        ("skip", "take"),
        ("skip", "first"),
        ("skip", "limit"),
        ("offset", "first"),
    ):
        if offset in arguments and limit in arguments:
            places = {"offset_param": f"variables.{offset}", "limit_param": f"variables.{limit}", "in": "body"}
            return Guess(Offset.model_validate(places), 0.85, (f"{name} takes {offset!r} and {limit!r}",))
    if {"page", "cursor", "pagination", "paging"} & set(arguments):
        return unknown("it takes an argument for pages, of a form that is not known")
    return Guess(Unpaged(), 0.7, (f"{name} takes no argument for pages",))


def _since(arguments: dict[str, Any], cursor: Guess[str]) -> str | None:
    """The argument that asks for what changed since a moment."""
    if not cursor.known or flat(cursor.value or "") not in CHANGED:
        return None
    for name in arguments:
        plain = flat(name)
        if plain.endswith(("since", "after", "gte", "gt", "from")) and any(
            word in plain for word in ("updat", "modif", "chang")
        ):
            return name
    return None


def _incremental(cursor: Guess[str], since: str | None) -> Guess[Incremental]:
    if since is None or cursor.value is None:
        return unknown("no argument is named like a filter by time of change")
    value = Incremental(cursor=cursor.value, variable=since)
    return Guess(value, 0.85, (f"the argument {since!r} asks for what is later than a moment", *cursor.evidence))


def _schema(types: Types, name: str, depth: int) -> Schema:
    properties: dict[str, Schema] = {}
    required: set[str] = set()
    for field in list(_fields(types.get(name)))[:MAX_FIELDS]:
        if any(kind_of(one.get("type")).required for one in field.get("args") or () if isinstance(one, dict)):
            continue
        kind, own = kind_of(field.get("type")), str(field["name"])
        inner = _value(types, kind, depth)
        if inner is None:
            continue
        properties[own] = inner
        if kind.required:
            required.add(own)
    return Schema(type="object", properties=properties, required=frozenset(required), told=True)


def _value(types: Types, kind: Kind, depth: int) -> Schema | None:
    """The schema of a field that a query reads: scalars, lists of them, and one level of objects; None for what it leaves out."""
    node = types.get(kind.name, {})
    if kind.name in _SCALARS or node.get("kind") in ("SCALAR", "ENUM") or not node:
        type_, format_ = _SCALARS.get(kind.name, ("string" if node.get("kind") == "ENUM" else "any", None))
        plain = Schema(type=type_, format=format_, nullable=not kind.required)
        return Schema(type="array", items=plain, nullable=not kind.required) if kind.listed else plain
    if kind.listed or depth > 0 or node.get("kind") != "OBJECT" or _nodes(types, kind) is not None:
        return None
    inner = _schema(types, kind.name, depth + 1)
    if not inner.properties:
        return None
    return Schema(
        type="object", properties=inner.properties, required=inner.required, told=True, nullable=not kind.required
    )


def _query(types: Types, name: str, record: str, way: str, variables: dict[str, Kind]) -> str:
    """The text of a query for a list: its scalars, and those of the objects in it."""
    selection = " ".join(_selection(_schema(types, record, 0)))
    declared = f"({', '.join(f'${one}: {kind.literal}' for one, kind in variables.items())})" if variables else ""
    passed = f"({', '.join(f'{one}: ${one}' for one in variables)})" if variables else ""
    if not way:
        inner = selection
    elif way == "nodes":
        inner = f"nodes {{ {selection} }} pageInfo {{ hasNextPage endCursor }}"
    else:
        inner = f"edges {{ node {{ {selection} }} }} pageInfo {{ hasNextPage endCursor }}"
    return f"query{declared} {{ {name}{passed} {{ {inner} }} }}"


def _selection(schema: Schema) -> Iterator[str]:
    for name, inner in schema.properties.items():
        yield f"{name} {{ {' '.join(_selection(inner))} }}" if inner.type == "object" else name
