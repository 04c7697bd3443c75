"""Reading any document about an API: what kind it is is seen by its content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from syncline.generate.inference.api import Api
from syncline.generate.inference.documents import DocumentError, parse, read_text
from syncline.generate.inference.infer import infer
from syncline.generate.inference.known import Known
from syncline.generate.inference.openapi import is_openapi, read_openapi


def read(source: str | Path, *, address: str | None = None) -> Api:
    """What a document says of an API: a path, or the document's text itself.

    OpenAPI 2.0 to 3.2 (JSON or YAML). `address` is where the text was got from.
    Raises DocumentError, with what the document is instead.
    """
    text, name = _text(source, address)
    return infer(known_of(parse(text, name), name, address))


def known_of(data: Any, name: str, address: str | None = None) -> Known:
    """The facts of a document that is read already."""
    if is_openapi(data):
        return read_openapi(data, name, address=address)
    raise DocumentError(f"{name} is no description of an API", hint="an OpenAPI document is understood")


def _text(source: str | Path, address: str | None) -> tuple[str, str]:
    if isinstance(source, str) and ("\n" in source or source.lstrip().startswith(("{", "[", "curl "))):
        return source, address or "the text"
    return read_text(Path(source)), str(source)
