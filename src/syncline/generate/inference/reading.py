"""Reading any document about an API: what kind it is is seen by its content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from syncline.generate.inference.api import Api
from syncline.generate.inference.documents import DocumentError, parse, read_text
from syncline.generate.inference.graphql import is_introspection, is_sdl, read_graphql, read_sdl
from syncline.generate.inference.infer import infer
from syncline.generate.inference.openapi import is_openapi, read_openapi
from syncline.generate.inference.traffic import is_curl, is_har, is_postman, read_curl, read_har, read_postman


def read(source: str | Path, *, address: str | None = None) -> Api:
    """What a document says of an API: a path, or the document's text itself.

    OpenAPI 2.0 to 3.2 (JSON or YAML), GraphQL (schema language or introspection answer), Postman collections, HAR files, curl
    commands. `address` is where the text was got from. Raises DocumentError for anything else.
    """
    text, name = _text(source, address)
    if is_curl(text):
        return infer(read_curl(text, "a curl command"))
    if text.lstrip()[:1] not in ("{", "[") and is_sdl(text):
        return read_sdl(text, name)
    return read_data(parse(text, name), name, address=address)


def read_data(data: Any, name: str, *, address: str | None = None) -> Api:
    """What a document says that is parsed already. Raises DocumentError."""
    if is_openapi(data):
        return infer(read_openapi(data, name, address=address))
    if is_introspection(data):
        return read_graphql(data, name)
    if is_postman(data):
        return infer(read_postman(data, name))
    if is_har(data):
        return infer(read_har(data, name))
    raise DocumentError(
        f"{name} is no description of an API",
        hint="OpenAPI, GraphQL schemas, Postman collections, HAR files and curl commands are understood",
    )


def _text(source: str | Path, address: str | None) -> tuple[str, str]:
    if isinstance(source, str) and ("\n" in source or source.lstrip().startswith(("{", "[", "curl "))):
        return source, address or "the text"
    return read_text(Path(source)), str(source)
