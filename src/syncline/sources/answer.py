"""From an answer to its records; never a silent zero (R18)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from syncline.errors import BodyError
from syncline.model import MISSING, Response, compile_path
from syncline.model.names import nearest
from syncline.sources.endpoint import Endpoint

MAX_SHOWN = 160


def records_of(endpoint: Endpoint, path: str | None, response: Response) -> list[Any]:
    """The list of records in a decoded answer. Raises BodyError, with where lists were seen, if there is none."""
    document = response.document
    if path is None and not endpoint.single:
        found = document
    else:
        found = compile_path(path or ".")(document)
    if isinstance(found, list) and not endpoint.single:
        return found
    if endpoint.single and isinstance(found, dict):
        return [found]
    if found is None and endpoint.null_is_empty:
        return []
    raise _no_records(endpoint, path, document, found)


def _no_records(endpoint: Endpoint, path: str | None, document: Any, found: Any) -> BodyError:
    wanted = "one record" if endpoint.single else "a list of records"
    where = f"at {path!r}" if path else "in the answer's root"
    met = "nothing" if found is MISSING else "null" if found is None else _describe(found)
    lists = list(_lists(document))
    if endpoint.single:
        hint = "remove 'single: true', or set 'records' to the path of the record"
    elif found is None:
        hint = "if this API writes null for an empty list, say so with 'null_is_empty: true'"
    elif lists:
        near = nearest(path or "", lists) or lists[0]
        others = [name for name in lists if name != near]
        more = f" (there is also {', '.join(others[:3])})" if others else ""
        hint = f"did you mean records: {near}?{more}"
    elif isinstance(found, dict):
        hint = "if the answer is one record, say so with 'single: true'"
    else:
        hint = "look at the answer with 'syncline preview', or ask the API's operator"
    return BodyError(
        f"stream {endpoint.name!r} expects {wanted} {where} and found {met}",
        evidence=f"the answer is {_describe(document)}",
        hint=hint,
        status=None,
    )


def _describe(value: Any) -> str:
    if isinstance(value, dict):
        text = f"an object with {', '.join(map(repr, list(value)[:8]))}" if value else "an empty object"
    elif isinstance(value, list):
        text = f"a list of {len(value)}"
    elif isinstance(value, str):
        text = f"the text {value[:40]!r}"
    else:
        text = "null" if value is None else f"the value {str(value)[:40]}"
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def _lists(document: Any, path: str = "", depth: int = 3) -> Iterator[str]:
    """Paths at which lists stand, the nearest to the root first."""
    if isinstance(document, list):
        yield path or "."
    elif isinstance(document, dict) and depth:
        for key, value in list(document.items())[:50]:
            plain = key.isidentifier() or key.replace("-", "_").isidentifier()
            step = key if plain else '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
            yield from _lists(value, f"{path}.{step}" if path else step, depth - 1)
