"""A GraphQL schema as an API: each field of the query type that gives a connection or a list is an entity."""

from __future__ import annotations

import re
from typing import Any

from syncline.errors import UsageError
from syncline.generate.inference.api import Api
from syncline.generate.inference.documents import DocumentError
from syncline.generate.inference.graphql.entities import Types, entities_of
from syncline.generate.inference.guess import Guess, unknown
from syncline.generate.inference.rules.naming import host_name

_TYPE = "kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } }"
INTROSPECTION = (
    "query Introspection { __schema { queryType { name } types { kind name description "
    f"fields(includeDeprecated: false) {{ name description args {{ name description defaultValue type {{ {_TYPE} }} }} "
    f"type {{ {_TYPE} }} }} inputFields {{ name type {{ {_TYPE} }} }} enumValues {{ name }} }} }} }}"
)
"""Only what is needed (GraphQL specification, 4.2)."""
MAX_TYPES = 20_000


def is_introspection(data: Any) -> bool:
    """Whether this is the answer to an introspection query, with or without `data` around it."""
    return _schema(data) is not None


def is_sdl(text: str) -> bool:
    """Whether this is a schema in the definition language."""
    return re.search(r"^\s*(type\s+Query\b[^{]*\{|schema\s*\{|extend\s+type\s+Query\b)", text, re.M) is not None


def read_sdl(text: str, source: str) -> Api:
    """What a schema in the definition language says. Raises DocumentError, and UsageError without the extra `graphql`."""
    try:
        from graphql import GraphQLError, build_schema, introspection_from_schema  # late: an optional extra
    except ImportError:
        raise UsageError(
            "GraphQL's schema language is read by a package that is not installed",
            hint="pip install 'syncline[graphql]'",
        ) from None
    try:
        schema = build_schema(text, assume_valid=True)
        return read_graphql({"data": introspection_from_schema(schema)}, source)
    except (GraphQLError, TypeError, RecursionError) as error:
        said = str(error).split("\n", 1)[0]
        raise DocumentError(f"{source} is no GraphQL schema", evidence=said, hint="check the schema") from None


def read_graphql(data: Any, source: str, *, address: str | None = None) -> Api:
    """What an introspection answer says; `address` is the endpoint, where it is known."""
    schema = _schema(data) or {}
    types: Types = {
        str(one["name"]): one
        for one in (schema.get("types") or [])[:MAX_TYPES]
        if isinstance(one, dict) and isinstance(one.get("name"), str)
    }
    query = str((schema.get("queryType") or {}).get("name") or "Query")
    base: Guess[str] = (
        Guess(address, 0.99, ("it answered an introspection query",))
        if address
        else unknown("a schema names no address")
    )
    return Api(
        name=host_name(address.split("/")[2].partition(":")[0]) if address else "graphql",
        kind="graphql",
        base_url=base,
        auth=(unknown("a GraphQL schema says nothing of authentication"),),
        rate_limit=unknown("a GraphQL schema says nothing of limits"),
        entities=entities_of(types, query),
        sources=(source,),
    )


def _schema(data: Any) -> dict[str, Any] | None:
    for place in (data, data.get("data") if isinstance(data, dict) else None):
        found = place.get("__schema") if isinstance(place, dict) else None
        if isinstance(found, dict) and isinstance(found.get("types"), list):
            return found
    return None
