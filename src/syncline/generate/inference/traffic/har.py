"""HAR files: what a browser recorded (HTTP Archive 1.2)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from syncline.generate.inference.known import Known
from syncline.generate.inference.traffic.exchanges import Exchange, known_of, schemes_of


def is_har(data: Any) -> bool:
    log = data.get("log") if isinstance(data, dict) else None
    return isinstance(log, dict) and isinstance(log.get("entries"), list)


def read_har(data: dict[str, Any], source: str) -> Known:
    """The JSON answers of a recording; pictures, scripts and pages are left out. Credentials in it are not kept (S9)."""
    exchanges = list(_exchanges(data["log"]["entries"]))
    return known_of([one for one in exchanges if one.body is not None], title="", source=source)


def _exchanges(entries: list[Any]) -> Iterator[Exchange]:
    for entry in entries:
        request, response = (_object(_object(entry).get(part)) for part in ("request", "response"))
        url, content = str(request.get("url") or ""), _object(response.get("content"))
        if "json" not in str(content.get("mimeType") or "").lower():
            continue
        yield Exchange(
            method=str(request.get("method") or "GET").upper(),
            url=url,
            schemes=schemes_of(_pairs(request.get("headers")), parse_qsl(urlsplit(url).query)),
            status=response["status"] if isinstance(response.get("status"), int) else 0,
            headers={name.lower(): value for name, value in _pairs(response.get("headers"))},
            body=_text(content),
        )


def _text(content: dict[str, Any]) -> str | None:
    text = content.get("text")
    if not isinstance(text, str):
        return None
    if content.get("encoding") != "base64":
        return text
    try:
        return base64.b64decode(text, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return None


def _pairs(listed: Any) -> list[tuple[str, str]]:
    found = [_object(one) for one in listed] if isinstance(listed, list) else []
    return [(str(one.get("name") or ""), str(one.get("value") or "")) for one in found]


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
